"""Estimate any metric under covariate shift: rows of the reference, weighted by how often such rows come now."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from palio.core.records import Metric, Task
from palio.core.seeds import derive
from palio.measure import METRICS, Z95, Answers, View, questions
from palio.monitor.quality.features import Array

LEAST_ROWS = 500
LEAST_SHARE = 0.05
"""Of the reference's rows that the weights must leave in effect, and their number: below, nothing is said."""
MAX_ROWS = 5_000
_GREATEST = 20.0
_N_DRAWS = 200


class Overlap(NamedTuple):
    """What rows of the reference say about those of a window."""

    weights: Array
    """Shape (n_reference,): how much more often such rows come in the window, with mean 1, at most 20 before that."""
    unknown: float
    """Share of the window's rows that rows of the reference, weighted so, do not stand for, beyond chance."""

    @classmethod
    def whole(cls, n_rows: int) -> Overlap:
        """Say that rows come as they did."""
        return cls(np.ones(n_rows), 0.0)


def overlap(reference: Array, current: Array, is_category: list[bool], *, seed: int = 0) -> Overlap:
    """Compare the rows of a window with those of the reference.

    A classifier learns to tell the two samples apart; each row's odds are by folds that had not seen it.

    Args:
        reference: Shape (n_rows, n_columns).
        current: Shape (n_current, n_columns).
        is_category: Which columns hold codes.
        seed: Equal seeds give equal weights.

    Source: Bickel, Brückner & Scheffer 2009, JMLR 10.
    """
    ratio = _ratio(reference, current, is_category, seed=seed, n_folds=2, max_iter=40, max_leaf_nodes=8)
    of_reference = np.minimum(ratio[: len(reference)], _GREATEST)
    stood_for, error = float(of_reference.mean()), float(of_reference.std()) / math.sqrt(len(reference))
    return Overlap(of_reference / stood_for, max(0.0, 1.0 - stood_for - 2 * error))


def density_ratio(reference: Array, current: Array, is_category: list[bool], *, seed: int = 0) -> Array:
    """Return how much more often rows like those of the reference come in the window, with mean 1; see `overlap`."""
    ratio = _ratio(reference, current, is_category, seed=seed, n_folds=3, max_iter=50, max_leaf_nodes=15)
    of_reference = np.minimum(ratio[: len(reference)], _GREATEST)
    out: Array = of_reference / of_reference.mean()
    return out


def _ratio(reference: Array, current: Array, is_category: list[bool], *, seed: int, n_folds: int, **how: int) -> Array:
    """Return the ratio of densities, of the window's by the reference's, at each row of either."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    x = np.concatenate([reference, current])
    is_current = np.r_[np.zeros(len(reference), bool), np.ones(len(current), bool)]
    folds = np.random.default_rng(derive(seed, "ratio")).permutation(len(x)) % n_folds
    p = np.empty(len(x))
    for fold in range(n_folds):
        model = HistGradientBoostingClassifier(
            min_samples_leaf=50,
            l2_regularization=1.0,
            early_stopping=True,
            categorical_features=is_category,
            random_state=derive(seed, fold),
            **how,
        ).fit(x[folds != fold], is_current[folds != fold])
        p[folds == fold] = model.predict_proba(x[folds == fold])[:, 1]
    p = np.clip(p, 1e-6, 1 - 1e-6)
    out: Array = p / (1 - p) * len(reference) / max(len(current), 1)
    return out


def effective_rows(weights: Array) -> float:
    """Return how many equally weighted rows the weighted ones are worth (Kish 1965, Survey Sampling)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def weighted_metrics(
    task: Task,
    truth: Array,
    answers: Answers,
    weights: Array,
    names: tuple[str, ...],
    *,
    n_rows: int,
    seed: int = 0,
) -> dict[str, Metric]:
    """Score weighted rows of the reference, with 95 % intervals; empty if too few rows are in effect.

    Args:
        task: What was asked.
        truth: Shape (n_rows,).
        answers: To the same rows.
        weights: Shape (n_rows,).
        names: Metrics.
        n_rows: Rows of the window.
        seed: Equal seeds give equal intervals.
    """
    effective = effective_rows(weights)
    if effective < max(LEAST_ROWS, LEAST_SHARE * len(weights)):
        return {}
    sample = questions.of(task).sample(truth, answers)
    can = sample.probabilities is not None
    specs = [METRICS[name] for name in names if can or METRICS[name].needs != "probability"]
    rng = np.random.default_rng(derive(seed, "draws"))
    drawn = rng.multinomial(len(weights), np.full(len(weights), 1 / len(weights)), _N_DRAWS) * weights
    out = {}
    for spec in specs:
        value = float(spec.function(View(sample, weights[None, :]))[0])
        spread = float(np.nanstd(spec.function(View(sample, drawn))))
        half = Z95 * spread * np.sqrt(1 + effective / max(n_rows, 1))
        if np.isfinite(value) and np.isfinite(half):
            low, high = (
                (max(0.0, value - half), min(1.0, value + half)) if spec.bounded else (value - half, value + half)
            )
            out[spec.name] = Metric(value=value, low=float(low), high=float(high), n_rows=n_rows)
    return out
