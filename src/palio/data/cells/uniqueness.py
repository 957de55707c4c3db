"""Tell whether all values of a column differ, within bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from palio.data.mixing import bits_of, mix

UNIQUE_SAMPLE = 1 << 18
"""Hashes kept to see whether values repeat."""

Numbers = np.ndarray[Any, Any]
"""Shape (n,), int64 or float64."""


class Uniqueness:
    """Tell whether all values differ, within bounded memory.

    Exact up to 262,144 values. Beyond, only values whose hash falls in a share (a half, a quarter, …) of all hashes
    are watched, but each of these at every occurrence: a column in which one value in a thousand repeats is found out.
    """

    def __init__(self) -> None:
        self.holds = True
        self._kept = np.empty(0, np.uint64)
        self._mask = 0

    def add(self, values: pl.Series | Numbers) -> None:
        """Watch more values, none of them missing."""
        if not self.holds:
            return
        hashes = values.hash(seed=0).to_numpy() if isinstance(values, pl.Series) else mix(bits_of(values))
        merged = np.concatenate([self._kept, hashes[(hashes & np.uint64(self._mask)) == 0]])
        merged.sort()
        if len(merged) > 1 and bool((merged[1:] == merged[:-1]).any()):
            self.holds = False
            self._kept = np.empty(0, np.uint64)
            return
        while len(merged) > UNIQUE_SAMPLE:
            self._mask = (self._mask << 1) | 1
            merged = merged[(merged & np.uint64(self._mask)) == 0]
        self._kept = merged
