"""Scramble numbers, so that those which are alike are far apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]


def mix(values: Hashes) -> Hashes:
    """Scramble 64-bit values, one to one (splitmix64), so that every bit of the input moves half the bits out.

    The same for good: the parts of a snapshot rest on it.

    Example:
        >>> mix(np.array([0, 1], np.uint64)).tolist()
        [16294208416658607535, 10451216379200822465]

    Source: Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators", OOPSLA.
    """
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def bits_of(numbers: npt.NDArray[Any]) -> Hashes:
    """Return the 64 bits of each number, int64 or float64. Minus zero is not zero."""
    return np.ascontiguousarray(numbers).view(np.uint64)
