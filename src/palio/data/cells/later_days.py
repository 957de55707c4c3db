"""Find out that day and month change places in a later file: `01.03.2022` would be read as another day."""

from __future__ import annotations

from palio.core.cells.moments import order_of, read_moment
from palio.core.errors import ContractError
from palio.core.records import Column
from palio.data.cells.other_way import OtherWay, Test

_OTHER = {"dmy": "mdy", "mdy": "dmy"}
_SAID = {"dmy": "the day first", "mdy": "the month first"}


class LaterDays(OtherWay):
    """Watch columns of moments for cells that are moments only if day and month change places."""

    def _test(self, column: Column) -> Test | None:
        other = _OTHER.get(order_of(column.format)) if column.type == "datetime" else None
        return None if other is None else lambda cell: read_moment(cell, other) is not None

    def _contradiction(self, column: Column, cell: str, where: str) -> ContractError:
        order = order_of(column.format)
        return ContractError(
            f"{where}: column `{column.name}`: `{cell[:40]}` is only a day with {_SAID[_OTHER[order]]}, "
            f"the contract has {_SAID[order]}",
            hint="write days as 2022-12-31, which is read in one way only",
            facts={"violations": [{"column": column.name, "rule": "type"}]},
        )
