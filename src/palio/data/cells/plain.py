"""Read plain cells by the column: what is here is read as `palio.core.cells` reads it, or left to it (null)."""

from __future__ import annotations

from typing import Any

import polars as pl

from palio.core.cells import kind_of
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

_DIGITS = {
    "%Y": r"[1-9]\d{3}",
    "%m": r"\d{1,2}",
    "%d": r"\d{1,2}",
    "%H": r"\d{1,2}",
    "%M": r"\d{2}",
    "%S": r"[0-5]\d",
    ".%f": r"\.\d{1,9}",
    "%z": r"(?:Z|[+-]\d{2}:?\d{2})",
}
_ISO = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%f")
_ZONED = tuple(form + "%z" for form in _ISO[1:])
EXACT = 2.0**53
"""Beyond this a float no longer tells whole neighbours apart."""


def dtype_of(column: Column, *, for_model: bool = False) -> Any:
    """Return how a column is held: as in snapshots, or as models take it (a whole number may have a fraction)."""
    return pl.Float64() if for_model and column.type == "integer" else DTYPES[column.type]


def plain(cell: pl.Expr, column: Column, held: Any, *, for_model: bool = False) -> pl.Expr:
    """Read the plain cells of a column, held as the type `held`, without blanks and marks; null for all others."""
    wanted = dtype_of(column, for_model=for_model)
    if kind_of(column).carries_text:
        return _words(cell, column, held)
    if column.type == "datetime":
        return _moments(cell, column, held)
    if not (held == pl.String or held.is_numeric()):
        return _nothing(cell, wanted)
    if held == pl.String and column.decimal == ",":
        cell = pl.when(~cell.str.contains(".", literal=True)).then(cell.str.replace(",", ".", literal=True))
    if wanted == pl.Int64:
        return _whole(cell, held)
    number = cell.cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)


def _nothing(cell: pl.Expr, dtype: Any) -> pl.Expr:
    return pl.when(cell.is_null()).then(pl.lit(None, dtype))


def _whole(cell: pl.Expr, held: Any) -> pl.Expr:
    if held.is_integer():
        return cell.cast(pl.Int64, strict=False)
    number = cell.cast(pl.Float64, strict=False)
    exact = pl.when((number == number.floor()) & (number.abs() <= EXACT)).then(number).cast(pl.Int64, strict=False)
    return exact if held != pl.String else pl.coalesce(cell.cast(pl.Int64, strict=False), exact)


def _words(cell: pl.Expr, column: Column, held: Any) -> pl.Expr:
    if column.type == "boolean":
        if held != pl.String:
            return _nothing(cell, pl.String())
        lower = cell.str.to_lowercase()
        return pl.when(lower.is_in(["true", "false"])).then(lower)
    if not (held == pl.String or held.is_integer()):
        return _nothing(cell, pl.String())
    cell = cell.cast(pl.String)
    if column.type == "category" and column.categories is not None:
        return pl.when(cell.is_in(list(column.categories))).then(cell)
    return cell if not column.fold else _nothing(cell, pl.String())


def _moments(cell: pl.Expr, column: Column, held: Any) -> pl.Expr:
    wanted = DTYPES["datetime"]
    if isinstance(held, pl.Datetime | pl.Date):
        moment = cell.cast(wanted, strict=False)
        return pl.when(moment.dt.year().is_between(1000, 9999)).then(moment)
    if held != pl.String:
        return _nothing(cell, wanted)
    forms = [column.format] if column.format else [*_ISO, *_ZONED]
    read = [_by_form(cell, form) for form in forms if pattern_of(form) is not None]
    return pl.coalesce(read) if read else _nothing(cell, wanted)


def pattern_of(form: str) -> str | None:
    r"""Return the pattern of cells in a form that is read by the column; None: it is read cell by cell.

    Example:
        >>> pattern_of("%d.%m.%Y"), pattern_of("%d/%m/%y")
        ('^\\d{1,2}\\.\\d{1,2}\\.[1-9]\\d{3}$', None)
    """
    rest, pattern = form, ""
    while rest:
        code = next((c for c in _DIGITS if rest.startswith(c)), "")
        if not code and rest[0] not in "-/. :T":
            return None
        pattern += _DIGITS[code] if code else "\\." if rest[0] == "." else rest[0]
        rest = rest[len(code) or 1 :]
    has_day = all(code in form for code in ("%Y", "%m", "%d"))
    has_separators = not any(f"{a}{b}" in form for a in _DIGITS for b in ("%m", "%d", "%H", "%M", "%S", "%Y"))
    return f"^{pattern}$" if has_day and has_separators else None


def _by_form(cell: pl.Expr, form: str) -> pl.Expr:
    chrono = form.replace(".%f", "%.f").replace("%z", "%#z")
    fits = pl.when(cell.str.contains(pattern_of(form) or "")).then(cell)
    moment = fits.str.to_datetime(chrono, strict=False, time_unit="us")
    return moment if "%z" in form else moment.dt.replace_time_zone("UTC")
