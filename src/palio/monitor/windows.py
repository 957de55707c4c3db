"""Count what was served into a window, in constant memory, and add windows up."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from palio.core.errors import InputError
from palio.core.monitoring import ColumnCounts, Reference, Window
from palio.measure import LATENCY_EDGES, add_counts, bin_latencies, count_rows, log_column
from palio.monitor.thinning import RowSample

Array = np.ndarray[Any, np.dtype[Any]]
LEVELS = tuple(np.linspace(0.01, 0.99, 50).tolist())
"""Of the quantiles that a window keeps of a number, beside its counts."""
_QUANTILE_ROWS = 4_096
_AT_ONCE = 32_768
"""Rows of small batches that are counted together."""
_MOST_REASONS = 50
_WRONG = frozenset({400, 413, 415, 422})
"""Statuses of a request that was refused as wrong; which of them a broken row gets is up to the route."""
_OTHER = "other"


class WindowBuilder:
    """Count rows of the prediction log batch by batch; see `Window`.

    Holds counts, a sample of some thousand rows and at most some ten thousand rows that wait to be counted.

    Args:
        reference: Of the bundle, whose bins are counted into; None counts requests only.
        model: Name of the model.
        bundle: Rows of other bundles are passed over; empty counts all.
        version: Of the bundle.
        segment: Name of the segment that the rows belong to; empty is all.
        since: Begin of the window; the rows given are taken to lie in it.
        until: End, not part of it.
    """

    def __init__(
        self,
        reference: Reference | None,
        *,
        model: str,
        bundle: str,
        version: int,
        segment: str = "",
        since: dt.datetime,
        until: dt.datetime,
    ) -> None:
        self._window = Window(model=model, bundle=bundle, version=version, segment=segment, since=since, until=until)
        self._columns = reference.columns if reference else ()
        self._needed = sorted({log_column(column) for column in self._columns})
        numbers = {log_column(c) for c in self._columns if c.kind == "number" and not c.statistic}
        self._sample = RowSample(sorted(numbers), limit=_QUANTILE_ROWS)
        self._waiting: dict[tuple[str, ...], list[Mapping[str, Array]]] = {}
        self._n_waiting = 0
        self._counts: dict[str, ColumnCounts] = {}
        self._n_rows = self._n_distinct = self._n_requests = self._n_failed = self._n_refused = 0
        self._latencies = np.zeros(len(LATENCY_EDGES) - 1, np.int64)
        self._busy_s = 0.0
        self._flags: Counter[str] = Counter()
        self._violations: Counter[str] = Counter()

    def add(self, batch: Mapping[str, Array], fresh: Array | None = None) -> None:
        """Count a batch of answers; columns that the reference does not know are not looked at.

        Args:
            batch: Columns as in the log.
            fresh: Which rows are no copies of others: only their cells and flags are counted. None: all.
        """
        bundles = batch["bundle"]
        rows = bundles == self._window.bundle if self._window.bundle else np.ones(len(bundles), bool)
        n_rows = int(np.count_nonzero(rows))
        if not n_rows:
            return
        chosen: slice | Array = slice(None) if n_rows == len(rows) else np.flatnonzero(rows)
        self._n_rows += n_rows
        self._add_requests(batch, chosen)
        if fresh is not None and not fresh.all():
            chosen = np.flatnonzero(rows & fresh)
            n_rows = len(chosen)
        self._n_distinct += n_rows
        if self._columns and "flags" in batch:
            flags = batch["flags"][chosen]
            self._flags.update(
                flag for lines in flags[flags != ""].tolist() if lines for flag in set(lines.split("\n"))
            )
        cells = {name: batch[name][chosen] for name in self._needed if name in batch}
        if cells:
            self._sample.add(cells, n_rows=n_rows)
            self._waiting.setdefault(tuple(cells), []).append(cells)
            self._n_waiting += n_rows
            if self._n_waiting >= _AT_ONCE:
                self.settle()

    def _add_requests(self, batch: Mapping[str, Array], chosen: slice | Array) -> None:
        """Count requests by their first rows, which carry the latency of the whole request."""
        first = np.ones(len(batch["bundle"][chosen]), bool)
        several = np.flatnonzero(batch["n_rows"][chosen] != 1) if "n_rows" in batch else np.arange(len(first))
        if len(several):
            first[several] = [name.endswith(".0") for name in batch["id"][chosen][several].tolist()]
        self._n_requests += int(first.sum())
        if "latency_us" in batch:
            seconds = np.asarray(batch["latency_us"][chosen][first], float) / 1e6
            self._latencies += bin_latencies(seconds)
            self._busy_s += float(seconds.sum())

    def add_failures(self, batch: Mapping[str, Array]) -> None:
        """Count a batch of failed requests: of this bundle, or of none because they failed before that was known."""
        for bundle, status, reason in zip(
            batch["bundle"].tolist(), batch["status"].tolist(), batch["reason"].tolist(), strict=True
        ):
            if self._window.bundle and bundle not in (self._window.bundle, ""):
                continue
            if status in (429, 503):
                self._n_refused += 1
            elif status >= 500:
                self._n_failed += 1
            elif status in _WRONG:
                known = reason in self._violations or len(self._violations) < _MOST_REASONS
                self._violations[reason if known else _OTHER] += 1

    @property
    def n_waiting(self) -> int:
        """Rows that wait to be counted."""
        return self._n_waiting

    def settle(self) -> None:
        """Count the rows that wait."""
        for names, parts in self._waiting.items():
            together = (
                parts[0] if len(parts) == 1 else {name: np.concatenate([p[name] for p in parts]) for name in names}
            )
            for counted in count_rows(self._columns, together):
                before = self._counts.get(counted.name)
                self._counts[counted.name] = add_counts(before, counted) if before else counted
        self._waiting, self._n_waiting = {}, 0

    def finish(self) -> Window:
        """Return the window; more may be added after that."""
        self.settle()
        sample = self._sample.rows()
        columns = []
        for column in self._columns:
            if column.name in self._counts:
                values = None if column.statistic else sample.get(log_column(column))
                quantiles = _quantiles(values) if column.kind == "number" and values is not None else ()
                columns.append(msgspec.structs.replace(self._counts[column.name], quantiles=quantiles))
        return msgspec.structs.replace(
            self._window,
            n_rows=self._n_rows,
            n_distinct=self._n_distinct,
            n_requests=self._n_requests,
            n_failed=self._n_failed,
            n_refused=self._n_refused,
            latencies=tuple(self._latencies.tolist()),
            busy_s=self._busy_s,
            columns=tuple(columns),
            flags=dict(self._flags),
            violations=dict(self._violations),
        )


def merge(windows: Sequence[Window]) -> Window:
    """Add up windows of one bundle and segment: replicas, or hours of a day. Quantiles become approximate.

    Raises:
        InputError: no window, or windows of different bundles or segments.
    """
    if not windows or len({(one.model, one.bundle, one.segment) for one in windows}) > 1:
        raise InputError(
            f"merge: {len(windows)} windows that do not belong together",
            hint="merge windows of one model, bundle and segment",
        )
    columns: dict[str, list[ColumnCounts]] = {}
    flags, violations = Counter[str](), Counter[str]()
    for window in windows:
        flags.update(window.flags)
        violations.update(window.violations)
        for column in window.columns:
            columns.setdefault(column.name, []).append(column)
    return msgspec.structs.replace(
        windows[0],
        since=min(one.since for one in windows),
        until=max(one.until for one in windows),
        n_rows=sum(one.n_rows for one in windows),
        n_distinct=sum(one.n_rows if one.n_distinct is None else one.n_distinct for one in windows),
        n_requests=sum(one.n_requests for one in windows),
        n_failed=sum(one.n_failed for one in windows),
        n_refused=sum(one.n_refused for one in windows),
        latencies=tuple(np.sum([one.latencies for one in windows if one.latencies], axis=0, dtype=int).tolist())
        if any(one.latencies for one in windows)
        else (),
        busy_s=sum(one.busy_s for one in windows),
        columns=tuple(_merged(parts) for parts in columns.values()),
        flags=dict(flags),
        violations=dict(violations),
    )


def _merged(parts: list[ColumnCounts]) -> ColumnCounts:
    total = parts[0]
    for part in parts[1:]:
        total = add_counts(total, part)
    held = [part for part in parts if part.quantiles]
    if not held:
        return total
    values = np.concatenate([part.quantiles for part in held])
    weights = np.concatenate([np.full(len(p.quantiles), max(sum(p.counts[:-1]), 1) / len(p.quantiles)) for p in held])
    order = np.argsort(values, kind="stable")
    reached = (np.cumsum(weights[order]) - weights[order] / 2) / weights.sum()
    quantiles = np.interp(LEVELS, reached, values[order])
    return msgspec.structs.replace(total, quantiles=tuple(quantiles.tolist()))


def _quantiles(values: Array) -> tuple[float, ...]:
    if values.dtype.kind not in "fiub" or values.ndim != 1:
        return ()
    known = values[np.isfinite(values)]
    return tuple(np.quantile(known, LEVELS).tolist()) if len(known) else ()
