"""Join late labels to the rows that were answered, by prediction id, or by row key and time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np

from palio import store
from palio.core.monitoring import TruthCount, Unmet
from palio.truth.names import hashes_of
from palio.truth.straying import sides_of, strays

Array = np.ndarray[Any, np.dtype[Any]]
Batch = Mapping[str, Array]
SERVED = ("champion", "challenger")
"""Roles whose answers went out; a shadow's did not."""


class Labels(NamedTuple):
    """What is known about the rows of a batch, one entry per row."""

    known: Array
    """Whether the label has come."""
    label: Array
    """The class, as text; empty where it has not come or is a number."""
    number: Array
    """The number; NaN where it has not come or is a class."""
    at: Array
    """When it was known (datetime64[us]); NaT where it has not come."""
    received: Array
    """When it was received."""
    values: Array
    """Business figures that came with it, as JSON; empty if none did."""


REASONS: tuple[Unmet, ...] = get_args(Unmet)
N_EXAMPLES = 3
_LONGEST = 80
_NEVER = np.empty(0, np.int64), np.empty(0, np.int64)
LARGEST = 1e100
"""Truths beyond this are none: their squares overflow, and one of them would decide every mean."""


class Truths:
    """All labels that have come, ready to be joined.

    By prediction id the last word holds. By row key a label belongs to the newest answer about that key before the
    label was known, and to older answers of that key which no label of their own came for: so a customer who is asked
    about each month gets each month's label, and one who was asked about twice gets the label twice. A label that was
    known before a row was answered says nothing about it.

    Neither a class nor a number of at most `LARGEST` is no truth, nor are boxes outside of the picture.
    Memory holds 88 bytes a label, and its text.

    Args:
        batches: Feedback, as `store.scan_log(kind="feedback")` yields it.
    """

    def __init__(self, batches: Iterable[Batch]) -> None:
        parts = [{name: batch[name] for name in batch} for batch in batches]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
        if columns:
            usable = _usable(columns)
            if not usable.all():
                columns = {name: values[usable] for name, values in columns.items()}
        identities = columns.get("id", np.empty(0, object))
        by_id = np.array([bool(identity) for identity in identities.tolist()], bool)
        self._by_id = _Shelf(columns, by_id, "id")
        self._by_key = _Shelf(columns, ~by_id, "key")
        self._asked: tuple[Array, Array] | None = None
        self._asked_sides = np.empty((0, 2))
        self._has_boxes = any(str(label).startswith("[{") for label in columns.get("label", ()))
        self.n_labels = len(by_id)

    @classmethod
    def read(
        cls, folder: Path, model: str, *, since: dt.datetime | None = None, before: dt.datetime | None = None
    ) -> Truths:
        """Read the labels of `model` that were received since then and before then."""
        return cls(store.scan_log(folder, model, since=since, until=before, kind="feedback"))

    def meet(self, answers: Iterable[Batch]) -> None:
        """Learn which answers went out and when; needed once before `of` and `account`."""
        if not self.n_labels:
            return
        keys, times, shapes = [], [], []
        for batch in answers:
            sides = sides_of(batch) if self._has_boxes else None
            if len(self._by_id):
                place = self._by_id.last(hashes_of(batch["id"]))
                found = (place >= 0) & served(batch)
                self._by_id.met[place[found]] = True
                if sides is not None:
                    self._by_id.sides[place[found]] = sides[found]
            if not len(self._by_key):
                continue
            hashes = hashes_of(batch["key"])
            found = self._by_key.holds(hashes) & served(batch)
            keys.append(hashes[found])
            times.append(batch["at"][found].astype("datetime64[us]").astype(np.int64))
            shapes.append(np.full((len(hashes), 2), np.nan)[found] if sides is None else sides[found])
        key = np.concatenate(keys) if keys else np.empty(0, np.int64)
        at = np.concatenate(times) if times else np.empty(0, np.int64)
        order = np.lexsort((at, key))
        self._asked = key[order], at[order]
        self._asked_sides = np.concatenate([np.empty((0, 2)), *shapes])[order]

    def account(
        self,
        feedback: Callable[[], Iterable[Batch]],
        *,
        since: dt.datetime | None = None,
        removed_before: dt.datetime | None = None,
    ) -> TruthCount | None:
        """Say what became of the labels, after `meet`; None if none came.

        Args:
            feedback: Yields the same feedback once more, for examples.
            since: Count those that were received from then on, and tell what earlier ones said of the same answers.
            removed_before: Older answers are no longer in the log.
        """
        begin, oldest = (None if one is None else _count(one) for one in (since, removed_before))
        places: dict[Unmet, Array] = {}
        n_received = n_met = n_corrections = 0
        for shelf, (why, older) in (
            (self._by_id, self._by_id.fate_by_id(oldest, begin)),
            (self._by_key, self._by_key.fate_by_key(self._asked or _NEVER, oldest, begin, self._asked_sides)),
        ):
            mine = shelf.received_from(begin)
            again = (why == "") & (older >= 0)
            same = again & shelf.says_the_same(older)
            why[same] = "twice"
            n_corrections += int((again & ~same & mine).sum())
            n_received, n_met = n_received + int(mine.sum()), n_met + int((mine & (why == "")).sum())
            for reason in REASONS:
                found = np.sort(shelf.positions[mine & (why == reason)])
                places[reason] = np.concatenate([places.get(reason, found[:0]), found])
        places = {reason: found for reason, found in places.items() if len(found)}
        return (
            None
            if not n_received
            else TruthCount(
                n_received=n_received,
                n_met=n_met,
                reasons={reason: len(found) for reason, found in places.items()},
                examples=_examples(feedback(), {reason: found[:N_EXAMPLES] for reason, found in places.items()}),
                n_corrections=n_corrections,
            )
        )

    def of(self, batch: Batch) -> Labels:
        """Return what is known about the rows of a batch of answers."""
        has_any = len(self._by_id) > 0  # else the ids need not be decoded
        place = self._by_id.last(hashes_of(batch["id"])) if has_any else np.full(len(batch["at"]), -1)
        shelf = self._by_id.labels(place)
        if self._asked is None or not len(self._by_key) or "key" not in batch:
            return self._inside(shelf, batch)
        hashes = hashes_of(batch["key"])
        at = batch["at"].astype("datetime64[us]").astype(np.int64)
        by_key = self._by_key.labels(self._by_key.after(hashes, at, *self._asked))
        both = Labels(*(np.where(shelf.known, mine, other) for mine, other in zip(shelf, by_key, strict=True)))
        return self._inside(both, batch)

    def _inside(self, labels: Labels, batch: Batch) -> Labels:
        """Take out truths that hold boxes outside of the picture that was answered."""
        sides = sides_of(batch) if self._has_boxes and labels.known.any() else None
        if sides is None:
            return labels
        known = labels.known.copy()
        for row in np.flatnonzero(known & np.isfinite(sides).all(axis=1)).tolist():
            known[row] = not strays(str(labels.label[row]), sides[row])
        return labels._replace(known=known, label=np.where(known, labels.label, ""))


