"""Watch a column go by whose source states what it holds: nothing about it is guessed or doubted."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl

from palio.core.records import Column
from palio.data.cells.evidence import Guess, Votes, replace_column
from palio.data.cells.scan import MAX_CATEGORIES, ColumnScan
from palio.data.cells.things import labels_in


class StatedScan(ColumnScan):
    """What is known about a column beside what was stated of it: its range, its values, how many are missing."""

    def __init__(self, column: Column, *, target: bool = False) -> None:
        super().__init__(column, target=target)
        self._stated = column

    def look(self, cells: pl.Series) -> bool:  # noqa: ARG002 - nothing is to be found out
        """Take no sample."""
        return False

    def begin(self, votes: Votes, held: Any) -> None:  # noqa: ARG002 - others have no say
        """Settle for what was stated."""
        if self._guess is None:
            is_number = self._stated.type in ("number", "integer")
            self._guess = Guess("number" if is_number else "string", self._stated)

    def column(self) -> Column:
        """Return what was stated, with the range or the values that were seen."""
        counts = self.label_counts() if self._stated.type in ("category", "boolean", "boxes") else None
        few = counts is not None and len(counts) <= MAX_CATEGORIES
        return replace_column(
            self._stated,
            low=self.low,
            high=self.high,
            categories=tuple(sorted(counts, key=lambda v: (-counts[v], v))) if few and counts is not None else None,
        )

    def doubts(self) -> list[str]:
        """Doubt nothing."""
        return []


class BoxesScan(StatedScan):
    """What is known about a column of boxes: which things there are, and in how many pictures."""

    def label_counts(self) -> dict[str, int] | None:
        """Return in how many cells each thing occurs, those that are ignored left out."""
        return dict(self._things)

    def __init__(self, column: Column, *, target: bool = False) -> None:
        super().__init__(column, target=target)
        self._things: Counter[str] = Counter()

    def _count(self, present: pl.Series) -> None:
        for cell, n in present.value_counts().iter_rows():
            for label in labels_in(cell):
                self._things[label] += n


def scan_of(column: Column, *, target: bool) -> StatedScan:
    """Watch a column that is stated."""
    return BoxesScan(column, target=target) if column.type == "boxes" else StatedScan(column, target=target)
