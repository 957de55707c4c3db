"""Write a prediction log as a server would, from columns: for tests that need weeks of answers in a moment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from palio.store import COMMON_FIELDS, BatchLayout, Field, LogKind, PredictionLog, Series, text_of, values_of

DEFAULTS: dict[str, Any] = {"role": "champion", "route": "predict", "status": 200, "n_rows": 1, "latency_us": 900.0}


def write_log(
    folder: Path,
    model: str,
    columns: Mapping[str, Any],
    *,
    kind: LogKind = "answers",
    tag: str = "test",
    batch_rows: int = 5000,
) -> None:
    """Write rows; `columns` holds at least `id` and `at` (datetime64), a value that is no array stands in every row."""
    n_rows = len(columns["id"])
    given = {name: np.full(n_rows, value) if np.ndim(value) == 0 else np.asarray(value)
             for name, value in {**DEFAULTS, "model": model, **columns}.items()}  # fmt: skip
    fields = [*COMMON_FIELDS]
    fields += [
        Field(name, "float64" if given[name].dtype.kind in "fiu" else "text")
        for name in given
        if name not in {field.name for field in COMMON_FIELDS}
    ]
    series = Series(model, kind, tag, BatchLayout(fields))
    with PredictionLog(folder) as log:
        for start in range(0, n_rows, batch_rows):
            part = slice(start, start + batch_rows)
            size = min(batch_rows, n_rows - start)
            log.append(series, size, [_column(field, given.get(field.name), part, size) for field in fields])


def _column(field: Field, values: Any, part: slice, n_rows: int) -> Any:
    if field.type == "text":
        return text_of(
            ["" if cell is None else str(cell) for cell in values[part]] if values is not None else [""] * n_rows
        )
    if values is None:
        return values_of(np.zeros(n_rows), field.type)
    if field.type == "timestamp":
        return values_of(values[part].astype("datetime64[us]").astype(np.int64), field.type)
    return values_of(np.asarray(values[part]), field.type)
