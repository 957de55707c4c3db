"""What a window's answers of classes are estimated by: the chance of each class, row by row."""

from __future__ import annotations

import copy
from typing import Literal

import numpy as np

from palio.core.records import Metric, Task
from palio.measure import METRICS, Answers
from palio.monitor.quality import cbpe
from palio.monitor.quality.beliefs import N_FOLDS, Beliefs
from palio.monitor.quality.craft import Lesson
from palio.monitor.quality.features import Array
from palio.monitor.quality.intervals import interval, label_variance


class OfClasses:
    """See `craft.Craft`."""

    method: Literal["cbpe", "dle"] = "cbpe"
    told = frozenset(cbpe.KNOWN)

    def __init__(self, task: Task, lesson: Lesson) -> None:
        answers, features, is_category, truth, folds, seed = lesson
        scores = self.scores(task, answers)
        self._task, self._has_probabilities = task, answers.probabilities is not None
        self._beliefs = Beliefs(scores, features, is_category, truth, folds, seed=seed)
        self._sums = cbpe.Sums(task, scores, N_FOLDS)
        self._truth, self._said = truth, answers.prediction

    @staticmethod
    def scores(task: Task, answers: Answers) -> Array:
        """Return what chances are calibrated from: the probabilities, or else the answer as a certainty."""
        if answers.probabilities is not None:
            return answers.probabilities
        certain: Array = np.eye(len(task.classes))[answers.prediction]
        return certain

    def fresh(self) -> OfClasses:
        """Share what was learnt, with nothing counted."""
        other = copy.copy(self)
        other._sums = self._sums.fresh()
        return other

    @property
    def n_rows(self) -> int:
        """Rows counted."""
        return self._sums.n_rows

    def add(self, answers: Answers, features: Array, complete: Array) -> dict[str, Array]:
        """Count rows."""
        scores = self.scores(self._task, answers)
        chances = self._beliefs.of(scores, features, complete)
        self._sums.add(scores, answers.prediction, chances)
        return {"chances": chances.mean(0)}

    def merge(self, other: OfClasses) -> None:
        """Add what another one counted."""
        self._sums.merge(other._sums)

    def errors(self) -> tuple[Array, Array]:
        """Return whether answers were right, less the chance of that."""
        rows = self._beliefs.learnt_from
        said = self._said[rows]
        return rows, (self._truth[rows] == said) - self._beliefs.expected[np.arange(len(rows)), said]

    def metrics(self, kept: dict[str, Array], astray: float) -> dict[str, Metric]:
        """Estimate the metrics."""
        out, base = {}, self._label_variance("accuracy", kept)
        for name, values in cbpe.metrics_of(self._sums).items():
            spec = METRICS[name]
            if spec.needs == "probability" and not self._has_probabilities:
                continue
            of_labels = self._label_variance(name, kept)
            chance = of_labels / self.n_rows + astray**2 * of_labels / max(base, 1e-300)
            top = 1.0 if spec.bounded else np.inf
            out[name] = interval(float(values[-1]), values[:-1], chance, self.n_rows, low=0.0, high=top)
        return out

    def _label_variance(self, metric: str, kept: dict[str, Array]) -> float:
        """Return the variance of a metric by the labels, times the rows."""
        return label_variance(cbpe.pulls_of(self._sums, metric, kept["scores"], kept["prediction"]), kept["chances"])

    def total(self, values: Array, kept: dict[str, Array], astray: float) -> Metric:
        """Estimate a sum; `values` by truth and answer."""
        by_fit = (self._sums.cells * values).sum((1, 2))
        of_labels, base = (
            label_variance(values.T[kept["prediction"]], kept["chances"]),
            self._label_variance("accuracy", kept),
        )
        chance = of_labels * self.n_rows + (astray * self.n_rows) ** 2 * of_labels / max(base, 1e-300)
        return interval(float(by_fit.mean()), by_fit, chance, self.n_rows)
