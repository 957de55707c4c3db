"""What must be known of a kind of answers to estimate how good they are before their truth comes."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol, Self

import numpy as np

from palio.core.records import Metric, Task
from palio.core.seeds import derive
from palio.measure import Answers
from palio.monitor.quality.features import Array
from palio.monitor.quality.weighting import MAX_ROWS, Overlap


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

    known: Array
    """Some rows of the lesson, of which it knows how far they were from what fits expected that had not seen them."""

    def metrics(self, kept: dict[str, Array], seen: Overlap) -> dict[str, Metric]:
        """Estimate the metrics.

        Args:
            kept: Some rows: `prediction`, `scores`, and what `add` returned.
            seen: What `known` says about these rows.
        """

    def total(self, values: Array, kept: dict[str, Array], seen: Overlap) -> Metric:
        """Estimate a sum over the rows; `values` as in `Question.mistakes`."""


def some_of(rows: Array, seed: int) -> Array:
    """Choose the rows that `Craft.known` holds: all, or `MAX_ROWS` by chance."""
    few = np.random.default_rng(derive(seed, "few")).permutation(len(rows))[:MAX_ROWS]
    out: Array = rows[few]
    return out
