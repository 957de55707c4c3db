"""What a picture is, by its header."""

from __future__ import annotations

from dataclasses import dataclass

from palio.pixels.limits import Limits
from palio.pixels.opening import open_picture


@dataclass(frozen=True, slots=True)
class Look:
    """What the header of a picture says.

    Args:
        format: One of `FORMATS`.
        width: As it is shown, that is, after it was turned upright.
        height: Likewise.
        mode: How Pillow calls the meaning of its numbers: `RGB`, `L`, `P`, `CMYK`, `RGBA`, …
        orientation: How the camera was held, 1 to 8, as in EXIF; 1 is upright.
        n_frames: Pictures in the file; the first is the one that is read.
        n_bytes: Size of the file.
        depth: Bits of a number in the file; of more than 8 the upper 8 are kept.
    """

    format: str
    width: int
    height: int
    mode: str
    orientation: int
    n_frames: int
    n_bytes: int
    depth: int = 8


def look(data: bytes, limits: Limits = Limits()) -> Look:  # noqa: B008 - it is frozen
    """Say what a picture is; no pixel is decoded.

    Raises:
        InputError: it is no usable picture; `facts["problem"]` is one of `PROBLEMS`.
        UnavailableError: Pillow is not installed.
    """
    image, found = open_picture(data, limits)
    width, height = image.size[::-1] if found.orientation >= 5 else image.size
    return Look(found.format, width, height, image.mode, found.orientation, found.n_frames, len(data), found.depth)
