"""Join late labels to the rows that were answered, by prediction id, or by row key and time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from palio import store

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


LARGEST = 1e100
"""Truths beyond this are none: their squares overflow, and one of them would decide every mean."""


class Truths:
    """All labels that have come, ready to be joined.

    By prediction id the last word holds. By row key a label belongs to the newest answer about that key before the
    label was known, and to older answers of that key which no label of their own came for: so a customer who is asked
    about each month gets each month's label, and one who was asked about twice gets the label twice. A label that was
    known before a row was answered says nothing about it.

    Neither a class nor a number of at most `LARGEST` is no truth. Memory holds 56 bytes a label, and its text.

    Args:
        batches: Feedback, as `store.scan_log(kind="feedback")` yields it.
    """

    def __init__(self, batches: Iterable[Batch]) -> None:
        parts = [{name: batch[name] for name in batch} for batch in batches]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
        if columns:
            with_number = np.abs(np.asarray(columns["number"], float)) <= LARGEST
            usable = with_number | np.array([bool(label) for label in columns["label"].tolist()], bool)
            if not usable.all():
                columns = {name: values[usable] for name, values in columns.items()}
        identities = columns.get("id", np.empty(0, object))
        by_id = np.array([bool(identity) for identity in identities.tolist()], bool)
        self._by_id = _Shelf(columns, by_id, "id")
        self._by_key = _Shelf(columns, ~by_id, "key")
        self._asked: tuple[Array, Array] | None = None
        self.n_labels = len(by_id)

    @classmethod
    def read(
        cls, folder: Path, model: str, *, since: dt.datetime | None = None, before: dt.datetime | None = None
    ) -> Truths:
        """Read the labels of `model` that were received since then and before then."""
        return cls(store.scan_log(folder, model, since=since, until=before, kind="feedback"))

    def meet(self, answers: Iterable[Batch]) -> None:
        """Learn when each row key was asked about; needed once before `of`, for labels that came by key."""
        if not len(self._by_key):
            return
        keys, times = [], []
        for batch in answers:
            hashes = _hashes(batch["key"])
            found = self._by_key.holds(hashes) & served(batch)
            keys.append(hashes[found])
            times.append(batch["at"][found].astype("datetime64[us]").astype(np.int64))
        key = np.concatenate(keys) if keys else np.empty(0, np.int64)
        at = np.concatenate(times) if times else np.empty(0, np.int64)
        order = np.lexsort((at, key))
        self._asked = key[order], at[order]

    def of(self, batch: Batch) -> Labels:
        """Return what is known about the rows of a batch of answers."""
        has_any = len(self._by_id) > 0  # else the ids need not be decoded
        place = self._by_id.last(_hashes(batch["id"])) if has_any else np.full(len(batch["at"]), -1)
        shelf = self._by_id.labels(place)
        if self._asked is None or "key" not in batch:
            return shelf
        hashes = _hashes(batch["key"])
        at = batch["at"].astype("datetime64[us]").astype(np.int64)
        by_key = self._by_key.labels(self._by_key.after(hashes, at, *self._asked))
        return Labels(*(np.where(shelf.known, mine, other) for mine, other in zip(shelf, by_key, strict=True)))


class _Shelf:
    """Labels sorted by the hash of what names their row, then by time."""

    def __init__(self, columns: Mapping[str, Array], mine: Array, name: str) -> None:
        texts = columns[name][mine] if columns else np.empty(0, object)
        hashes = _hashes(texts)
        at, received = (_microseconds(columns, moment, mine) for moment in ("at", "received"))
        order = np.lexsort((received, at, hashes))
        self._hashes, self._at, self._received = hashes[order], at[order], received[order]
        self._label = np.array(columns["label"][mine].tolist() if columns else [], object)[order]
        self._number = np.asarray(columns["number"][mine] if columns else [], float)[order]
        self._values = np.array(columns["values"][mine].tolist() if columns else [], object)[order]

    def __len__(self) -> int:
        return len(self._hashes)

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


def _hashes(texts: Array) -> Array:
    """Hash texts to 64 bits: of ten million, two meet by chance once in 300,000 times."""
    return np.fromiter(map(hash, texts.tolist()), np.int64, len(texts))


def _microseconds(columns: Mapping[str, Array], name: str, rows: Array) -> Array:
    if not columns:
        return np.empty(0, np.int64)
    return columns[name][rows].astype("datetime64[us]").astype(np.int64)
