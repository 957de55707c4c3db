"""Read the log once, and give each row to the window, version and segment that it belongs to."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from palio import truth
from palio.core.monitoring import Reference, Window
from palio.core.records import Deployment, Task
from palio.measure import log_column, questions
from palio.monitor.chosen import ChosenRows
from palio.monitor.copies import Copies, Marks, Nature
from palio.monitor.different import Different
from palio.monitor.quality.estimates import Estimator
from palio.monitor.so_far import SamePart
from palio.monitor.thinning import RowSample
from palio.monitor.timeline import Stretch, kept_windows, place, rows_of, segments_of
from palio.monitor.windows import WindowBuilder

Array = np.ndarray[Any, np.dtype[Any]]
Batch = Mapping[str, Array]
MOST_LABELLED = 100_000
"""Labelled rows of a window that its metrics are computed on; of more, an even sample."""
ALL_LABELLED = 2_000_000
"""Labelled rows of all windows together; of more than twenty windows fewer rows of each are kept."""
_MOST_WAITING = 131_072
"""Rows that wait in all windows together to be counted."""
SAMPLE_ROWS = 5_000
"""Rows of a window that are kept whole, to be held against the reference."""
ESTIMATED_ROWS = 20_000
"""Rows of a window that quality is estimated from: more make the interval no narrower than calibration does."""
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
        stride: Quality is estimated from every so manieth row.
        is_whole: Whether some rows are kept with all their columns.
        so_far: Whether it is not over while others before it are.
        most_labelled: Rows with a label that are kept.
    """

    def __init__(
        self,
        subject: Subject,
        stretch: Stretch,
        segment: str,
        *,
        stride: int,
        is_whole: bool,
        so_far: bool = False,
        most_labelled: int = MOST_LABELLED,
    ) -> None:
        self.subject, self.stretch, self.segment, self.so_far = subject, stretch, segment, so_far
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
        self.n_rows = self.n_distinct = self.n_labels = 0
        self.same_part: SamePart | None = None
        """What was answered in the same part of windows before it; None unless it is one `so_far`."""
        self._copies_with_truth: Copies | None = None
        self._labelled: RowSample | None = None
        self._answered: RowSample | None = None
        self._whole: RowSample | None = None
        self._is_whole, self._stride, self._most_labelled = is_whole, stride, most_labelled

    def add(self, batch: Batch, labels: truth.Labels, marks: Marks, fresh: Array) -> None:
        """Count rows of this cell.

        Args:
            batch: Columns as in the log.
            labels: Of these rows.
            marks: That tell them apart.
            fresh: Which of them are no copies of earlier ones.
        """
        n_rows, n_fresh = len(batch["at"]), int(np.count_nonzero(fresh))
        judged = batch if n_fresh == n_rows else ChosenRows(batch, np.flatnonzero(fresh))
        first = -self.n_distinct % self._stride
        self.n_rows += n_rows
        self.n_distinct += n_fresh
        self.builder.add(batch, fresh)
        if self.estimator is not None and first < n_fresh:
            few = slice(first, None, self._stride)
            self.estimator.add(judged if self._stride == 1 else ChosenRows(judged, few))
        answered = {name: batch[name] for name in batch if questions.is_answer(name)}
        if self._answered is None:
            self._answered = RowSample([*answered, "known"], limit=SAMPLE_ROWS)
            self._labelled = RowSample([*answered, "at", *truth.columns_of(labels)], limit=self._most_labelled)
            if self._is_whole:
                self._whole = RowSample([*answered, *_inputs(batch), "key"], limit=SAMPLE_ROWS)
        if self._whole is not None:
            whole = {name: judged[name] for name in (*answered, *_inputs(batch), "key")}
            self._whole.add(whole, n_rows=n_fresh)
        known = np.flatnonzero(labels.known)
        if len(known) and self._labelled is not None:
            self.n_labels += len(known)
            if self._copies_with_truth is not None:
                known = known[self._copies_with_truth.fresh(marks.take(known).and_besides(_truths(labels, known)))]
            columns = {**answered, "at": batch["at"], **truth.columns_of(labels)}
            self._labelled.add({name: values[known] for name, values in columns.items()}, n_rows=len(known))
        once = fresh & ~labels.known  # of copies one that waits for its label, and one that has it
        once[known] = True
        told = {**answered, "known": labels.known}
        told = told if once.all() else {name: values[once] for name, values in told.items()}
        self._answered.add(told, n_rows=int(np.count_nonzero(once)))

    def look_for_copies(self, nature: Nature) -> None:
        """Count rows with equal inputs and equal truth once; before any row is added."""
        self._copies_with_truth = nature.watch()

    def labelled(self) -> dict[str, Array]:
        """Return the rows whose label has come, without copies: answers, `at`, and columns of `truth.columns_of`."""
        return {} if self._labelled is None or not self.n_labels else self._labelled.rows()

    def answered(self) -> dict[str, Array]:
        """Return some of the rows without copies: what was answered, and `known`, whether their label has come."""
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
    traffic: Sequence[Window]
    """Windows of equal length with the requests of all versions, also those in which nothing was asked."""
    segments: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Segment → the log's column and the value."""
    rows_of_segments: Mapping[str, Array] = field(default_factory=dict)
    """Segment → its rows in each window of `traffic`, without copies."""
    strangers: Mapping[str, int] = field(default_factory=dict)
    """Bundles that are none of the versions → rows that they answered in these windows."""


