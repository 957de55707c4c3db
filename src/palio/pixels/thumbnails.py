"""Pixels become files again: small pictures for people, and what compression makes of a picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from palio.pixels.opening import pillow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def as_jpeg(pixels: NDArray[np.uint8], *, quality: int = 80) -> bytes:
    """Return a picture, RGB of shape (height, width, 3), as a JPEG file. Equal pixels give equal bytes.

    Raises:
        UnavailableError: Pillow is not installed.
    """
    with pillow():
        from PIL.Image import fromarray

        file = io.BytesIO()
        fromarray(pixels).save(file, "JPEG", quality=quality, optimize=True)
        return file.getvalue()


def thumbnail(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return a picture whose longer side is at most so many pixels.

    Raises:
        UnavailableError: Pillow is not installed.
    """
    import numpy as np

    height, width = pixels.shape[:2]
    if max(height, width) <= side:
        return pixels
    shape = max(1, round(width * side / max(height, width))), max(1, round(height * side / max(height, width)))
    with pillow():
        from PIL.Image import Resampling, fromarray

        return np.asarray(fromarray(pixels).resize(shape, Resampling.BILINEAR, reducing_gap=3))


def blurred(pixels: NDArray[np.uint8], radius: float) -> NDArray[np.uint8]:
    """Return a picture that is out of focus: a Gaussian of that standard deviation, in pixels.

    Raises:
        UnavailableError: Pillow is not installed.
    """
    import numpy as np

    with pillow():
        from PIL.Image import fromarray
        from PIL.ImageFilter import GaussianBlur

        return np.asarray(fromarray(pixels).filter(GaussianBlur(radius)))
