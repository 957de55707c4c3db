"""What is asked, and what an answer to it is: one module a kind of question, entered through a table.

How a truth is read, how answers are scored, compared, written and read back is said by the question; whoever holds a
task asks `of(task)` for it, and does not look at its kind.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from palio.core.errors import InputError
from palio.core.records import Task
from palio.measure.questions.answers import (
    NO_LABEL,
    PREDICTION,
    PROBABILITY,
    TRUTH,
    TRUTH_NUMBER,
    UNKNOWN,
    Answers,
    is_answer,
    probability_names,
)
from palio.measure.sample import Array, Sample

__all__ = [
    "NO_LABEL",
    "PREDICTION",
    "PROBABILITY",
    "QUESTIONS",
    "TRUTH",
    "TRUTH_NUMBER",
    "UNKNOWN",
    "Answers",
    "Question",
    "is_answer",
    "is_asked",
    "of",
    "probability_names",
]

QUESTIONS = {
    "classification": "palio.measure.questions.classes:Classes",
    "regression": "palio.measure.questions.numbers:Numbers",
    "detection": "palio.measure.questions.boxes:Boxes",
}
"""Kind of task → what asks it."""


class Question(Protocol):
    """What a task asks.

    A truth has shape (n_rows,) and is in one form with `Answers.prediction`: class indices, numbers, or objects.
    `palio.testing.QuestionContract` holds an implementation to what the rooms rely on.
    """

    task: Task
    default_metric: str
    """Selects models where the task names no metric."""
    tie_break: str
    """Tells models apart that are equal by the metric."""
    error_metric: str
    """Says how much is wrong in a way that can be paid for."""
    error_step: tuple[float, str]
    """A step of that metric that people think in, and what it is called."""
    simplest: str
    """What is answered by who knows nothing of a row, in words; see `constant`."""
    lacking: str
    """What is wrong with rows on which a metric is not defined."""

    described_as: str
    """Type of the cells that a prediction is described by the statistics of; empty: it is counted as it is."""

    @property
    def names(self) -> tuple[str, ...]:
        """Columns of an answer, the prediction first."""

    @property
    def is_text(self) -> bool:
        """Whether a prediction is written as text, not as a number."""

    @property
    def mistakes(self) -> Array:
        """What a mistake counts, by truth and answer, shape (n_classes, n_classes); shape (): one unit of `errors`."""

    def truth(self, labels: Sequence[Any] | Array) -> Array:
        """Read labels as they stand in data; those that say nothing are not `known`."""

    def truth_in(self, columns: Mapping[str, Array]) -> Array:
        """Read the truth from columns of the log: `truth`, and for numbers `truth_number` if it is there."""

    def labels(self, truth: Array) -> Array:
        """Write a truth, or a prediction, as it stands in data: class labels (objects), or float64."""

    def shown(self, value: Any) -> str:
        """Write one truth, or prediction, for people."""

    def known(self, truth: Array) -> Array:
        """Tell which rows have a truth that can be scored."""

    def labelled(self, truth: Array) -> Array:
        """Tell which rows have a label, be it one that no answer can meet."""

    def usable(self, answers: Answers) -> Array:
        """Tell which rows can be judged: with an answer that the task knows, and all its probabilities."""

    def answers(self, columns: Mapping[str, Array]) -> Answers:
        """Read answers from columns named as in `names`."""

    def columns(self, answers: Answers) -> dict[str, Array]:
        """Write answers as columns named as in `names`; what they do not hold is left out."""

    def sample(self, truth: Array, answers: Answers) -> Sample:
        """Set answers against the truth, to be scored.

        Raises:
            InputError: no rows, shapes that differ, a truth that is not known, or an answer that is not usable.
        """

    def losses(self, truth: Array, answers: Answers) -> Array:
        """Say how wrong each row is, shape (n_rows,), not negative: what is shown as the worst is first by this."""

    def errors(self, truth: Array, answers: Answers) -> Array:
        """Say how wrong each prediction alone is: 0 or 1, the absolute error, or how many mistakes; float64."""

    def differ(self, one: Answers, other: Answers) -> Array:
        """Tell which rows two models predict otherwise."""

    def constant(self, truth: Array) -> tuple[float, ...]:
        """Sum up what the answer that never changes needs to know of a truth: the simplest guess."""

    def always(self, constant: Sequence[float], n_rows: int) -> Answers:
        """Answer rows without looking at them.

        Raises:
            InputError: `constant` is not one of this question.
        """

    def counts(self, truth: Array) -> dict[str, int]:
        """Count the rows of each class, or the boxes; empty where there are no classes."""

    def holds(self, truth: Array, n_each: int) -> bool:
        """Tell whether a truth has enough of what is to be told apart: of two classes at least so many rows each."""

    def sizes(self, answers: Answers) -> Array:
        """Say how much is answered, where that can be ordered: the number, or how many boxes; float64."""

    def distinct(self, truth: Array) -> Array:
        """Return each truth that occurs once, sorted; or all of them where that saves nothing."""


def is_asked(kind: str) -> bool:
    """Tell whether a kind of task can be asked of rows."""
    return kind in QUESTIONS


def of(task: Task) -> Question:
    """Return what a task asks.

    Raises:
        InputError: its kind is not in the table.

    Example:
        >>> of(Task(kind="classification", target="y", classes=("no", "yes"))).names
        ('prediction', 'probability_no', 'probability_yes')
    """
    if not is_asked(task.kind):
        raise InputError(f"task `{task.kind}`: rows cannot be answered yet", hint=f"use {' or '.join(QUESTIONS)}")
    module, _, name = QUESTIONS[task.kind].partition(":")
    found: Question = getattr(importlib.import_module(module), name)(task)
    return found