class _Shelf:
    """Labels sorted by the hash of what names their row, then by time."""

    def __init__(self, columns: Mapping[str, Array], mine: Array, name: str) -> None:
        texts = columns[name][mine] if columns else np.empty(0, object)
        hashes = hashes_of(texts)
        at, received = (_microseconds(columns, moment, mine) for moment in ("at", "received"))
        order = np.lexsort((received, at, hashes))
        self.positions = np.flatnonzero(mine)[order]
        """Places in the feedback as it came."""
        self.met = np.zeros(len(order), bool)
        """Whether the name of a label is that of an answer; kept for the last label of each name."""
        self.sides = np.full((len(order), 2), np.nan) if columns else np.empty((0, 2))
        """Width and height of the picture that was answered, as far as the log holds them; kept likewise."""
        self._hashes, self._at, self._received = hashes[order], at[order], received[order]
        self._label = np.array(columns["label"][mine].tolist() if columns else [], object)[order]
        self._number = np.asarray(columns["number"][mine] if columns else [], float)[order]
        self._values = np.array(columns["values"][mine].tolist() if columns else [], object)[order]

    def __len__(self) -> int:
        return len(self._hashes)

    def received_from(self, moment: int | None) -> Array:
        """Say which labels were received from a moment on."""
        return np.ones(len(self), bool) if moment is None else self._received >= moment

    def fate_by_id(self, oldest: int | None, begin: int | None) -> tuple[Array, Array]:
        """Say why each label meets no answer by its id, empty where it does; and which one spoke of it before, or -1.

        Args:
            oldest: Answers before this moment are no longer in the log.
            begin: What was received before this moment spoke before; None: nothing did.
        """
        last = self.last(self._hashes)
        why = np.full(len(self), "", object)
        unknown = ~self.met[last]
        why[unknown] = "unknown_id"
        for row in np.flatnonzero(np.isfinite(self.sides[last]).all(axis=1)).tolist():
            if strays(str(self._label[row]), self.sides[last[row]]):
                why[row] = "outside"
        if oldest is not None:
            why[unknown & (self._at < oldest)] = "after_retention"
        return self._superseded(why, np.zeros(len(self), np.int64), begin)

    def fate_by_key(
        self, when: tuple[Array, Array], oldest: int | None, begin: int | None, sides: Array
    ) -> tuple[Array, Array]:
        """Say the same of labels by key.

        Args:
            when: Keys of the answers as hashes, sorted, and when they were given, sorted within a key.
            oldest: As above.
            begin: As above.
            sides: Width and height of the pictures of these answers; NaN: not known.
        """
        asked, asked_at = when
        why = np.full(len(self), "", object)
        first, end = np.searchsorted(asked, self._hashes, "left"), np.searchsorted(asked, self._hashes, "right")
        why[first == end] = "unknown_key"
        newest = np.full(len(self), -1)  # the newest answer about the key before the label was known
        for row in np.flatnonzero(first < end).tolist():
            low, high = first[row], end[row]
            newest[row] = low + int(np.searchsorted(asked_at[low:high], self._at[row], "right")) - 1
            if newest[row] < low:
                why[row] = "before_answer"
            elif strays(str(self._label[row]), sides[newest[row]]):
                why[row] = "outside"
        if oldest is not None:
            why[(why != "") & (self._at < oldest)] = "after_retention"
        return self._superseded(why, newest, begin)

    def _superseded(self, why: Array, about: Array, begin: int | None) -> tuple[Array, Array]:
        """Tell labels that a later one of the same answer repeats or corrects."""
        same_answer = (self._hashes[1:] == self._hashes[:-1]) & (about[1:] == about[:-1])
        answer = np.append(np.zeros(min(1, len(self)), np.int64), np.cumsum(~same_answer))
        spoke = np.zeros(len(self), bool) if begin is None else self._received < begin
        older = np.maximum.accumulate(np.where(spoke, np.arange(len(self)), -1))
        older = np.where((older >= 0) & (answer[older] == answer), older, -1)
        is_old = np.append(same_answer, np.zeros(min(1, len(self)), bool)) & (why == "")
        follower = np.minimum(np.arange(len(self)) + 1, len(self) - 1)
        why[is_old] = np.where(self.says_the_same(follower)[is_old], "twice", "corrected")
        return why, older

    def says_the_same(self, others: Array) -> Array:
        """Say which labels are equal to those at other places."""
        numbers = (self._number == self._number[others]) | (np.isnan(self._number) & np.isnan(self._number[others]))
        return np.asarray(numbers & (self._label == self._label[others]), bool)

    def holds(self, hashes: Array) -> Array:
        """Say which names have a label."""
        return np.asarray(self.last(hashes) >= 0, bool)

    def last(self, hashes: Array) -> Array:
        """Return the place of the last label of each name; -1 where there is none."""
        place = np.searchsorted(self._hashes, hashes, side="right") - 1
        if not len(self):
            return np.full(len(hashes), -1)
        return np.where((place >= 0) & (self._hashes[place] == hashes), place, -1)

    def after(self, hashes: Array, at: Array, asked: Array, asked_at: Array) -> Array:
        """Return the place of the label that each name has for an answer at a moment; -1 where there is none."""
        low = np.searchsorted(self._hashes, hashes, "left")
        high = np.searchsorted(self._hashes, hashes, "right")
        if not len(self):
            return low - 1
        # Most keys have one label: no search is needed for them.
        found = np.where((high - low == 1) & (self._at[np.minimum(low, len(self) - 1)] >= at), low, -1)
        for row in np.flatnonzero(high - low > 1).tolist():
            found[row] = self._among(int(low[row]), int(high[row]), hashes[row], at[row], asked, asked_at)
        return found

    def _among(self, low: int, high: int, name: Any, moment: Any, asked: Array, asked_at: Array) -> int:
        """Choose among the labels of one name: the last one before the next answer about it; -1 if all are older."""
        first = low + int(np.searchsorted(self._at[low:high], moment, "left"))
        if first == high:
            return -1
        begin, end = np.searchsorted(asked, name, "left"), np.searchsorted(asked, name, "right")
        later = begin + int(np.searchsorted(asked_at[begin:end], self._at[first], "right"))
        until = high if later == end else low + int(np.searchsorted(self._at[low:high], asked_at[later], "left"))
        return max(first, until - 1)

    def labels(self, place: Array) -> Labels:
        """Take the labels at some places."""
        known = place >= 0
        if not len(self):
            texts, nothing = np.full(len(place), "", object), np.full(len(place), np.datetime64("NaT", "us"))
            return Labels(known, texts, np.full(len(place), np.nan), nothing, nothing, texts)
        at, received = (
            np.where(known, times[place], np.iinfo(np.int64).min).astype("datetime64[us]")
            for times in (self._at, self._received)
        )
        label, values = (np.where(known, texts[place], "") for texts in (self._label, self._values))
        return Labels(known, label, np.where(known, self._number[place], np.nan), at, received, values)


