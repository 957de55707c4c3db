"""Pictures of any size become squares of one size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from palio.core.errors import InputError, did_you_mean
from palio.pixels.decoding import image_of
from palio.pixels.limits import Limits
from palio.pixels.looking import look
from palio.pixels.opening import pillow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

FITS = ("crop", "letterbox", "squash")
_PAD = 114  # grey, as detectors are taught
_MAX_SIZE = 4096


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture lies in a square: by what its sides were multiplied, and what was cut off at the left and top."""

    across: float
    down: float
    left: float = 0.0
    top: float = 0.0

    def back(self, x: float, y: float) -> tuple[float, float]:
        """Bring a point of the square back into the picture."""
        return (x + self.left) / self.across, (y + self.top) / self.down


def fitted(
    data: bytes,
    *,
    size: int,
    short: int = 0,
    fit: str = "crop",
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> NDArray[np.uint8]:
    """Decode a picture and fit it into a square: RGB, shape (size, size, 3), writable.

    Args:
        data: The bytes of the file.
        size: Side of the square, in pixels.
        short: With `crop`, the size of the shorter side before the square is cut from the middle; 0: `size`.
        fit: `crop`, `letterbox` (all of it, at the top left, on grey) or `squash` (all of it, out of proportion).
        limits: What is refused before a pixel is decoded.

    Raises:
        InputError: it is no usable picture, or there is no such fit.
        UnavailableError: Pillow is not installed.
    """
    short = _checked(size, short, fit)
    least, around = (0, size) if fit == "letterbox" else (short, 0)
    with pillow():
        image = image_of(data, least=least, around=around, limits=limits)
        sides = None
        if fit == "letterbox":  # those of the file, of which `place_of` tells: a smaller one may be decoded
            seen = look(data, limits)
            sides = seen.width, seen.height
        return _into_square(image, size, short, fit, sides)


def fit(pixels: NDArray[np.uint8], *, size: int, short: int = 0, fit: str = "crop") -> NDArray[np.uint8]:
    """Fit a picture that is decoded already, shape (height, width, 3), as `fitted` does."""
    short = _checked(size, short, fit)
    with pillow():
        from PIL.Image import fromarray

        return _into_square(fromarray(pixels), size, short, fit)


def place_of(width: int, height: int, *, size: int, short: int = 0, fit: str = "crop") -> Place:
    """Say where a picture of these sides, as it is shown, lies in the square that `fitted` makes of it.

    Example:
        >>> place_of(200, 100, size=50, fit="letterbox").back(25.0, 25.0)
        (100.0, 100.0)
    """
    short = _checked(size, short, fit)
    if fit == "squash":
        return Place(size / width, size / height)
    if fit == "letterbox":
        wide, high = _within(width, height, size)
        return Place(wide / width, high / height)
    wide, high = _around(width, height, size, short)
    return Place(wide / width, high / height, (wide - size) // 2, (high - size) // 2)


def part(
    pixels: NDArray[np.uint8], box: tuple[float, float, float, float], *, to: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return what lies in a box (left, top, right, bottom) of a decoded picture, resized to so wide and high."""
    with pillow():
        import numpy as np
        from PIL.Image import Resampling, fromarray

        return np.asarray(fromarray(pixels).resize(to, Resampling.BILINEAR, box=box))


def _within(width: int, height: int, size: int) -> tuple[int, int]:
    """Return the sides of a picture of which the longer one is `size`, in whole pixels, as detectors have it."""
    longest = max(width, height)
    return max(1, width * size // longest), max(1, height * size // longest)


def _around(width: int, height: int, size: int, short: int) -> tuple[int, int]:
    """Return the sides of a picture of which the shorter one is `short`."""
    shortest = min(width, height)
    return max(size, round(width * short / shortest)), max(size, round(height * short / shortest))


def _checked(size: int, short: int, fit: str) -> int:
    """Return the shorter side before the square is cut."""
    if fit not in FITS:
        raise InputError(f"fit of pictures: `{fit}`", hint=did_you_mean(fit, FITS))
    if not 1 <= size <= _MAX_SIZE:
        raise InputError(f"size of pictures: {size}, 1 to {_MAX_SIZE} are possible")
    if fit == "crop" and short and not size <= short <= 2 * _MAX_SIZE:
        raise InputError(f"shorter side of pictures: {short}, at least the size {size} is needed", hint="leave it out")
    return short if fit == "crop" and short else size


def _into_square(
    image: Image, size: int, short: int, fit: str, sides: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    import numpy as np
    from PIL.Image import Resampling

    width, height = image.size
    if fit == "squash":
        return np.array(image.resize((size, size), Resampling.BILINEAR))
    if fit == "letterbox":
        shape = _within(*(sides or image.size), size)
        square = np.full((size, size, 3), _PAD, np.uint8)
        square[: shape[1], : shape[0]] = np.asarray(image.resize(shape, Resampling.BILINEAR))
        return square
    wide, high = _around(width, height, size, short)
    left, top = (wide - size) // 2, (high - size) // 2
    # only what will be seen is computed: a strip of 10 × 1,000,000 pixels would not fit into memory otherwise
    seen = (
        left * width / wide,
        top * height / high,
        min(width, (left + size) * width / wide),
        min(height, (top + size) * height / high),
    )
    return np.array(image.resize((size, size), Resampling.BILINEAR, box=seen))
