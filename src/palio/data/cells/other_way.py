"""Watch whether a later file writes its cells in the other of two ways: then cells that fit both say something else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import polars as pl

from palio.core.errors import ContractError
from palio.core.records import Column
from palio.data.cells.evidence import MIXED_SHARE
from palio.data.cells.frame import Cells

Test = Callable[[str], bool]
"""Tells whether a cell that cannot be read by the contract could be in the other way."""


class OtherWay:
    """Count, column by column, the cells that can only be read in the other way."""

    def __init__(self, columns: Sequence[Column], *, for_answers: bool = True) -> None:
        """Watch `columns`; `for_answers` tells whether the rows are to be answered, or to be learned from."""
        self._columns = columns
        self._for_answers = for_answers
        self._n_other: Counter[str] = Counter()
        self._n_cells: Counter[str] = Counter()

    def hold(self, cells: Sequence[Cells], where: str) -> None:
        """Take in a batch: one `Cells` for each column.

        Raises:
            ContractError: more than 5 % of the cells of a column can only be read in the other way.
        """
        for column, one in zip(self._columns, cells, strict=True):
            fits = self._test(column)
            if fits is None or one.raw.dtype != pl.String:
                continue
            self._n_cells[column.name] += len(one.raw) - one.raw.null_count()
            if one.unread is None:
                continue
            odd = [cell for cell in one.raw.filter(one.unread).to_list() if fits(cell)]
            self._n_other[column.name] += len(odd)
            if odd and self._n_other[column.name] > MIXED_SHARE * self._n_cells[column.name]:
                raise self._contradiction(column, odd[0], where)

    def _test(self, column: Column) -> Test | None:
        raise NotImplementedError

    def _contradiction(self, column: Column, cell: str, where: str) -> ContractError:
        raise NotImplementedError
