"""Begin a project: look at the data, write `palio.toml` and `schema.toml`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from palio import data
from palio.core.config import FILE_NAME, DataTable
from palio.core.errors import ConfigError
from palio.core.progress import SILENT, Progress
from palio.core.records import Record, Task
from palio.flow import sources, template

ONLY_AFTERWARDS = "known only after the outcome, so it cannot be an input"


class Started(Record, frozen=True, kw_only=True):
    """A project that was begun."""

    config: str
    contract: str
    task: Task
    n_features: int
    notes: tuple[str, ...]


def init(
    file: Path | str,
    *,
    target: str,
    folder: Path | str = Path(),
    name: str = "",
    query: str = "",
    task: str = "auto",
    positive: str = "",
    id_column: str = "",
    group: str = "",
    time: Sequence[str] | str = (),
    exclude: Sequence[str] | str = (),
    header: str = "auto",
    separator: str = "auto",
    force: bool = False,
    progress: Progress = SILENT,
) -> Started:
    """Look at `file` and write the settings and the contract of a new project.

    Args:
        file: A file (CSV, Parquet, JSON lines) or a database URL.
        target: Column to predict: a name, or a position (1 is the first, -1 the last).
        time: Columns that order the rows in time, coarsest first, or one.
        exclude: Columns that no model may read, or one.
        force: Replace what is there.

    Raises:
        ConfigError: there is a project already.
        NotFoundError: no such file.
        InputError: the file cannot be read, or has no such column.
    """
    file, folder = str(file), Path(folder)
    time, exclude = ((names,) if isinstance(names, str) else tuple(names) for names in (time, exclude))
    path = folder / FILE_NAME
    if path.exists() and not force:
        raise ConfigError(f"{path}: there is a project here already", hint="add --force to replace it, or name --dir")
    table = DataTable(header=header, separator=separator, query=query)  # type: ignore[arg-type]  # click checked it
    source = data.open_source(file, msgspec.structs.replace(sources.options(table), target=str(target)))
    survey = data.survey(
        source,
        target=target,
        kind=task,
        positive=positive,
        id=id_column,
        group=group,
        time=time,
        exclude=exclude,
        progress=progress,
    )
    given = {"query": query, "header": header, "separator": separator}
    text = template.render(
        name or _slug(file),
        survey.schema,
        survey.task,
        source=_source_as_seen_from(folder, file),
        data={key: value for key, value in given.items() if value not in ("", "auto")},
        exclude=dict.fromkeys((name for name in exclude if name not in source.passed_over), ONLY_AFTERWARDS),
        id_is_declared=bool(id_column),
    )
    folder.mkdir(parents=True, exist_ok=True)
    data.write_schema(survey.schema, folder / sources.SCHEMA_FILE)
    path.write_text(text, "utf-8")
    return Started(
        config=str(path),
        contract=str(folder / sources.SCHEMA_FILE),
        task=survey.task,
        n_features=len(survey.schema.features),
        notes=survey.notes,
    )


def _source_as_seen_from(folder: Path, file: str) -> str:
    prefix, path = sources.sqlite_path(file)
    if path:
        return prefix + sources.as_seen_from(folder, path)
    return file if "://" in file else sources.as_seen_from(folder, file)


def _slug(file: str) -> str:
    stem = Path(file.rsplit("/", 1)[-1].split("?")[0]).name.split(".")[0]
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-") or "model"
