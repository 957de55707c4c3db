"""Weigh the features and add them up: ridge, logistic regression, elastic net, and sums of curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from palio import model
from palio.core.records import Modality, Task, TaskKind
from palio.train.examples import Array, Examples, Shape
from palio.train.family import (
    FixedSettings,
    Params,
    TabularFitted,
    calm_threads,
    check_time,
    class_outputs,
    value_outputs,
)
from palio.train.solvers.inputs import some
from palio.train.solvers.losses import Loss, loss_of
from palio.train.solvers.penalised import Weighed, choose, ridge

MAX_NUMBERS = 40_000_000
"""Rows × features that are learned from; of more rows, a random part is."""
MAX_RAMPS = 2_000
"""Ramps of all features together: wide tables have fewer for each, or none."""


class Linear(FixedSettings):
    """Penalised sums of scaled numbers, of ramps between their quantiles, and of one-hot categories.

    The penalty is the one that is best on rows left out; `penalty` multiplies it.

    Source: Hoerl and Kennard 1970 (ridge); Hastie and Tibshirani 1986 (sums of curves); see also
        `palio.train.solvers.penalised`.
    """

    name = "linear"
    tasks: tuple[TaskKind, ...] = ("classification", "regression")
    modalities: tuple[Modality, ...] = ("tabular", "text")
    n_settings = 3

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: a closed form for squared errors, else hundreds of passes over the columns."""
        n_numbers = 2.0 * shape.n_features
        n_columns = n_numbers + min(MAX_RAMPS, int(params["ramps"]) * shape.n_features)
        rows = min(shape.n_rows, MAX_NUMBERS / n_columns)
        few = min(rows, n_columns)
        passes = (
            300.0 * (1 + 0.3 * min(shape.n_classes, 20) + 0.1 * shape.n_classes)
            if shape.n_classes or params["mix"]
            else 8 + 0.05 * few
        )
        mixed = 3.0 if params["mix"] else 1.0
        return (
            0.05
            + 1e-3 * shape.n_features
            + 3e-7 * shape.n_rows * n_numbers
            + 1.5e-9 * rows * n_columns * passes * mixed
        )

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return sums of curves and plain sums; plain ones first where rows are few."""
        plain: Params = {"penalty": 1.0, "mix": 0.0, "ramps": 0}
        curved = plain | {"ramps": 8}
        return [curved, plain] if shape.n_rows > max(400, 10 * shape.n_features) else [plain, curved]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw the penalty, how much of it is on sizes (the rest on squares), and how many ramps a number has."""
        return {
            "penalty": trial.suggest_float("penalty", 0.05, 20.0, log=True),
            "mix": trial.suggest_float("mix", 0.0, 1.0, step=0.25),
            "ramps": trial.suggest_int("ramps", 0, 24, step=4),
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
        """Fit the coefficients: a closed form or L-BFGS.

        Raises:
            OutOfTime: the deadline has come.
            InputError: fewer than two classes have examples, or values that do not suit the objective.
        """
        calm_threads()
        import threadpoolctl

        check_time(deadline)
        loss = loss_of(examples, self.name)
        preprocessing = examples.preprocessing("linear")
        features = examples.matrix(preprocessing)
        check_time(deadline)
        rng = np.random.default_rng(seed)
        n_columns = features.shape[1] * (1 + int(params["ramps"]))
        chosen = some(len(features), max(1_000, MAX_NUMBERS // n_columns), rng)
        ramps = model.fit_ramps(features[chosen], int(params["ramps"]), MAX_RAMPS)
        columns = ramps.apply(features[chosen])
        targets = loss.targets(examples.target[chosen])
        weights = None if examples.weights is None else examples.weights[chosen]
        with threadpoolctl.threadpool_limits(1, user_api="blas"):  # sums must not depend on the machine's load
            weighed = _fit(columns, loss, targets, weights, params, rng, deadline)
        summed = _Sum(ramps, weighed, loss, examples.task)
        return TabularFitted(
            preprocessing=preprocessing,
            answer=summed.answer,
            add=summed.add,
            n_parameters=int(np.count_nonzero(weighed.coefficients)) + len(weighed.intercepts),
        )


def _fit(
    columns: Array,
    loss: Loss,
    targets: Array,
    weights: Array | None,
    params: Params,
    rng: np.random.Generator,
    deadline: float | None,
) -> Weighed:
    """Fit with the penalty that seems best, times what was asked for."""
    asked, mix = float(params["penalty"]), float(params["mix"])
    if loss.objective == "squared" and mix == 0.0:
        found = ridge(columns, targets, weights, np.logspace(-2, 5, 22), deadline=deadline)
        if asked == 1.0:
            return found
        return ridge(columns, targets, weights, np.array([found.penalty * asked]), deadline=deadline)
    penalties = np.logspace(-1, 3, 9) if mix == 0.0 else len(columns) * np.logspace(-4.5, -0.5, 9)
    if columns.size > 5_000_000:
        columns = columns.astype(np.float32)
    steps = 200 if loss.n_scores <= 20 else 80
    return choose(columns, loss, targets, weights, asked * penalties, rng, mix=mix, steps=steps, deadline=deadline)


@dataclass(frozen=True)
class _Sum:
    """A sum that has learned."""

    ramps: model.Ramps
    weighed: Weighed
    loss: Loss
    task: Task

    def answer(self, features: Array) -> model.Outputs:
        """Answer rows of features."""
        import threadpoolctl

        with threadpoolctl.threadpool_limits(1, user_api="blas"):
            scores = self.weighed.scores(self.ramps.apply(features))
        found = self.loss.spread_out(self.loss.found(scores))
        return value_outputs(found) if self.task.kind == "regression" else class_outputs(found, self.task)

    def add(self, builder: model.GraphBuilder, features: str) -> str:
        """Add the nodes of the sum."""
        columns = self.ramps.emit(builder, features)
        coefficients, intercepts = self.weighed.coefficients.T, self.weighed.intercepts
        if self.loss.n_classes:
            return model.emit_linear(builder, columns, *self._of_classes(coefficients, intercepts), self.task)
        if self.loss.objective != "poisson":
            spread = self.loss.spread
            intercepts = intercepts * spread + self.loss.center
            return model.emit_linear(builder, columns, coefficients * spread, intercepts, self.task)
        scores = model.emit_linear(builder, columns, coefficients, intercepts, self.task)
        return model.emit_head(builder, scores, self.loss.head, self.task)

    def _of_classes(self, coefficients: Array, intercepts: Array) -> tuple[Array, Array]:
        """Return one row for each class, -inf for one without examples; for two classes the difference."""
        if self.loss.n_classes == 2:
            return coefficients[1:] - coefficients[:1], intercepts[1:] - intercepts[:1]
        rows, offsets = np.zeros((self.loss.n_classes, coefficients.shape[1])), np.full(self.loss.n_classes, -np.inf)
        rows[self.loss.present], offsets[self.loss.present] = coefficients, intercepts
        return rows, offsets


FAMILY = Linear()
