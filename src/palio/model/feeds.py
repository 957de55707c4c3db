"""Turn rows into feeds: one array of shape (n, 1) per input of a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from palio.core.cells import carries_text
from palio.core.errors import ContractError
from palio.core.records import Column, Schema
from palio.model.names import input_name

if TYPE_CHECKING:
    import polars as pl


def feeds_from_frame(frame: pl.DataFrame, schema: Schema) -> dict[str, npt.NDArray[Any]]:
    """Turn a frame that the data room has read into feeds for the features of `schema`; other columns are left alone.

    Numbers become float64 (null → NaN), datetimes seconds since 1970 UTC, everything else strings (null → ""). A whole
    number column may hold fractions.

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
    return {input_name(c.name): _column_feed(frame, c) for c in schema.features}


def _column_feed(frame: pl.DataFrame, column: Column) -> npt.NDArray[Any]:
    series = frame.get_column(column.name)
    kind = str(series.dtype)
    try:
        if carries_text(column):
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
