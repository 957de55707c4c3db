"""What was found out about each picture, by the SHA-256 of its bytes: so that none is decoded twice.

The notes lie in a file beside the store, or in a temporary one. They can be thrown away at any time.
"""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from palio.core.errors import InputError
from palio.pixels import STATISTICS, Limits, describe, rule

_TABLES = """
CREATE TABLE IF NOT EXISTS files (place TEXT, stamp TEXT, digest TEXT, PRIMARY KEY (place)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pictures (digest TEXT, rule TEXT, note BLOB, PRIMARY KEY (digest)) WITHOUT ROWID;
"""
_A_BATCH = 500  # changes between two commits


class Note(msgspec.Struct, frozen=True, array_like=True):
    """What is known of the bytes of a picture."""

    problem: str = ""
    """Why it is none that can be used, in words; empty: it can."""
    kind: str = ""
    """One of `palio.pixels.PROBLEMS`; `gone` and `unnamed`: there is no such file, or no name of one."""
    format: str = ""
    mode: str = ""
    orientation: int = 1
    n_frames: int = 1
    statistics: tuple[float, ...] = ()
    """In the order of `STATISTICS`."""
    likeness: str = ""
    """32 digits."""
    mirrored: str = ""
    deepest: int = -1
    """The largest of its numbers, 0 to 255, if the file has 16 bits; else -1."""


def note_of(data: bytes, limits: Limits) -> Note:
    """Decode a picture and write down what it is."""
    try:
        found = describe(data, limits)
    except InputError as error:
        said = error.message.removeprefix("picture: ")
        return Note(problem=said, kind=str(error.facts.get("problem", "")))
    return Note(
        format=found.look.format,
        mode=found.look.mode,
        orientation=found.look.orientation,
        n_frames=found.look.n_frames,
        statistics=tuple(found.statistics[name] for name in STATISTICS),
        likeness=f"{found.likeness:032x}",
        mirrored=f"{found.mirrored:032x}",
        deepest=found.most if found.look.depth == 16 else -1,
    )


class Notes:
    """Notes on disk; memory does not grow with them. One thread writes at a time.

    Args:
        path: The file; None, or one that cannot be used: a temporary file, gone with this.
        limits: Of pictures; notes that were made under others do not count.
    """

    def __init__(self, path: Path | None, limits: Limits) -> None:
        self._rule = rule(limits)
        self._lock = threading.Lock()
        self._n_changes = 0
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._file = self._opened(path)

    def _opened(self, path: Path | None) -> sqlite3.Connection:
        try:
            if path is None:
                raise OSError
            path.parent.mkdir(parents=True, exist_ok=True)
            return _connect(path)
        except (OSError, sqlite3.Error):
            self._temporary = tempfile.TemporaryDirectory(prefix="palio-")
            return _connect(Path(self._temporary.name) / "pictures.db")

    def digest(self, place: str, stamp: str) -> str | None:
        """Return the SHA-256 of a file that was read before and has not changed since."""
        row = self._one("SELECT digest FROM files WHERE place = ? AND stamp = ?", place, stamp)
        return None if row is None else str(row[0])

    def note(self, digest: str) -> Note | None:
        """Return what is known of the bytes."""
        row = self._one("SELECT note FROM pictures WHERE digest = ? AND rule = ?", digest, self._rule)
        return None if row is None else msgspec.msgpack.decode(row[0], type=Note)

    def remember(self, place: str, stamp: str, digest: str) -> None:
        """Write down what a file holds."""
        self._change("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", place, stamp, digest)

    def add(self, digest: str, note: Note) -> None:
        """Write down what bytes are."""
        self._change(
            "INSERT OR REPLACE INTO pictures VALUES (?, ?, ?)", digest, self._rule, msgspec.msgpack.encode(note)
        )

    def keep(self) -> None:
        """Make sure that what was written stays."""
        with self._lock:
            self._n_changes = 0
            self._file.commit()

    def close(self) -> None:
        """Release the file."""
        self.keep()
        self._file.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> Notes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _one(self, query: str, *values: str) -> tuple[Any, ...] | None:
        with self._lock:
            row: tuple[Any, ...] | None = self._file.execute(query, values).fetchone()
            return row

    def _change(self, query: str, *values: str | bytes) -> None:
        with self._lock:
            self._file.execute(query, values)
            self._n_changes += 1
            if self._n_changes >= _A_BATCH:
                self._n_changes = 0
                self._file.commit()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30, check_same_thread=False)
    connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;" + _TABLES)
    return connection
