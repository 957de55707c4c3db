"""Two models on rows in the order of time: how much less the second loses, when rows are not independent."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from palio.core.errors import InputError
from palio.core.records import Metric
from palio.measure.sample import Array

_MIN_PAIRS = 8
"""Runs of rows are compared with their neighbours while there are so many pairs."""


def loss_gain(first: Array, second: Array, *, level: float = 0.95) -> Metric:
    """Measure how much less the second model loses than the first, on the same rows in the order of time.

    The paired bootstrap of `paired` takes rows for independent. Neighbours in time are not: a model that is better this
    morning is better in most of the morning's rows, and that is one fact, not hundreds. The spread of the mean is
    therefore that of the most restless run length among 1, 2, 4, … rows, measured between neighbouring runs, or what
    neighbouring rows have in common carried on, (1 + ρ) / (1 - ρ), if that is more. And z² rows more of the largest
    difference are reckoned with, so that few differing rows are not sure of anything, and none of nothing.

    Args:
        first: Shape (n_rows,), losses of the champion; 0 or 1, absolute errors, or any other `row_losses`.
        second: The same of the challenger.
        level: Of the two-sided interval.

    Returns:
        Mean improvement, positive if the second loses less, with its interval; infinite for fewer than two rows.

    Raises:
        InputError: shapes differ, or a loss is not a number.

    Example:
        >>> worse, better = np.tile([1.0, 0.0, 0.0], 100), np.tile([0.0, 0.0, 0.0], 100)
        >>> gain = loss_gain(worse, better)
        >>> round(gain.value, 3), gain.low > 0.25
        (0.333, True)

    Source: Allan 1966, Proceedings of the IEEE 54(2); batch means as in Law & Kelton 2000, Simulation Modeling and
    Analysis, section 9.5; the row more as in Agresti & Coull 1998, The American Statistician 52(2).
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise InputError(f"losses of two models: got shapes {a.shape} and {b.shape}, allowed is one loss a row each")
    gains = a - b
    if not np.isfinite(gains).all():
        raise InputError("losses of two models: got one that is not a number")
    n = len(gains)
    if n < 2:
        return Metric(value=float(gains.mean()) if n else 0.0, low=-math.inf, high=math.inf, n_rows=n)
    z = NormalDist().inv_cdf(0.5 + level / 2)
    mean = float(gains.mean())
    largest = float(np.abs(gains).max()) or float(np.abs(a).max())
    half = z * math.sqrt(_variance_of_sum(gains) + z * z * largest**2) / n
    return Metric(value=mean, low=mean - half, high=mean + half, n_rows=n)


def is_surely_not_worse(
    champion: Array, challenger: Array, *, margin: float = 0.0, level: float = 0.95, n_challengers: int = 1
) -> bool:
    """Decide whether a challenger may replace the champion, from losses on the newest rows that neither learned from.

    It may if the lower bound of its paired improvement is not below -margin. With a margin of 0 the burden of proof
    lies on the challenger: level by chance is not enough, for a champion that is replaced whenever chance favours
    another one drifts downwards.

    Args:
        champion: Shape (n_rows,), losses in the order of time.
        challenger: The same rows.
        margin: Loss a row that is tolerated.
        level: Probability with which a challenger that is worse by more than the margin is refused.
        n_challengers: So many are compared on these rows; each must be surer, so that all together are as sure.

    Raises:
        InputError: see `loss_gain`.

    Example:
        >>> losses = np.tile([1.0, 0.0], 200)
        >>> is_surely_not_worse(losses, np.zeros(400)), is_surely_not_worse(losses, losses)
        (True, False)
        >>> is_surely_not_worse(losses, losses, margin=0.02)
        True
    """
    error = (1 - level) / max(n_challengers, 1)
    return loss_gain(champion, challenger, level=1 - 2 * error).low >= -margin


def _variance_of_sum(gains: Array) -> float:
    """Variance of the sum of values that may be alike in time: the largest over run lengths."""
    n, runs = len(gains), gains
    spreads: list[float] = []
    while len(runs) >= 2 * _MIN_PAIRS or not spreads:
        pairs = runs[: len(runs) // 2 * 2].reshape(-1, 2)
        spreads.append(float(np.mean((pairs[:, 1] - pairs[:, 0]) ** 2)) / (2 << len(spreads)))
        runs = pairs.sum(axis=1)
    variance = float(gains.var())
    if variance > 0 and (likeness := min(1 - spreads[0] / variance, 0.99)) > 0:
        spreads.append(variance * (1 + likeness) / (1 - likeness))
    return n * max(spreads)
