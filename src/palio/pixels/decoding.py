"""Bytes become pixels, the same ones everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from palio.pixels.limits import Limits
from palio.pixels.opening import open_picture, pillow
from palio.pixels.problems import problem

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

_DRAFT = 2  # a JPEG decoded at twice the size that is asked for differs by 2 of 255 at most from one decoded in full
_WIDE = {"I;16", "I;16L", "I;16B", "I;16N"}
_SHOWN = {"1", "L", "P", "RGB", "RGBX", "RGBA", "RGBa", "LA", "La", "PA", "CMYK", "YCbCr"}
_WHITE = (255, 255, 255)


def decoded(data: bytes, *, least: int = 0, limits: Limits = Limits()) -> NDArray[np.uint8]:  # noqa: B008 - frozen
    """Return the first picture of a file as a person sees it, RGB, shape (height, width, 3), writable.

    It is turned upright; what is transparent lies on white; of 16 bits the upper 8 are kept; colour profiles are not
    applied.

    Args:
        data: The bytes of the file.
        least: The shorter side that is needed, in pixels: a JPEG is decoded at a half, quarter or eighth of its size
            where its shorter side stays at least twice this. 0: in full.
        limits: What is refused before a pixel is decoded.

    Raises:
        InputError: it is no usable picture, or ends early; `facts["problem"]` is one of `PROBLEMS`.
        UnavailableError: Pillow is not installed.
    """
    import numpy as np

    with pillow():
        return np.array(image_of(data, least=least, limits=limits))


def image_of(data: bytes, *, least: int, limits: Limits, around: int = 0) -> Image:
    """Do what `decoded` does, as an image of Pillow.

    Args:
        data: The bytes of the file.
        least: The shorter side that is needed, in pixels.
        limits: What is refused before a pixel is decoded.
        around: The longer side that is needed, in pixels.
    """
    image, found = open_picture(data, limits)
    with pillow():
        wanted = max(least, -(-around * min(image.size) // max(image.size)) if around else 0)
        if found.format == "JPEG" and wanted:
            image.draft(None, (_DRAFT * wanted, _DRAFT * wanted))
        image.load()
        if found.format == "TIFF":
            image = image.copy()  # of the class that only holds pixels
        return _upright(_rgb(image), found.orientation)


def _rgb(image: Image) -> Image:
    if image.mode in _WIDE:
        image = _upper_byte(image)
    if image.mode not in _SHOWN:
        raise problem("format", f"a picture of mode {image.mode}, whose numbers are no brightness or colour")
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if not image.has_transparency_data:
        return image.convert("RGB")
    from PIL.Image import new

    seen = image.convert("RGBA")
    white = new("RGB", seen.size, _WHITE)
    white.paste(seen, mask=seen.getchannel("A"))
    return white


def _upper_byte(image: Image) -> Image:
    import numpy as np
    from PIL.Image import fromarray

    return fromarray((np.asarray(image) >> 8).astype(np.uint8))


def _upright(image: Image, orientation: int) -> Image:
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image
