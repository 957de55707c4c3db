"""The prediction log on disk: what was answered, in segments that other programs read as they are.

    <log>/<model>/<answers|failures|feedback>/<YYYY-MM-DD>/<bundle>-<writer>-<n>.arrows

A segment is a stream of Arrow record batches (`arrow`) and belongs to one writer, so that workers share no lock. A
writer that is killed leaves a segment that is whole up to its last whole batch; `tidy_log` cuts the rest off and, of
segments of many small batches, makes few large ones. Nothing here knows what a model is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from palio.core.clock import Clock, utc_now
from palio.core.errors import UnavailableError
from palio.store.arrow import END, BatchLayout, Field
from palio.store.predictions_place import LogPlace, unwritable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palio.store.arrow import Buffer

LogKind = Literal["answers", "failures", "feedback"]
SUFFIX = ".arrows"
SEGMENT_S = 3600.0
"""A segment is closed after this time even if it is small, so that it can be compacted, copied or read elsewhere."""

COMMON_FIELDS = (
    Field("id", "text"),
    Field("at", "timestamp"),
    Field("model", "text"),
    Field("version", "text"),
    Field("bundle", "text"),
    Field("role", "text"),
    Field("caller", "text"),
    Field("route", "text"),
    Field("decision", "text"),
    Field("status", "int16"),
    Field("reason", "text"),
    Field("latency_us", "float32"),
    Field("n_rows", "int32"),
    Field("key", "text"),
    Field("flags", "text"),
)
"""Columns of every answer and every failure; `docs/reference/predictions.md` says what they hold."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Segments of one kind and one layout."""

    model: str
    kind: LogKind
    tag: str
    """Begins the names of its segments: the first digits of the bundle, or empty."""
    layout: BatchLayout


def model_folder(folder: Path, model: str) -> Path:
    """Return where the records of `model` lie; any name is safe.

    Example:
        >>> model_folder(Path("log"), "../etc").as_posix(), model_folder(Path("log"), "..").as_posix()
        ('log/..%2Fetc', 'log/%2E%2E')
    """
    name = quote(model, safe=" ") or "%00"
    return folder / (name.replace(".", "%2E") if name.strip(".") == "" else name)


@dataclass(slots=True)
class _Segment:
    handle: int
    path: Path
    day: str
    layout: BatchLayout
    opened_s: float
    size: int = 0
    """Bytes up to the end of the last whole batch."""
    n_rows: int = 0
    is_dirty: bool = True
    is_listed: bool = False
    """Whether its name is known to be on disk."""


