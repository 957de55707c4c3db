"""Fold fine bins into few that people can read, with a label for each."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.cells import as_told
from palio.core.records import ColumnShape

Array = npt.NDArray[Any]

N_COARSE = 20
MISSING = "missing"
REST = "all else"
_MOST_DIGITS = 17


@dataclass(frozen=True, eq=False)
class CoarseBins:
    """How fine bins become coarse ones."""

    labels: tuple[str, ...]
    places: Array
    """Shape (n_fine,): the coarse bin of each fine one."""

    def of(self, counts: Sequence[int] | Array) -> Array:
        """Add counts of fine bins up, shape (n_coarse,) int64."""
        return np.bincount(self.places, counts, len(self.labels)).astype(np.int64)


def fold(column: ColumnShape, *, n_bins: int = N_COARSE) -> CoarseBins:
    """Choose at most `n_bins` coarse bins that hold about equally many rows of the reference; the last is missing.

    Of a category the most frequent values keep their own bin, and the rest share one.

    Example:
        >>> from palio.measure.shapes import number_column
        >>> ages = number_column("age", np.array([20.0, 30.0, 30.0, 40.0, 50.0, 50.0]))
        >>> coarse = fold(ages, n_bins=3)
        >>> coarse.labels, coarse.of(ages.counts)
        (('up to 34', '35 and more', 'missing'), array([3, 3, 0]))
    """
    if column.kind != "number":
        n_kept = min(len(column.values), n_bins - 2)
        places = np.minimum(np.arange(len(column.counts)), n_kept)
        places[-1] = n_kept + 1
        return CoarseBins((*column.values[:n_kept], REST, MISSING), places)
    counts = np.asarray(column.counts[:-1], np.float64)
    total = counts.sum()
    centres = (np.cumsum(counts) - counts / 2) / total if total else np.zeros(len(counts))
    wanted = np.minimum((centres * (n_bins - 1)).astype(np.int64), n_bins - 2)
    _, places = np.unique(wanted, return_inverse=True)
    starts = np.flatnonzero(np.diff(places)) + 1  # the first fine bin of each coarse one but the first
    labels = _labels(column, starts)
    return CoarseBins((*labels, MISSING), np.append(places, len(labels)))


def _labels(column: ColumnShape, starts: Array) -> list[str]:
    if not len(starts):
        return ["all values"]
    edges = np.asarray(column.edges)[starts - 1]
    edges = np.array([as_told(column.statistic, edge) for edge in edges.tolist()])
    if sum(column.decimals) and column.decimals[0] == sum(column.decimals):
        return _whole_labels(edges)
    shown = _moments(edges) if column.is_moment else _numbers(edges)
    between = [f"{low} to {high}" for low, high in itertools.pairwise(shown)]
    return [f"below {shown[0]}", *between, f"{shown[-1]} and more"]


def _whole_labels(edges: Array) -> list[str]:
    """Name the whole numbers of each bin, from the first to the last."""
    firsts = np.ceil(edges)
    between = [
        _whole(low) if low == high else f"{_whole(low)} to {_whole(high)}"
        for low, high in zip(firsts[:-1], firsts[1:] - 1, strict=True)
    ]
    return [f"up to {_whole(firsts[0] - 1)}", *between, f"{_whole(firsts[-1])} and more"]


def _whole(value: float) -> str:
    return f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.6g}"


def _numbers(edges: Array) -> list[str]:
    """Write edges with as few digits as tell them apart, three at least."""
    shown: list[str] = []
    for n_digits in range(3, _MOST_DIGITS + 1):
        shown = [_number(edge, n_digits) for edge in edges.tolist()]
        if len(set(shown)) == len(shown):
            break
    return shown


def _number(value: float, n_digits: int) -> str:
    text = f"{value:.{n_digits}g}"
    return f"{float(text):,.0f}" if "e+" in text and abs(value) < 1e15 else text


def _moments(edges: Array) -> list[str]:
    try:
        moments = [dt.datetime.fromtimestamp(edge, dt.UTC) for edge in edges.tolist()]
    except (OverflowError, OSError, ValueError):
        return _numbers(edges)
    days = [f"{moment:%Y-%m-%d}" for moment in moments]
    return days if len(set(days)) == len(days) else [f"{moment:%Y-%m-%d %H:%M:%S}" for moment in moments]
