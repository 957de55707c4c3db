"""How much a row is worth, long, heavy: a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from palio.core.errors import InputError
from palio.core.records import Task
from palio.measure.questions.answers import PREDICTION, TRUTH, TRUTH_NUMBER, Answers
from palio.measure.sample import Array, Sample, one_value_per_row

LEVELS = {"mae": 0.5, "median_absolute_error": 0.5, "huber": 0.5, "pinball_10": 0.1, "pinball_90": 0.9}
"""Metric → the quantile that is its best constant, or near it; of others it is the mean."""
_SIMPLEST = {"mape": "the number with the least error in percent"} | dict.fromkeys(
    (metric for metric, level in LEVELS.items() if level == 0.5), "the median"
)
SAME = 1e-6
"""Two numbers that differ by a smaller share of the second are taken for the same answer."""


def quantile_of(metric: str) -> float | None:
    """Return the quantile that a metric of numbers is best at, or near it; None: the mean."""
    return LEVELS.get(metric)


class Numbers:
    """How much? A truth is a number, NaN where it is not known.

    Example:
        >>> Numbers(Task(kind="regression", target="price")).truth([3, None, "2.5"]).tolist()
        [3.0, nan, 2.5]
    """

    default_metric = "rmse"
    tie_break = "r2"
    error_metric = "mae"
    error_step = (1.0, "unit of mean absolute error")
    lacking = "their values do not allow it"
    is_text = False
    described_as = ""
    names: tuple[str, ...] = (PREDICTION,)
    mistakes: Array = np.ones(())

    def __init__(self, task: Task) -> None:
        self.task = task
        level = quantile_of(task.metric)
        self.simplest = "the mean" if level is None else f"the {level * 100:.0f} % quantile"
        self.simplest = _SIMPLEST.get(task.metric, self.simplest)

    def truth(self, labels: Sequence[Any] | Array) -> Array:
        """Return the numbers, float64."""
        if isinstance(labels, np.ndarray) and labels.dtype.kind in "fiub":
            return labels.astype(np.float64)
        return np.array([_number(cell) for cell in labels], dtype=np.float64)

    def truth_in(self, columns: Mapping[str, Array]) -> Array:
        """Read the column `truth_number`, or `truth` if there is none."""
        return self.truth(np.asarray(columns[TRUTH_NUMBER if TRUTH_NUMBER in columns else TRUTH]))

    def labels(self, truth: Array) -> Array:
        """Return the numbers."""
        return np.asarray(truth, np.float64)

    def shown(self, value: Any) -> str:
        """Write the number with six digits."""
        return f"{float(value):.6g}"

    def known(self, truth: Array) -> Array:
        """Tell which rows have a finite number."""
        return np.isfinite(truth)

    labelled = known

    def usable(self, answers: Answers) -> Array:
        """Tell which rows have a finite number."""
        return np.isfinite(answers.prediction)

    def answers(self, columns: Mapping[str, Array]) -> Answers:
        """Read answers."""
        return Answers(np.asarray(columns[PREDICTION], np.float64))

    def columns(self, answers: Answers) -> dict[str, Array]:
        """Write answers."""
        return {PREDICTION: self.labels(answers.prediction)}

    def sample(self, truth: Array, answers: Answers) -> Sample:
        """Set answers against the truth."""
        found = Sample(
            self.task,
            one_value_per_row("truth", truth, np.float64),
            one_value_per_row("prediction", answers.prediction, np.float64),
        )
        if not (np.isfinite(found.truth).all() and np.isfinite(found.prediction).all()):
            raise InputError("a true or predicted number is missing or infinite", hint="drop such rows first")
        return found

    def losses(self, truth: Array, answers: Answers) -> Array:
        """Return absolute errors."""
        found = self.sample(truth, answers)
        return self.errors(found.truth, answers)

    def errors(self, truth: Array, answers: Answers) -> Array:
        """Return absolute errors."""
        return np.asarray(np.abs(truth - answers.prediction), np.float64)

    def differ(self, one: Answers, other: Answers) -> Array:
        """Tell which rows get a number that differs by more than a millionth."""
        return ~np.isclose(one.prediction, other.prediction, rtol=SAME, atol=0.0)

    def constant(self, truth: Array) -> tuple[float, ...]:
        """Return the mean; or, if the task's metric is best at another number, the quantile that this is.

        For errors in percent it is the median in which a row weighs the less the larger its number is.
        """
        if self.task.metric == "mape" and np.all(truth):
            order = np.argsort(truth, kind="stable")
            reached = np.cumsum(1 / np.abs(truth[order]))
            return (float(truth[order][np.searchsorted(reached, reached[-1] / 2)]),)
        level = quantile_of(self.task.metric)
        # of the numbers between two values, all of which are as good, the lower value: as the family `dummy` takes it
        return (float(truth.mean() if level is None else np.quantile(truth, level, method="inverted_cdf")),)

    def always(self, constant: Sequence[float], n_rows: int) -> Answers:
        """Answer the number."""
        if len(constant) != 1 or not np.isfinite(constant).all():
            raise InputError(f"baseline: {len(constant)} numbers, expected the mean")
        return Answers(np.full(n_rows, float(constant[0])))

    def counts(self, truth: Array) -> dict[str, int]:  # noqa: ARG002
        """There are no classes."""
        return {}

    def holds(self, truth: Array, n_each: int) -> bool:  # noqa: ARG002
        """Numbers can always be told apart."""
        return True

    def sizes(self, answers: Answers) -> Array:
        """Return the number."""
        return np.asarray(answers.prediction, np.float64)

    def distinct(self, truth: Array) -> Array:
        """Return what occurs."""
        return np.unique(truth)


def _number(cell: Any) -> float:
    try:
        return float("nan") if cell is None else float(cell)
    except (TypeError, ValueError):
        return float("nan")
