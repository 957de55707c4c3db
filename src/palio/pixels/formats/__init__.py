"""Formats of picture files: what of a file its first picture needs, found without decoding a pixel.

A decoder is given that essence alone. Comments, profiles, previews, further frames and whatever else a file may carry
in any amount are never parsed by it; the walk through a file is bounded, whoever made it.
"""

from __future__ import annotations

from collections.abc import Callable

from palio.pixels.formats.bmp import bmp
from palio.pixels.formats.essence import Essence as Essence
from palio.pixels.formats.gif import gif
from palio.pixels.formats.jpeg import jpeg
from palio.pixels.formats.png import png
from palio.pixels.formats.signatures import recognise
from palio.pixels.formats.tiff import tiff
from palio.pixels.formats.webp import webp
from palio.pixels.limits import Limits

_WALKS: dict[str, Callable[[bytes], Essence]] = {
    "JPEG": jpeg,
    "PNG": png,
    "WEBP": webp,
    "BMP": bmp,
    "GIF": gif,
    "TIFF": tiff,
}


def essence(data: bytes, limits: Limits) -> Essence:
    """Find what the first picture of a file needs.

    Raises:
        InputError: the bytes are empty, no picture, of a format that is not read, too many, or end early.
    """
    return _WALKS[recognise(data, limits)](data)
