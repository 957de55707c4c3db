"""Find out what the columns of a source are: how they are written, type, range, categories, role, and the task.

The whole file is read, not its beginning. Each column is first read as its first cells, and the other columns of the
file, suggest; where too many later cells contradict, it is read again, so a survey is one pass and seldom two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import msgspec
import polars as pl

from palio.core.cells import MISSING
from palio.core.errors import InputError, did_you_mean
from palio.core.progress import SILENT, Progress
from palio.core.records import Column, ColumnReading, Schema, Task
from palio.core.words import counted, listed
from palio.data import roles
from palio.data.cells.evidence import Votes, votes_of
from palio.data.cells.frame import clean
from palio.data.cells.scan import ColumnScan, Wishes
from palio.data.cells.stated import scan_of
from palio.data.source import Pictured, Source, Stated, stated
from palio.data.sources.names import spelt
from palio.data.table import not_of_a_column, readings
from palio.data.task import task_from
from palio.data.telling import Sample, given_cuts
from palio.data.totals import LastRows

_ALIKE = "differ only in case or blanks"
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
    reason: str = ""
    """Why the task is this one."""
    readings: tuple[ColumnReading, ...] = ()
    """How each column is read, for a person to check."""

    @property
    def about_rows(self) -> tuple[str, ...]:
        """The notes that are not about one column, so that `readings` do not hold them."""
        return tuple(note for note in not_of_a_column(self.notes, self.readings) if note != self.reason)


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
    decimal: str = "",
    date_order: str = "",
    fold: Collection[str] = (),
    progress: Progress = SILENT,
) -> Survey:
    """Infer types, roles and the task by reading every row of `source`; memory does not grow with the rows.

    Columns are named, or counted: 1 is the first, -1 the last. What the user names is taken as given.

    Args:
        source: Where the rows come from.
        target: Column to predict.
        kind: `classification`, `regression` or `detection` if known.
        metric: What selects models, if known.
        positive: The class of interest of two, if known.
        id: Column that names the rows.
        group: Column whose rows must stay together.
        time: Columns that order the rows, coarsest first.
        exclude: Columns that no model may read.
        decimal: What stands before decimals in numbers that are written as text, if known: `.` or `,`.
        date_order: What the numbers of a date mean, if known: `dmy`, `mdy` or `ymd`.
        fold: Columns in which spellings that differ only in case or blanks are one value.
        progress: Told how many rows were read.

    Raises:
        InputError: too few rows, a column that is not there, a target that cannot be learned (one class, too many
            classes, all missing).
    """
    names = source.columns
    if not names:
        raise InputError(f"{source.name}: the file holds no rows", hint="name a file with rows")
    chosen = _column(target, source, "target")
    if isinstance(source, Pictured):
        source.progress = progress
    known = stated(source)
    wishes = roles.Wishes(
        stated=frozenset(known.columns),
        target=chosen,
        id=_column(id, source, "id") if id else known.id or None,
        group=_column(group, source, "group") if group else known.group or None,
        time=tuple(_column(name, source, "time") for name in time),
        exclude=frozenset(resolve(name, names, "exclude") for name in exclude if name not in source.passed_over),
    )
    scans, clock, last, sample, n_rows = _scan(source, chosen, Wishes(decimal, date_order), fold, known, progress)
    if n_rows < MIN_ROWS:
        left_out = ""
        if source.skipped.n_rows:
            line, n_cells, _ = source.skipped.rows[0]
            left_out = (
                f"; {source.skipped.n_rows:,} more have another number of cells "
                f"than the {counted(len(names), 'column')}, "
                f"the first in line {line:,} ({counted(n_cells, 'cell')})"
            )
        raise InputError(
            f"{source.name}: {counted(n_rows, 'row')}, at least {MIN_ROWS} are needed{left_out}",
            hint="check the separator and the header" if left_out else "add rows, or check that this is the right file",
            facts={"n_rows": n_rows, "skipped": source.skipped.n_rows},
        )
    scan = scans[chosen]
    scan.keep_class_of_marks()
    schema, notes = roles.assign([scans[name].column() for name in names], scans, wishes=wishes, clock=clock)
    found = task_from(
        schema.column(chosen),
        counts=scan.label_counts(),
        n_labelled=scan.n_present,
        n_missing=scan.n_missing,
        kind=kind,
        metric=metric,
        positive=positive,
        has_fraction=scan.has_fraction,
    )
    if "--task" in found.reason:  # it might be taken otherwise
        notes.append(found.reason)
    # what is told of every column of words is not told of the labels once more
    is_alike = any(_ALIKE in doubt for doubt in scan.doubts())
    labels = [note for note in found.notes if not (is_alike and _ALIKE in note)]
    notes.extend(labels)
    told = [*sample.doubts(schema, found.task), *given_cuts(schema.features)]
    notes.extend(told)
    notes.extend(_about_rows(source, scan, n_rows))
    notes.extend(f"{source.name}: {doubt}" for doubt in last.doubts(lambda name: scans[name].label_counts()))
    if not schema.features:
        dropped = [f"`{c.name}`: {c.note}" for c in schema.columns if c.name != chosen]
        raise InputError(
            f"{source.name}: no column is left to learn from: "
            f"{listed(dropped) if dropped else f'`{chosen}` is the only one'}",
            hint="add columns that say something about the target",
        )
    notes = [*source.notes, *notes]
    return Survey(
        schema=schema,
        task=found.task,
        reason=found.reason,
        notes=tuple(notes),
        n_rows=n_rows,
        n_unlabelled=scan.n_missing + scan.n_wrong,
        readings=readings(schema, scans, [*labels, *told]),
    )


def _about_rows(source: Source, target: ColumnScan, n_rows: int) -> list[str]:
    notes = []
    n_missing = target.n_missing - stated(source).n_aside
    if n_missing > 0:
        have = "has" if n_missing == 1 else "have"
        notes.append(f"{n_missing:,} of {n_rows:,} rows {have} no `{target.name}`: kept, but not learned from")
    if source.skipped.n_rows:
        line, n_cells, _ = source.skipped.rows[0]
        do = "row does" if source.skipped.n_rows == 1 else "rows do"
        notes.append(
            f"{source.skipped.n_rows:,} {do} not have {counted(len(source.columns), 'cell')}, "
            f"the first in line {line:,} ({counted(n_cells, 'cell')})"
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
    alike = [name for name in names if spelt(name) == spelt(text)]
    if len(alike) == 1 and text:
        return alike[0]
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
            hint=f"if the first line holds the names, set [data] header to `yes`; else count the columns: {role} -1",
            facts=error.facts,
        ) from None


def _scan(
    source: Source, target: str, wishes: Wishes, fold: Collection[str], known: Stated, progress: Progress
) -> tuple[dict[str, ColumnScan], roles.Clock, LastRows, Sample, int]:
    """Read the source until every column has kept its type for a whole pass."""
    own = None if not source.missing or set(source.missing) == set(MISSING) else tuple(source.missing)
    done: dict[str, ColumnScan] = {}
    pending: dict[str, ColumnScan] = {
        name: scan_of(known.columns[name], target=name == target)
        if name in known.columns
        else ColumnScan(
            Column(name=name, type="text", missing=own, fold=name in fold), target=name == target, wishes=wishes
        )
        for name in source.columns
    }
    clock = roles.Clock(source.columns)
    last, sample = LastRows(), Sample()
    n_rows, votes = 0, Votes()
    while pending:
        seen = 0
        for batch in source.batches():
            open_ones = [str(i) for i, name in enumerate(pending) if name not in known.columns]
            frame, marks = _unmarked(clean(batch.select(list(pending))), MISSING if own is None else own, open_ones)
            scans = list(pending.values())
            columns = list(frame.iter_columns())
            if sum(scan.look(cells) for scan, cells in zip(scans, columns, strict=True)):
                votes = _votes([*done.values(), *scans])
            for i, (scan, cells) in enumerate(zip(scans, columns, strict=True)):
                scan.begin(votes, cells.dtype)
                scan.add(cells, seen, marks=marks.get(str(i)))
            if not done:
                clock.add({name: frame[str(i)] for i, name in enumerate(pending) if name in clock.columns})
                last.add(batch)
                sample.add(batch)
            seen += batch.num_rows
            progress.step("survey", seen, None)
        n_rows = seen
        for scan in pending.values():
            scan.finish()
        _follow_others([*done.values(), *pending.values()])
        done.update((n, s) for n, s in pending.items() if not s.is_contradicted)
        pending = {n: s.wider() for n, s in pending.items() if s.is_contradicted}
    return {name: done[name] for name in source.columns}, clock, last, sample, n_rows


def _unmarked(
    frame: pl.DataFrame, marks: Sequence[str], columns: Sequence[str]
) -> tuple[pl.DataFrame, dict[str, Counter[str]]]:
    """Make null what means "not known", and count what that was, by column."""
    text = [name for name in columns if frame.schema[name] == pl.String]
    if not text:
        return frame, {}
    known = sorted({*marks, ""})
    after = frame.with_columns(pl.when(~pl.col(name).is_in(known)).then(pl.col(name)).alias(name) for name in text)
    before, now = frame.select(text).null_count().row(0), after.select(text).null_count().row(0)
    found = {}
    for name, n_before, n_now in zip(text, before, now, strict=True):
        if n_now > n_before:
            gone = frame[name].filter(after[name].is_null()).drop_nulls()
            found[name] = Counter(dict(gone.value_counts().iter_rows()))
    return after, found


def _votes(scans: Sequence[ColumnScan]) -> Votes:
    numbers = [s.evidence for s in scans if s.evidence is not None and 2 * s.evidence.n_numbers > s.evidence.n_cells]
    return votes_of(numbers, [s.dates for s in scans if s.dates is not None])


def _follow_others(scans: Sequence[ColumnScan]) -> None:
    """Let columns that leave the order of day and month open follow those that do not."""
    settled = Counter(s.days.taken for s in scans if s.days is not None and not s.is_contradicted and s.days.is_certain)
    if len(settled) == 1:
        (order,) = settled
        for scan in scans:
            if scan.days is not None and not scan.is_contradicted and scan.days.follow(order):
                scan.is_contradicted = True
