"""How far estimates go astray where the rows are others than in the reference, and which rows nobody knows.

The reference is cut along each input and along the answer. Where the mean error of what was estimated, out of fold,
differs between the cuts by more than chance, a window in which some of them have grown is estimated wrongly.
"""

from __future__ import annotations

import numpy as np

from palio.monitor.quality.features import Array

_N_CUTS = 10
_LEAST_ROWS = 50
_MOST_CODES = 31


class Slices:
    """Cuts of the reference, and how far estimates were off in each.

    Args:
        columns: Shape (n_rows, n_columns), inputs and the answer, NaN for missing.
        is_category: Which columns hold codes.
        error: Shape (n_rows,), what happened less what was expected by fits that had not seen the row.
    """

    def __init__(self, columns: Array, is_category: list[bool], error: Array) -> None:
        self._is_category = is_category
        with np.errstate(all="ignore"):
            self._edges = [_edges(column, codes) for column, codes in zip(columns.T, is_category, strict=True)]
        self._low = np.array([np.nanmin(c) if np.isfinite(c).any() else -np.inf for c in columns.T])
        self._high = np.array([np.nanmax(c) if np.isfinite(c).any() else np.inf for c in columns.T])
        self._shares: list[Array] = []
        self._off: list[float] = []
        variance = float(error.var()) if len(error) else 0.0
        for place, (column, edges) in enumerate(zip(columns.T, self._edges, strict=True)):
            bins = self._bins(column, edges, is_category[place])
            rows = np.bincount(bins, minlength=_size(edges, is_category[place]))
            mean = np.bincount(bins, error, minlength=len(rows)) / np.maximum(rows, 1)
            large = rows >= _LEAST_ROWS
            beyond = (rows / max(len(error), 1) * (mean**2 - variance / np.maximum(rows, 1)))[large].sum()
            self._shares.append(rows / max(len(error), 1))
            self._off.append(float(np.sqrt(max(0.0, beyond))))

    @staticmethod
    def _bins(column: Array, edges: Array, is_category: bool) -> Array:
        known = np.isfinite(column)
        if is_category:
            return np.where(known, np.minimum(np.nan_to_num(column), _MOST_CODES - 1), _MOST_CODES).astype(np.int64)
        return np.where(known, np.searchsorted(edges, column, side="right"), len(edges) + 1)

    def astray(self, columns: Array) -> float:
        """Return by how much an estimate of such rows may be off because they are others than in the reference.

        Args:
            columns: Of some rows of a window.
        """
        worst = 0.0
        for place, column in enumerate(columns.T):
            if not self._off[place]:
                continue
            edges, codes = self._edges[place], self._is_category[place]
            now = np.bincount(self._bins(column, edges, codes), minlength=_size(edges, codes)) / max(len(column), 1)
            before = self._shares[place]
            chance = (
                np.sqrt(before * (1 - before) / max(len(column), 1)) * 0.8
            )  # what equal shares differ by, on average
            moved = float(np.maximum(np.abs(now - before) - chance, 0.0).sum())
            worst = max(worst, self._off[place] * moved)
        return worst

    def outside(self, columns: Array) -> float:
        """Return the share of rows with a number beyond all of the reference."""
        numbers = ~np.array(self._is_category, bool)
        beyond = (columns < self._low) | (columns > self._high)
        return float(beyond[:, numbers].any(axis=1).mean()) if len(columns) and numbers.any() else 0.0


def _edges(column: Array, is_category: bool) -> Array:
    known = column[np.isfinite(column)]
    if is_category or not len(known):
        return np.empty(0)
    return np.unique(np.quantile(known, np.arange(1, _N_CUTS) / _N_CUTS))


def _size(edges: Array, is_category: bool) -> int:
    return _MOST_CODES + 1 if is_category else len(edges) + 2