def served(batch: Batch) -> Array:
    """Say which rows of a batch were answers that went out."""
    role = batch["role"]
    return np.asarray((role == SERVED[0]) | (role == SERVED[1]), bool)


def labelled(
    folder: Path,
    model: str,
    *,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    received_before: dt.datetime | None = None,
) -> Iterator[dict[str, Array]]:
    """Yield the answered rows whose label has come, in batches: the columns of the log and those of the label.

    Added are `truth` (text), `truth_number`, `truth_at`, `truth_received` and `truth_values`. Memory holds the labels
    and one batch.

    Args:
        folder: Root of the prediction log.
        model: Whose answers.
        since: Answered from then on.
        until: Answered before then.
        received_before: Labels received before then.
    """
    truths = Truths.read(folder, model, since=since, before=received_before)
    if not truths.n_labels:
        return
    truths.meet(store.scan_log(folder, model, since=since))
    for batch in store.scan_log(folder, model, since=since, until=until):
        labels = truths.of(batch)
        rows = np.flatnonzero(labels.known & served(batch))
        if len(rows):
            joined = {name: batch[name][rows] for name in batch}
            yield joined | {name: values[rows] for name, values in columns_of(labels).items()}


def columns_of(labels: Labels) -> dict[str, Array]:
    """Name the columns of joined labels."""
    return {
        "truth": labels.label,
        "truth_number": labels.number,
        "truth_at": labels.at,
        "truth_received": labels.received,
        "truth_values": labels.values,
    }


