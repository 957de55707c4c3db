"""Likeness of pictures: 64 bits that copies share, however they were saved, scaled or brightened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from palio.pixels.opening import pillow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEAR_BITS = 6
"""Bits in which two pictures of one scene differ at most; unrelated ones differ in about 32."""
_TELLING_BITS = 8  # a hash with fewer ones (or zeros) is that of a plain surface, which resembles every other


def likeness(pixels: NDArray[np.uint8]) -> int:
    """Return the difference hash of a picture, shape (height, width, 3): is each spot brighter than its left one?

    Source: Krawetz 2013, "Kind of like that" (dHash); https://www.hackerfactor.com/blog/index.php?/archives/529

    Example:
        >>> import numpy as np
        >>> half = np.zeros((90, 90, 3), np.uint8)
        >>> half[:, 45:] = 255
        >>> f"{likeness(half):016x}"
        '1818181818181818'
    """
    return _bits(_spots(pixels))


def likeness_of_both(pixels: NDArray[np.uint8]) -> tuple[int, int]:
    """Return `likeness` of a picture and of its mirror image."""
    spots = _spots(pixels)
    return _bits(spots), _bits(spots[:, ::-1])


def near(one: int, other: int) -> bool:
    """Say whether two likenesses are those of copies. Plain surfaces are copies of nothing.

    Example:
        >>> near(0x0F0F_F0F0_0F0F_F0F0, 0x0F0F_F0F0_0F0F_F0F3), near(0, 0)
        (True, False)
    """
    return _is_telling(one) and _is_telling(other) and (one ^ other).bit_count() <= NEAR_BITS


def groups(likenesses: Sequence[int] | NDArray[Any], mirrored: Sequence[int] | NDArray[Any] = ()) -> list[list[int]]:
    """Find copies: who is near to whom, also by way of others.

    Args:
        likenesses: Of each picture.
        mirrored: Of the mirror image of each, to find flipped copies, too.

    Returns:
        Places of the pictures of each group of two or more, ascending, the group of the lowest place first.
        Takes time that grows with the square of the number of pictures (100,000 in about 20 s), and memory that
        grows with the number.
    """
    import numpy as np

    codes, places = np.unique(np.asarray(likenesses, np.uint64), return_inverse=True)
    # one code stands for all pictures that have it; of their mirror images one is enough, since they are as near
    mirror = np.zeros(len(codes), np.uint64)
    if len(mirrored):
        mirror[places] = np.asarray(mirrored, np.uint64)
    bits = np.bitwise_count(codes)
    telling = (bits >= _TELLING_BITS) & (bits <= 64 - _TELLING_BITS)
    group = np.arange(len(codes))
    for at in np.flatnonzero(telling):
        others = slice(at + 1, None)
        is_near = np.bitwise_count(codes[others] ^ codes[at]) <= NEAR_BITS
        if len(mirrored):
            is_near |= np.bitwise_count(codes[others] ^ mirror[at]) <= NEAR_BITS
        met = np.unique(group[others][is_near & telling[others]])
        met = met[met != group[at]]
        if len(met):
            group[np.isin(group, met)] = group[at]
    return _members(group[places], telling[places])


def _members(group: NDArray[Any], telling: NDArray[np.bool_]) -> list[list[int]]:
    import numpy as np

    at = np.flatnonzero(telling)
    order = at[np.argsort(group[at], kind="stable")]
    edges = np.flatnonzero(np.diff(group[order])) + 1
    return sorted(part.tolist() for part in np.split(order, edges) if len(part) > 1)


def _is_telling(code: int) -> bool:
    return _TELLING_BITS <= code.bit_count() <= 64 - _TELLING_BITS


def _spots(pixels: NDArray[np.uint8]) -> NDArray[np.int16]:
    import numpy as np

    with pillow():
        from PIL.Image import Resampling, fromarray

        small = fromarray(pixels).convert("L").resize((9, 8), Resampling.BILINEAR)
        return np.asarray(small).astype(np.int16)


def _bits(spots: NDArray[np.int16]) -> int:
    import numpy as np

    return int.from_bytes(np.packbits(spots[:, 1:] > spots[:, :-1]).tobytes(), "big")
