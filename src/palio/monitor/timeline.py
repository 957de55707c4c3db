"""Cut time into windows that hold enough rows, and rows into segments."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from palio.core.errors import InputError, did_you_mean
from palio.core.monitoring import Reference

Array = np.ndarray[Any, np.dtype[Any]]
MOST_WINDOWS = 400
"""A time line with more points than this is no longer read by anybody."""
MOST_VALUES = 8
"""Segments that are watched per column: its most frequent values."""
_MICROSECOND = dt.timedelta(microseconds=1)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MONDAY = dt.datetime(1970, 1, 5, tzinfo=dt.UTC)
_WEEK = dt.timedelta(days=7)


class Stretch(NamedTuple):
    """A stretch of time; `until` is not part of it."""

    since: dt.datetime
    until: dt.datetime


def grid(since: dt.datetime, now: dt.datetime, length: dt.timedelta) -> list[Stretch]:
    """Cut time into windows that begin at midnight, at full hours, weeks on Mondays; the last one is cut off by now.

    Raises:
        InputError: there would be too many, or none.

    Example:
        >>> day = dt.datetime(2026, 5, 4, 9, 30, tzinfo=dt.UTC)
        >>> [str(one.since.time()) for one in grid(day, day + dt.timedelta(hours=1), dt.timedelta(minutes=30))]
        ['09:30:00', '10:00:00']
    """
    if since >= now:
        raise InputError(
            f"monitor: nothing was answered since {since:%Y-%m-%d %H:%M} UTC: that moment is still to come",
            hint="look back to a moment that has passed",
        )
    start = _MONDAY if not length % _WEEK else _EPOCH
    first = start + (since - start) // length * length
    number = -((first - now) // length)
    if number > MOST_WINDOWS:
        raise InputError(
            f"monitor: {number:,} windows between then and now, at most {MOST_WINDOWS} are allowed",
            hint="make the windows longer, or the history shorter",
        )
    edges = [first + length * turn for turn in range(number)] + [now]
    return [Stretch(*pair) for pair in itertools.pairwise(edges) if pair[1] > pair[0]]


def cut_by_now(stretches: Sequence[Stretch], length: dt.timedelta) -> bool:
    """Say whether the last window is not over."""
    return bool(stretches) and stretches[-1].until - stretches[-1].since < length


def kept_windows(
    stretches: Sequence[Stretch], n_rows: Sequence[int], least: int, *, length: dt.timedelta
) -> tuple[list[Stretch], bool]:
    """Join windows that hold too few rows, and say whether the last one is only what came of it so far.

    The rows of a window that is not over stay by themselves once others are over; until then they are all there is.

    Example:
        >>> at = dt.datetime(2026, 5, 4, tzinfo=dt.UTC)
        >>> noon = at + dt.timedelta(days=1.5)
        >>> days = [Stretch(at, at + dt.timedelta(days=1)), Stretch(at + dt.timedelta(days=1), noon)]
        >>> [len(kept_windows(days, rows, 60, length=dt.timedelta(days=1))[0]) for rows in ([90, 20], [30, 20])]
        [2, 1]
    """
    if not cut_by_now(stretches, length) or sum(n_rows[:-1]) < least:
        return joined(stretches, n_rows, least), False
    over = joined(stretches[:-1], n_rows[:-1], least)
    return ([*over, stretches[-1]], True) if n_rows[-1] else (over, False)


def joined(stretches: Sequence[Stretch], n_rows: Sequence[int], least: int) -> list[Stretch]:
    """Join windows that hold too few rows with the ones before them, and leave out those without any rows.

    The newest rows never wait for a window to fill: what stands at the end joins backwards.

    Example:
        >>> days = [dt.datetime(2026, 5, day, tzinfo=dt.UTC) for day in range(1, 6)]
        >>> week = [Stretch(*pair) for pair in itertools.pairwise(days)]
        >>> [one.since.day for one in joined(week, [90, 20, 0, 70], 60)]
        [1, 4]
    """
    found: list[Stretch] = []
    end, waiting, first = None, 0, stretches[0].since if stretches else None
    for stretch, number in zip(reversed(stretches), reversed(n_rows), strict=True):
        if not number and not waiting:
            continue
        end, waiting = end or stretch.until, waiting + number
        first = stretch.since if number else first  # before the oldest rows there was nothing to be judged
        if waiting >= least:
            found.append(Stretch(stretch.since, end))
            end, waiting = None, 0
    if end is not None and first is not None:  # the oldest rows are too few to be a window of their own
        oldest = found.pop() if found else None
        found.append(Stretch(first, oldest.until if oldest else end))
    return found[::-1]


def place(at: Array, stretches: Sequence[Stretch]) -> Array:
    """Return the number of the window that each moment lies in; -1 where there is none."""
    times = at.astype("datetime64[us]").astype(np.int64)
    begins = np.array([(one.since - _EPOCH) // _MICROSECOND for one in stretches], np.int64)
    ends = np.array([(one.until - _EPOCH) // _MICROSECOND for one in stretches], np.int64)
    found = np.searchsorted(begins, times, side="right") - 1
    return np.where((found >= 0) & (times < ends[np.maximum(found, 0)]), found, -1) if len(begins) else found


def segments_of(reference: Reference | None, columns: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Name the segments that are watched: `column = value` → the log's column and the value.

    Raises:
        InputError: the model has no such column, or it is no category.
    """
    found: dict[str, tuple[str, str]] = {}
    known = {one.name: one for one in reference.columns if one.role == "feature"} if reference else {}
    for name in columns:
        column = known.get(name)
        if column is None:
            raise InputError(f"[monitor] segments: the model has no column `{name}`", hint=did_you_mean(name, known))
        if column.kind != "category" or not column.values:
            raise InputError(
                f"[monitor] segments: `{name}` is a {column.kind}, not a category",
                hint="name columns with few values, such as a region",
            )
        for value in column.values[:MOST_VALUES]:
            found[f"{name} = {value}"] = (f"input.{name}", value)
    return found


def rows_of(batch: Mapping[str, Array], segment: tuple[str, str]) -> Array:
    """Return the places of the rows that belong to a segment; none if the column was not logged."""
    column, value = segment
    if column not in batch:
        return np.empty(0, np.int64)
    return np.flatnonzero(batch[column] == value)
