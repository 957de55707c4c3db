"""Turn rows into feeds: one array of shape (n, 1) per input of a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from palio.core.cells import carries_text
from palio.core.errors import ContractError, NotFoundError
from palio.core.ids import short
from palio.core.records import Column, Schema
from palio.model.cells.names import input_name

if TYPE_CHECKING:
    import polars as pl

    from palio.store import Blobs


@dataclass(frozen=True, slots=True)
class KeptPicture:
    """A picture of a frame: its bytes lie in the store, and are read when they are needed."""

    identity: str
    blobs: Blobs | None = None

    def read(self) -> bytes:
        """Return the bytes of its file. Raises `NotFoundError` where they are not kept."""
        if self.blobs is None:
            raise NotFoundError(
                f"picture {short(self.identity)}: nobody said where its bytes are", hint="open it from its project"
            )
        return self.blobs.get(self.identity)


def feeds_from_frame(frame: pl.DataFrame, schema: Schema, blobs: Blobs | None = None) -> dict[str, npt.NDArray[Any]]:
    """Turn a frame that the data room has read into feeds for the features of `schema`; other columns are left alone.

    Numbers become float64 (null → NaN), datetimes seconds since 1970 UTC, pictures `KeptPicture` or, where the frame
    holds their bytes, these; everything else strings (null → ""). A whole number column may hold fractions.

    Args:
        frame: The rows.
        schema: The contract.
        blobs: Where the bytes of pictures are.

    Raises:
        ContractError: a feature column is absent, or its cells cannot be read as the column's type.
    """
    held = frozenset(frame.columns)
    absent = [c.name for c in schema.features if c.name not in held]
    if absent:
        raise ContractError(
            f"rows: column {', '.join(f'`{name}`' for name in absent[:8])} is absent",
            hint="give every feature column of the schema",
            facts={"violations": [{"column": name, "rule": "absent"} for name in absent]},
        )
    return {input_name(c.name): _column_feed(frame, c, blobs) for c in schema.features}


def _column_feed(frame: pl.DataFrame, column: Column, blobs: Blobs | None) -> npt.NDArray[Any]:
    series = frame.get_column(column.name)
    kind = str(series.dtype)
    try:
        if column.type == "image":
            values = _pictures(series.to_list(), blobs)
        elif carries_text(column):
            texts = series.cast(str, strict=False).fill_null("").to_list()
            values = np.array(texts, dtype=object)
        elif column.type == "datetime" and kind.startswith(("Datetime", "Date")):
            values = series.dt.epoch("us").cast(float).to_numpy() / 1e6
        else:
            values = series.cast(float).to_numpy()
    except Exception as error:
        raise ContractError(
            f"column `{column.name}`: got {kind}, the schema says {column.type}",
            hint="ingest the rows with the schema of the model",
            facts={"violations": [{"column": column.name, "rule": "type"}]},
        ) from error
    if values.dtype != object:
        values = np.array(values, dtype=np.float64)  # a copy: the frame's own memory is read-only
    return values.reshape(-1, 1)


def _pictures(cells: list[Any], blobs: Blobs | None) -> npt.NDArray[Any]:
    found = np.empty(len(cells), object)
    for row, cell in enumerate(cells):
        found[row] = cell if isinstance(cell, bytes) else KeptPicture(cell, blobs) if cell else ""
    return found
