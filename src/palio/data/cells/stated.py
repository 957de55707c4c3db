"""Watch a column go by whose source states what it holds: nothing about it is guessed or doubted."""

from __future__ import annotations

from typing import Any

import polars as pl

from palio.core.records import Column
from palio.data.cells.evidence import Guess, Votes, replace_column
from palio.data.cells.scan import MAX_CATEGORIES, ColumnScan


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
        counts = self.label_counts() if self._stated.type in ("category", "boolean") else None
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
