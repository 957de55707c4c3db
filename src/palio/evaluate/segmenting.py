"""Cut rows into slices: the common values or the ranges of one column."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from palio import measure
from palio.core.progress import SILENT, Progress
from palio.core.records import Column, Schema

if TYPE_CHECKING:
    import polars as pl

Array = npt.NDArray[Any]
MIN_ROWS = 30
"""Rows that a slice and the rest must have: below, an interval says next to nothing."""
MAX_COLUMNS = 100
N_VALUES = 8
"""Values of a column that become slices, the most frequent first."""
N_RANGES = 4
FOLDER = "folder"
"""In place of a column: the first folder in the name of a picture's file."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows that share a value or a range of one column."""

    column: str
    condition: str
    """To be read behind the column's name: `= blue-collar`, `from 30 to 40`, `is missing`."""
    rows: Array
    """Shape (n_rows,), bool."""


def inside(slices: Sequence[Segment], rows: Array) -> list[Segment]:
    """Return slices as they are among some rows (bool), as far as they are large enough there."""
    cut = [Segment(one.column, one.condition, one.rows[rows]) for one in slices]
    return [one for one in cut if MIN_ROWS <= one.rows.sum() <= len(one.rows) - MIN_ROWS]


def segments(frame: pl.DataFrame, schema: Schema, *, progress: Progress = SILENT) -> Iterator[Segment]:
    """Cut the rows by each feature, up to 100 of them: values (top eight), ranges between quartiles, and missing.

    A text is cut by its length, a picture by the columns that describe it and the folder that it came from. Slices, and
    what they leave, hold at least `MIN_ROWS` rows.

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"job": ["cook"] * 30 + ["smith"] * 40})
        >>> schema = Schema(columns=(Column(name="job", type="category"),))
        >>> [(s.condition, int(s.rows.sum())) for s in segments(frame, schema)]
        [('= smith', 40), ('= cook', 30)]
    """
    held = frozenset(frame.columns)
    columns = (*schema.features[:MAX_COLUMNS], *schema.describing)
    for place, column in enumerate(columns, start=1):
        if column.name not in held or column.type in ("image", "boxes"):
            continue
        for condition, rows in _cut(frame.get_column(column.name), column, is_open=not column.feature):
            if MIN_ROWS <= rows.sum() <= frame.height - MIN_ROWS:
                yield Segment(column.name, condition, rows)
        progress.step("slices", place, len(columns))
    if schema.id in held and any(column.type == "image" for column in schema.features):
        folders = frame.get_column(schema.id).cast(str).str.extract(r"^([^/]+)/", 1)
        for condition, rows in _by_value(folders.to_numpy(), folders.is_null().to_numpy(), str):
            if MIN_ROWS <= rows.sum() <= frame.height - MIN_ROWS:
                yield Segment(FOLDER, condition, rows)


def _cut(series: pl.Series, column: Column, *, is_open: bool) -> Iterator[tuple[str, Array]]:
    if column.type in ("category", "boolean"):
        yield from _by_value(series.cast(str).to_numpy(), series.is_null().to_numpy(), str)
        return
    if column.type == "text":
        numbers, show = series.cast(str).str.len_chars().cast(float).to_numpy(), _letters
    elif column.type == "datetime":
        numbers, show = series.dt.epoch("s").cast(float).to_numpy(), _day
    else:
        numbers, show = series.cast(float).to_numpy(), partial(measure.number, digits=3 if is_open else 4)
    missing = ~np.isfinite(numbers)
    if len(np.unique(numbers[~missing])) <= N_VALUES and column.type != "text":
        yield from _by_value(numbers, missing, show)
        return
    yield from _by_range(numbers, missing, show, is_open=is_open)


def _by_value(values: Array, missing: Array, show: Any) -> Iterator[tuple[str, Array]]:
    labels, codes, counts = np.unique(values[~missing], return_inverse=True, return_counts=True)
    where = np.full(len(values), -1)
    where[~missing] = codes
    for code in np.argsort(-counts, kind="stable")[:N_VALUES]:
        yield f"= {_short(show(labels[code]))}", where == code
    yield "is missing", missing


def _by_range(numbers: Array, missing: Array, show: Any, *, is_open: bool) -> Iterator[tuple[str, Array]]:
    """Cut between quartiles; `is_open`: say `below` and `at least` of the outer ones."""
    edges = np.unique(np.quantile(numbers[~missing], np.linspace(0, 1, N_RANGES + 1)))
    for low, high in itertools.pairwise(edges):
        last = high == edges[-1]
        rows = ~missing & (numbers >= low) & ((numbers <= high) if last else (numbers < high))
        if is_open and low == edges[0] and not last:
            yield f"below {show(high)}", rows
        elif is_open and last and low != edges[0]:
            yield f"at least {show(low)}", rows
        else:
            yield f"from {show(low)} {'up to' if last else 'to below'} {show(high)}", rows
    yield "is missing", missing


def _letters(value: float) -> str:
    return f"{value:.0f} letters"


def _day(value: float) -> str:
    return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=float(value))).date().isoformat()


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"
