"""Begin a project again: what a person wrote stays, what was only found is found anew."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from palio import data
from palio.core.cells import kind_of
from palio.core.config import FILE_NAME, read_tables
from palio.core.errors import ConfigError
from palio.core.records import Column, ColumnReading, Record, Schema
from palio.flow.findings import Findings
from palio.flow.settings_file import with_settings
from palio.flow.sources import SCHEMA_FILE

MEMORY = Path(".palio", "found.json")
"""What the last `init` found, to tell it from what a person wrote since."""
_SHARE = 0.5
"""A file with fewer of the columns that the contract names is another table."""
_FIELDS = (
    *("type", "feature", "decimal", "unit", "format", "missing", "fold", "on_missing", "on_unknown"),
    "on_out_of_range",
)
_DERIVED = ("low", "high", "categories")
"""What follows from the rows; an edit of it can only be told where it is known what was found."""
_ROLES = ("id", "group", "time")


class Found(Record, frozen=True, kw_only=True):
    """What `init` found by itself: a value that is still there may be replaced, another one is a person's."""

    settings: dict[str, dict[str, Any]]
    """Table of `palio.toml` → key → value."""
    schema: Schema


class Before(Record, frozen=True, kw_only=True):
    """What stands in the folder already."""

    text: str = ""
    """Of `palio.toml`; empty: there is none."""
    tables: dict[str, Any] = msgspec.field(default_factory=dict)
    """Its settings, without those that were only found."""
    schema: Schema | None = None
    found: Found | None = None


def look(folder: Path, *, forget: bool = False) -> Before:
    """Read what an earlier `init` and a person left in a folder.

    Args:
        folder: Of the project.
        forget: Pass over `schema.toml`, whatever it holds.

    Raises:
        ConfigError: `palio.toml` or `schema.toml` is not what it should be.
    """
    path = folder / FILE_NAME
    if not path.exists():
        return Before()
    tables = read_tables(folder)
    schema_file = folder / SCHEMA_FILE
    schema = data.read_schema(schema_file) if schema_file.exists() and not forget else None
    found = _remembered(folder)
    own = {
        room: {k: v for k, v in table.items() if not (found and found.settings.get(room, {}).get(k) == v)}
        if isinstance(table, Mapping)
        else table
        for room, table in tables.items()
    }
    return Before(text=path.read_text("utf-8"), tables=own, schema=schema, found=found)


def remember(folder: Path, found: Findings, schema: Schema) -> None:
    """Keep what was found for the next time; that spellings are one value is never found, but written by a person."""
    columns = tuple(msgspec.structs.replace(column, fold=False) for column in schema.columns)
    schema = msgspec.structs.replace(schema, columns=columns)
    settings = {room: {key: value for key, (value, _) in table.items()} for room, table in found.items()}
    path = folder / MEMORY
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(Found(settings=settings, schema=schema)))


def rewritten(before: Before, *, given: Findings, found: Findings) -> str:
    """Return the text of `palio.toml` with what was given and found, and all else as it stands.

    Raises:
        ConfigError: the file is written in a way that a program cannot change.
    """
    text = before.text
    for room in found:
        old = before.found.settings.get(room, {}) if before.found is not None else {}
        own = before.tables.get(room, {})
        gone = dict.fromkeys(key for key in old if key not in found[room] and key not in own)
        text = with_settings(text, room, {**gone, **found[room], **given.get(room, {})})
    return text


def _remembered(folder: Path) -> Found | None:
    try:
        return msgspec.json.decode((folder / MEMORY).read_bytes(), type=Found)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None  # a fresh copy of the project: then all that stands there is a person's


def check_is_same_table(before: Before, source: data.Source) -> None:
    """Refuse to take a file for the project's that has hardly a column of it.

    Raises:
        ConfigError: it is another table.
    """
    if before.schema is None:
        return
    known = {column.name for column in before.schema.columns}
    if len(known.intersection(source.columns)) < _SHARE * len(known):
        raise ConfigError(
            f"there is a project about another table here: {source.name} has hardly a column of its {SCHEMA_FILE}",
            hint="name another folder with --dir, or add --force to take the new table",
        )