def count(
    log: AnswerLog,
    truths: truth.Truths,
    subjects: Sequence[Subject],
    stretches: Sequence[Stretch],
    *,
    length: dt.timedelta,
    min_rows: int,
    segments: Iterable[str] = (),
) -> Counted:
    """Count what was served, in two passes over the log: how many rows there are, then what they hold.

    Args:
        log: Of the model.
        truths: Labels that have come.
        subjects: Versions to watch, the champion first; rows of others are passed over.
        stretches: Windows of one length; those with fewer than `min_rows` rows are joined.
        length: Of a whole window.
        min_rows: See there.
        segments: Columns whose values are counted on their own.

    Raises:
        InputError: a segment is no category of the champion.
    """
    named = segments_of(subjects[0].reference, segments) if subjects[0].reference else {}
    by_bundle = {one.deployment.bundle: one for one in subjects}
    since, until = stretches[0].since, stretches[-1].until
    different = Different(stretches, named)
    traffic = _traffic(log, stretches, subjects[0])
    # a window in which every request was refused is one, too
    n_asked = [one.n_rows + one.n_failed or int(bool(one.violations or one.n_refused)) for one in traffic]
    kept, so_far = kept_windows(stretches, n_asked, min_rows, length=length)
    if not kept:
        return Counted((), (), traffic, named, different.rows_of_segments)
    truths.meet(log.answers(since, until))
    sizes = [sum(one.n_rows for one in traffic if k.since <= one.since < k.until) for k in kept]
    cells = _Cells(kept, sizes, named, champion=subjects[0], so_far=so_far)
    if so_far and subjects[0].reference is not None:
        cells.part = SamePart(subjects[0].reference, *kept[-1], length, n_rows=SAMPLE_ROWS)
    for batch in log.answers(kept[0].since, until):
        answered = ChosenRows(batch)
        rows = np.flatnonzero(truth.served(answered))
        if len(rows):
            different.add(answered, rows, cells.add(answered, rows, truths, by_bundle))
    for batch in log.failures(kept[0].since, until):
        cells.add_failures(batch, subjects[0])
    found, told = cells.in_order(), different.told(traffic)
    return Counted(kept, found, told, named, different.rows_of_segments, cells.strangers)


def _traffic(
    log: AnswerLog,
    stretches: Sequence[Stretch],
    champion: Subject,
) -> list[Window]:
    """Count the requests of each window, whoever answered them."""
    model, version = champion.deployment.model, champion.deployment.version
    builders = [
        WindowBuilder(None, model=model, bundle="", version=version, since=one.since, until=one.until)
        for one in stretches
    ]
    since, until = stretches[0].since, stretches[-1].until
    for batch in log.answers(since, until):
        for builder, rows in _spread(batch, truth.served(batch), stretches, builders):
            builder.add(ChosenRows(batch, rows))
    for batch in log.failures(since, until):
        for builder, rows in _spread(batch, np.ones(len(batch["at"]), bool), stretches, builders):
            builder.add_failures({name: batch[name][rows] for name in ("bundle", "status", "reason")})
    return [builder.finish() for builder in builders]


def _spread(
    batch: Batch, wanted: Array, stretches: Sequence[Stretch], builders: Sequence[WindowBuilder]
) -> Iterator[tuple[WindowBuilder, Array]]:
    """Yield each window's rows of a batch."""
    places = np.where(wanted, place(batch["at"], stretches), -1)
    for number in np.unique(places[places >= 0]).tolist():
        yield builders[number], np.flatnonzero(places == number)


