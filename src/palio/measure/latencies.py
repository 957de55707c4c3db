"""Bin latencies, so that those of many workers and minutes can be added up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_PER_OCTAVE = 8
_OCTAVES = 24
LATENCY_EDGES = (0.0, *(1e-5 * 2 ** (step / _PER_OCTAVE) for step in range(_OCTAVES * _PER_OCTAVE)), float("inf"))
"""In seconds, from 10 µs to 150 s, each 9 % above the one before: a quantile is read off to within 9 %."""


def bin_latencies(seconds: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Count latencies by bin, shape (len(LATENCY_EDGES) - 1,)."""
    places = np.searchsorted(LATENCY_EDGES[1:-1], np.asarray(seconds, float), side="right")
    return np.bincount(places, minlength=len(LATENCY_EDGES) - 1)


def latency_quantile(counts: Sequence[int], share: float) -> float | None:
    """Return the upper edge in seconds of the bin that holds a quantile; None if nothing was counted.

    Example:
        >>> latency_quantile(bin_latencies(np.array([0.001] * 99 + [1.0])).tolist(), 0.5) < 0.0011
        True
    """
    below = np.cumsum(np.asarray(counts, float))
    if not len(below) or not below[-1]:
        return None
    return LATENCY_EDGES[int(np.searchsorted(below, share * below[-1])) + 1]
