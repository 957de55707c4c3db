"""Take every feature as evidence of its own: naive Bayes, tempered, because features repeat each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from palio import model
from palio.core.records import Modality, Task, TaskKind
from palio.train.examples import Array, Examples, Shape
from palio.train.family import FixedSettings, Params, TabularFitted, calm_threads, check_time, class_outputs
from palio.train.solvers.inputs import Inputs, inputs_of, some
from palio.train.solvers.losses import Loss, loss_of

MAX_NUMBERS = 40_000_000
"""Rows × features that are learned from; of more rows, a random part is."""
MAX_RAMPS = 2_000
TEMPERS = (1.0, 0.7, 0.5, 0.35, 0.25, 0.18, 0.12, 0.08, 0.05, 0.03, 0.015)
"""What the evidence of all features together is multiplied with; the best on rows left out is taken."""


class Bayes(FixedSettings):
    """Gaussian numbers, or numbers in bins, and categories, each class for itself.

    Source: Hand and Yu 2001 (why it works); Zadrozny and Elkan 2001 (and why it is too sure).
    """

    name = "bayes"
    tasks: tuple[TaskKind, ...] = ("classification",)
    modalities: tuple[Modality, ...] = ("tabular",)
    n_settings = 2

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: two passes over the columns for each class."""
        n_columns = 2 * shape.n_features + min(MAX_RAMPS, int(params["bins"]) * shape.n_features)
        rows = min(shape.n_rows, MAX_NUMBERS / n_columns)
        return (
            0.03
            + 1e-3 * shape.n_features
            + 3e-7 * shape.n_rows * shape.n_features
            + 1e-8 * rows * n_columns * (4 + 0.2 * shape.n_classes)
        )

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return bins where rows fill them, and Gaussians."""
        binned, gaussian = {"smoothing": 5.0, "bins": 8}, {"smoothing": 5.0, "bins": 0}
        return [binned, gaussian] if shape.n_rows >= 1_000 else [gaussian, binned]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw how many rows of all classes are mixed into each class, and how many bins a number has."""
        return {
            "smoothing": trial.suggest_float("smoothing", 0.5, 100.0, log=True),
            "bins": trial.suggest_int("bins", 0, 24, step=4),
        }

    def fit(
        self,
        examples: Examples,
        *,
        params: Params,
        seed: int,
        deadline: float | None = None,
        watch: Examples | None = None,
    ) -> TabularFitted:
        """Count, and choose how far the evidence is to be trusted on a fifth of the rows.

        Raises:
            OutOfTime: the deadline has come.
            InputError: fewer than two classes have examples.
        """
        calm_threads()
        import threadpoolctl

        check_time(deadline)
        loss = loss_of(examples, self.name)
        preprocessing = examples.preprocessing("linear")
        rng = np.random.default_rng(seed)
        n_columns = len(preprocessing.feature_names) * (1 + int(params["bins"]))
        chosen = some(len(examples.target), max(1_000, MAX_NUMBERS // n_columns), rng)
        features = examples.matrix(preprocessing)[chosen]
        inputs = inputs_of(features)
        rows = inputs(features)
        ramps = model.fit_ramps(rows, int(params["bins"]), MAX_RAMPS)
        check_time(deadline)
        counts = np.ones(len(rows)) if examples.weights is None else examples.weights[chosen]
        targets = loss.targets(examples.target[chosen]) * counts[:, None]
        with threadpoolctl.threadpool_limits(1, user_api="blas"):
            evidence = _fit(ramps, rows, targets, float(params["smoothing"]), rng, deadline)
        judge = _Judge(inputs, ramps, evidence, loss, examples.task)
        return TabularFitted(
            preprocessing=preprocessing,
            answer=judge.answer,
            add=judge.add,
            n_parameters=int(evidence.linear.size + evidence.squared.size),
        )


@dataclass(frozen=True)
class _Evidence:
    """Scores are offsets + columns @ linear + inputs² @ squared."""

    linear: Array
    """Shape (n_columns, n_classes): inputs, then ramps."""
    squared: Array
    """Shape (n_inputs, n_classes)."""
    offsets: Array

    def scores(self, columns: Array) -> Array:
        inputs = columns[:, : len(self.squared)]
        """Return the log odds of classes, but for a number that a row has in common."""
        scores: Array = columns @ self.linear + (inputs * inputs) @ self.squared + self.offsets
        return scores

    def tempered(self, temper: float, priors: Array) -> _Evidence:
        """Return evidence that counts for less, beside the same shares of the classes."""
        offsets = priors + temper * (self.offsets - priors)
        return _Evidence(temper * self.linear, temper * self.squared, offsets)


def _fit(
    ramps: model.Ramps, rows: Array, targets: Array, smoothing: float, rng: np.random.Generator, deadline: float | None
) -> _Evidence:
    columns = ramps.apply(rows)
    held = rng.permutation(len(rows)) % 5 == 0
    evidence = _count(ramps, columns[~held], targets[~held], smoothing)
    check_time(deadline)
    priors = _priors(targets[~held])
    seen, truth = columns[held][:20_000], targets[held][:20_000]
    scores = evidence.scores(seen)
    losses = []
    for temper in TEMPERS:
        moved = priors + temper * (scores - priors)
        moved = moved - moved.max(axis=1, keepdims=True)
        logs = moved - np.log(np.exp(moved).sum(axis=1, keepdims=True))
        losses.append(-float((logs * truth).sum()))
    check_time(deadline)
    best = TEMPERS[int(np.argmin(losses))]
    return _count(ramps, columns, targets, smoothing).tempered(best, _priors(targets))


def _priors(targets: Array) -> Array:
    counts = targets.sum(axis=0) + 0.5
    return np.asarray(np.log(counts / counts.sum()))


def _count(ramps: model.Ramps, columns: Array, targets: Array, smoothing: float) -> _Evidence:
    """Estimate each class: a Gaussian for a number without ramps, shares of rows for marks and between knots."""
    n_inputs = columns.shape[1] - len(ramps.features)
    inputs = columns[:, :n_inputs]
    sizes = targets.sum(axis=0)
    totals = sizes.sum()
    overall = targets.sum(axis=1) @ inputs / totals
    spread = targets.sum(axis=1) @ (inputs - overall) ** 2 / totals + 1e-6
    means = (inputs.T @ targets + smoothing * overall[:, None]) / (sizes + smoothing)
    second = (inputs * inputs).T @ targets - 2 * means * (inputs.T @ targets) + means**2 * sizes
    variances = np.maximum((second + smoothing * spread[:, None]) / (sizes + smoothing), 0.01 * spread[:, None])
    linear, squared = means / variances, -0.5 / variances
    offsets = -0.5 * (np.log(variances) + means**2 / variances)
    low, high = inputs.min(axis=0), inputs.max(axis=0)
    is_mark = ((inputs == low) | (inputs == high)).all(axis=0)
    share = np.clip((means - low[:, None]) / np.where(high > low, high - low, 1.0)[:, None], 1e-4, 1 - 1e-4)
    slope = np.log(share / (1 - share)) / np.where(high > low, high - low, 1.0)[:, None]
    mark = is_mark[:, None] & (high > low)[:, None]
    offsets = np.where(mark, np.log(1 - share) - slope * low[:, None], offsets)
    linear, squared = np.where(mark, slope, linear), np.where(mark, 0.0, squared)
    binned = np.zeros(n_inputs, dtype=bool)
    binned[list(ramps.features)] = True
    linear[binned], squared[binned], offsets[binned] = 0.0, 0.0, 0.0
    logs = np.zeros((len(ramps.features), targets.shape[1]))
    offset = offsets.sum(axis=0)
    for feature in np.flatnonzero(binned):
        places = np.flatnonzero(np.array(ramps.features) == feature)
        heights, first = _log_shares(columns[:, n_inputs + places], targets, smoothing)
        logs[places] = heights
        offset = offset + first
    return _Evidence(np.vstack([linear, logs]), squared, offset + _priors(targets))


def _log_shares(ramps: Array, targets: Array, smoothing: float) -> tuple[Array, Array]:
    """Return by how much the log density of each class rises along each ramp, and where it begins.

    A row counts for the two knots beside it, in proportion to how near they are.
    """
    place = ramps.sum(axis=1)
    low = np.clip(np.floor(place).astype(np.int64), 0, ramps.shape[1] - 1)
    part = place - low
    n_knots = ramps.shape[1] + 1
    counts = np.stack(
        [
            np.bincount(low, target * (1 - part), minlength=n_knots)
            + np.bincount(low + 1, target * part, minlength=n_knots)
            for target in targets.T
        ],
        axis=1,
    )
    overall = (counts.sum(axis=1) + 1e-3) / (counts.sum() + 1e-3 * n_knots)
    shares = (counts + smoothing * overall[:, None]) / (counts.sum(axis=0) + smoothing)
    logs = np.log(shares / overall[:, None])
    return np.diff(logs, axis=0), logs[0]


@dataclass(frozen=True)
class _Judge:
    """Evidence that has been counted."""

    inputs: Inputs
    ramps: model.Ramps
    evidence: _Evidence
    loss: Loss
    task: Task

    def answer(self, features: Array) -> model.Outputs:
        """Answer rows of features."""
        import threadpoolctl

        with threadpoolctl.threadpool_limits(1, user_api="blas"):
            scores = self.evidence.scores(self.ramps.apply(self.inputs(features)))
        return class_outputs(self.loss.spread_out(self.loss.found(scores)), self.task)

    def add(self, builder: model.GraphBuilder, features: str) -> str:
        """Add the nodes."""
        inputs = model.emit_bent(builder, features, self.inputs.spec)
        columns = self.ramps.emit(builder, inputs)
        squares = builder.node("Mul", inputs, inputs)
        parts = [model.emit_product(builder, columns, self.evidence.linear)]
        parts.append(model.emit_product(builder, squares, self.evidence.squared))
        both = builder.node("Add", *parts)
        scores = builder.node("Add", both, builder.constant(self.evidence.offsets))
        return model.emit_head(builder, scores, self.loss.head, self.task)


FAMILY = Bayes()