@dataclass(slots=True)
class PredictionLog:
    """Append batches to segments. Not for several threads at once.

    Args:
        folder: Root of the log; made with the first batch, readable by its owner only.
        writer: Names this writer; nobody else may use the same.
        segment_bytes: A segment that has grown to this is closed.
        is_strict: Refuse to write where records may not be found later: while the disk of the log is not mounted, or
            the folder that it lay in is gone. Else write on as long as anything can be written.

    Example:
        >>> import tempfile
        >>> from palio.store.arrow import text_of
        >>> series = Series("bank", "answers", "", BatchLayout([Field("id", "text")]))
        >>> with tempfile.TemporaryDirectory() as folder, PredictionLog(Path(folder)) as log:
        ...     log.append(series, 2, [text_of(["r-1.0", "r-1.1"])])
        ...     log.sync()
    """

    folder: Path
    writer: str = field(default_factory=lambda: f"{os.getpid():x}{secrets.token_hex(4)}")
    segment_bytes: int = 64 * 2**20
    segment_s: float = SEGMENT_S
    clock: Clock = utc_now
    is_strict: bool = False
    n_vanished: int = 0
    """Rows whose segment was removed, moved or emptied by others before it was closed."""
    _open: dict[tuple[str, str, str], _Segment] = field(default_factory=dict)
    _count: int = 0
    _place: LogPlace = field(init=False)

    def __post_init__(self) -> None:
        self._place = LogPlace(self.folder)

    def __enter__(self) -> PredictionLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, series: Series, n_rows: int, columns: Sequence[Sequence[Buffer]]) -> None:
        """Write one batch; after an error nothing of it is left.

        Raises:
            UnavailableError: the disk is full, or gone; the folder cannot be written, or is gone.
        """
        segment = self._segment(series)
        data = series.layout.encode(n_rows, columns)
        try:
            _write(segment.handle, data, segment.size)
        except OSError as error:
            self._cut(segment)
            raise _unwritable(error) from None
        segment.size += len(data)
        segment.n_rows += n_rows
        segment.is_dirty = True

    def sync(self) -> None:
        """Wait until all that was appended would survive a loss of power.

        Raises:
            UnavailableError: the disk refuses, or a segment is no longer where it was; then what was appended since the
                last call may be lost.
        """
        for key, segment in list(self._open.items()):
            if not segment.is_dirty:
                continue
            try:
                os.fdatasync(segment.handle)
                if not segment.is_listed:
                    _sync_folders(segment.path, self.folder)
            except OSError as error:
                self._leave(key)  # a second sync would claim success for pages that are gone
                raise _unwritable(error) from None
            if not self._is_there(segment):
                self._let_go(key)
                raise unwritable("its segment was removed or moved")
            segment.is_dirty, segment.is_listed = False, True

    def look(self) -> str:
        """Let go of segments that others have removed, moved or emptied; say what is wrong with the place, if anything.

        The next batch goes on in another segment. Costs some microseconds.
        """
        for key, segment in list(self._open.items()):
            if not self._is_there(segment) and self._can_go_on(segment):
                self._let_go(key)
        return self._place.trouble()

    def roll(self) -> None:
        """Close segments that are large or old enough."""
        for key, segment in list(self._open.items()):
            if self._is_over(segment):
                self._finish(key)

    def close(self) -> None:
        """Close all segments, each with its end mark."""
        for key in list(self._open):
            self._finish(key)

    def _segment(self, series: Series) -> _Segment:
        key = (series.model, series.kind, series.tag)
        segment = self._open.get(key)
        is_there = segment is not None and self._is_there(segment)
        if segment is not None and not is_there and self._can_go_on(segment):
            self._let_go(key)
            segment = None
        if segment is not None and (self._is_over(segment) or segment.layout.fields != series.layout.fields):
            self._finish(key)
            segment = None
        if self.is_strict and (segment is None or not is_there):
            why = self._place.trouble()  # reads a file of the system: not before each batch
            if why:
                raise unwritable(why)
        if segment is None:
            try:
                segment = self._open[key] = self._begin(series)
            except OSError as error:
                raise _unwritable(error) from None
        return segment

    def _is_over(self, segment: _Segment) -> bool:
        return (
            segment.size >= self.segment_bytes
            or time.monotonic() - segment.opened_s >= self.segment_s
            or segment.day != f"{self.clock():%Y-%m-%d}"
        )

    def _begin(self, series: Series) -> _Segment:
        day = f"{self.clock():%Y-%m-%d}"
        folder = model_folder(self.folder, series.model) / series.kind / day
        self._place.make()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._count += 1
        name = f"{series.tag or series.kind}-{self.writer}-{self._count:06d}{SUFFIX}"
        new = folder / f".{name}.new"
        handle = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held while it grows: `tidy_log` leaves it alone
            _write(handle, series.layout.schema, 0)
            new.rename(folder / name)
        except OSError:
            os.close(handle)
            new.unlink(missing_ok=True)
            raise
        size = len(series.layout.schema)
        return _Segment(handle, folder / name, day, series.layout, time.monotonic(), size)

    def _finish(self, key: tuple[str, str, str]) -> None:
        segment = self._open[key]
        with contextlib.suppress(OSError):  # without an end mark it is still whole; `tidy_log` adds one
            _write(segment.handle, END, segment.size)
            os.fdatasync(segment.handle)
        self._leave(key)

    @staticmethod
    def _is_there(segment: _Segment) -> bool:
        """Tell whether a segment is still the file under its name, with all that was written."""
        try:
            named, own = segment.path.stat(), os.fstat(segment.handle)
        except OSError:
            return False
        return (named.st_dev, named.st_ino) == (own.st_dev, own.st_ino) and own.st_size >= segment.size

    def _can_go_on(self, segment: _Segment) -> bool:
        """Tell whether a segment that is not where it was is to be left: it is gone, or another can be begun."""
        if os.fstat(segment.handle).st_nlink == 0:
            return True
        return not self._place.trouble() if self.is_strict else self._place.is_there()

    def _let_go(self, key: tuple[str, str, str]) -> None:
        self.n_vanished += self._open[key].n_rows
        self._leave(key)

    def _leave(self, key: tuple[str, str, str]) -> None:
        os.close(self._open.pop(key).handle)

    def _cut(self, segment: _Segment) -> None:
        """Remove a batch that was written in part; if that fails too, go on in another segment."""
        try:
            os.ftruncate(segment.handle, segment.size)
        except OSError:
            self._leave(next(key for key, other in self._open.items() if other is segment))


def _write(handle: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        n_bytes = os.pwrite(handle, view, at)
        view, at = view[n_bytes:], at + n_bytes


def _sync_folders(path: Path, root: Path) -> None:
    """Make the name of a file survive a loss of power, and the names of the folders above it up to the root's own."""
    for folder in [*path.relative_to(root.parent).parents]:
        handle = os.open(root.parent / folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _unwritable(error: OSError) -> UnavailableError:
    return unwritable((error.strerror or type(error).__name__).lower())
