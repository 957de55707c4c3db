"""Write the contract as `schema.toml`, so that a person can read and edit it, and read it back."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from palio.core.cells import one_of_each
from palio.core.errors import ConfigError, NotFoundError, did_you_mean
from palio.core.records import Column, Schema

_HEAD = """\
# The contract of the data: what each column holds, and what it is for. Rows that break it are refused or quarantined.
# Edit it freely; the next `palio ingest` holds the rows against it.
#
# type             number | integer | boolean | category | text | datetime | image | boxes
# feature          whether a model may read the column
# low, high        the range seen (moments: seconds since 1970); categories: the values seen, most frequent first
# on_missing, on_out_of_range, on_unknown   accept | flag | reject   when a value is missing, or lies outside of these:
#                  `flag` takes the row and says so; `on_missing` is `flag` where no row so far misses the value
# format           how a moment is written: "dmy", "mdy" or "ymd" (what its numbers mean, in order), "epoch" (seconds or
#                  milliseconds since 1970), "excel" (days of a spreadsheet), or as for strptime: "%d.%m.%Y %H:%M"
# decimal, unit    what stands before the decimals of a number written as text, and what stands beside each: kg, %, €
# missing          cells of this column that mean "not known"; without it the usual ones do: NA, ?, null, …
# fold             true: values that differ only in case or blanks are one
# Who changes a type need not tidy up: a range of a category, or categories of a number, are passed over.
"""
_DEFAULTS = Column(name="", type="number")
_ORDERS = {"dmy": "%d/%m/%Y", "mdy": "%m/%d/%Y", "ymd": "%Y-%m-%d"}
"""Short words for `format`; the reader takes every mark between the numbers, and two-digit years."""


def write_schema(schema: Schema, path: Path, *, doubts: Mapping[str, Sequence[str]] | None = None) -> None:
    """Write the contract to `path`, with a comment above each column that a person should look at.

    Args:
        schema: The contract.
        path: Where to.
        doubts: Column → what is doubtful of how it is read.
    """
    lines = [_HEAD]
    lines.append(f"target = {_text(schema.target or '')}")
    lines.append(f"id = {_text(schema.id or '')}" + ("" if schema.id else "      # column that names the rows"))
    lines.append(f"group = {_text(schema.group or '')}" + ("" if schema.group else "   # rows that belong together"))
    lines.append(f"time = [{', '.join(_text(name) for name in schema.time)}]")
    for column in schema.columns:
        lines += ["", *(f"# ! {_line(one)}" for one in (doubts or {}).get(column.name, ()) if one != column.note)]
        lines += ["[[column]]", f"name = {_text(column.name)}", f'type = "{column.type}"']
        lines.append(f"feature = {str(column.feature).lower()}" + (f"   # {_line(column.note)}" if column.note else ""))
        if column.feature or column.on_missing != _DEFAULTS.on_missing:
            lines.append(f'on_missing = "{column.on_missing}"')
        for field in ("low", "high"):
            value = getattr(column, field)
            if value is not None:
                lines.append(f"{field} = {float(value)!r}")
        if column.categories is not None:
            lines.append(f"categories = [{', '.join(_text(value) for value in column.categories)}]")
        if column.categories is not None or column.on_unknown != _DEFAULTS.on_unknown:
            lines.append(f'on_unknown = "{column.on_unknown}"')
        if column.low is not None or column.on_out_of_range != _DEFAULTS.on_out_of_range:
            lines.append(f'on_out_of_range = "{column.on_out_of_range}"')
        if column.format is not None:
            lines.append(f"format = {_text(column.format)}")
        if column.decimal != _DEFAULTS.decimal:
            lines.append(f'decimal = "{column.decimal}"')
        if column.unit:
            lines.append(f"unit = {_text(column.unit)}")
        if column.missing is not None:
            lines.append(f"missing = [{', '.join(_text(mark) for mark in column.missing)}]")
        if column.fold:
            lines.append("fold = true")
        if column.note:
            lines.append(f"note = {_text(column.note)}")
    path.write_text("\n".join(lines) + "\n", "utf-8")


def read_schema(path: Path) -> Schema:
    """Read the contract at `path`.

    Raises:
        NotFoundError: there is no such file.
        ConfigError: bad TOML, an unknown key or value, a role for a column that is not there.
    """
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"{path}: there is no such file", hint="write it with palio init") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}", hint="correct the line that is named") from None
    allowed = {"target", "id", "group", "time", "column"}
    for key in tables:
        if key not in allowed:
            raise ConfigError(f"{path.name}: unknown key `{key}`", hint=did_you_mean(key, allowed))
    entries = tables.get("column")
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise ConfigError(f"{path.name}: holds no columns", hint="write a [[column]] table for each")
    columns = tuple(_column(entry, i, path.name) for i, entry in enumerate(entries))
    names = [column.name for column in columns]
    double = [name for name in names if names.count(name) > 1] if len(set(names)) < len(names) else []
    if double:
        raise ConfigError(f"{path.name}: column `{double[0]}` occurs twice", hint="remove one of them")
    time = tables.get("time", [])
    time = [time] if isinstance(time, str) else time
    roles = {key: tables.get(key) or None for key in ("target", "id", "group")}
    for role, name in [*roles.items(), *(("time", name) for name in time)]:
        if name is not None and name not in names:
            raise ConfigError(f"{path.name}: {role}: there is no column `{name}`", hint=did_you_mean(str(name), names))
    if roles["target"] is not None:
        at = names.index(roles["target"])
        if columns[at].feature:
            raise ConfigError(f"{path.name}: the target `{names[at]}` is a feature", hint="set its feature to false")
    return Schema(columns=columns, time=tuple(time), **roles)


def _column(entry: dict[str, Any], place: int, where: str) -> Column:
    name = entry.get("name", f"number {place + 1}")
    for key in entry:
        if key not in Column.__struct_fields__:
            raise ConfigError(
                f"{where} column `{name}`: unknown key `{key}`", hint=did_you_mean(key, Column.__struct_fields__)
            )
    if entry.get("format") in _ORDERS:
        entry = {**entry, "format": _ORDERS[entry["format"]]}
    try:
        column = msgspec.convert(entry, Column)
    except msgspec.ValidationError as error:
        what, _, key = str(error).partition(" - at `$.")
        raise ConfigError(
            f"{where} column `{name}`: {key.rstrip('`') + ': ' if key else ''}{what[0].lower()}{what[1:]}",
            hint="see the comment at the top of the file",
        ) from None
    if entry.get("on_missing", column.on_missing) != column.on_missing or (
        entry.get("missing_allowed", column.missing_allowed) != column.missing_allowed
    ):
        raise ConfigError(
            f"{where} column `{name}`: `missing_allowed` and `on_missing` contradict each other",
            hint="remove `missing_allowed`: `on_missing` says all of it",
        )
    if column.low is not None and column.high is not None and column.low > column.high:
        raise ConfigError(f"{where} column `{name}`: low {column.low} is above high {column.high}", hint="swap them")
    column = msgspec.structs.replace(column, **dict.fromkeys(_foreign(column)))
    if column.fold and column.categories is not None:  # of spellings that are one value, the most frequent stands first
        column = msgspec.structs.replace(column, categories=one_of_each(column.categories))
    return column


def _foreign(column: Column) -> list[str]:
    """Name what is left of another type, as when a person makes a category of a number: it says nothing any more."""
    foreign = [] if column.type in ("number", "integer", "datetime") else ["low", "high"]
    foreign += [] if column.type in ("category", "boolean", "boxes") else ["categories"]
    return foreign + ([] if column.type == "datetime" else ["format"])


def _text(value: str) -> str:
    # JSON's strings are TOML's basic strings, once the one character that JSON leaves bare is written out
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
