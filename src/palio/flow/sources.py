"""Where the rows of a project come from, as its settings say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from palio import data
from palio.core.config import DataTable
from palio.core.errors import ConfigError, did_you_mean
from palio.core.ids import digest
from palio.core.records import Schema
from palio.flow.opened import Opened
from palio.store import Layout

SCHEMA_FILE = "schema.toml"


def options(
    table: DataTable, folder: Path, *, query: str | None = None, expected: Sequence[str] = (), task: str = "auto"
) -> data.SourceOptions:
    """Translate `[data]` of the project in `folder` into how a source is read, and what columns it should have."""
    return data.SourceOptions(
        separator=table.separator,
        header=table.header,
        encoding=table.encoding,
        quote=table.quote,
        comment=table.comment,
        sheet=table.sheet,
        range=table.range,
        # resolved, for the folder of a project that is being begun need not be there yet
        images=str(Path(locate(folder, table.images)).resolve()) if table.images else "",
        classes=table.classes,
        task=task,
        notes=str(Layout(folder).pictures),
        target=table.target,
        missing=table.missing,
        query=table.query if query is None else query,
        expected=tuple(expected),
    )


def locate(folder: Path, spec: str) -> str:
    """Return where `spec` is: a URL as it stands, a relative path (of an SQLite file too) seen from the folder."""
    prefix, path = sqlite_path(spec)
    if path:
        return prefix + str(folder / path)
    return spec if "://" in spec else str(folder / Path(spec).expanduser())


def as_seen_from(folder: Path, file: str) -> str:
    """Keep a path relative to the project where the file lies inside it or beside it, so that both can move."""
    path = Path(file).resolve()
    try:
        relative = os.path.relpath(path, folder.resolve())
    except ValueError:  # another drive
        return str(path)
    return relative if relative.count("..") <= 1 else str(path)


def sqlite_path(spec: str) -> tuple[str, str]:
    """Cut the URL of an SQLite file into scheme and relative path; the path is empty for all else.

    >>> sqlite_path("sqlite:///shop.db"), sqlite_path("sqlite:////data/shop.db"), sqlite_path("bank.csv")
    (('sqlite:///', 'shop.db'), ('', ''), ('', ''))
    """
    prefix = "sqlite:///"
    path = spec.removeprefix(prefix)
    return (prefix, path) if spec.startswith(prefix) and not path.startswith(("/", ":")) else ("", "")


def of(opened: Opened) -> data.Source:
    """Open the project's source.

    Raises:
        ConfigError: `[data] source` is empty.
        NotFoundError: there is no such file.
    """
    table = opened.config.data
    if not table.source:
        raise ConfigError("palio.toml [data]: `source` is empty", hint="name a file or a database URL")
    schema = contract(opened)
    expected = () if schema is None else [column.name for column in schema.columns]
    return data.open_source(locate(opened.folder, table.source), options(table, opened.folder, expected=expected))


def open_one(opened: Opened, file: str, *, query: str = "", expected: Sequence[str] = ()) -> data.Source:
    """Open another source that is written like the project's own.

    What was found out about the project's own files is held against it: one that is written in another way is read
    with a note where the `expected` columns are found so, else refused.
    """
    table = opened.config.data
    if Path(file).resolve().is_relative_to(Layout(opened.folder).root.resolve()):
        table = msgspec.structs.replace(table, images="")  # what a renewal wrote names what the store holds, no files
    return data.open_source(file, options(table, opened.folder, query=query, expected=expected))


def contract(opened: Opened) -> Schema | None:
    """Read `schema.toml`, the editable contract, with what `[data]` says of its columns; None if there is none.

    Raises:
        ConfigError: `[data]` names a column that the contract does not have.
    """
    path = opened.folder / SCHEMA_FILE
    if not path.exists():
        return None
    schema, table = data.read_schema(path), opened.config.data
    names = [column.name for column in schema.columns]
    parts = {"target": table.target, "id": table.id, "group": table.group}
    for key, name in [
        *parts.items(),
        ("weight", table.weight),
        *(("time", n) for n in table.time),
        *(("exclude", n) for n in table.exclude),
    ]:
        if name and name not in names:
            raise ConfigError(f"palio.toml [data]: `{key}`: no column `{name}`", hint=did_you_mean(name, names))
    no_feature = {table.target, table.id, table.group, table.weight, *table.exclude}
    return msgspec.structs.replace(
        schema,
        columns=tuple(
            msgspec.structs.replace(column, feature=column.feature and column.name not in no_feature)
            for column in schema.columns
        ),
        time=table.time or schema.time,
        **{key: name for key, name in parts.items() if name},
    )


def contract_digest(opened: Opened) -> str:
    """Return the identity of `schema.toml`; empty if there is none."""
    path = opened.folder / SCHEMA_FILE
    return digest(path.read_bytes()) if path.exists() else ""
