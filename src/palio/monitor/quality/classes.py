"""What a window's answers of classes are estimated by: the chance of each class, row by row."""

from __future__ import annotations

import copy
import math
from typing import Literal

import numpy as np

from palio.core.records import Metric, Task
from palio.measure import METRICS, Answers
from palio.monitor.quality import cbpe
from palio.monitor.quality.beliefs import N_FOLDS, Beliefs
from palio.monitor.quality.craft import Lesson, some_of
from palio.monitor.quality.features import Array
from palio.monitor.quality.intervals import Doubt, doubt_of, interval, label_variance
from palio.monitor.quality.weighting import Overlap


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
        learnt = self._beliefs.learnt_from
        some = some_of(np.arange(len(learnt)), seed)
        self.known, self._n_learnt, self._expected = learnt[some], len(learnt), self._beliefs.expected[some]
        self._truth, self._said, self._scores = truth[self.known], answers.prediction[self.known], scores[self.known]

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

    def metrics(self, kept: dict[str, Array], seen: Overlap) -> dict[str, Metric]:
        """Estimate the metrics."""
        out = {}
        for name, values in cbpe.metrics_of(self._sums).items():
            spec = METRICS[name]
            if spec.needs == "probability" and not self._has_probabilities:
                continue
            pulls = cbpe.pulls_of(self._sums, name, kept["scores"], kept["prediction"])
            doubt = self._doubt(cbpe.pulls_of(self._sums, name, self._scores, self._said), seen)
            doubt = doubt.and_more(self._beliefs.apart(pulls, kept["chances"], kept["scores"]))
            chance = label_variance(pulls, kept["chances"]) / self.n_rows
            top = 1.0 if spec.bounded else np.inf
            out[name] = interval(float(values[-1]), values[:-1], chance, self.n_rows, doubt=doubt, low=0.0, high=top)
        return out

    def _doubt(self, pulls: Array, seen: Overlap) -> Doubt:
        """Doubt a figure that each truth of the rows of the lesson that are `known` pulls so far.

        Chances of rows that nobody knows may be off by as much as inputs say beyond the forecast where rows are known;
        that moves a figure as labels do.
        """
        error = pulls[np.arange(len(pulls)), self._truth] - (pulls * self._expected).sum(1)
        right = np.eye(self._expected.shape[1])[self._said]
        per_label = label_variance(pulls, self._expected) / max(label_variance(right, self._expected), 1e-300)
        return doubt_of(error, self._beliefs.beyond * math.sqrt(per_label), seen, self._n_learnt)

    def total(self, values: Array, kept: dict[str, Array], seen: Overlap) -> Metric:
        """Estimate a sum; `values` by truth and answer."""
        by_fit = (self._sums.cells * values).sum((1, 2))
        chance = label_variance(values.T[kept["prediction"]], kept["chances"]) * self.n_rows
        doubt = self._doubt(values.T[self._said], seen)
        doubt = doubt.and_more(self._beliefs.apart(values.T[kept["prediction"]], kept["chances"], kept["scores"]))
        doubt = doubt.times(self.n_rows)
        return interval(float(by_fit.mean()), by_fit, chance, self.n_rows, doubt=doubt)
