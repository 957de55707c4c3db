"""Turn cells into values: cut blanks, drop missing marks, read numbers, moments and booleans. One way for all rooms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl
import pyarrow as pa

from palio.core.records import Column, ColumnType

DTYPES: dict[ColumnType, Any] = {
    "number": pl.Float64(),
    "integer": pl.Int64(),
    "boolean": pl.String(),
    "category": pl.String(),
    "text": pl.String(),
    "datetime": pl.Datetime("us", "UTC"),
    "image": pl.String(),
    "boxes": pl.String(),
}
"""How each type of column is held in frames and snapshots."""

_DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y")
_HOURS = ("", " %H:%M:%S", " %H:%M", "T%H:%M:%S", "T%H:%M", " %H:%M:%S.%f", "T%H:%M:%S.%f")
_ZONED = tuple(f"%Y-%m-%d{t}%z" for t in ("T%H:%M:%S", " %H:%M:%S", "T%H:%M:%S.%f", " %H:%M:%S.%f"))
DATE_FORMATS = (*(day + hour for day in _DAYS for hour in _HOURS), *_ZONED)
"""Ways of writing a moment that are recognised, as for `strptime`; where several fit, the first is taken."""


def clean(batch: pa.RecordBatch, missing: tuple[str, ...]) -> pl.DataFrame:
    """Cut surrounding blanks from text cells and make the missing marks null."""
    frame = pl.from_arrow(batch)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 — a record batch always becomes a frame
    text = pl.col(pl.String).str.strip_chars()
    frame = frame.with_columns(text)
    marks = sorted({*missing, ""})
    return frame.with_columns(
        pl.when(pl.col(pl.String).is_in(marks)).then(None).otherwise(pl.col(pl.String)).name.keep(),
        pl.col(pl.Float64).fill_nan(None),
    )


def dotted(frame: pl.DataFrame, columns: Iterable[Column], decimal: str) -> pl.DataFrame:
    """Write the numbers that are held as text with a decimal point; cells of other columns stay as they are."""
    if decimal == ".":
        return frame
    names = [c.name for c in columns if c.type in ("number", "integer") and frame.schema.get(c.name) == pl.String]
    return frame.with_columns(with_point(pl.col(name)).alias(name) for name in names)


def with_point(cell: pl.Expr) -> pl.Expr:
    """Write a number with a decimal comma (and points between thousands) with a point alone.

    Example:
        >>> pl.select(with_point(pl.lit(pl.Series(["3,14", "-,5e3", "1.234,5", "1,2,3", "2.5"])))).to_series().to_list()
        ['3.14', '-.5e3', '1234.5', '1,2,3', '2.5']
    """
    thousands = cell.str.contains(r"^[+-]?\d{1,3}(\.\d{3})+(,\d+)?$")
    plain = pl.when(thousands).then(cell.str.replace_all(".", "", literal=True)).otherwise(cell)
    return plain.str.replace(r"^([+-]?\d*),(\d+(?:[eE][+-]?\d+)?)$", "${1}.${2}")


def parse(cell: pl.Expr, column: Column, held: Any) -> pl.Expr:
    """Read cleaned cells, held as the type `held`, as the type of `column`; null where that cannot be done."""
    wanted = DTYPES[column.type]
    if column.type == "boolean":
        lower = cell.cast(pl.String).str.to_lowercase()
        return pl.when(lower.is_in(["true", "false"])).then(lower)
    if wanted == pl.String:
        return cell.cast(pl.String)
    if column.type == "datetime":
        return moments(cell, column.format) if held == pl.String else cell.cast(wanted, strict=False)
    if column.type == "integer":
        whole = cell.cast(pl.Int64, strict=False)
        if held == pl.Int64:
            return whole
        as_float = cell.cast(pl.Float64, strict=False)
        # "3.0" is the integer 3; 3.5 is none, and beyond 2^53 a float no longer tells neighbours apart
        exact = (as_float == as_float.floor()) & (as_float.abs() <= 2.0**53)
        return pl.coalesce(
            whole if held != pl.Float64 else pl.lit(None, pl.Int64),
            pl.when(exact).then(as_float).cast(pl.Int64, strict=False),
        )
    number = cell.cast(pl.Float64, strict=False).fill_nan(None)
    return pl.when(number.is_finite()).then(number)


def moments(cell: pl.Expr, format: str | None) -> pl.Expr:
    """Read text as moments in UTC; null where it does not fit the format (ISO 8601 if None)."""
    if format is None:
        return pl.coalesce(
            *(moments(cell, f) for f in (_ZONED[2], "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d"))
        )
    chrono = format.replace(".%f", "%.f").replace("%z", "%#z")
    moment = cell.str.to_datetime(chrono, strict=False, time_unit="us")
    return moment if "%z" in format else moment.dt.replace_time_zone("UTC")


def label(value: Any) -> str:
    """Write a value as a class label, so that 1, 1.0 and "1" are one class.

    Example:
        >>> label(1.0), label(True), label("yes")
        ('1', 'true', 'yes')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
