"""Keep the prediction log in order: repair what a killed writer left, join small batches, remove what is too old."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import logging
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, get_args

import numpy as np

from palio.core.errors import IntegrityError
from palio.core.records import Record
from palio.store.arrow import END, Array, BatchLayout, Buffer, Field, values_of
from palio.store.arrow_reading import Batch, Message, fields_of, messages, read_batch
from palio.store.predictions import SUFFIX, LogKind

log = logging.getLogger("palio.store")

SMALL_BATCH_ROWS = 64
"""Segments whose batches have fewer rows than this on average are rewritten: a batch of one row takes ten times the
bytes that the row takes in a batch of a thousand."""
LARGE_BATCH_ROWS = 8192
LARGE_BATCH_BYTES = 4 * 2**20
RECENT_DAYS = 2
"""Older segments have been looked at before."""
LEFTOVER_S = 600.0


class Tidied(Record, frozen=True, kw_only=True):
    """What was put in order: numbers of segments."""

    repaired: int = 0
    compacted: int = 0
    removed: int = 0


def tidy_log(folder: Path, *, retention_days: int = 0, today: dt.date) -> Tidied:
    """Put a log in order. Safe beside its writers, beside another `tidy_log`, and to be killed.

    Args:
        folder: Root of the log.
        retention_days: Remove days that are older than this; 0 keeps all.
        today: In UTC.
    """
    counts = {"repaired": 0, "compacted": 0, "removed": 0}
    with _alone(folder) as is_alone:
        for day, date in _days(folder) if is_alone else ():
            if retention_days and (today - date).days > retention_days:
                counts["removed"] += _remove(day)
            elif (today - date).days <= RECENT_DAYS:
                for path in sorted(day.iterdir()):
                    done = _care(path)
                    if done:
                        counts[done] += 1
    return Tidied(**counts)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Let one process at a time put things in order; the others need not."""
    if not folder.is_dir():
        yield False
        return
    handle = os.open(folder / ".tidy.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
    else:
        yield True
    finally:
        os.close(handle)


def _days(folder: Path) -> Iterator[tuple[Path, dt.date]]:
    for day in sorted(folder.glob("*/*/*-*-*")):
        if day.parent.name not in get_args(LogKind) or day.parent.is_symlink() or day.parents[1].is_symlink():
            continue  # none of ours, and what lies there is not ours to remove
        with contextlib.suppress(ValueError):
            date = dt.date.fromisoformat(day.name)
            if day.is_dir() and not day.is_symlink():
                yield day, date


def _remove(day: Path) -> int:
    n_removed = 0
    for path in day.iterdir():
        if path.suffix == SUFFIX or path.name.startswith("."):
            path.unlink(missing_ok=True)
            n_removed += path.suffix == SUFFIX
    with contextlib.suppress(OSError):  # somebody keeps other files there
        day.rmdir()
    return n_removed


def _care(path: Path) -> str:
    """Look after one file; returns what was done."""
    if path.suffix != SUFFIX:
        is_leftover = path.name.startswith(".") and path.suffix in (".new", ".tmp")
        with contextlib.suppress(OSError):
            if is_leftover and time.time() - path.stat().st_mtime > LEFTOVER_S:
                path.unlink()
        return ""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return ""
    with os.fdopen(handle, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return ""  # it grows
        try:
            return _mend(path, file)
        except (
            IntegrityError,
            ValueError,
            OverflowError,
            MemoryError,
        ) as error:  # others get theirs
            log.warning("%s is left as it is: %s", path.name, error)
            return ""


def _mend(path: Path, file: BinaryIO) -> str:
    found = list(messages(file))
    n_batches = len(found) - 1
    if n_batches < 1:
        path.unlink()
        return "repaired"
    end = found[-1].end
    file.seek(end)
    is_whole = file.read() == END
    if not is_whole:
        file.truncate(end)
        file.seek(end)
        file.write(END)
        file.flush()
        os.fsync(file.fileno())
    fields = fields_of(found[0])
    n_rows = sum(Batch(fields, message, b"").n_rows for message in found[1:])
    if n_batches > 1 and n_rows / n_batches < SMALL_BATCH_ROWS:
        compact(path, file, fields, found[1:])
        return "compacted"
    return "" if is_whole else "repaired"


def compact(path: Path, file: BinaryIO, fields: Sequence[Field], batches: Sequence[Message]) -> None:
    """Rewrite a closed segment with large batches; the old one stays until the new one is on disk."""
    layout = BatchLayout(fields)
    new = path.with_name(f".{path.name}.tmp")
    with os.fdopen(os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as out:
        out.write(layout.schema)
        waiting: list[Batch] = []
        size = n_rows = 0
        for message in batches:
            waiting.append(read_batch(file, fields, message))
            size, n_rows = size + message.body_size, n_rows + waiting[-1].n_rows
            if n_rows >= LARGE_BATCH_ROWS or size >= LARGE_BATCH_BYTES:
                out.write(_join(layout, waiting))
                waiting, size, n_rows = [], 0, 0
                time.sleep(0.001)  # a server's other threads want the interpreter too
        if waiting:
            out.write(_join(layout, waiting))
        out.write(END)
        out.flush()
        os.fsync(out.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _join(layout: BatchLayout, batches: Sequence[Batch]) -> bytes:
    columns: list[list[Buffer]] = []
    for field in layout.fields:
        if field.type == "null":
            columns.append([])
        elif field.type == "bool":
            columns.append(values_of(np.concatenate([batch[field.name] for batch in batches], axis=None), "bool"))
        elif field.type == "text":
            columns.append(_join_texts([batch.buffers(field.name) for batch in batches]))
        else:
            columns.append([b"".join(bytes(batch.buffers(field.name)[0]) for batch in batches)])
    return layout.encode(sum(batch.n_rows for batch in batches), columns)


def _join_texts(parts: Sequence[Sequence[Buffer]]) -> list[Buffer]:
    offsets: list[Array] = [np.zeros(1, np.int32)]
    end = 0
    for places, data in parts:
        offsets.append(np.frombuffer(bytes(places), np.int32)[1:] + np.int32(end))
        end += len(data)
    if end > np.iinfo(np.int32).max:
        raise IntegrityError("a batch of texts is larger than 2 GB", hint="lower [log] segment_mb")
    return [np.concatenate(offsets), b"".join(bytes(data) for _, data in parts)]
