"""Batches for tests of the prediction log."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np

from palio.store import COMMON_FIELDS, BatchLayout, Field, Series, text_of, values_of

DAY = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
LAYOUT = BatchLayout([*COMMON_FIELDS, Field("input.x", "float64"), Field("input.secret", "null"), Field("ok", "bool")])


def series(model: str = "bank", kind: Any = "answers", tag: str = "abc") -> Series:
    return Series(model, kind, tag, LAYOUT)


def rows(first: int, n_rows: int, at: dt.datetime = DAY) -> tuple[int, list[Any]]:
    """Columns of rows that are called first, first+1, …; a second apart."""
    numbers = np.arange(first, first + n_rows)
    columns: list[Any] = []
    for field in LAYOUT.fields:
        if field.type == "text":
            columns.append(text_of([f"{i:09d}" if field.name == "id" else "ü" for i in numbers]))
        elif field.type == "timestamp":
            columns.append(values_of(numbers * 1_000_000 + int(at.timestamp() * 1e6), "timestamp"))
        else:
            columns.append([] if field.type == "null" else values_of(numbers % 2 if field.type == "bool" else numbers,
                                                                     field.type))  # fmt: skip
    return n_rows, columns
