"""Find out that a file has another mark before decimals than the contract: `1.500` would be read a thousandfold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec
import polars as pl

from palio.core.cells.numbers import read_text
from palio.core.errors import ContractError
from palio.core.records import Column, Schema
from palio.data.cells.evidence import MIXED_SHARE
from palio.data.cells.frame import Cells

_MARKS = {".": "point", ",": "comma"}


class DecimalMarks:
    """Watch columns of numbers for cells that are numbers only with the other mark before decimals."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._n_other: Counter[str] = Counter()
        self._n_cells: Counter[str] = Counter()

    def hold(self, cells: Sequence[Cells], where: str) -> None:
        """Take in a batch: one `Cells` for each column.

        Raises:
            ContractError: more than 5 % of the cells of a column have the other mark.
        """
        for column, one in zip(self._columns, cells, strict=True):
            if column.type not in ("number", "integer") or one.raw.dtype != pl.String:
                continue
            self._n_cells[column.name] += len(one.raw) - one.raw.null_count()
            if one.unread is None:
                continue
            other = "," if column.decimal == "." else "."
            unread = one.raw.filter(one.unread).to_list()
            odd = [cell for cell in unread if read_text(cell, other, column.unit) is not None]
            self._n_other[column.name] += len(odd)
            if odd and self._n_other[column.name] > MIXED_SHARE * self._n_cells[column.name]:
                raise _contradiction(column, odd[0], other, where)


def _contradiction(column: Column, cell: str, other: str, where: str) -> ContractError:
    return ContractError(
        f"{where}: column `{column.name}`: `{cell[:40]}` is only a number with a decimal {_MARKS[other]}, "
        f"the contract has a decimal {_MARKS[column.decimal]}",
        hint=f"say --decimal {other} if the whole file is written so",
        facts={"violations": [{"column": column.name, "rule": "type"}]},
    )


def with_decimal(schema: Schema, decimal: str) -> Schema:
    """Return the contract for a source that has `decimal` before decimals in all its columns."""
    mark: Literal[".", ","] = "," if decimal == "," else "."
    columns = (
        msgspec.structs.replace(c, decimal=mark) if c.type in ("number", "integer") else c for c in schema.columns
    )
    return msgspec.structs.replace(schema, columns=tuple(columns))
