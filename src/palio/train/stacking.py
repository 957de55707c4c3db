"""Stack what greedy weights picked: a linear layer with weights that are never negative, held near the greedy ones.

Source: Wolpert 1992, Neural Networks 5(2); Breiman 1996, Machine Learning 24(1) (weights that are not negative).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from palio import model
from palio.core.records import Layer, Task
from palio.train.ensemble import Library, Mix, Recipe
from palio.train.examples import Array

FEWEST_ROWS = 1_000
"""On fewer rows a layer is not tried: what it could win is less than what they can tell."""
ROWS_A_CLASS = 50
"""With fewer rows a class, no class has an offset of its own."""
PRIOR_ROWS = 20.0
"""The penalty holds weights and offsets as if it were so many rows."""
MAX_CELLS = 400_000
"""Answers of one member that a layer is fitted on, at most: rows times classes."""
LEAST_WEIGHT = 1e-3
"""A member that weighs less is left out."""


def stack(library: Library) -> Mix | None:
    """Fit a layer over the members of the greedy mix, and judge it on folds that it had not seen; None if it is none.

    Values are weighed so that the squared error is small, classes so that the log loss is.
    """
    if len(np.unique(library.unseen.rows)) < FEWEST_ROWS:
        return None

    def find(rows: Array, greedy: Recipe) -> Recipe:
        if len(greedy.weights) < 2:
            return greedy
        places = library.thinned(rows)
        answers = {number: library.answers[number][places] for number in greedy.weights}
        return fit(answers, library.unseen.truth[places], greedy.weights, task=library.task)

    return library.judge(find)


def fit(answers: Mapping[int, Array], truth: Array, near: Mapping[int, float], *, task: Task) -> Recipe:
    """Find weights, and for classes offsets, held near given weights by a penalty.

    Args:
        answers: Number of the candidate → its answers, shape (n, n_classes) or (n, 1).
        truth: Shape (n,), values or places of classes.
        near: Number of the candidate → weight that it has if the rows say nothing.
        task: What is predicted.
    """
    numbers = sorted(near)
    start = np.array([near[number] for number in numbers])
    if task.kind == "regression":
        weights = _values(np.column_stack([answers[number][:, 0] for number in numbers]), truth, start)
        return Recipe(_heavy(numbers, weights))
    step = max(1, -(-answers[numbers[0]].size // MAX_CELLS))
    weights, offsets = _classes([answers[number][::step] for number in numbers], truth[::step], start)
    return Recipe(_heavy(numbers, weights), Layer(offsets=tuple(float(one) for one in offsets)))


def _heavy(numbers: Sequence[int], weights: Array) -> dict[int, float]:
    """Leave those out that hardly weigh anything, but for the heaviest."""
    least = min(LEAST_WEIGHT, float(weights.max()))
    return {number: float(one) for number, one in zip(numbers, weights, strict=True) if one >= least}


def _values(answers: Array, truth: Array, start: Array) -> Array:
    """Return weights with the least squared error, and no offset: what is never negative stays so."""
    from scipy.optimize import nnls

    held = np.sqrt(PRIOR_ROWS) * max(float(truth.std()), np.finfo(np.float64).tiny)
    found: Array = nnls(
        np.vstack([np.asarray(answers, np.float64), held * np.eye(len(start))]), np.r_[truth, held * start]
    )[0]
    return found


def _classes(answers: Sequence[Array], truth: Array, start: Array) -> tuple[Array, Array]:
    """Return weights and offsets with the least log loss."""
    from scipy.optimize import minimize

    n_rows, n_classes = answers[0].shape
    logs = [np.log(np.clip(np.asarray(one, np.float64), model.STACK_FLOOR, 1.0)) for one in answers]
    n_members = len(logs)
    n_offsets = n_classes if n_rows >= ROWS_A_CLASS * n_classes else 0
    here = np.arange(n_rows)
    held = PRIOR_ROWS / n_rows

    def loss(numbers: Array) -> tuple[float, Array]:
        weights, offsets = numbers[:n_members], numbers[n_members:]
        scores = sum(weight * one for weight, one in zip(weights, logs, strict=True)) + (offsets if n_offsets else 0.0)
        scores = scores - scores.max(axis=1, keepdims=True)
        shares = np.exp(scores)
        total = shares.sum(axis=1, keepdims=True)
        value = float(np.mean(np.log(total[:, 0]) - scores[here, truth]))
        apart = shares / total
        apart[here, truth] -= 1.0
        slopes = np.array([np.vdot(apart, one) for one in logs]) / n_rows + held * (weights - start)
        value += held / 2 * float(np.sum((weights - start) ** 2) + np.sum(offsets**2))
        return value, np.r_[slopes, (apart.mean(axis=0) + held * offsets) if n_offsets else offsets]

    bounds = [(0.0, None)] * n_members + [(None, None)] * n_offsets
    found = minimize(
        loss, np.r_[start, np.zeros(n_offsets)], jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 100}
    ).x
    return found[:n_members], found[n_members:] if n_offsets else np.zeros(n_classes)
