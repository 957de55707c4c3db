"""How much of a stranger's picture is read at all."""

from __future__ import annotations

from dataclasses import dataclass

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a picture may be before a pixel of it is decoded.

    A picture within the limits takes up to 12 bytes of memory a pixel while it is decoded, a JPEG that is asked for
    at a fraction of its size much less.
    """

    max_pixels: int = 50_000_000
    max_bytes: int = 50_000_000
    formats: tuple[str, ...] = FORMATS
