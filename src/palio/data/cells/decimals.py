"""Find out that a file has another mark before decimals than the contract: `1.500` would be read a thousandfold."""

from __future__ import annotations

from typing import Literal

import msgspec

from palio.core.cells.numbers import read_text
from palio.core.errors import ContractError
from palio.core.records import Column, Schema
from palio.data.cells.other_way import OtherWay, Test

_MARKS = {".": "point", ",": "comma"}


class DecimalMarks(OtherWay):
    """Watch columns of numbers for cells that are numbers only with the other mark before decimals."""

    def _test(self, column: Column) -> Test | None:
        if column.type not in ("number", "integer"):
            return None
        other = _other(column)
        return lambda cell: read_text(cell, other, column.unit) is not None

    def _contradiction(self, column: Column, cell: str, where: str) -> ContractError:
        other = _other(column)
        return ContractError(
            f"{where}: column `{column.name}`: `{cell[:40]}` is only a number with a decimal {_MARKS[other]}, "
            f"the contract has a decimal {_MARKS[column.decimal]}",
            hint=f"say --decimal {other} if the whole file is written so"
            if self._for_answers
            else f"write its numbers with a decimal {_MARKS[column.decimal]}, as the rows before",
            facts={"violations": [{"column": column.name, "rule": "type"}]},
        )


def _other(column: Column) -> str:
    return "," if column.decimal == "." else "."


def with_decimal(schema: Schema, decimal: str) -> Schema:
    """Return the contract for a source that has `decimal` before decimals in all its columns."""
    mark: Literal[".", ","] = "," if decimal == "," else "."
    columns = (
        msgspec.structs.replace(c, decimal=mark) if c.type in ("number", "integer") else c for c in schema.columns
    )
    return msgspec.structs.replace(schema, columns=tuple(columns))
