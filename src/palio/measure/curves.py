"""Curves and tables that show where the errors are."""

from __future__ import annotations

import numpy as np

from palio.core.errors import InputError
from palio.measure.sample import Array


def confusion(truth: Array, prediction: Array, n_classes: int) -> Array:
    """Count the rows of each true class (rows) by predicted class (columns).

    Example:
        >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
        [[1, 1], [0, 1]]
    """
    cells = np.asarray(truth, dtype=np.int64) * n_classes + np.asarray(prediction, dtype=np.int64)
    return np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes)


def roc_curve(outcome: Array, score: Array, *, max_points: int = 200) -> tuple[Array, Array]:
    """Trace false-positive rate (x) against true-positive rate (y) over all thresholds, thinned.

    Args:
        outcome: Shape (n_rows,), bool.
        score: Shape (n_rows,), higher means more likely true.
        max_points: Points kept; the ends are always kept.

    Raises:
        InputError: all outcomes are equal.

    Example:
        >>> x, y = roc_curve(np.array([False, True]), np.array([0.1, 0.9]))
        >>> x.tolist(), y.tolist()
        ([0.0, 0.0, 1.0], [0.0, 1.0, 1.0])
    """
    found, called = _steps(outcome, score)
    wrong = called - found
    return thin(np.r_[0, wrong] / wrong[-1], np.r_[0, found] / found[-1], max_points=max_points)


def pr_curve(outcome: Array, score: Array, *, max_points: int = 200) -> tuple[Array, Array]:
    """Trace recall (x) against precision (y) over all thresholds, thinned; takes the arguments of `roc_curve`.

    Raises:
        InputError: all outcomes are equal.
    """
    found, called = _steps(outcome, score)
    share = found / called
    return thin(np.r_[0, found] / found[-1], np.r_[share[0], share], max_points=max_points)


def thin(x: Array, y: Array, *, max_points: int = 200) -> tuple[Array, Array]:
    """Keep at most `max_points` of a curve, evenly along its length, with both ends."""
    if len(x) <= max_points:
        return np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    scale_x, scale_y = np.ptp(x) or 1.0, np.ptp(y) or 1.0
    way = np.r_[0, np.cumsum(np.abs(np.diff(x)) / scale_x + np.abs(np.diff(y)) / scale_y)]
    keep = np.unique(np.searchsorted(way, np.linspace(0, way[-1], max_points)))
    keep[-1] = len(x) - 1
    return x[keep].astype(np.float64), y[keep].astype(np.float64)


def _steps(outcome: Array, score: Array) -> tuple[Array, Array]:
    """Count hits and calls at each distinct threshold, highest first."""
    outcome = np.asarray(outcome, dtype=bool)
    if outcome.all() or not outcome.any():
        raise InputError("a curve needs rows of both classes, there is one")
    order = np.argsort(-np.asarray(score), kind="stable")
    ends = np.r_[np.flatnonzero(np.diff(np.asarray(score)[order])), len(order) - 1]
    return np.cumsum(outcome[order])[ends], ends + 1
