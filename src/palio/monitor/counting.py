"""Read the log once, and give each row to the window, version and segment that it belongs to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from palio import truth
from palio.core.monitoring import Reference
from palio.core.records import Deployment, Task
from palio.monitor.estimates import Estimator
from palio.monitor.thinning import RowSample
from palio.monitor.timeline import Stretch, joined, place, rows_of, segments_of
from palio.monitor.windows import WindowBuilder

Array = np.ndarray[Any, np.dtype[Any]]
Batch = Mapping[str, Array]
MOST_LABELLED = 100_000
"""Labelled rows of a window that its metrics are computed on; of more, an even sample."""
SAMPLE_ROWS = 5_000
"""Rows of a window that are kept whole, to be held against the reference."""
SEGMENT_WINDOWS = 8
"""Segments are counted in so many of the newest windows."""


class AnswerLog(Protocol):
    """The prediction log of one model; columns as in `docs/reference/predictions.md`."""

    def answers(self, since: dt.datetime, until: dt.datetime) -> Iterable[Batch]:
        """Return answered rows in batches."""

    def failures(self, since: dt.datetime, until: dt.datetime) -> Iterable[Batch]:
        """Return failed requests in batches."""


@dataclass(frozen=True)
class Subject:
    """A version that is watched, as its bundle tells about it."""

    deployment: Deployment
    task: Task
    reference: Reference | None = None
    rows: Mapping[str, Array] | None = field(default=None, repr=False)
    """Rows of the reference, with answers of a fit that had not seen them; None if the bundle has none."""
    estimator: Estimator | None = field(default=None, repr=False)
    """What was learnt from these rows."""


class Cell:
    """One window of one version in one segment; grows batch by batch.

    Args:
        subject: The version.
        stretch: Of time.
        segment: `column = value`; empty is all rows.
        is_whole: Whether some rows are kept with all their columns.
    """

    def __init__(self, subject: Subject, stretch: Stretch, segment: str, *, is_whole: bool) -> None:
        self.subject, self.stretch, self.segment = subject, stretch, segment
        self.builder = WindowBuilder(
            subject.reference,
            model=subject.deployment.model,
            bundle=subject.deployment.bundle,
            version=subject.deployment.version,
            segment=segment,
            since=stretch.since,
            until=stretch.until,
        )
        self.estimator = None if subject.estimator is None else subject.estimator.fresh()
        self.n_rows = self.n_labels = 0
        self._labelled: RowSample | None = None
        self._answered: RowSample | None = None
        self._whole: RowSample | None = None
        self._is_whole = is_whole

    def add(self, batch: Batch, labels: truth.Labels) -> None:
        """Count rows of this cell."""
        n_rows = len(batch["id"])
        self.n_rows += n_rows
        self.builder.add(batch)
        if self.estimator is not None:
            self.estimator.add(batch)
        answered = {name: batch[name] for name in batch if name == "prediction" or name.startswith("probability_")}
        if self._answered is None:
            self._answered = RowSample([*answered, "known"], limit=SAMPLE_ROWS)
            self._labelled = RowSample([*answered, "at", *truth.columns_of(labels)], limit=MOST_LABELLED)
            if self._is_whole:
                self._whole = RowSample([*answered, *_inputs(batch), "key"], limit=SAMPLE_ROWS)
        self._answered.add({**answered, "known": labels.known}, n_rows=n_rows)
        if self._whole is not None:
            self._whole.add({**answered, **{name: batch[name] for name in (*_inputs(batch), "key")}}, n_rows=n_rows)
        known = np.flatnonzero(labels.known)
        if len(known) and self._labelled is not None:
            self.n_labels += len(known)
            columns = {**answered, "at": batch["at"], **truth.columns_of(labels)}
            self._labelled.add({name: values[known] for name, values in columns.items()}, n_rows=len(known))

    def labelled(self) -> dict[str, Array]:
        """Return the rows whose label has come: what was answered, `at`, and the columns of `truth.columns_of`."""
        return {} if self._labelled is None or not self.n_labels else self._labelled.rows()

    def answered(self) -> dict[str, Array]:
        """Return some of the rows: what was answered, and `known`, whether their label has come."""
        return {} if self._answered is None else self._answered.rows()

    def whole(self) -> dict[str, Array]:
        """Return some rows with their inputs and keys."""
        return {} if self._whole is None else self._whole.rows()


@dataclass(frozen=True)
class Counted:
    """All that was counted."""

    stretches: Sequence[Stretch]
    cells: Sequence[Cell]
    """Oldest window first; within one, all rows of each version, then segments."""
    traffic: Sequence[tuple[Stretch, int, int]]
    """Windows of equal length, with requests that were answered and that failed; also those with none."""


def count(
    log: AnswerLog,
    truths: truth.Truths,
    subjects: Sequence[Subject],
    stretches: Sequence[Stretch],
    *,
    min_rows: int,
    segments: Iterable[str] = (),
) -> Counted:
    """Count what was served, in two passes over the log: how many rows there are, then what they hold.

    Args:
        log: Of the model.
        truths: Labels that have come.
        subjects: Versions to watch, the champion first; rows of others are passed over.
        stretches: Windows of one length; those with fewer than `min_rows` rows are joined.
        min_rows: See there.
        segments: Columns whose values are counted on their own.

    Raises:
        InputError: a segment is no category of the champion.
    """
    named = segments_of(subjects[0].reference, segments) if subjects[0].reference else {}
    by_bundle = {one.deployment.bundle: one for one in subjects}
    since, until = stretches[0].since, stretches[-1].until
    traffic = _traffic(log, stretches, by_bundle)
    kept = joined(stretches, [answered + failed for answered, failed in traffic], min_rows)
    told = [(one, *counts) for one, counts in zip(stretches, traffic, strict=True)]
    if not kept:
        return Counted((), (), told)
    truths.meet(log.answers(since, until))
    cells = _Cells(kept, named)
    for batch in log.answers(kept[0].since, until):
        rows = np.flatnonzero(truth.served(batch))
        if len(rows):
            cells.add(batch, rows, truths, by_bundle)
    for batch in log.failures(kept[0].since, until):
        cells.add_failures(batch, subjects[0])
    return Counted(kept, cells.in_order(), told)


def _traffic(log: AnswerLog, stretches: Sequence[Stretch], by_bundle: Mapping[str, Subject]) -> list[tuple[int, int]]:
    """Count answered rows and failed requests of each window."""
    since, until = stretches[0].since, stretches[-1].until
    answered, failed = np.zeros(len(stretches), int), np.zeros(len(stretches), int)
    for batch in log.answers(since, until):
        rows = truth.served(batch) & np.isin(batch["bundle"].astype(str), list(by_bundle))
        places = place(batch["at"][rows], stretches)
        answered += np.bincount(places[places >= 0], minlength=len(stretches))
    for batch in log.failures(since, until):
        places = place(batch["at"][batch["status"] >= 500], stretches)
        failed += np.bincount(places[places >= 0], minlength=len(stretches))
    return list(zip(answered.tolist(), failed.tolist(), strict=True))


class _Cells:
    """The cells that rows have come for."""

    def __init__(self, stretches: Sequence[Stretch], segments: Mapping[str, tuple[str, str]]) -> None:
        self._stretches, self._segments = stretches, segments
        self._cells: dict[tuple[int, str, str], Cell] = {}

    def add(self, batch: Batch, rows: Array, truths: truth.Truths, by_bundle: Mapping[str, Subject]) -> None:
        places = place(batch["at"][rows], self._stretches)
        bundles = batch["bundle"][rows]
        for number in np.unique(places[places >= 0]).tolist():
            for bundle in set(bundles[places == number].tolist()) & set(by_bundle):
                mine = rows[(places == number) & (bundles == bundle)]
                part = batch if len(mine) == len(batch["id"]) else {name: batch[name][mine] for name in batch}
                self._give(number, by_bundle[bundle], part, truths.of(part))

    def _give(self, number: int, subject: Subject, part: Batch, labels: truth.Labels) -> None:
        self._cell(number, subject, "").add(part, labels)
        if number < len(self._stretches) - SEGMENT_WINDOWS:
            return
        for name, segment in self._segments.items():
            rows = rows_of(part, segment)
            if len(rows):
                few = {column: part[column][rows] for column in part}
                self._cell(number, subject, name).add(few, truth.Labels(*(values[rows] for values in labels)))

    def add_failures(self, batch: Batch, champion: Subject) -> None:
        """Count failed requests; one that failed before it was known who answers counts for the champion."""
        places = place(batch["at"], self._stretches)
        for number in np.unique(places[places >= 0]).tolist():
            part = {name: batch[name][places == number] for name in batch}
            self._cell(number, champion, "")
            for (where, _, segment), cell in self._cells.items():
                if where == number and not segment:
                    cell.builder.add_failures(part)

    def _cell(self, number: int, subject: Subject, segment: str) -> Cell:
        key = (number, subject.deployment.bundle, segment)
        if key not in self._cells:
            is_newest = number == len(self._stretches) - 1 and not segment
            self._cells[key] = Cell(subject, self._stretches[number], segment, is_whole=is_newest)
        return self._cells[key]

    def in_order(self) -> list[Cell]:
        return [self._cells[key] for key in sorted(self._cells, key=lambda key: (key[0], key[2], key[1]))]


def _inputs(batch: Batch) -> list[str]:
    return [name for name in batch if name.startswith("input.")]
