"""Rows with truth and answer, prepared once so that many reweightings of them can be scored quickly."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.errors import InputError
from palio.core.records import Task

Array = npt.NDArray[Any]
HUBER, MAD = 1.345, 1.4826
"""Width of small errors in standard deviations, as efficient as the square by 95 % for normal ones (Huber 1964); and a
normal distribution's standard deviation in median absolute deviations."""
N_BINS = 10
"""Bins of the calibration error and of the reliability diagram."""
COARSE = 1_000
"""Distinct scores that a spread is measured with: the interval of ROC AUC moves by less than a percent of its width
(tests/measure/test_sample.py), in a quarter of the time."""


def positive_index(task: Task) -> int:
    """Find the class of interest of a two-class task; the second class where none is named.

    Example:
        >>> positive_index(Task(kind="classification", target="y", classes=("no", "yes")))
        1
    """
    if task.positive is not None and task.positive in task.classes:
        return task.classes.index(task.positive)
    return len(task.classes) - 1


class Sample:
    """Truth and answers of the same rows; the question that was asked makes and checks it.

    Args:
        task: What was asked.
        truth: Shape (n_rows,): class index, or number.
        prediction: Shape (n_rows,): class index, or number.
        probabilities: Shape (n_rows, n_classes) in the order of `task.classes`, or None.

    Raises:
        InputError: no rows, or numbers of rows that differ.
    """

    def __init__(self, task: Task, truth: Array, prediction: Array, probabilities: Array | None = None) -> None:
        self.task, self.truth, self.prediction, self.probabilities = task, truth, prediction, probabilities
        self.n_rows = len(truth)
        self.n_classes = len(task.classes)
        self.positive = positive_index(task)
        self._is_coarse = False
        self._ranks: dict[int, tuple[Array, int]] = {}
        if self.n_rows == 0:
            raise InputError("there are no rows to score", hint="give at least one row with a known answer")
        if len(prediction) != self.n_rows:
            raise InputError(f"{self.n_rows} true answers, but {len(prediction)} predictions")

    def take(self, rows: Array) -> Sample:
        """Return the sample of the rows given by mask or index."""
        p = self.probabilities
        return Sample(self.task, self.truth[rows], self.prediction[rows], None if p is None else p[rows])

    def coarsened(self) -> Sample:
        """Return the same rows, with neighbouring scores taken as equal: to measure a spread, not a value."""
        other = copy.copy(self)
        other._is_coarse, other._ranks = True, {}
        return other

    def is_binary(self) -> bool:
        """Tell whether there are exactly two classes."""
        return self.n_classes == 2

    @property
    def cost(self) -> int:
        """Count the sorts that one resample needs: one per class where scores of many classes are ranked."""
        return self.n_classes if self.probabilities is not None and self.n_classes > 2 else 1

    def says_the_same(self, other: Sample) -> bool:
        """Tell whether another sample of these rows holds the same answers."""
        if not np.array_equal(self.prediction, other.prediction):
            return False
        if self.probabilities is None or other.probabilities is None:
            return self.probabilities is other.probabilities
        return np.array_equal(self.probabilities, other.probabilities)

    def says_one_thing(self, *, by_probability: bool) -> bool:
        """Tell whether all rows get one answer, so that a metric no resample changes (ROC AUC 0.5) is known exactly."""
        answers, needed = self.prediction, self.n_classes
        if by_probability and self.probabilities is not None:
            answers, needed = self.probabilities, 2
        return bool((answers == answers[0]).all()) and len(np.unique(self.truth)) >= needed

    def n_rarest(self) -> int:
        """Count the rows of the rarest class: what a share that no resample changed is known by."""
        counts = np.bincount(self.truth, minlength=max(self.n_classes, 1))
        return int(counts[counts > 0].min())

    def ranks(self, label: int) -> tuple[Array, int]:
        """Rank the rows by the probability of class `label`, once; equal scores share a rank.

        Returns:
            Shape (n_rows,): twice the rank, plus one where the row is of another class; and the number of ranks.
        """
        if label not in self._ranks:
            assert self.probabilities is not None  # noqa: S101  (metrics that need them are asked for with them)
            scores = self.probabilities[:, label]
            order = np.argsort(scores, kind="stable")
            starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) != 0])
            if self._is_coarse and len(starts) > COARSE:
                starts = starts[np.diff(starts * COARSE // self.n_rows, prepend=-1) > 0]
            begins = np.zeros(self.n_rows, dtype=np.int64)
            begins[starts[1:]] = 1
            keys = np.empty(self.n_rows, dtype=np.int64)
            keys[order] = 2 * np.cumsum(begins)
            self._ranks[label] = (keys + (self.truth != label), len(starts))
        return self._ranks[label]

    @property
    def has_forecast(self) -> bool:
        """Tell whether there is a forecast whose calibration can be judged."""
        return self.probabilities is not None

    @cached_property
    def forecast(self) -> tuple[Array, Array]:
        """The forecast whose calibration is judged, and what came: of the positive class, or of the predicted one."""
        assert self.probabilities is not None  # noqa: S101
        if self.is_binary():
            return self.probabilities[:, self.positive], (self.truth == self.positive).astype(np.float64)
        given = self.probabilities[np.arange(self.n_rows), self.prediction]
        return given, (self.prediction == self.truth).astype(np.float64)

    @cached_property
    def bins(self) -> Array:
        """Bin of each forecast: equal mass, equal forecasts together."""
        scores = self.forecast[0]
        ranks = np.searchsorted(np.sort(scores), scores, side="left")
        return ranks * N_BINS // len(scores)

    @cached_property
    def log_losses(self) -> Array:
        """Negative log-likelihood of each row; probabilities are kept off zero by one part in 2⁵²."""
        assert self.probabilities is not None  # noqa: S101
        given = self.probabilities[np.arange(self.n_rows), self.truth]
        eps = np.finfo(np.float64).eps
        losses: Array = -np.log(np.clip(given, eps, 1 - eps))
        return losses

    @cached_property
    def huber_width(self) -> float:
        """Errors up to this are small: 1.345 robust standard deviations of the truth, or plain ones if that is none."""
        centred = np.abs(self.truth - np.median(self.truth))
        return HUBER * (MAD * float(np.median(centred)) or float(self.truth.std()) or 1.0)

    @cached_property
    def brier_losses(self) -> Array:
        """Squared distance of each forecast: one-class form for two classes, summed over classes above."""
        assert self.probabilities is not None  # noqa: S101
        if self.is_binary():
            forecast, outcome = self.forecast
            return (forecast - outcome) ** 2
        p = self.probabilities
        given = p[np.arange(self.n_rows), self.truth]
        losses: Array = (p**2).sum(axis=1) - given**2 + (1 - given) ** 2
        return losses


class View:
    """A sample under one or many row weights; what a metric function receives.

    Args:
        sample: The rows.
        weights: Shape (n_replicates, n_rows), not negative; ones give the plain value.
    """

    def __init__(self, sample: Sample, weights: Array) -> None:
        self.sample = sample
        self.weights = weights
        self._groups: dict[int, tuple[Array, Array]] = {}
        self._kept: dict[str, Array] = {}

    def once(self, name: str, compute: Callable[[], Array]) -> Array:
        """Compute what several metrics need, the first time that one asks."""
        if name not in self._kept:
            self._kept[name] = compute()
        return self._kept[name]

    def mean(self, values: Array) -> Array:
        """Return the weighted mean of per-row `values`, shape (n_replicates,)."""
        return divide(np.einsum("ij,j->i", self.weights, values), self.total)

    @cached_property
    def total(self) -> Array:
        """Sum of weights of each replicate."""
        total: Array = self.weights.sum(axis=1)
        return total

    @cached_property
    def counts(self) -> tuple[Array, Array, Array]:
        """Weight of each class by truth, by prediction, and where both agree; each (n_replicates, n_classes)."""
        s = self.sample
        missed = self.sums(2 * s.truth + (s.truth != s.prediction), 2 * s.n_classes)
        hits = missed[:, ::2]
        return hits + missed[:, 1::2], self.sums(s.prediction, s.n_classes), hits

    def sums(self, keys: Array, n_keys: int) -> Array:
        """Sum the weight of rows by key, shape (n_replicates, n_keys)."""
        out = np.empty((len(self.weights), n_keys))
        for i, weights in enumerate(self.weights):
            out[i] = np.bincount(keys, weights, n_keys)
        return out

    def groups(self, label: int) -> tuple[Array, Array]:
        """Sum the weight of rows of class `label`, and of all other rows, per distinct score.

        Returns:
            Two arrays of shape (n_replicates, n_distinct), by ascending score. Do not write to them.
        """
        if label not in self._groups:
            keys, n_ranks = self.sample.ranks(label)
            sums = self.sums(keys, 2 * n_ranks)
            self._groups = {label: (np.ascontiguousarray(sums[:, ::2]), np.ascontiguousarray(sums[:, 1::2]))}
        return self._groups[label]


def divide(numerator: Array, denominator: Array, *, empty: float = np.nan) -> Array:
    """Divide element by element; `empty` where the denominator is zero."""
    out = np.full(np.broadcast(numerator, denominator).shape, empty, dtype=np.float64)
    return np.divide(numerator, denominator, out=out, where=np.asarray(denominator) != 0)


def one_value_per_row(name: str, values: Array, dtype: type) -> Array:
    """Return `values` as `dtype`; `InputError` if they have not one dimension."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise InputError(f"{name}: {array.ndim} dimensions, expected one value per row")
    return array.astype(dtype, copy=False)
