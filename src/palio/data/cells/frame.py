"""Read many cells at once: the plain ones by the column, every other one by the reader of cells, once a value."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from palio.core.cells import FRACTION, CellReader, kind_of, moments_in, numbers_in
from palio.core.cells import marks_of as marks
from palio.core.records import Column
from palio.data.cells.plain import dtype_of, plain

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of one column, as they are written and as they are read."""

    raw: pl.Series
    """Without blanks around; null where missing."""
    values: pl.Series
    """Null where missing or not to be read."""
    unread: pl.Series | None = None
    """Which cells cannot be read; None: all can."""
    flags: dict[str, pl.Series] = field(default_factory=dict)
    """What is unusual about how they are written → which cells."""


def clean(batch: pa.RecordBatch, columns: Sequence[Column] | None = None) -> pl.DataFrame:
    """Cut blanks around text cells, and make null what means "not known".

    Args:
        batch: The cells.
        columns: What is known of its columns, in its order; None: only blanks and empty cells count.

    Returns:
        Columns are called `0`, `1`, …: the names that people give are no expressions.
    """
    frame = pl.from_arrow(batch.rename_columns([str(i) for i in range(batch.num_columns)]))
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 — a record batch always becomes a frame
    frame = frame.with_columns(pl.col(pl.String).str.strip_chars())
    known = [
        _without(name, ("",) if columns is None else marks(columns[i]))
        for i, (name, held) in enumerate(frame.schema.items())
        if held == pl.String
    ]
    moments = [
        pl.when(pl.col(name).dt.year() > 1).then(pl.col(name)).alias(name)  # year 1 is what .NET has for "none"
        for name, held in frame.schema.items()
        if isinstance(held, pl.Datetime | pl.Date)
    ]
    return frame.with_columns(*known, *moments, pl.col(pl.Float64).fill_nan(None))


def _without(name: str, missing: Iterable[str]) -> pl.Expr:
    cell = pl.col(name)
    return pl.when(~cell.is_in(sorted(missing))).then(cell).alias(name)


def read_frame(frame: pl.DataFrame, columns: Sequence[Column], *, for_model: bool = False) -> list[Cells]:
    """Read cleaned cells as their columns say.

    Args:
        frame: One column for each of `columns`, in their order, as `clean` leaves them.
        columns: What they hold.
        for_model: Read as a model takes them: a whole number may have a fraction, and is flagged.
    """
    held = frame.schema
    first = frame.select(
        plain(pl.col(name), column, held[name], for_model=for_model)
        .cast(dtype_of(column, for_model=for_model))
        .alias(name)
        for name, column in zip(frame.columns, columns, strict=True)
    )
    return [
        _without_values(_read_rest(raw, values, column, for_model=for_model), column)
        for raw, values, column in zip(frame.iter_columns(), first.iter_columns(), columns, strict=True)
    ]


def read_cells(cells: pl.Series, column: Column, *, for_model: bool = False) -> Cells:
    """Read the cells of one column, blanks and missing marks included; see `read_frame`."""
    batch = pa.RecordBatch.from_arrays([_flat(cells)], names=["0"])
    return read_frame(clean(batch, [column]), [column], for_model=for_model)[0]


def _flat(cells: pl.Series) -> Any:
    array = cells.to_arrow(compat_level=pl.CompatLevel.oldest())
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _read_rest(raw: pl.Series, values: pl.Series, column: Column, *, for_model: bool) -> Cells:
    """Read the cells that are not plain, each value once."""
    flags: dict[str, pl.Series] = {}
    if for_model and column.type == "integer" and (broken := (values != values.floor()).fill_null(value=False)).any():
        flags[FRACTION] = broken
    if values.null_count() == raw.null_count():
        return Cells(raw, values, None, flags)
    rest = raw.is_not_null() & values.is_null()
    different = raw.filter(rest).unique()
    parse = CellReader(column).parse
    found = [parse(_object(cell)) for cell in different.to_list()]
    read = [_held(None if one is None else one.value, column, for_model=for_model) for one in found]
    table = pl.DataFrame({"cell": different, "value": pl.Series(read, dtype=values.dtype)})
    places = pl.DataFrame({"cell": raw.filter(rest)}).join(table, on="cell", how="left", maintain_order="left")
    values = values.scatter(rest.arg_true(), places["value"]) if len(different) else values
    for flag in {one.flag for one in found if one is not None and one.flag}:
        flagged = different.filter(pl.Series([one is not None and one.flag == flag for one in found]))
        if flag != FRACTION or for_model:  # a snapshot holds whole numbers: there it cannot be read
            mask = raw.is_in(flagged.implode())
            flags[flag] = flags[flag] | mask if flag in flags else mask
    unread = raw.is_not_null() & values.is_null()
    return Cells(raw, values, unread if unread.any() else None, {k: v.fill_null(value=False) for k, v in flags.items()})


def _without_values(cells: Cells, column: Column) -> Cells:
    """Make null what a value means "not known" by: a mark such as `-999` or a day, however it is written or held."""
    raw, numbers, moments = cells.raw, sorted(numbers_in(column.missing or ())), sorted(moments_in(column))
    if not numbers and not moments:
        return cells
    if column.type in ("number", "integer"):
        hit = cells.values.cast(pl.Float64).is_in(numbers)
        if raw.dtype.is_float() and any(map(math.isinf, numbers)):  # no value is infinite, a mark may be
            hit = hit.fill_null(value=False) | raw.is_in(numbers)
    elif moments:
        hit = pl.Series(np.isin(seconds(cells.values), moments))
        if raw.dtype.is_numeric():
            hit |= raw.cast(pl.Float64).is_in(numbers).fill_null(value=False)
    elif raw.dtype.is_numeric():
        hit = raw.cast(pl.Float64).is_in(numbers)
    elif column.type == "category" and raw.dtype == pl.String:
        hit = raw.cast(pl.Float64, strict=False).is_in(numbers) & ~raw.is_in(list(column.categories or ()))
    else:
        return cells
    hit = hit.fill_null(value=False)
    if not hit.any():
        return cells
    unread = None if cells.unread is None or not (cells.unread & ~hit).any() else cells.unread & ~hit
    return Cells(
        raw.set(hit, None),
        cells.values.set(hit, None),
        unread,
        {name: rows & ~hit for name, rows in cells.flags.items()},
    )


def _object(cell: Any) -> Any:
    if isinstance(cell, dt.datetime):
        moment = cell if cell.tzinfo else cell.replace(tzinfo=dt.UTC)
        return moment.isoformat()
    return cell


def _held(value: float | str | None, column: Column, *, for_model: bool) -> Any:
    if value is None or kind_of(column).carries_text:
        return value
    if column.type == "datetime":
        return _EPOCH + dt.timedelta(microseconds=round(float(value) * 1e6))
    if column.type == "integer" and not for_model:
        whole = float(value).is_integer() and abs(float(value)) < 2.0**63
        return int(value) if whole else None
    return float(value)


def seconds(values: pl.Series) -> np.ndarray[Any, Any]:
    """Return moments as seconds since 1970, NaN where missing."""
    return values.to_physical().cast(pl.Float64).to_numpy() / 1e6


__all__ = ["Cells", "clean", "marks", "read_cells", "read_frame", "seconds"]
