"""Hold a window that is not over against the same part of the windows before it: the night against nights."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from palio.core.monitoring import ColumnDrift, Reference
from palio.monitor.chosen import ChosenRows
from palio.monitor.thinning import RowSample
from palio.monitor.timeline import Stretch
from palio.monitor.windows import WindowBuilder

Array = np.ndarray[Any, np.dtype[Any]]
MOST_EARLIER = 28
"""Windows before the newest one that are compared with, at most."""
_MICROSECOND = dt.timedelta(microseconds=1)


class SamePart:
    """What was answered in the same part of earlier windows.

    Args:
        reference: Of the version that answers: the bins to count into.
        begin: Of the window that is not over.
        now: Its end so far.
        length: Of a whole window.
        n_rows: Rows that are kept whole.
    """

    def __init__(
        self, reference: Reference, begin: dt.datetime, now: dt.datetime, length: dt.timedelta, *, n_rows: int
    ) -> None:
        self._reference = reference
        self._begin = np.datetime64(begin.replace(tzinfo=None), "us").astype(np.int64)
        self._length, self._part = length // _MICROSECOND, (now - begin) // _MICROSECOND
        self._window = Stretch(begin, now)
        self._builders: dict[int, WindowBuilder] = {}
        self._limit = n_rows
        self._whole: RowSample | None = None

    def add(self, batch: Mapping[str, Array], fresh: Array) -> None:
        """Look at rows of earlier windows, of this version; copies (not `fresh`) are passed over."""
        away = batch["at"].astype("datetime64[us]").astype(np.int64) - self._begin
        number, into = away // self._length, away % self._length
        mine = fresh & (into < self._part) & (number < 0) & (number >= -MOST_EARLIER)
        for one in np.unique(number[mine]).tolist():
            rows = np.flatnonzero(mine & (number == one))
            self._builder(one).add(ChosenRows(batch, rows))
        if mine.any():
            cells = {name: batch[name] for name in batch if name.startswith("input.")}
            if self._whole is None:
                self._whole = RowSample(cells, limit=self._limit)
            rows = np.flatnonzero(mine)
            self._whole.add({name: values[rows] for name, values in cells.items()}, n_rows=len(rows))

    def _builder(self, number: int) -> WindowBuilder:
        if number not in self._builders:
            since, until = self._window
            self._builders[number] = WindowBuilder(
                self._reference, model="", bundle="", version=0, since=since, until=until
            )
        return self._builders[number]

    def reference(self, *, min_rows: int) -> Reference | None:
        """Describe what was usual in this part; None if too few rows were answered in it."""
        windows = [self._builders[number].finish() for number in sorted(self._builders)]
        if sum(one.n_judged for one in windows) < min_rows:
            return None
        counts: dict[str, list[tuple[int, ...]]] = {}
        for window in windows:
            for column in window.columns:
                counts.setdefault(column.name, []).append(column.counts)
        return msgspec.structs.replace(
            self._reference,
            in_time_order=True,
            columns=tuple(
                msgspec.structs.replace(
                    one,
                    counts=tuple(np.sum(counts[one.name], axis=0).tolist()),
                    blocks=tuple(counts[one.name]) if len(counts[one.name]) > 1 else (),
                    own=(),
                )
                for one in self._reference.columns
                if one.name in counts
            ),
        )

    def rows(self) -> dict[str, Array]:
        """Return some of the rows, whole."""
        return {} if self._whole is None else self._whole.rows()


def still_moved(drifts: Sequence[ColumnDrift], usual: Iterable[ColumnDrift]) -> tuple[ColumnDrift, ...]:
    """Keep a drift only if the column is also away from what is usual in this part of a window."""
    away = {one.column for one in usual if one.drifted}
    return tuple(msgspec.structs.replace(one, drifted=one.drifted and one.column in away) for one in drifts)
