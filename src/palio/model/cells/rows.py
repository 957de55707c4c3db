"""Turn records into feeds: cells by the one reader of cells, fields by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from palio.core.errors import ContractError, did_you_mean
from palio.core.records import Schema
from palio.model.cells.columns import ColumnReader
from palio.model.cells.pictures import PictureColumn


class RecordReader:
    """Read records against one schema.

    A field may be left out, or be null, where the schema allows a missing value. Fields that no model reads are
    ignored, whatever they hold; only where a column of the model is absent, an unknown field may be that column,
    misspelt, and is refused.

    Example:
        >>> from palio.core.records import Column, Schema
        >>> reader = RecordReader(Schema(columns=(Column(name="age", type="integer", low=18, high=90),)))
        >>> feeds, flags = reader.read([{"age": 33}, {"age": "99", "town": "Siena"}])
        >>> feeds["age"].tolist(), flags
        ([[33.0], [99.0]], [[], ['age: out of range']])
    """

    def __init__(self, schema: Schema) -> None:
        self._known = frozenset(column.name for column in schema.columns)
        self._features = tuple(column.name for column in schema.features)
        self._readers = tuple(
            PictureColumn(column) if column.type == "image" else ColumnReader(column) for column in schema.features
        )

    def read(self, records: Sequence[Mapping[str, Any]]) -> tuple[dict[str, npt.NDArray[Any]], list[list[str]]]:
        """Return the feeds, and per record what is unusual about it: `<column>: <flag of palio.core.cells>`.

        Raises:
            ContractError: an unknown field beside an absent column, or a cell that cannot be read or that the policy
                of its column refuses. `facts["violations"]` lists column, rule and row; cells are never repeated.
        """
        for row, record in enumerate(records):
            if not record.keys() <= self._known:
                self._refuse_misspelt(record, row)
        flags: list[list[str]] = [[] for _ in records]
        feeds = {}
        for reader in self._readers:
            name = reader.column.name
            feeds[reader.input], raised = reader.read([record.get(name) for record in records])
            for row, flag in raised:
                flags[row].append(flag)
        return feeds, flags

    def _refuse_misspelt(self, record: Mapping[str, Any], row: int) -> None:
        absent = [name for name in self._features if name not in record]
        if not absent:
            return
        surplus = sorted(str(name)[:60] for name in record if name not in self._known)
        raise ContractError(
            f"row {row}: unknown field `{surplus[0]}`, and column `{absent[0]}` is absent",
            hint=did_you_mean(surplus[0], absent) or "give every column of the model, null where it is not known",
            facts={"violations": [{"column": name, "rule": "surplus", "row": row} for name in surplus[:16]]},
        )