def _examples(feedback: Iterable[Batch], places: Mapping[Unmet, Array]) -> dict[Unmet, tuple[str, ...]]:
    """Read what names some labels: the id, or else the key."""
    wanted = {int(place): "" for found in places.values() for place in found}
    first = 0
    for batch in feedback if wanted else ():
        usable = _usable(batch)
        ids, keys = (batch[name][usable].tolist() for name in ("id", "key"))
        for place in wanted:
            if first <= place < first + len(ids):
                wanted[place] = str(ids[place - first] or keys[place - first])[:_LONGEST]
        first += len(ids)
    return {reason: tuple(wanted[int(place)] for place in found) for reason, found in places.items()}


def _usable(columns: Mapping[str, Array]) -> Array:
    """Say which feedback is a truth: a class, or a number that can be reckoned with."""
    with_number = np.abs(np.asarray(columns["number"], float)) <= LARGEST
    return np.asarray(with_number | np.array([bool(label) for label in columns["label"].tolist()], bool), bool)


def _count(moment: dt.datetime) -> int:
    return int(np.datetime64(moment.astimezone(dt.UTC).replace(tzinfo=None), "us").astype(np.int64))


def _microseconds(columns: Mapping[str, Array], name: str, rows: Array) -> Array:
    if not columns:
        return np.empty(0, np.int64)
    return columns[name][rows].astype("datetime64[us]").astype(np.int64)
