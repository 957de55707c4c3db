"""Ask a model about texts that were changed, by the graph that serves."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from palio import split
from palio.core.records import Swap, Task
from palio.evaluate.answers import Array, answer
from palio.evaluate.texts.spans import excerpts
from palio.measure import Answers

if TYPE_CHECKING:
    import polars as pl

    from palio.model import Bundle

AT_ONCE, FEWEST_AT_ONCE, AT_ONCE_S = 64, 4, 1.0
"""Texts asked at once: the clock is looked at between. Of a slow model so few that they take a second."""


@dataclass(frozen=True)
class Asked:
    """Rows whose texts can be changed.

    Args:
        bundle: Who is asked.
        column: The texts that are changed.
        frame: The rows.
        truth: Shape (n_rows,), class indices.
        answers: To the texts as they are.
        task: Order of the classes.
        deadline: Moment on `time.monotonic` by which all should be done.
        pace: Seconds that an answer takes, measured.
    """

    bundle: Bundle
    column: str
    frame: pl.DataFrame
    truth: Array
    answers: Answers
    task: Task
    deadline: float | None = None
    pace: float = 0.0
    texts: list[str] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Tell whether the time is over."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    @property
    def n_affordable(self) -> int:
        """Tell how many answers there is time for."""
        if self.deadline is None:
            return 1_000_000
        return int(max(0.0, self.deadline - time.monotonic()) / max(self.pace, 1e-5))

    @property
    def at_once(self) -> int:
        """Tell how many texts are asked before the clock is looked at again."""
        return min(AT_ONCE, max(FEWEST_AT_ONCE, int(AT_ONCE_S / max(self.pace, 1e-5))))

    @property
    def said(self) -> Array:
        """Return the index of the class that is answered to each row."""
        return np.asarray(self.answers.prediction).astype(int)

    @property
    def is_right(self) -> Array:
        """Tell which rows are answered rightly."""
        return np.asarray(self.said == self.truth)

    @property
    def probabilities(self) -> Array:
        """Return the probabilities of the classes, shape (n_rows, n_classes)."""
        return _probabilities(self.answers, len(self.task.classes))

    def again(self, rows: Sequence[int] | Array, texts: Sequence[str]) -> tuple[Array, Array]:
        """Answer rows with other texts in the place of theirs.

        Returns:
            Index of the class answered to each, shape (n,), and probabilities, shape (n, n_classes). What the decision
            threshold makes of them is in the answer.
        """
        import polars as pl

        part = self.frame[np.asarray(rows, np.int64)].with_columns(pl.Series(self.column, list(texts), dtype=pl.String))
        found = answer(self.bundle, part, task=self.task)
        return np.asarray(found.prediction).astype(int), _probabilities(found, len(self.task.classes))

    def row_id(self, row: int) -> str:
        """Return the identity of a row."""
        return split.row_ids(self.frame[[int(row)]], self.bundle.manifest.schema)[0]


def _probabilities(answers: Answers, n_classes: int) -> Array:
    if answers.probabilities is None:
        return np.asarray(np.eye(n_classes)[np.asarray(answers.prediction).astype(int)])
    return np.asarray(answers.probabilities)


def swap(asked: Asked, row: int, after: str, said: int) -> Swap:
    """Show a text before and after a change, and what was answered (`said`: then, a class index)."""
    classes = asked.task.classes
    shown = excerpts(asked.texts[row], after)
    return Swap(
        row_id=asked.row_id(row),
        before=shown[0],
        after=shown[1],
        truth=classes[int(asked.truth[row])],
        said_before=classes[int(asked.said[row])],
        said_after=classes[said],
    )
