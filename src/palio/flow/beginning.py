"""Begin a project, or begin it again: look at the data, write `palio.toml` and `schema.toml`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

import msgspec

from palio import data
from palio.core import config as settings
from palio.core.config import FILE_NAME, Config, DataTable
from palio.core.errors import InputError
from palio.core.progress import SILENT, Progress
from palio.core.records import ColumnReading, Form, Record, Schema, Specimen, Task
from palio.flow import again, findings, sources, template

_OTHER_MARK = {",": ".", ".": ",", " ": "", "'": "", "’": ""}
"""Mark between thousands → what it leaves for the decimals."""


class Given(TypedDict, total=False):
    """What a person knows of the data, in the words of `[data]`; what is not given is found out."""

    query: str
    positive: str
    """The class of interest, for two classes."""
    id_column: str
    group: str
    time: Sequence[str] | str
    """Columns that order the rows in time, coarsest first, or one."""
    exclude: Sequence[str] | str
    """Columns that no model may read, or one."""
    images: str
    """Folder or archive of the pictures that a table names, or a file of annotation speaks of."""
    classes: Sequence[str] | str
    """Names of classes that boxes know by number alone, in order, or one text with commas between."""
    header: str
    separator: str
    encoding: str
    quote: str
    comment: str
    sheet: str
    range: str
    decimal: str
    thousands: str
    """What parts thousands; it says what the decimal mark is not."""
    missing: Sequence[str] | str
    """Cells that mean "not known", instead of the usual ones."""
    date_order: str


class Started(Record, frozen=True, kw_only=True):
    """A project that was begun."""

    name: str
    source: str
    form: Form
    """How the source is written."""
    config: str
    contract: str
    task: Task
    reason: str
    """Why the task is taken so; empty: as it was asked for, or plain."""
    n_rows: int
    n_features: int
    readings: tuple[ColumnReading, ...]
    """How each column is read, in the order of the file."""
    notes: tuple[str, ...]
    """What a person should know that is not about one column, one sentence each."""
    specimens: tuple[Specimen, ...] = ()
    """Some pictures with their boxes drawn, if they were asked for."""


def init(
    file: Path | str = "",
    *,
    target: str | int = "",
    folder: Path | str = Path(),
    name: str = "",
    task: str = "",
    force: bool = False,
    specimens: int = 0,
    progress: Progress = SILENT,
    **given: Unpack[Given],
) -> Started:
    """Look at `file` and write the settings and the contract of a project.

    Where there is a project already, what a person wrote into its files stays, what is given here wins, and what was
    only found is found anew. Variables of the environment (`PALIO_DATA_…`) are heeded.

    Args:
        file: A file (CSV, Parquet, JSON lines) or a database URL; empty: the project's own.
        target: Column to predict: a name, or a position (1 is the first, -1 the last); empty: the project's own.
        folder: Of the project.
        name: Of the model; empty: the file's.
        task: `classification`, `regression` or `detection`; empty: find out.
        force: Take another table for the project's, and forget what a person changed in `schema.toml`.
        specimens: Pictures to be drawn with their boxes, where there are any.
        progress: Hears how far it is.
        given: What is known of the data, in the words of `Given`.

    Raises:
        ConfigError: the project here is about another table, or its files are not what they should be.
        NotFoundError: no such file.
        InputError: the file cannot be read, or has no such column.
    """
    file, folder = str(file), Path(folder)
    before = again.look(folder, forget=force)
    flags = _flags(folder, file, str(target), name, task, given)
    config = settings.parse(before.tables, env=os.environ, flags=flags)
    name = config.project.name if config.project.name != Config().project.name else _slug(file or config.data.source)
    table = config.data
    if not table.source:
        raise InputError("no file is named", hint="say palio init FILE --target COLUMN")
    options = msgspec.structs.replace(sources.options(table, folder, task=config.project.task), target=table.target)
    source = data.open_source(file or sources.locate(folder, table.source), options)
    if isinstance(source, data.Pictured):
        source.progress = progress
    again.check_is_same_table(before, source)
    if not table.target and data.stated(source).target:
        config = msgspec.structs.replace(
            config, data=(table := msgspec.structs.replace(table, target=data.stated(source).target))
        )
    if not table.target:
        shown = ", ".join(f"`{column}`" for column in source.columns[:20]) + (" …" if len(source.columns) > 20 else "")
        raise InputError(f"no target is named, the columns are {shown}", hint="say --target COLUMN")
    survey = _survey(source, config, again.folded(before), progress)
    schema, kept = again.with_edits(before, survey.schema)
    found = findings.about(source, survey, schema, config)
    if before.text:
        text = again.rewritten(before, given=_given(config, schema, flags), found=found)
    else:
        text = _first(name, config, schema, survey.task, found)
    folder.mkdir(parents=True, exist_ok=True)
    data.write_schema(schema, folder / sources.SCHEMA_FILE, doubts={r.name: r.doubts for r in survey.readings})
    (folder / FILE_NAME).write_text(text, "utf-8")
    again.remember(folder, found, survey.schema)
    names = {column.name for column in schema.columns}
    return Started(
        name=name,
        source=source.name,
        form=source.form,
        config=str(folder / FILE_NAME),
        contract=str(folder / sources.SCHEMA_FILE),
        task=survey.task,
        reason=survey.reason,
        n_rows=survey.n_rows,
        n_features=len(schema.features),
        readings=again.shown(survey.readings, schema, kept),
        specimens=tuple(source.specimens(specimens)) if specimens and hasattr(source, "specimens") else (),
        notes=(*survey.about_rows, *(one for key, ones in kept.items() if key not in names for one in ones)),
    )


def _survey(source: data.Source, config: Config, fold: frozenset[str], progress: Progress) -> data.Survey:
    table = config.data
    return data.survey(
        source,
        target=table.target,
        kind=config.project.task,
        positive=table.positive,
        id=table.id,
        group=table.group,
        time=table.time,
        exclude=(*table.exclude, *([table.weight] if table.weight else [])),
        decimal="" if table.decimal == "auto" else table.decimal,
        date_order="" if table.date_order == "auto" else table.date_order,
        fold=fold,
        progress=progress,
    )


def _flags(folder: Path, file: str, target: str, name: str, task: str, given: Given) -> dict[str, Any]:
    """Write what was given as settings: `room.key` → value."""
    flags: dict[str, Any] = {
        "project.name": name,
        "project.task": task if task != "auto" else "",
        "data.source": _source_as_seen_from(folder, file) if file else "",
        "data.target": target,
    }
    lists = ("time", "exclude", "missing", "classes")
    for key, value in given.items():
        if key == "thousands":
            continue
        if key == "images" and value:
            value = sources.as_seen_from(folder, str(value))
        if key == "classes" and isinstance(value, str):
            value = [name.strip() for name in value.split(",") if name.strip()]
        if key in lists:
            value = [value] if isinstance(value, str) else list(value)  # type: ignore[call-overload]
        flags[f"data.{'id' if key == 'id_column' else key}"] = value
    flags["data.decimal"] = _decimal(given.get("decimal", ""), given.get("thousands", ""))
    is_given = "missing" in given and given["missing"] not in ((), [])
    return {key: value for key, value in flags.items() if value or (key == "data.missing" and is_given)}


def _decimal(decimal: str, thousands: str) -> str:
    """Tell the decimal mark by itself, or by the mark between thousands, which is the other one.

    Raises:
        InputError: both are the same, or `thousands` is no mark that is known.
    """
    if not thousands or thousands == "auto":
        return decimal
    if thousands not in _OTHER_MARK:
        raise InputError(f"--thousands: got `{thousands}`", hint="use `,`, `.`, a blank or an apostrophe")
    if thousands == decimal:
        raise InputError(f"--thousands and --decimal are both `{decimal}`", hint="name one of them")
    return decimal or _OTHER_MARK[thousands]


def _given(config: Config, schema: Schema, flags: Mapping[str, Any]) -> findings.Findings:
    """Return what was given on the way in, as it is to be written: columns by their names."""
    parts: dict[str, Any] = {key: getattr(schema, key) for key in ("target", "id", "group", "time")}
    parts["exclude"] = [column.name for column in schema.columns if column.note == data.EXCLUDED]
    reasons = {"target": "the column to predict", "exclude": template.ONLY_AFTERWARDS}
    given: findings.Findings = {"project": {}, "data": {}}
    for flag in flags:
        room, _, key = flag.partition(".")
        value = parts.get(key) if room == "data" and key in parts else getattr(getattr(config, room), key)
        if value == "auto":
            continue  # to be found out again
        given[room][key] = (list(value) if isinstance(value, tuple) else value, reasons.get(key, "as given"))
    return given


def _first(name: str, config: Config, schema: Schema, task: Task, found: findings.Findings) -> str:
    """Write the settings of a new project: what is in force and no default, and what was found."""
    default = DataTable()
    names = (
        "query",
        "images",
        "classes",
        "separator",
        "header",
        "quote",
        "comment",
        "sheet",
        "range",
        "encoding",
        "decimal",
        "date_order",
    )
    lines: dict[str, tuple[Any, str]] = {}
    for key in (*names, "missing"):
        value = getattr(config.data, key, None)
        if value is not None and value != getattr(default, key):
            lines[key] = (list(value) if isinstance(value, tuple) else value, "as given")
        elif key in found["data"]:
            lines[key] = found["data"][key]
    return template.render(
        name,
        schema,
        task,
        source=config.data.source,
        data=lines,
        exclude=[column.name for column in schema.columns if column.note == data.EXCLUDED],
        split=found["split"],
        id_is_declared=bool(config.data.id),
    )


def _source_as_seen_from(folder: Path, file: str) -> str:
    prefix, path = sources.sqlite_path(file)
    if path:
        return prefix + sources.as_seen_from(folder, path)
    return file if "://" in file else sources.as_seen_from(folder, file)


def _slug(file: str) -> str:
    stem = Path(file.rsplit("/", 1)[-1].split("?")[0]).name.split(".")[0]
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-") or "model"
