"""Nine numbers of a picture, in which a change of the camera, the light or the compression shows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from palio.core.cells import PICTURE_STATISTICS
from palio.pixels.decoding import decoded
from palio.pixels.hashing import likeness_of_both
from palio.pixels.limits import Limits
from palio.pixels.looking import Look, look
from palio.pixels.opening import pillow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STATISTICS = PICTURE_STATISTICS
_SEEN = 224  # the longer side at which a picture is measured, much as models see it
_BLOCK = 8  # pixels of a block of JPEG
_MOST_BLOCKS = 64  # on a side, from the middle


@dataclass(frozen=True, slots=True)
class Described:
    """All that ingest and monitoring want to know of a picture.

    Args:
        look: What its header says.
        statistics: By name, one of each of `STATISTICS`.
        likeness: 128 bits that its copies share.
        mirrored: Those of its mirror image.
        most: The largest of its numbers, 0 to 255.
    """

    look: Look
    statistics: dict[str, float]
    likeness: int
    mirrored: int
    most: int = 255


def describe(data: bytes, limits: Limits = Limits()) -> Described:  # noqa: B008 - it is frozen
    """Look at a picture, decode it in full, once, and describe it.

    Raises:
        InputError: it is no usable picture; `facts["problem"]` is one of `PROBLEMS`.
        UnavailableError: Pillow is not installed.
    """
    header = look(data, limits)
    pixels = decoded(data, limits=limits)
    code, mirrored = likeness_of_both(pixels)
    return Described(header, statistics(pixels), code, mirrored, int(pixels.max()))


def statistics(pixels: NDArray[np.uint8]) -> dict[str, float]:
    """Compute the nine numbers of a picture that was decoded in full, shape (height, width, 3).

    - `brightness`, `contrast`: mean and standard deviation of the light, 0 to 255
    - `saturation`: mean distance between the strongest and the weakest colour, 0 to 255
    - `sharpness`: log (1 + variance of the Laplacian)
    - `noise`: median of the absolute Laplacian, which edges, being few, hardly move
    - `blockiness`: steps between blocks of 8 pixels over all steps; 1 without compression
    - `warmth`: mean red minus mean blue
    - `aspect`: log (width / height)
    - `pixels`: log (width × height)

    All but the last three and `blockiness` are measured with the longer side at 224 pixels.

    Source: Pech-Pacheco et al. 2000, ICPR (sharpness); Wang, Bovik and Evans 2000, ICIP (blockiness).
    """
    import numpy as np

    height, width = pixels.shape[:2]
    small = _shrunk(pixels)
    light = _light(small)
    red, green, blue = (np.ascontiguousarray(small[..., colour]) for colour in range(3))
    strongest, weakest = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    bends = np.abs(_laplacian(light))
    return {
        "brightness": float(light.mean()),
        "contrast": float(light.std()),
        "saturation": float((strongest - weakest).mean()),
        "sharpness": math.log1p(float(np.square(bends, dtype=np.int32).mean()) if bends.size else 0.0),
        "noise": _median(bends),
        "blockiness": _blockiness(pixels),
        "warmth": float(red.mean() - blue.mean()),
        "aspect": math.log(width / height),
        "pixels": math.log(width * height),
    }


def _shrunk(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import numpy as np

    height, width = pixels.shape[:2]
    longest = max(width, height)
    if longest <= _SEEN:
        return pixels
    shape = max(1, round(width * _SEEN / longest)), max(1, round(height * _SEEN / longest))
    with pillow():
        from PIL.Image import Resampling, fromarray

        return np.asarray(fromarray(pixels).resize(shape, Resampling.BILINEAR, reducing_gap=3))


def _light(pixels: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Return how bright pixels are, 0 to 255. Source: ITU-R BT.601, in eighths of 256."""
    import numpy as np

    red, green, blue = (pixels[..., colour].astype(np.uint16) for colour in range(3))
    return ((77 * red + 150 * green + 29 * blue) >> 8).astype(np.int16)


def _laplacian(light: NDArray[np.int16]) -> NDArray[np.int16]:
    middle = light[1:-1, 1:-1]
    return 4 * middle - light[:-2, 1:-1] - light[2:, 1:-1] - light[1:-1, :-2] - light[1:-1, 2:]


def _median(whole: NDArray[np.int16]) -> float:
    """Return the median of whole numbers as if each were spread over one: in between, where many are equal."""
    import numpy as np

    if not whole.size:
        return 0.0
    counts = np.bincount(whole.ravel())
    upto = np.cumsum(counts)
    at = int(np.searchsorted(upto, whole.size / 2))
    return float(at + (whole.size / 2 - (upto[at] - counts[at])) / counts[at] - 0.5)


def _blockiness(pixels: NDArray[np.uint8]) -> float:
    light = _light(pixels[_middle(pixels.shape[0]), _middle(pixels.shape[1])])
    across, down = abs(light[:, 1:] - light[:, :-1]), abs(light[1:] - light[:-1])
    at_blocks = [_mean(across[:, _BLOCK - 1 :: _BLOCK]), _mean(down[_BLOCK - 1 :: _BLOCK])]
    everywhere = [_mean(across), _mean(down)]
    return (1 + sum(at_blocks)) / (1 + sum(everywhere))


def _middle(side: int) -> slice:
    taken = min(side, _BLOCK * _MOST_BLOCKS)
    start = (side - taken) // 2 // _BLOCK * _BLOCK
    return slice(start, start + taken)


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if values.size else 0.0
