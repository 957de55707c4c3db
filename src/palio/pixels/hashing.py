"""Likeness of pictures: 128 bits that copies share, however they were saved, scaled or brightened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from palio.pixels.opening import pillow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEAR_BITS = 8
"""Bits of either half in which two pictures of one scene differ at most; unrelated ones differ in about 32. Set on
pictures of ants and bees, whose copies of half the size or of quality 30 are all found, and on CIFAR-10, where 2 of 18
million pairs are taken for copies wrongly."""
_TELLING_BITS = 8  # with fewer ones (or zeros) in both halves it is a plain surface, which resembles every other
_HALF = (1 << 64) - 1
_LARGEST, _FEW = 0.1, 20
"""A group of copies that has more than this share of all pictures, and so many of them, is none."""


def likeness(pixels: NDArray[np.uint8]) -> int:
    """Return the difference hash of a picture, shape (height, width, 3), of 128 bits.

    The upper half: is each of 8 × 8 spots brighter than its left one? The lower: than the one above? The first alone
    takes 59 pictures of 6,000 of CIFAR-10, which have 32 pixels, for copies of others, most of them wrongly.

    Source: Krawetz 2013, "Kind of like that" (dHash); https://www.hackerfactor.com/blog/index.php?/archives/529

    Example:
        >>> import numpy as np
        >>> half = np.zeros((90, 90, 3), np.uint8)
        >>> half[:, 45:] = 255
        >>> f"{likeness(half) >> 64:016x}"
        '1818181818181818'
    """
    return likeness_of_both(pixels)[0]


def likeness_of_both(pixels: NDArray[np.uint8]) -> tuple[int, int]:
    """Return `likeness` of a picture and of its mirror image."""
    across, down = _spots(pixels, 9, 8), _spots(pixels, 8, 9)
    return _bits(across, down), _bits(across[:, ::-1], down[:, ::-1])


def near(one: int, other: int) -> bool:
    """Say whether two likenesses are those of copies. Plain surfaces are copies of nothing.

    Example:
        >>> code = 0x0F0F_F0F0_0F0F_F0F0_3C3C_C3C3_3C3C_C3C3
        >>> near(code, code ^ 3), near(code, code ^ 1023), near(0, 0)
        (True, False, False)
    """
    differs = one ^ other
    is_near = max((differs >> 64).bit_count(), (differs & _HALF).bit_count()) <= NEAR_BITS
    return is_near and _is_telling(one) and _is_telling(other)


def groups(likenesses: Sequence[int], mirrored: Sequence[int] = ()) -> list[list[int]]:
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

    distinct = list(dict.fromkeys(likenesses))  # one stands for all pictures that have it
    at = {code: place for place, code in enumerate(distinct)}
    codes, telling = _halves(distinct), np.array([_is_telling(code) for code in distinct], bool)
    of_mirror = dict(zip(likenesses, mirrored, strict=True)) if len(mirrored) else {}
    mirror = _halves([of_mirror[code] for code in distinct]) if of_mirror else None
    group = np.arange(len(distinct))
    for place in np.flatnonzero(telling):
        later = slice(place + 1, None)
        is_near = _are_near(codes[:, later], codes[:, place])
        if mirror is not None:
            is_near |= _are_near(codes[:, later], mirror[:, place])
        met = np.unique(group[later][is_near & telling[later]])
        met = met[met != group[place]]
        if len(met):
            group[np.isin(group, met)] = group[place]
    places = np.array([at[code] for code in likenesses], np.int64)
    return _members(group[places], telling[places])


def tells_copies(largest: int, n_pictures: int) -> bool:
    """Say whether likeness tells copies among pictures, by the size of the largest group.

    It does not where the camera stands still, or where pictures are so small that they hold little more than the hash.

    Example:
        >>> tells_copies(20, 60), tells_copies(300, 1_000)
        (True, False)
    """
    return largest <= max(_FEW, _LARGEST * n_pictures)


def _are_near(codes: NDArray[np.uint64], code: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Say which codes, shape (2, n), are near to one, shape (2,)."""
    import numpy as np

    found: NDArray[np.bool_] = np.bitwise_count(codes[0] ^ code[0]) <= NEAR_BITS
    hits = np.flatnonzero(found)  # few: the second half is asked of them alone
    found[hits] = np.bitwise_count(codes[1, hits] ^ code[1]) <= NEAR_BITS
    return found


def _halves(codes: Sequence[int]) -> NDArray[np.uint64]:
    import numpy as np

    return np.array([[code >> 64 for code in codes], [code & _HALF for code in codes]], np.uint64)


def _members(group: NDArray[Any], telling: NDArray[np.bool_]) -> list[list[int]]:
    import numpy as np

    at = np.flatnonzero(telling)
    order = at[np.argsort(group[at], kind="stable")]
    edges = np.flatnonzero(np.diff(group[order])) + 1
    return sorted(part.tolist() for part in np.split(order, edges) if len(part) > 1)


def _is_telling(code: int) -> bool:
    return any(_TELLING_BITS <= half.bit_count() <= 64 - _TELLING_BITS for half in (code >> 64, code & _HALF))


def _spots(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.int16]:
    import numpy as np

    with pillow():
        from PIL.Image import Resampling, fromarray

        small = fromarray(pixels).convert("L").resize((width, height), Resampling.BILINEAR)
        return np.asarray(small).astype(np.int16)


def _bits(across: NDArray[np.int16], down: NDArray[np.int16]) -> int:
    import numpy as np

    halves = np.packbits(across[:, 1:] > across[:, :-1]), np.packbits(down[1:] > down[:-1])
    return int.from_bytes(b"".join(half.tobytes() for half in halves), "big")
