"""What a window's answers of numbers are estimated by: how far each is probably off."""

from __future__ import annotations

import copy
from typing import Literal

import numpy as np

from palio.core.records import Metric, Task
from palio.measure import Answers
from palio.monitor.quality.craft import Lesson, some_of
from palio.monitor.quality.dle import Losses, LossSums
from palio.monitor.quality.features import Array
from palio.monitor.quality.intervals import Doubt, doubt_of, interval
from palio.monitor.quality.weighting import Overlap


class OfNumbers:
    """See `craft.Craft`."""

    method: Literal["cbpe", "dle"] = "dle"
    told = frozenset(("mae", "rmse"))

    def __init__(self, task: Task, lesson: Lesson) -> None:
        answers, features, is_category, truth, folds, seed = lesson
        self._task = task
        self._losses = Losses(answers.prediction, features, is_category, truth, folds, seed=seed)
        self._sums = LossSums()
        learnt = self._losses.learnt_from
        some = some_of(np.arange(len(learnt)), seed)
        self.known, self._n_learnt = learnt[some], len(learnt)
        self._error = self._losses.error[:, some]

    @staticmethod
    def scores(task: Task, answers: Answers) -> Array:  # noqa: ARG004
        """Return the numbers, as one column."""
        return answers.prediction[:, None]

    def fresh(self) -> OfNumbers:
        """Share what was learnt, with nothing counted."""
        other = copy.copy(self)
        other._sums = LossSums()
        return other

    @property
    def n_rows(self) -> int:
        """Rows counted."""
        return self._sums.n_rows

    def add(self, answers: Answers, features: Array, complete: Array) -> dict[str, Array]:
        """Count rows."""
        self._sums.add(self._losses.of(answers.prediction, features, complete), self._losses.tail)
        return {}

    def merge(self, other: OfNumbers) -> None:
        """Add what another one counted."""
        self._sums.merge(other._sums)

    def metrics(self, kept: dict[str, Array], seen: Overlap) -> dict[str, Metric]:  # noqa: ARG002
        """Estimate the metrics."""
        figures = self._sums.metrics()
        scale = {"mae": 1.0, "rmse": 1 / max(2 * figures["rmse"][0], 1e-300)}  # of the root by that of the square
        doubts = {name: self._doubt(place, seen).times(scale[name]) for place, name in enumerate(("mae", "rmse"))}
        return {
            name: interval(value, by_fit, chance, self.n_rows, doubt=doubts[name], low=0.0)
            for name, (value, by_fit, chance) in figures.items()
        }

    def _doubt(self, place: int, seen: Overlap) -> Doubt:
        return doubt_of(self._error[place], float(self._losses.beyond[place]), seen, self._n_learnt)

    def total(self, values: Array, kept: dict[str, Array], seen: Overlap) -> Metric:  # noqa: ARG002
        """Estimate a sum; `values`: of one unit of error."""
        by_fit = self._sums.losses[:, 0] * float(values)
        chance = float(self._sums.variance[0]) * float(values) ** 2
        doubt = self._doubt(0, seen).times(self.n_rows * float(values))
        return interval(float(by_fit.mean()), by_fit, chance, self.n_rows, doubt=doubt)
