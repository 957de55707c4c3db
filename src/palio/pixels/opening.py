"""The one place where Pillow is given the bytes of strangers."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING

from palio.core.errors import InputError, need
from palio.pixels.formats import Essence, essence
from palio.pixels.limits import Limits
from palio.pixels.problems import problem
from palio.pixels.silence import Silence, silence_libtiff

if TYPE_CHECKING:
    from PIL.Image import Image

_READERS = {
    "JPEG": ("JpegImagePlugin", "JpegImageFile"),  # of a file with more pictures (MPO), the first
    "PNG": ("PngImagePlugin", "PngImageFile"),
    "WEBP": ("WebPImagePlugin", "WebPImageFile"),
    "BMP": ("BmpImagePlugin", "BmpImageFile"),
    "GIF": ("GifImagePlugin", "GifImageFile"),
    "TIFF": ("TiffImagePlugin", "TiffImageFile"),
}
_EASY_SCANS = 20  # of a progressive JPEG; an encoder writes about 10, and each costs a pass over all pixels
_SILENCE = Silence()
_ENDS_EARLY = (EOFError, struct.error, IndexError)


def open_picture(data: bytes, limits: Limits) -> tuple[Image, Essence]:
    """Read the header of a picture and hold it to the limits; no pixel is decoded.

    Readers are called by name instead of through `Image.open`, whose limit is a setting of the whole process.

    Raises:
        InputError: it is no usable picture.
        UnavailableError: Pillow is not installed.
    """
    with pillow():
        found = essence(data, limits)
        image: Image = _reader(found.format)(BytesIO(found.data))
        width, height = image.size
        if width < 1 or height < 1:
            raise problem("damaged", f"{width} × {height} pixels")
        _check_effort(width, height, found.n_scans, limits)
    return image, found


@cache
def _reader(format: str) -> Callable[[BytesIO], Image]:
    module, name = _READERS[format]
    reader: Callable[[BytesIO], Image] = getattr(import_module(f"PIL.{module}"), name)
    if format == "TIFF":
        silence_libtiff()
    return reader


def _check_effort(width: int, height: int, n_scans: int, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        said = f"{width:,} × {height:,} pixels; at most {limits.max_pixels:,} pixels are decoded"
        raise problem("too large", said)
    if n_scans * width * height > _EASY_SCANS * limits.max_pixels:
        raise problem("too large", f"{n_scans:,} scans of {width:,} × {height:,} pixels")


def pillow_version() -> str:
    """Return the version of Pillow.

    Raises:
        UnavailableError: it is not installed.
    """
    with pillow():
        return str(import_module("PIL").__version__)


@contextmanager
def pillow() -> Iterator[None]:
    """Let Pillow work in silence, and turn whatever it raises into words.

    Raises:
        InputError: it could not read what it was given.
        UnavailableError: it is not installed.
    """
    try:
        with _SILENCE:
            yield
    except InputError:
        raise
    except ImportError as error:
        raise need("image", error) from error
    except MemoryError as error:
        raise problem("too large", "more memory is needed than there is") from error
    except Exception as error:  # Pillow's readers raise whatever broken bytes lead them to
        if isinstance(error, _ENDS_EARLY) or "truncated" in str(error).lower():
            raise problem("truncated", "the file ends early") from error
        raise problem("damaged", "the file is damaged") from error
