"""The losses that a mix makes small: quick ones, on the few columns of its members' answers that they need."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from palio import measure
from palio.core.records import Task
from palio.train.examples import Array

TINY = 1e-15


@dataclass(frozen=True)
class Loss:
    """What weights make small. It reads a few columns of the answers only: with 200 classes all would take minutes."""

    reduce: Callable[[Array, Array], Array]
    """Truth and answers → the columns of the answers that count, shape (n, k) or (n,)."""
    of: Callable[[Array, Array], float]
    """Truth and those columns, of a mix the mean of its members' → loss."""


def loss_of(task: Task, metric: str) -> Loss:
    """Return what weights make small for a metric: itself where it is quick and smooth, else a proper relative."""
    if task.kind == "regression":
        return Loss(_values, _of_values(metric))
    if metric == "roc_auc" and len(task.classes) == 2:
        return Loss(_second, _not_ranked)
    if metric == "brier":
        return Loss(_all, _brier)
    return Loss(_of_the_truth, _log_loss)


def _of_values(metric: str) -> Callable[[Array, Array], float]:
    if metric == "mape":
        return _relative
    if metric == "poisson_deviance":
        return _of_counts
    level = measure.quantile_of(metric)
    return _squared if level is None else functools.partial(_tilted, level=level)


def _values(truth: Array, answers: Array) -> Array:  # noqa: ARG001
    return np.asarray(answers[:, 0], np.float64)


def _second(truth: Array, answers: Array) -> Array:  # noqa: ARG001
    return np.asarray(answers[:, 1], np.float64)


def _all(truth: Array, answers: Array) -> Array:  # noqa: ARG001
    return np.asarray(answers, np.float64)


def _of_the_truth(truth: Array, answers: Array) -> Array:
    return np.asarray(answers[np.arange(len(truth)), truth], np.float64)


def _squared(truth: Array, values: Array) -> float:
    return float(np.mean((values - truth) ** 2))


def _tilted(truth: Array, values: Array, *, level: float) -> float:
    """Return the loss of a quantile; of the median half the mean absolute error."""
    return float(np.mean(np.maximum(level * (truth - values), (level - 1) * (truth - values))))


def _relative(truth: Array, values: Array) -> float:
    return float(np.mean(np.abs(values - truth) / np.maximum(np.abs(truth), TINY)))


def _of_counts(truth: Array, values: Array) -> float:
    return float(np.mean(values - truth * np.log(np.maximum(values, TINY))))


def _log_loss(truth: Array, shares: Array) -> float:  # noqa: ARG001
    return float(-np.mean(np.log(np.maximum(shares, TINY))))


def _brier(truth: Array, answers: Array) -> float:
    return float(np.mean((answers**2).sum(axis=1) - 2 * answers[np.arange(len(truth)), truth] + 1))


def _not_ranked(truth: Array, shares: Array) -> float:
    """Return 1 - ROC AUC."""
    order = np.argsort(shares, kind="stable")
    values, is_second = shares[order], truth[order] == 1
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    ends = np.r_[starts[1:], len(values)]
    ranks = np.repeat((starts + ends + 1) / 2, ends - starts)
    n_second = int(is_second.sum())
    n_first = len(values) - n_second
    if not n_first or not n_second:
        return 1.0
    return float(1.0 - (ranks[is_second].sum() - n_second * (n_second + 1) / 2) / (n_first * n_second))
