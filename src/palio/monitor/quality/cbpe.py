"""Estimate metrics of classes from the chances of each class, row by row, in sums that add up.

Source: the idea of confidence-based performance estimation, e.g. Guillory et al. 2021, ICCV; intervals by the delta
method over the Poisson-binomial labels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from palio.core.records import Task
from palio.measure import positive_index
from palio.monitor.quality.features import Array

_GRID = 500
"""Bins of equal width that scores are ranked in; as many hold equally many rows of the reference."""
_KEPT = 1e-12


class Sums:
    """What the expected metrics of a window are computed from; memory does not grow with its rows.

    Args:
        task: What was asked.
        scores: Shape (n_rows, n_classes), of the reference: sets the bins.
        n_fits: Fits whose chances are added side by side.
    """

    def __init__(self, task: Task, scores: Array, n_fits: int) -> None:
        self.task = task
        n = len(task.classes)
        self.ranked = (positive_index(task),) if n == 2 else tuple(range(n))
        self.edges = [_edges(scores[:, label]) for label in self.ranked]
        width = max(len(edges) for edges in self.edges) + 1
        self.n_rows = 0
        self.counts = np.zeros((len(self.ranked), width))
        self.mass = np.zeros((n_fits, len(self.ranked), width))
        self.cells = np.zeros((n_fits, n, n))
        self.losses = np.zeros((n_fits, 2))

    def fresh(self) -> Sums:
        """Return empty sums in the same bins."""
        other = Sums.__new__(Sums)
        other.task, other.ranked, other.edges, other.n_rows = self.task, self.ranked, self.edges, 0
        for name in ("counts", "mass", "cells", "losses"):
            setattr(other, name, np.zeros_like(getattr(self, name)))
        return other

    def add(self, scores: Array, prediction: Array, chances: Array) -> None:
        """Count rows.

        Args:
            scores: Shape (n_rows, n_classes), as answered.
            prediction: Shape (n_rows,), class index.
            chances: Shape (n_fits, n_rows, n_classes).
        """
        self.n_rows += len(scores)
        n, width = self.cells.shape[1], self.counts.shape[1]
        for place, label in enumerate(self.ranked):
            bins = np.searchsorted(self.edges[place], scores[:, label], side="right")
            self.counts[place] += np.bincount(bins, minlength=width)
            for fit, chance in enumerate(chances):
                self.mass[fit, place] += np.bincount(bins, chance[:, label], minlength=width)
        losses = row_losses(self.task, scores)
        for fit, chance in enumerate(chances):
            for label in range(n):
                self.cells[fit, label] += np.bincount(prediction, chance[:, label], minlength=n)
            self.losses[fit] += [(loss * chance).sum() for loss in losses]

    def merge(self, other: Sums) -> None:
        """Add what other sums hold."""
        self.n_rows += other.n_rows
        for name in ("counts", "mass", "cells", "losses"):
            getattr(self, name).__iadd__(getattr(other, name))


def row_losses(task: Task, scores: Array) -> tuple[Array, Array]:
    """Return log loss and Brier score that each row would have with each truth, both (n_rows, n_classes)."""
    eps = float(np.finfo(np.float64).eps)
    log = -np.log(np.clip(scores, eps, 1 - eps))
    if len(task.classes) == 2:
        positive = scores[:, [positive_index(task)]]
        outcome = (np.arange(2) == positive_index(task)).astype(np.float64)
        return log, (positive - outcome) ** 2
    return log, (scores**2).sum(axis=1, keepdims=True) - 2 * scores + 1


def metrics_of(sums: Sums) -> dict[str, Array]:
    """Compute the expected metrics by each fit, shape (n_fits,), and by their mean, which is the last one more."""
    cells, mass, losses = (np.concatenate([a, a.mean(0, keepdims=True)]) for a in (sums.cells, sums.mass, sums.losses))
    return {name: function(sums, cells, mass, losses) for name, function in _VALUES.items()}


Value = Callable[[Sums, Array, Array, Array], Array]


def _accuracy(sums: Sums, cells: Array, mass: Array, losses: Array) -> Array:  # noqa: ARG001
    out: Array = np.trace(cells, axis1=1, axis2=2) / sums.n_rows
    return out


def _parts(cells: Array) -> tuple[Array, Array, Array]:
    """Mass of each class by truth, by answer, and where both agree; (n_fits, n_classes)."""
    return cells.sum(2), cells.sum(1), np.diagonal(cells, axis1=1, axis2=2)


def _over(numerator: Array, denominator: Array) -> Array:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > _KEPT)


def _macro(each: Array, defined: Array) -> Array:
    out: Array = np.where(defined, each, 0.0).sum(1) / np.maximum(defined.sum(1), 1)
    return out


def _of_interest(sums: Sums, each: Array, defined: Array) -> Array:
    if len(sums.task.classes) == 2:
        out: Array = each[:, positive_index(sums.task)]
        return out
    return _macro(each, defined)


def _recall(sums: Sums, cells: Array, mass: Array, losses: Array) -> Array:  # noqa: ARG001
    truth, said, hits = _parts(cells)
    return _of_interest(sums, _over(hits, truth), truth + said > _KEPT)


def _precision(sums: Sums, cells: Array, mass: Array, losses: Array) -> Array:  # noqa: ARG001
    truth, said, hits = _parts(cells)
    return _of_interest(sums, _over(hits, said), truth + said > _KEPT)


def _f1(sums: Sums, cells: Array, mass: Array, losses: Array) -> Array:  # noqa: ARG001
    truth, said, hits = _parts(cells)
    return _of_interest(sums, _over(2 * hits, truth + said), truth + said > _KEPT)


def _f1_macro(sums: Sums, cells: Array, mass: Array, losses: Array) -> Array:  # noqa: ARG001
    truth, said, hits = _parts(cells)
    return _macro(_over(2 * hits, truth + said), truth + said > _KEPT)


def _balanced_accuracy(sums: Sums, cells: Array, mass: Array, losses: Array) -> Array:  # noqa: ARG001
    truth, _, hits = _parts(cells)
    return _macro(_over(hits, truth), truth > _KEPT)


def _roc_auc(sums: Sums, cells: Array, mass: Array, losses: Array) -> Array:  # noqa: ARG001
    other = np.maximum(sums.counts - mass, 0.0)
    won = (mass * (np.cumsum(other, axis=2) - other / 2)).sum(2)
    pairs = mass.sum(2) * other.sum(2)
    return _macro(_over(won, pairs), pairs > _KEPT)


def _log_loss(sums: Sums, cells: Array, mass: Array, losses: Array) -> Array:  # noqa: ARG001
    out: Array = losses[:, 0] / sums.n_rows
    return out


def _brier(sums: Sums, cells: Array, mass: Array, losses: Array) -> Array:  # noqa: ARG001
    out: Array = losses[:, 1] / sums.n_rows
    return out


_VALUES: dict[str, Value] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "precision": _precision,
    "recall": _recall,
    "f1": _f1,
    "f1_macro": _f1_macro,
    "roc_auc": _roc_auc,
    "log_loss": _log_loss,
    "brier": _brier,
}
"""Expected metrics; each takes the sums and what they hold by each fit."""
KNOWN = tuple(_VALUES)
"""Metrics that are estimated."""


def pulls_of(sums: Sums, metric: str, scores: Array, prediction: Array) -> Array:
    """Say how far each possible truth of a row pulls a metric: its derivative by the share of such rows.

    Args:
        sums: Of the window.
        metric: One of `metrics_of`.
        scores: Shape (n_rows, n_classes), some rows of the window.
        prediction: Shape (n_rows,).

    Returns:
        Shape (n_rows, n_classes).
    """
    truth, said, hits = (part[0] / sums.n_rows for part in _parts(sums.cells.mean(0, keepdims=True)))
    n = len(truth)
    right = (prediction[:, None] == np.arange(n)).astype(np.float64)
    if metric == "accuracy":
        return np.asarray(right)
    if metric in ("log_loss", "brier"):
        return row_losses(sums.task, scores)[int(metric == "brier")]
    if metric == "roc_auc":
        return _ranking_pulls(sums, scores)
    with np.errstate(divide="ignore", invalid="ignore"):
        each = {
            "recall": (right - hits / truth) / truth,
            "precision": right / said,
            "f1": (2 * right - 2 * hits / (truth + said)) / (truth + said),
        }[{"balanced_accuracy": "recall", "f1_macro": "f1"}.get(metric, metric)]
    defined = (truth > _KEPT) if metric == "balanced_accuracy" else (truth + said > _KEPT)
    if n == 2 and metric in ("recall", "precision", "f1"):
        weight = (np.arange(2) == positive_index(sums.task)).astype(np.float64)
    else:
        weight = defined / max(int(defined.sum()), 1)
    pulls: Array = np.where(np.isfinite(each), each, 0.0) * weight
    return pulls


def _ranking_pulls(sums: Sums, scores: Array) -> Array:
    out = np.zeros((len(scores), len(sums.task.classes)))
    mass = sums.mass.mean(0)
    for place, label in enumerate(sums.ranked):
        inside, outside = mass[place], np.maximum(sums.counts[place] - mass[place], 0.0)
        n_in, n_out = inside.sum(), outside.sum()
        if n_in <= _KEPT or n_out <= _KEPT:
            continue
        below, above = (np.cumsum(outside) - outside / 2) / n_out, 1 - (np.cumsum(inside) - inside / 2) / n_in
        auc = float((inside * below).sum() / n_in)
        bins = np.searchsorted(sums.edges[place], scores[:, label], side="right")
        out += ((above[bins] - auc) / (n_out / sums.n_rows))[:, None]
        out[:, label] += (below[bins] - auc) / (n_in / sums.n_rows) - (above[bins] - auc) / (n_out / sums.n_rows)
    out /= len(sums.ranked)
    return out


def _edges(scores: Array) -> Array:
    even = np.arange(1, _GRID) / _GRID
    full = np.quantile(scores, even)
    return np.unique(np.concatenate([even, full[(full > 0) & (full < 1)]]))
