"""Tell a format by its first bytes, never by the name of a file."""

from __future__ import annotations

from palio.pixels.limits import Limits
from palio.pixels.problems import problem

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"BM", "BMP"),
    (b"8BPS", "Photoshop"),
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\1\0", "icon"),
    (b"II+\0", "BigTIFF"),
    (b"MM\0+", "BigTIFF"),
    (b"qoif", "QOI"),
)
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"msf1": "HEIF"}


def recognise(data: bytes, limits: Limits) -> str:
    """Return which of `limits.formats` the bytes are.

    Raises:
        InputError: there are none, too many, or they are not of such a format.
    """
    if not data:
        raise problem("empty", "the file is empty (0 bytes)")
    if len(data) > limits.max_bytes:
        raise problem("too large", f"{len(data):,} bytes; at most {limits.max_bytes:,} are read")
    found = _format(data)
    if found in limits.formats:
        return found
    if found:
        raise problem("format", f"a file of format {found}; {', '.join(limits.formats)} are read")
    if data.isspace() or not data.strip(b"\0"):
        raise problem("not a picture", "nothing but blanks or zeros")
    raise problem("not a picture", "the bytes do not begin like a picture")


def _format(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "")
    for signature, name in _SIGNATURES:
        if data.startswith(signature):
            return name
    head = data[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return "SVG" if head.startswith((b"<svg", b"<?xml", b"<!doctype svg")) and b"<svg" in head else ""
