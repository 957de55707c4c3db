"""Find out what the columns of a source are: type, range, categories, role, and with them the task.

The whole file is read, not its beginning. Each column begins as the narrowest type that its first cells allow; where
a later cell contradicts, the column is read again as something wider, so a survey is one pass and seldom two.
"""

from __future__ import annotations

import msgspec
import polars as pl

from palio.core.errors import InputError, did_you_mean
from palio.core.progress import SILENT, Progress
from palio.core.records import Schema, Task
from palio.data import roles
from palio.data.columns import ColumnScan
from palio.data.source import Source
from palio.data.task import task_from
from palio.data.values import clean

MIN_ROWS = 10
"""Fewer rows cannot be cut into three parts and say anything."""


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What a source holds."""

    schema: Schema
    task: Task
    notes: tuple[str, ...]
    """What a person should know, one sentence each."""
    n_rows: int
    n_unlabelled: int = 0


def survey(
    source: Source,
    *,
    target: str | int,
    kind: str = "auto",
    metric: str = "auto",
    positive: str = "",
    id: str = "",
    group: str = "",
    time: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    progress: Progress = SILENT,
) -> Survey:
    """Infer types, roles and the task by reading every row of `source`; memory does not grow with the rows.

    Columns are named, or counted: 1 is the first, -1 the last. What the user names is taken as given.

    Args:
        source: Where the rows come from.
        target: Column to predict.
        kind: `classification` or `regression` if known.
        metric: What selects models, if known.
        positive: The class of interest of two, if known.
        id: Column that names the rows.
        group: Column whose rows must stay together.
        time: Columns that order the rows, coarsest first.
        exclude: Columns that no model may read.
        progress: Told how many rows were read.

    Raises:
        InputError: too few rows, a column that is not there, a target that cannot be learned (one class, too many
            classes, all missing).
    """
    names = source.columns
    if not names:
        raise InputError(f"{source.name}: the file holds no rows", hint="name a file with rows")
    chosen = _column(target, source, "target")
    wishes = roles.Wishes(
        target=chosen,
        id=_column(id, source, "id") if id else None,
        group=_column(group, source, "group") if group else None,
        time=tuple(_column(name, source, "time") for name in time),
        exclude=frozenset(resolve(name, names, "exclude") for name in exclude if name not in source.passed_over),
    )
    scans, clock, n_rows = _scan(source, chosen, progress)
    if n_rows < MIN_ROWS:
        left_out = ""
        if source.skipped.n_rows:
            line, n_cells, _ = source.skipped.rows[0]
            left_out = (
                f"; {source.skipped.n_rows:,} more have another number of cells than the {len(names)} columns, "
                f"the first in line {line:,} ({n_cells} cells)"
            )
        raise InputError(
            f"{source.name}: {n_rows} {'row' if n_rows == 1 else 'rows'}, at least {MIN_ROWS} are needed{left_out}",
            hint="check the separator and the header" if left_out else "add rows, or check that this is the right file",
            facts={"n_rows": n_rows, "skipped": source.skipped.n_rows},
        )
    schema, notes = roles.assign([scans[name].column() for name in names], scans, wishes=wishes, clock=clock)
    scan = scans[chosen]
    task = task_from(
        schema.column(chosen),
        counts=scan.label_counts(),
        n_labelled=scan.n_present,
        kind=kind,
        metric=metric,
        positive=positive,
        has_fraction=scan.has_fraction,
    )
    notes.extend(_about_rows(source, scan, n_rows))
    if not schema.features:
        raise InputError(
            f"{source.name}: no column is left to learn from: {'; '.join(notes)[:300]}",
            hint="add columns that say something about the target",
        )
    notes = [*source.notes, *notes]
    return Survey(schema=schema, task=task, notes=tuple(notes), n_rows=n_rows, n_unlabelled=scan.n_missing)


def _about_rows(source: Source, target: ColumnScan, n_rows: int) -> list[str]:
    notes = []
    if target.n_missing:
        notes.append(f"{target.n_missing:,} of {n_rows:,} rows have no `{target.name}`: kept, but not learned from")
    if source.skipped.n_rows:
        line, n_cells, _ = source.skipped.rows[0]
        notes.append(
            f"{source.skipped.n_rows:,} rows do not have {len(source.columns)} cells, "
            f"the first in line {line:,} ({n_cells} cells)"
        )
    return notes


def resolve(wanted: str | int, names: tuple[str, ...], role: str) -> str:
    """Find the column that `wanted` names or counts (1 is the first, -1 the last).

    Raises:
        InputError: there is no such column.

    Example:
        >>> resolve(-1, ("a", "b"), "target"), resolve("a", ("a", "b"), "target")
        ('b', 'a')
    """
    text = str(wanted).strip()
    if text in names:
        return text
    position = int(text) if text.lstrip("-").isdecimal() and len(text) < 8 else 0
    if 0 < abs(position) <= len(names):
        return names[position - 1 if position > 0 else position]
    folded = [name for name in names if name.lower() == text.lower()]
    shown = ", ".join(f"`{name}`" for name in names[:20]) + (" …" if len(names) > 20 else "")
    raise InputError(
        f"{role}: there is no column `{text}`, the columns are {shown}",
        hint=f"did you mean `{folded[0]}`?" if folded else did_you_mean(text, names),
        facts={"columns": list(names[:100])},
    )


def _column(wanted: str | int, source: Source, role: str) -> str:
    """Find a column; where it is not there, say so if that is for want of a header, or because of its cells."""
    name = str(wanted).strip()
    if name in source.passed_over:
        raise InputError(
            f"{role}: column `{name}` of {source.name} cannot be read: {source.passed_over[name]}",
            hint="write it as plain cells, or name another column",
        )
    try:
        return resolve(wanted, source.columns, role)
    except InputError as error:
        if source.form.header or error.facts is None:
            raise
        raise InputError(
            f"{error.message}: no header was found in {source.name}",
            hint="write the names into the first line, or say that it holds them: [data] header is `yes`",
            facts=error.facts,
        ) from None


def _codes(frame: pl.DataFrame) -> dict[str, bool]:
    """Tell which text columns hold digits with a leading zero."""
    text = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    if not text:
        return {}
    found = frame.select(pl.col(text).str.contains(r"^[+-]?0\d").any())
    return dict(zip(text, found.row(0), strict=True))


def _scan(source: Source, target: str, progress: Progress) -> tuple[dict[str, ColumnScan], roles.Clock, int]:
    """Read the source until every column has kept its type for a whole pass."""
    done: dict[str, ColumnScan] = {}
    pending = {n: ColumnScan(n, loose=source.loose, target=n == target, decimal=source.decimal) for n in source.columns}
    clock = roles.Clock(source.columns)
    n_rows = 0
    while pending:
        seen = 0
        for batch in source.batches():
            frame = clean(batch.select(list(pending)), source.missing)
            codes = _codes(frame)
            for cells in frame.iter_columns():
                pending[cells.name].add(cells, seen, has_codes=codes.get(cells.name, False))
            if not done:
                clock.add(frame)
            seen += batch.num_rows
            progress.step("survey", seen, None)
        n_rows = seen
        done.update((n, s) for n, s in pending.items() if not s.is_contradicted)
        pending = {n: s.wider() for n, s in pending.items() if s.is_contradicted}
    return done, clock, n_rows
