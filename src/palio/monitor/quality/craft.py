"""What must be known of a kind of answers to estimate how good they are before their truth comes."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol, Self

from palio.core.records import Metric, Task
from palio.measure import Answers
from palio.monitor.quality.features import Array


class Lesson(NamedTuple):
    """Rows of the reference whose truth is known."""

    answers: Answers
    features: Array
    """Shape (n_rows, n_columns)."""
    is_category: list[bool]
    """Which columns hold codes."""
    truth: Array
    folds: Array
    """Shape (n_rows,): what is learnt from a fold is not asked about it."""
    seed: int


class Craft(Protocol):
    """How answers of one kind are estimated: learns from the reference, and counts rows in sums that add up."""

    method: Literal["cbpe", "dle"]
    told: frozenset[str]
    """Metrics that it can tell."""

    def __init__(self, task: Task, lesson: Lesson) -> None: ...

    @staticmethod
    def scores(task: Task, answers: Answers) -> Array:
        """Return the answers as columns of numbers, shape (n_rows, n_columns)."""

    def fresh(self) -> Self:
        """Share what was learnt, with nothing counted."""

    @property
    def n_rows(self) -> int:
        """Rows counted."""

    def add(self, answers: Answers, features: Array, complete: Array) -> dict[str, Array]:
        """Count rows; `complete` tells which have their inputs. Return what is to be kept of some of them."""

    def merge(self, other: Self) -> None:
        """Add what another one counted."""

    def errors(self) -> tuple[Array, Array]:
        """Return some rows of the lesson, and how far they were from what is expected by fits that had not seen them.

        Of classes: whether the answer was right, less the chance of that; of numbers: the absolute error likewise.
        """

    def metrics(self, kept: dict[str, Array], astray: float) -> dict[str, Metric]:
        """Estimate the metrics.

        Args:
            kept: Some rows: `prediction`, `scores`, and what `add` returned.
            astray: By how much the mean of `errors` may be off zero, since the rows are others than in the lesson.
        """

    def total(self, values: Array, kept: dict[str, Array], astray: float) -> Metric:
        """Estimate a sum over the rows; `values` as in `Question.mistakes`."""
