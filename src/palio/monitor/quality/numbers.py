"""What a window's answers of numbers are estimated by: how far each is probably off."""

from __future__ import annotations

import copy
from typing import Literal

from palio.core.records import Metric, Task
from palio.measure import Answers
from palio.monitor.quality.craft import Lesson
from palio.monitor.quality.dle import Losses, LossSums
from palio.monitor.quality.features import Array
from palio.monitor.quality.intervals import interval


class OfNumbers:
    """See `craft.Craft`."""

    method: Literal["cbpe", "dle"] = "dle"
    told = frozenset(("mae", "rmse"))

    def __init__(self, task: Task, lesson: Lesson) -> None:
        answers, features, is_category, truth, folds, seed = lesson
        self._task = task
        self._losses = Losses(answers.prediction, features, is_category, truth, folds, seed=seed)
        self._sums = LossSums()

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

    def errors(self) -> tuple[Array, Array]:
        """Return absolute errors less what is expected."""
        return self._losses.learnt_from, self._losses.error

    def metrics(self, kept: dict[str, Array], astray: float) -> dict[str, Metric]:  # noqa: ARG002
        """Estimate the metrics."""
        figures = self._sums.metrics()
        of_mae = max(figures["mae"][2], 1e-300)
        return {
            name: interval(value, by_fit, chance + astray**2 * chance / of_mae, self.n_rows, low=0.0)
            for name, (value, by_fit, chance) in figures.items()
        }

    def total(self, values: Array, kept: dict[str, Array], astray: float) -> Metric:  # noqa: ARG002
        """Estimate a sum; `values`: of one unit of error."""
        by_fit = self._sums.losses[:, 0] * float(values)
        chance = (float(self._sums.variance[0]) + (astray * self.n_rows) ** 2) * float(values) ** 2
        return interval(float(by_fit.mean()), by_fit, chance, self.n_rows)