def folded(before: Before) -> frozenset[str]:
    """Name the columns of which a person wrote that spellings are one value."""
    columns = before.schema.columns if before.schema is not None else ()
    return frozenset(column.name for column in columns if column.fold)


def with_edits(before: Before, new: Schema) -> tuple[Schema, dict[str, list[str]]]:
    """Carry what a person changed in `schema.toml` over to what was found anew.

    Returns:
        The contract, and what was kept: name of a column (or of a part, such as `id`) → a sentence for each edit.
    """
    now = before.schema
    if now is None:
        return new, {}
    base = {c.name: c for c in before.found.schema.columns} if before.found is not None else None
    mine = {column.name: column for column in now.columns}
    kept: dict[str, list[str]] = {}
    columns = []
    for column in new.columns:
        edited, told = _edited(column, mine.get(column.name), None if base is None else base.get(column.name))
        columns.append(msgspec.structs.replace(edited, feature=edited.feature and column.name != new.target))
        if told:
            kept[column.name] = told
    names, roles = {column.name for column in new.columns}, {}
    found = now if before.found is None else before.found.schema
    for role in _ROLES:
        mine_now, was, would = getattr(now, role), getattr(found, role), getattr(new, role)
        is_there = names.issuperset([mine_now] if isinstance(mine_now, str) else mine_now or ())
        if mine_now not in (was, would) and is_there:
            roles[role] = mine_now
            kept[role] = [_said(role, mine_now, would)]
    return msgspec.structs.replace(new, columns=tuple(columns), **roles), kept


def _edited(new: Column, mine: Column | None, base: Column | None) -> tuple[Column, list[str]]:
    if mine is None:
        return new, []
    against = new if base is None else base
    # what a change of type leaves behind is no edit of its own
    like = _as_type(against, mine.type)
    fields = _FIELDS if base is None else (*_FIELDS, *_DERIVED)
    edits = {f: getattr(mine, f) for f in fields if getattr(mine, f) != getattr(like, f)}
    if mine.type != against.type:
        edits["type"] = mine.type
        new_as = _as_type(new, mine.type)
    else:
        new_as = new
    found = msgspec.structs.replace(new, fold=False)
    told = [_said(f, value, getattr(found, f)) for f, value in edits.items() if value != getattr(found, f)]
    if "on_missing" in edits:
        edits["missing_allowed"] = mine.missing_allowed
    return msgspec.structs.replace(new_as, **edits), told


def _as_type(column: Column, kind: str) -> Column:
    """Return the column as a contract of another type, without what says nothing of that type."""
    if kind == column.type or {kind, column.type} <= {"number", "integer"}:
        return msgspec.structs.replace(column, type=kind)
    return msgspec.structs.replace(column, type=kind, **dict.fromkeys((*_DERIVED, "format")))


def _said(field: str, value: Any, found: Any) -> str:
    wrote, would = (json.dumps(one, ensure_ascii=False, default=str) for one in (value, found))
    beside = "" if found is None else f", {would} was found"
    return f"{field} = {wrote} is kept as schema.toml had it{beside}; --force takes what was found"


def shown(readings: tuple[ColumnReading, ...], schema: Schema, kept: Mapping[str, list[str]]) -> Any:
    """Return how the columns are read under the contract that holds a person's edits, with a word on each edit."""
    return tuple(
        row
        if row.name not in kept
        else msgspec.structs.replace(
            row,
            reading=kind_of(schema.column(row.name)).describe(schema.column(row.name)),
            doubts=(*(d for d in row.doubts if not _is_followed(d, kept[row.name])), *kept[row.name]),
        )
        for row in readings
    )


def _is_followed(doubt: str, kept: Sequence[str]) -> bool:
    """Tell whether a doubt advises to write what is written already."""
    return any(f"write {edit.partition(' is kept')[0].partition(' = ')[0]} = " in doubt for edit in kept)
