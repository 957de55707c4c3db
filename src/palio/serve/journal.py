"""Keep the prediction log beside the requests: they add an entry and go on; a thread writes many at once."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import threading
import time
import zlib
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from palio import store
from palio.core.config import LogTable
from palio.core.errors import PalioError, UnavailableError
from palio.serve.describing import Describer
from palio.serve.journal_columns import Entry, Recorder, Variant
from palio.serve.journal_origin import Origin

if TYPE_CHECKING:
    from prometheus_client import Metric

log = logging.getLogger("palio.serve")

BUFFER_BYTES = 64 * 2**20
"""Of bodies whose arrays wait in the buffer."""
CHUNK_ROWS = 512
"""Rows that are turned into one batch: about a millisecond in which no request is answered."""
BREATH_S = 0.0002
RETRY_S = 1.0
"""After an error of the disk entries are kept, and written again this much later."""
MAX_RECORDERS = 64
BURST_S, WAITED_BURST_S = 3.0, 0.1
"""Seconds of computing that descriptions of pictures may take at once; fewer where answers wait for the log."""
LOOK_S = 0.5
"""Between two looks whether the log is still where it was."""
TIDY_AFTER_S = 5.0
TIDY_EVERY_S = 600.0


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """How much was logged, in rows (a failure counts as one)."""

    added: int
    written: int
    dropped: int
    """Not logged because the buffer was full."""
    lost: int
    """Not logged because they could not be written."""
    vanished: int
    """Logged, but others removed, moved or emptied their segment while it was written."""
    commits: int
    waiting: int


class Journal:
    """The prediction log of one worker process.

    `add` is for the event loop's thread. What it takes is bounded: when the buffer is full entries are dropped and
    counted, and under `durability = "fsync"` refused.

    Args:
        folder: Root of the log.
        model: Name of the model that is served; failures that concern no version are logged under it.
        options: The table `[log]`.
    """

    def __init__(self, folder: Path, model: str, options: LogTable | None = None) -> None:
        self.folder, self.model = folder, model
        self.options = options = options or LogTable()
        self._waits = options.durability == "fsync"
        self._is_off = options.durability == "off"
        self._buffer_rows = options.buffer_rows
        self._salt = options.salt
        self._redaction: store.Redaction | None = None
        self._log = store.PredictionLog(folder, segment_bytes=int(options.segment_mb * 2**20), is_strict=self._waits)
        self._kept = store.KeptPictures(folder, most_bytes=int(options.pictures_mb * 2**20))
        self._describer = Describer(burst_s=WAITED_BURST_S if self._waits else BURST_S)
        self._recorders: dict[tuple[int, str], tuple[Origin | None, Recorder]] = {}
        self._buffer: deque[Entry] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake, self._stop = threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []
        self._turn = threading.Lock()
        self._added = self._added_bytes = self._dropped = 0  # written by the thread that adds
        self._taken = self._taken_bytes = self._written = self._lost = self._commits = 0  # by the one that writes
        self._retry_at_s, self._vanished = 0.0, 0
        self._trouble = self._place = self._note = ""

    # ── beside a request ────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def is_awaited(self) -> bool:
        """Whether answers wait until they are logged."""
        return self._waits

    def add(self, entry: Entry) -> asyncio.Future[bool] | None:
        """Log one request, some time soon.

        Returns:
            Under `durability = "fsync"` a future: True once the entry would survive a loss of power, False if it could
            not be logged (then the request must be refused with 503). Else None.
        """
        if self._is_off:
            return None
        n_rows = _n_rows(entry)
        if self._added - self._taken + n_rows > self._buffer_rows or (
            self._added_bytes - self._taken_bytes + entry.size_bytes > BUFFER_BYTES and not entry.lighten()
        ):
            self._dropped += n_rows
            return self._refusal() if self._waits else None
        self._added += n_rows
        self._added_bytes += entry.size_bytes
        if self._waits:
            entry.waiter = self._future()
            self._buffer.append(entry)
            self._wake.set()
            return entry.waiter
        self._buffer.append(entry)
        return None

    def _future(self) -> asyncio.Future[bool]:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop.create_future()

    def _refusal(self) -> asyncio.Future[bool]:
        future = self._future()
        future.set_result(False)
        return future

    @property
    def trouble(self) -> str:
        """What is wrong with the log, in one sentence for the detail of health; empty if nothing is."""
        return self._trouble or self._place or self._note

    def figures(self) -> Figures:
        """Count what was logged and what was not."""
        return Figures(
            added=self._added,
            written=self._written,
            dropped=self._dropped,
            lost=self._lost,
            vanished=self._log.n_vanished,
            commits=self._commits,
            waiting=self._added - self._taken,
        )

    def collect(self) -> Iterable[Metric]:
        """Tell Prometheus: `registry.register(journal)`."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        now = self.figures()
        rows = CounterMetricFamily("palio_log_rows", "Rows of the prediction log", labels=["outcome"])
        for outcome in ("written", "dropped", "lost", "vanished"):
            rows.add_metric([outcome], getattr(now, outcome))
        yield rows
        yield GaugeMetricFamily("palio_log_waiting_rows", "Rows that wait to be logged", now.waiting)
        is_ill = bool(self._trouble or self._place)
        yield GaugeMetricFamily("palio_log_troubled", "1 while something is wrong with the log", is_ill)
        yield CounterMetricFamily("palio_log_commits", "Times the log was written", now.commits)

    # ── the thread that writes ──────────────────────────────────────────────────────────────────────────────────────

    def start(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Begin to write. Under `durability = "fsync"` futures are resolved on `loop`."""
        self._loop = loop
        if self._is_off or self._threads:
            return
        for name, run in (("palio-log", self._run), ("palio-log-tidy", self._keep_tidy)):
            self._threads.append(threading.Thread(target=run, name=name, daemon=True))
            self._threads[-1].start()

    def close(self) -> None:
        """Write what waits, and close the segments. Entries added later are lost."""
        self._stop.set()
        self._wake.set()
        for thread in self._threads:
            thread.join(timeout=30)
        self.flush()
        with self._turn:
            self._end(self._take_all(), is_written=False)
            self._log.close()

    def flush(self) -> None:
        """Write what waits, now, in the calling thread."""
        with self._turn:
            try:
                self._commit()
            except Exception as error:  # noqa: BLE001 - the edge of a thread: whatever is wrong, the server goes on
                self._fail(error)

    def _run(self) -> None:
        pause_s = 1.0 if self._waits else self.options.flush_ms / 1000
        due_s, look_at_s = time.monotonic() + pause_s, 0.0
        while not self._stop.is_set():
            self._wake.wait(min(pause_s, LOOK_S))
            self._wake.clear()
            now_s = time.monotonic()
            if now_s >= look_at_s:
                look_at_s = now_s + LOOK_S
                self._look()
            if self._waits or now_s >= max(due_s, self._retry_at_s):
                due_s = now_s + pause_s
                self.flush()

    def _look(self) -> None:
        """See whether the log is still where it was, and say so if it is not; nobody need ask for anything."""
        with self._turn:
            try:
                place, n_before = self._log.look(), self._vanished
            except OSError as error:  # whatever it is, the next batch meets it, too
                place, n_before = (error.strerror or type(error).__name__).lower(), self._vanished
        place = f"the prediction log: {place}" if place else ""
        if place and place != self._place:
            log.warning("%s", place)
        self._place = place
        self._vanished = self._log.n_vanished
        if self._vanished > n_before:
            self._note = (
                f"a segment of the prediction log was removed or moved by {dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC,"
                f" with {self._vanished - n_before} records; later ones are in another"
            )
            log.warning("%s", self._note)

    def _commit(self) -> None:
        """Write all that waits; under fsync also wait for the disk, and only then tell those who wait."""
        committed: list[Entry] = []
        try:
            while entries := self._take():
                committed += self._write(entries)
                if self._buffer and not self._waits:
                    time.sleep(BREATH_S)  # let the event loop in between two batches
            if self._waits and committed:
                self._log.sync()
        except Exception as error:
            self._fail(error)
            self._end(committed, is_written=not self._waits)
            if self._waits:
                self._wake.set()  # what still waits gets its own try
            raise
        if committed:  # a look at an empty buffer says nothing about the disk
            self._trouble = ""
            self._commits += 1
        self._end(committed, is_written=True)
        self._log.roll()

    def _end(self, entries: list[Entry], *, is_written: bool) -> None:
        """Let go of entries, and tell those who wait for them."""
        if not entries:
            return
        n_rows = sum(_n_rows(entry) for entry in entries)
        self._taken += n_rows
        self._taken_bytes += sum(entry.size_bytes for entry in entries)
        if is_written:
            self._written += n_rows
        else:
            self._lost += n_rows
        if self._waits and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_resolve, entries, is_written)

    def _fail(self, error: Exception) -> None:
        """Keep what is wrong for the detail of health; said once in the server's log."""
        is_known = isinstance(error, PalioError)
        trouble = (
            error.message if isinstance(error, PalioError) else f"the prediction log failed: {type(error).__name__}"
        )
        if trouble != self._trouble:
            log.warning("%s", trouble, exc_info=None if is_known else error)
        self._trouble = trouble
        self._retry_at_s = time.monotonic() + RETRY_S

    def _take_all(self) -> list[Entry]:
        entries = []
        while more := self._take():
            entries += more
        return entries

    def _take(self) -> list[Entry]:
        """Take entries of about `CHUNK_ROWS` rows out of the buffer."""
        entries: list[Entry] = []
        n_rows = 0
        while self._buffer and n_rows < CHUNK_ROWS:
            entry = self._buffer.popleft()
            entries.append(entry)
            n_rows += _n_rows(entry)
        return entries

    def _write(self, entries: list[Entry]) -> list[Entry]:
        """Write entries, one batch for each series; returns those that were.

        Raises:
            UnavailableError: the disk refuses. What was not written is back in the buffer, or under fsync lost.
        """
        groups: dict[tuple[int, Variant], list[Entry]] = {}
        for entry in entries:
            groups.setdefault((id(entry.origin), self._variant(entry)), []).append(entry)
        waiting = list(groups.items())
        done: list[Entry] = []
        try:
            while waiting:
                (_, variant), group = waiting[0]
                done += self._append(self._recorder(group[0].origin, variant), group)
                waiting.pop(0)
        except Exception as error:
            self._fail(error)
            rest = [entry for _, group in waiting for entry in group]
            if isinstance(error, UnavailableError) and not self._waits:
                self._buffer.extendleft(reversed(rest))
                rest = []
            self._end(rest, is_written=False)
            self._end(done, is_written=not self._waits)
            raise
        return done

    def _append(self, recorder: Recorder, entries: list[Entry]) -> list[Entry]:
        """Write one batch; entries whose arrays do not fit are left out, counted and named in the server's log."""
        try:
            n_rows, columns = recorder.columns(entries)
        except (PalioError, ValueError, TypeError, KeyError, OverflowError) as error:
            if len(entries) > 1:
                return [entry for one in entries for entry in self._append(recorder, [one])]
            if recorder.variant not in ("bare", "failures") and not recorder.origin.by_row:
                return self._append(self._recorder(entries[0].origin, "bare"), entries)
            log.error("an entry of the prediction log does not fit: %s", error)
            self._note = "entries of the prediction log did not fit their model; the server's log says why"
            self._end(entries, is_written=False)
            return []
        self._log.append(recorder.series, n_rows, columns)
        return entries

    def _variant(self, entry: Entry) -> Variant:
        """Choose what is logged of the inputs; a request and its shadow are treated alike."""
        if entry.outputs is None:
            return "failures"
        if self.options.inputs != "sample":
            return self.options.inputs
        return "all" if zlib.crc32(entry.id.encode()) < self.options.sample * 2**32 else "none"

    def _recorder(self, origin: Origin | None, variant: Variant) -> Recorder:
        known = self._recorders.get((id(origin), variant))
        if known is not None:
            return known[1]
        if self._redaction is None:
            salt = self._salt or store.salt_of(self.folder)
            self._redaction = store.Redaction(empty=self.options.redact, hashed=self.options.hash, salt=salt)
        if len(self._recorders) >= MAX_RECORDERS:
            self._recorders.clear()
        model = origin.model if origin is not None and origin.model else self.model
        recorder = Recorder(
            origin,
            model,
            variant,
            redaction=self._redaction,
            max_text=self.options.max_text,
            describer=self._describer,
            keep=self._kept.keep if self.options.pictures_mb else None,
        )
        self._recorders[id(origin), variant] = (origin, recorder)  # keeps the origin, so that its id stays its own
        if origin is not None and origin.inputs:
            self._check_names(origin)
        return recorder

    def _check_names(self, origin: Origin) -> None:
        """Say so if a column that is to be hidden is none of this model: a slip there would show it."""
        known = {"key", "caller", *(tensor.columns[0].removeprefix("input.") for tensor in origin.inputs)}
        missing = sorted({*self.options.redact, *self.options.hash} - known)
        if missing:
            self._note = f"[log] hides columns that the model does not have: {', '.join(missing)}"
            log.warning("%s", self._note)

    def _keep_tidy(self) -> None:
        pause_s = TIDY_AFTER_S
        while not self._stop.wait(pause_s):
            pause_s = TIDY_EVERY_S
            try:
                store.tidy_log(
                    self.folder, retention_days=self.options.retention_days, today=dt.datetime.now(dt.UTC).date()
                )
                self._kept.forget(days=self.options.retention_days)
            except (OSError, PalioError) as error:
                log.warning("the prediction log could not be put in order: %s", error)


def _n_rows(entry: Entry) -> int:
    return entry.n_rows if entry.outputs is not None else 1


def _resolve(entries: list[Entry], is_written: bool) -> None:
    for entry in entries:
        if entry.waiter is not None and not entry.waiter.done():
            entry.waiter.set_result(is_written)