class _Cells:
    """The cells that rows have come for."""

    def __init__(
        self,
        stretches: Sequence[Stretch],
        n_rows: Sequence[int],
        segments: Mapping[str, tuple[str, str]],
        *,
        champion: Subject,
        so_far: bool,
    ) -> None:
        self._champion = champion.deployment.bundle
        self._stretches, self._segments, self._so_far = stretches, segments, so_far
        self.part: SamePart | None = None
        self._natures: dict[str, Nature] = {}
        self._copies: dict[tuple[int, str], Copies] = {}
        self._strides = [max(1, round(number / ESTIMATED_ROWS)) for number in n_rows]
        self._cells: dict[tuple[int, str, str], Cell] = {}
        self.strangers = Counter[str]()

    def add(self, batch: Batch, rows: Array, truths: truth.Truths, by_bundle: Mapping[str, Subject]) -> Array:
        """Count rows; return which of them are no copies, as far as anybody knows what tells them apart."""
        is_fresh = np.ones(len(rows), bool)
        places = place(batch["at"][rows], self._stretches)
        bundles = batch["bundle"][rows]
        self.strangers.update(one for one in bundles[places >= 0].tolist() if one not in by_bundle)
        for number in np.unique(places[places >= 0]).tolist():
            for bundle in set(bundles[places == number].tolist()) & set(by_bundle):
                here = (places == number) & (bundles == bundle)
                mine = rows[here]
                part = batch if len(mine) == len(batch["at"]) else ChosenRows(batch, mine)
                fresh = self._give(number, by_bundle[bundle], part, truths.of(part))
                is_fresh[here] = fresh
                if self.part is not None and bundle == self._champion and number < self._n_over:
                    self.part.add(part, fresh)
        return is_fresh

    @property
    def _n_over(self) -> int:
        return len(self._stretches) - self._so_far

    def _give(self, number: int, subject: Subject, part: Batch, labels: truth.Labels) -> Array:
        nature = self._nature(subject)
        copies = self._copies.setdefault((number, subject.deployment.bundle), nature.watch())
        marks = nature.marks(part, len(part["at"]))
        fresh = copies.fresh(marks)
        self._cell(number, subject, "").add(part, labels, marks, fresh)
        if number >= self._n_over - SEGMENT_WINDOWS:
            self._give_segments(number, subject, part, labels, marks, fresh)
        if sum(cell.builder.n_waiting for cell in self._cells.values()) > _MOST_WAITING:
            max(self._cells.values(), key=lambda cell: cell.builder.n_waiting).builder.settle()
        return fresh

    def _nature(self, subject: Subject) -> Nature:
        bundle = subject.deployment.bundle
        if bundle not in self._natures:
            columns = subject.reference.columns if subject.reference is not None else ()
            told = [one for one in columns if one.role == "feature" and not one.is_moment]
            names = [f"input.{one.source}" for one in told if not one.statistic] + [log_column(one) for one in told]
            self._natures[bundle] = Nature(subject.rows or {}, names)
        return self._natures[bundle]

    def _give_segments(
        self, number: int, subject: Subject, part: Batch, labels: truth.Labels, marks: Marks, fresh: Array
    ) -> None:
        for name, segment in self._segments.items():
            rows = rows_of(part, segment)
            if len(rows):
                some = truth.Labels(*(values[rows] for values in labels))
                self._cell(number, subject, name).add(ChosenRows(part, rows), some, marks.take(rows), fresh[rows])

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
            is_newest = number >= self._n_over - 1 and not segment
            stride = self._strides[number]
            if segment:
                stride = max(1, stride // len(self._segments))
            self._cells[key] = Cell(
                subject,
                self._stretches[number],
                segment,
                stride=stride,
                is_whole=is_newest,
                so_far=number >= self._n_over,
                most_labelled=min(MOST_LABELLED, ALL_LABELLED // len(self._stretches)),
            )
            self._cells[key].look_for_copies(self._nature(subject))
            if number >= self._n_over and not segment and subject.deployment.bundle == self._champion:
                self._cells[key].same_part = self.part
        return self._cells[key]

    def in_order(self) -> list[Cell]:
        return [self._cells[key] for key in sorted(self._cells, key=lambda key: (key[0], key[2], key[1]))]


def _truths(labels: truth.Labels, rows: Array) -> Array:
    """Hash the truths of some rows."""
    numbers = np.ascontiguousarray(labels.number[rows], np.float64).view(np.int64)
    return numbers ^ np.fromiter(map(hash, labels.label[rows].tolist()), np.int64, len(rows))


def _inputs(batch: Batch) -> list[str]:
    return [name for name in batch if name.startswith("input.")]
