"""Answer always the same: the share of each class, the mean, or nothing at all. What every other family must beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from palio import model
from palio.core.records import Modality, Task, TaskKind
from palio.train.examples import Array, Examples, Feeds, Objective, Shape, level_of, objective_of
from palio.train.family import FixedSettings, Params, class_outputs, value_outputs


@dataclass(frozen=True)
class DummyFitted:
    """A constant answer."""

    examples: Examples
    constant: Array
    """Probability of each class, shape (n_classes,); or the value, shape (1,)."""
    curve: Array | None = None

    @property
    def n_parameters(self) -> int:
        """One number for a value, one less than there are classes otherwise."""
        return max(1, len(self.constant) - 1)

    def at(self, rounds: int) -> DummyFitted:
        """Return itself: there are no rounds."""
        return self

    def reference(self, rows: Examples | Feeds) -> model.Outputs:
        """Return the constant for every row."""
        n_rows = len(rows.target) if isinstance(rows, Examples) else len(next(iter(rows.values())))
        if self.examples.task.kind == "detection":
            nothing = np.empty(n_rows, object)
            nothing[:] = "[]"
            return model.Outputs(nothing, are_boxes=True)
        if self.examples.task.kind == "regression":
            return value_outputs(np.repeat(self.constant, n_rows))
        return class_outputs(np.tile(self.constant, (n_rows, 1)), self.examples.task)

    def emit(self, builder: model.GraphBuilder) -> str:
        """Add the constant for every row; of boxes, none."""
        if self.examples.task.kind == "detection":
            return model.emit_nothing(builder)
        return model.emit_constant(builder, self.constant, self.examples.task)


class Dummy(FixedSettings):
    """The constant answer that is best in itself."""

    name = "dummy"
    tasks: tuple[TaskKind, ...] = ("classification", "regression", "detection")
    modalities: tuple[Modality, ...] = ("tabular", "text", "image")
    n_settings = 0

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: next to nothing."""
        return 0.01 + 1e-8 * shape.n_rows

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return the one way to be a dummy."""
        return [{}]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Return no settings: there are none."""
        return {}

    def fit(
        self,
        examples: Examples,
        *,
        params: Params,
        seed: int,
        deadline: float | None = None,
        watch: Examples | None = None,
    ) -> DummyFitted:
        """Count the classes, or take the middle that suits the objective: the mean, or a quantile (the median)."""
        if examples.task.kind == "detection":
            return DummyFitted(examples, np.zeros(1))
        weights = np.ones(len(examples.target)) if examples.weights is None else examples.weights
        if examples.task.kind == "regression":
            return DummyFitted(examples, np.array([_middle(examples, weights)], dtype=np.float64))
        counts = np.bincount(examples.target, weights=weights, minlength=len(examples.task.classes))
        return DummyFitted(examples, counts.astype(np.float64) / counts.sum())


def _middle(examples: Examples, weights: Array) -> float:
    objective: Objective = objective_of(examples)
    if objective in ("squared", "poisson"):
        return float(np.average(examples.target, weights=weights))
    level = level_of(examples) if objective == "quantile" else 0.5
    order = np.argsort(examples.target, kind="stable")
    reached = np.cumsum(weights[order])
    return float(examples.target[order][np.searchsorted(reached, level * reached[-1])])


FAMILY = Dummy()
