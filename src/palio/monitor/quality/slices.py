"""Which rows of a window the reference does not know, and whether its rows have moved at all.

The reference is cut along each input and along the answer.
"""

from __future__ import annotations

import numpy as np

from palio.monitor.quality.features import Array

_N_CUTS = 10
_MOST_CODES = 31
_HARDLY = 20.0
"""A missing cell or a category that comes so many times as often as in the reference is not known there."""


class Slices:
    """Cuts of the reference.

    Args:
        columns: Shape (n_rows, n_columns), inputs and the answer, NaN for missing.
        is_category: Which columns hold codes.
    """

    def __init__(self, columns: Array, is_category: list[bool]) -> None:
        self._is_category = is_category
        with np.errstate(all="ignore"):
            self._edges = [_edges(column, codes) for column, codes in zip(columns.T, is_category, strict=True)]
        self._low = np.array([np.nanmin(c) if np.isfinite(c).any() else -np.inf for c in columns.T])
        self._high = np.array([np.nanmax(c) if np.isfinite(c).any() else np.inf for c in columns.T])
        self._shares = [self._share(place, column)[0] for place, column in enumerate(columns.T)]

    def _share(self, place: int, column: Array) -> tuple[Array, Array]:
        """Return the share of each bin, and the bin of each row."""
        edges, known = self._edges[place], np.isfinite(column)
        if self._is_category[place]:
            bins = np.where(known, np.minimum(np.nan_to_num(column), _MOST_CODES - 1), _MOST_CODES).astype(np.int64)
            n_bins = _MOST_CODES + 1
        else:
            bins = np.where(known, np.searchsorted(edges, column, side="right"), len(edges) + 1)
            n_bins = len(edges) + 2
        return np.bincount(bins, minlength=n_bins) / max(len(column), 1), bins

    def moved(self, columns: Array) -> float:
        """Return the largest share of rows that has gone from some bins of a column to others, beyond chance."""
        worst = 0.0
        for place, before in enumerate(self._shares):
            now, _ = self._share(place, columns[:, place])
            chance = 0.8 * np.sqrt(before * (1 - before) / max(len(columns), 1))  # what equal shares differ by
            worst = max(worst, float(np.maximum(np.abs(now - before) - chance, 0.0).sum()) / 2)
        return worst

    def outside(self, columns: Array) -> float:
        """Return the share of rows with a number beyond all of the reference, or a category or gap that is new."""
        if not len(columns):
            return 0.0
        beyond = (columns < self._low) | (columns > self._high)
        beyond[:, np.array(self._is_category, bool)] = False
        for place, before in enumerate(self._shares):
            now, bins = self._share(place, columns[:, place])
            is_new = now > _HARDLY * before
            is_new[: None if self._is_category[place] else -1] &= self._is_category[place]
            beyond[:, place] |= is_new[bins]
        return float(beyond.any(axis=1).mean())


def _edges(column: Array, is_category: bool) -> Array:
    known = column[np.isfinite(column)]
    if is_category or not len(known):
        return np.empty(0)
    return np.unique(np.quantile(known, np.arange(1, _N_CUTS) / _N_CUTS))
