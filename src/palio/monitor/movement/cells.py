"""Choose the cells that a window is tested in: few, about equally full, and not chosen by luck."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.records import ColumnShape
from palio.measure import fold

Array = npt.NDArray[Any]
N_CELLS = 10
_OWN = 0.05
"""A category with this share has a cell of its own."""
_MANY = 0.02
"""If more than this share has no bin of its own, there are many more categories than bins …"""
_OFTEN = 100
"""… and those with fewer rows than this may have their bin by luck."""


def cells_of(column: ColumnShape) -> Array:
    """Give each bin of a column its cell, shape (n_bins,); missing is the last cell.

    Of numbers about ten cells hold equally many rows. Of categories the frequent ones have their own cell, and the
    others share about ten, in the order of the alphabet. Were they in the order of their frequency, chance would have
    chosen them: of many equally frequent categories those that head the list are rarer in any other sample.
    """
    if column.kind == "number":
        return fold(column, n_bins=N_CELLS + 1).places
    counts = np.asarray(column.counts, float)
    share = counts / max(counts.sum(), 1.0)
    rest, missing = len(column.values), len(column.values) + 1
    alphabet = np.argsort(np.array(column.values, object), kind="stable").astype(np.int64)
    order = np.append(alphabet, rest)
    is_lucky = (counts[order] < _OFTEN) | (order == rest) if share[rest] > _MANY else np.zeros(len(order), bool)
    by_luck = order[is_lucky]
    own = np.setdiff1d(np.flatnonzero(share[:rest] >= _OWN), by_luck)
    shared = order[~np.isin(order, own) & ~np.isin(order, by_luck)]
    cells = np.zeros(len(counts), np.int64)
    cells[own] = np.arange(len(own))
    if len(shared):
        before = np.cumsum(share[shared]) - share[shared] / 2
        n_shared = max(1, int(share[shared].sum() * N_CELLS))
        wanted = np.minimum((before / max(share[shared].sum(), 1e-12) * n_shared).astype(np.int64), n_shared - 1)
        cells[shared] = len(own) + np.unique(wanted, return_inverse=True)[1]
    if len(by_luck):
        cells[by_luck] = len(own) + (cells[shared].max() - len(own) + 1 if len(shared) else 0)
    cells[missing] = cells[:missing].max() + 1
    return cells
