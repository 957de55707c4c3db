"""Find out that day and month change places in a later file: `01.03.2022` would be read as another day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import polars as pl

from palio.core.cells.moments import order_of, read_moment
from palio.core.errors import ContractError
from palio.core.records import Column
from palio.data.cells.evidence import MIXED_SHARE
from palio.data.cells.frame import Cells

_OTHER = {"dmy": "mdy", "mdy": "dmy"}
_SAID = {"dmy": "the day first", "mdy": "the month first"}


class LaterDays:
    """Watch columns of moments for cells that are moments only if day and month change places."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._n_other: Counter[str] = Counter()
        self._n_cells: Counter[str] = Counter()

    def hold(self, cells: Sequence[Cells], where: str) -> None:
        """Take in a batch: one `Cells` for each column.

        Raises:
            ContractError: more than 5 % of the cells of a column have day and month the other way round, so that the
                others, which fit either way, are other days than the contract says.
        """
        for column, one in zip(self._columns, cells, strict=True):
            order = order_of(column.format) if column.type == "datetime" else ""
            if order not in _OTHER or one.raw.dtype != pl.String:
                continue
            self._n_cells[column.name] += len(one.raw) - one.raw.null_count()
            if one.unread is None:
                continue
            unread = one.raw.filter(one.unread).to_list()
            odd = [cell for cell in unread if read_moment(cell, _OTHER[order]) is not None]
            self._n_other[column.name] += len(odd)
            if odd and self._n_other[column.name] > MIXED_SHARE * self._n_cells[column.name]:
                raise _contradiction(column, odd[0], order, where)


def _contradiction(column: Column, cell: str, order: str, where: str) -> ContractError:
    return ContractError(
        f"{where}: column `{column.name}`: `{cell[:40]}` is only a day with {_SAID[_OTHER[order]]}, "
        f"the contract has {_SAID[order]}",
        hint="write days as 2022-12-31, which is read in one way only",
        facts={"violations": [{"column": column.name, "rule": "type"}]},
    )
