"""JPEG: segments up to the first scan, then the scans.

Source: ITU-T T.81, annex B.
"""

from __future__ import annotations

from palio.pixels.formats.essence import MAX_PARTS, Essence, orientation_of
from palio.pixels.problems import problem

_KEPT_NOTES = {0xE0, 0xEE}  # JFIF and Adobe tell what the colours mean


def jpeg(data: bytes) -> Essence:
    """Keep what the pixels need of a JPEG file."""
    kept, orientation, at = [data[:2]], 1, 2
    for _ in range(MAX_PARTS):
        start = at
        while data[at : at + 1] == b"\xff":  # a marker, and bytes that fill up before it
            at += 1
        if at >= len(data):
            raise problem("truncated", "the JPEG file ends before its pixels")
        marker = data[at] if at > start else -1
        size = int.from_bytes(data[at + 1 : at + 3], "big")
        if marker < 0xC0 or (size < 2 and not 0xD0 <= marker <= 0xD9):
            raise problem("damaged", f"the JPEG file has no segment at byte {start}")
        if 0xD0 <= marker <= 0xD9:  # a marker without a segment
            at += 1
            continue
        end = at + 1 + size
        if marker == 0xE1 and data[at + 3 : at + 9] == b"Exif\0\0" and orientation == 1:
            orientation = orientation_of(data[at + 9 : end])
        if marker == 0xDA:
            n_scans = data.count(b"\xff\xda", at - 1)
            return Essence("JPEG", b"".join([*kept, b"\xff", data[at:]]), orientation, n_scans=n_scans)
        if marker in _KEPT_NOTES or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept += [b"\xff", data[at:end]]
        at = end
    raise problem("too large", f"a JPEG file with more than {MAX_PARTS:,} segments")
