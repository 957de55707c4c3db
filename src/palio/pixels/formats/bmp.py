"""BMP: nothing beside its pixels.

Source: Microsoft, BITMAPINFOHEADER structure.
"""

from __future__ import annotations

from palio.pixels.formats.essence import Essence
from palio.pixels.problems import problem


def bmp(data: bytes) -> Essence:
    """Keep a BMP file as it is, unless it is compressed: that is rare, and slow to undo."""
    if int.from_bytes(data[14:18], "little") >= 40 and int.from_bytes(data[30:34], "little") in {1, 2, 4, 5}:
        raise problem("format", "a BMP file that is compressed; plain ones are read")
    return Essence("BMP", data)
