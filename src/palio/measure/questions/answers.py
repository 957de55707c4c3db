"""Answers to rows, and what their columns are called: in the log, in files, in what a bundle holds of its training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from palio.measure.sample import Array

PREDICTION, PROBABILITY, TRUTH, TRUTH_NUMBER = "prediction", "probability_", "truth", "truth_number"
NO_LABEL = -1
"""In place of a class index: there is no label …"""
UNKNOWN = -2
"""… or it is none of the task's classes."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model said to some rows.

    The prediction is part of the answer: of two classes it may be the less probable one, where the threshold is not a
    half. So nobody tells it from the probabilities again.
    """

    prediction: Array
    """Shape (n_rows,), in the form of the truth: class index in the task's order, or number."""
    probabilities: Array | None = None
    """Shape (n_rows, n_classes) in the task's order; None for numbers, and where only labels are known."""

    def __len__(self) -> int:
        return len(self.prediction)

    def take(self, rows: Array | slice) -> Answers:
        """Return the answers to the rows given by mask, index or slice."""
        return Answers(self.prediction[rows], None if self.probabilities is None else self.probabilities[rows])

    @staticmethod
    def joined(parts: Sequence[Answers]) -> Answers:
        """Put answers to several runs of rows one behind the other; they have probabilities if all parts have."""
        p = [one.probabilities for one in parts if one.probabilities is not None]
        prediction = np.concatenate([one.prediction for one in parts])
        return Answers(prediction, np.concatenate(p) if len(p) == len(parts) else None)


def is_answer(column: str) -> bool:
    """Tell whether a column of the log holds a part of the answer.

    Example:
        >>> is_answer("probability_yes"), is_answer("input.age")
        (True, False)
    """
    return column == PREDICTION or column.startswith(PROBABILITY)


def probability_names(classes: Sequence[str]) -> tuple[str, ...]:
    """Name the columns of probabilities, one a class.

    Example:
        >>> probability_names(("no", "yes"))
        ('probability_no', 'probability_yes')
    """
    return tuple(PROBABILITY + label for label in classes)
