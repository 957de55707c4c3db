"""Read the pictures of an album, each once, on all cores; what each is is noted, its bytes are kept if asked for."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from palio.core.progress import Progress
from palio.core.words import counted
from palio.data.pictures.albums import Album, Entry
from palio.data.pictures.notes import Note, Notes, note_of
from palio.pixels import Limits

_MOST_THREADS = 8
_AHEAD = 2  # files a thread that are read but not decoded yet: what memory holds


def read_all(
    album: Album,
    entries: Iterable[Entry],
    notes: Notes,
    limits: Limits,
    *,
    progress: Progress,
    put: Callable[[bytes], str] | None = None,
    has: Callable[[str], bool] = lambda _: True,
) -> None:
    """Note what is not known yet, and keep the bytes of what can be used.

    Args:
        album: Where they lie.
        entries: Which.
        notes: Where it is written down.
        limits: Of a picture.
        progress: Hears how many were read.
        put: Keeps bytes; None: nobody does.
        has: Whether bytes of this SHA-256 are kept already.
    """
    wanted = {entry.key: entry for entry in entries if not _is_done(album, entry, notes, has if put else None)}
    if not wanted:
        return
    n_threads = max(1, min(_MOST_THREADS, len(os.sched_getaffinity(0))))
    waiting: deque[tuple[Entry, bytes, Future[tuple[str, Note]]]] = deque()
    n_done = 0
    with ThreadPoolExecutor(n_threads) as pool:

        def settle() -> None:
            entry, data, found = waiting.popleft()
            digest, note = found.result()
            if put is not None and not note.problem and not has(digest):
                put(data)
            notes.add(digest, note)
            notes.remember(place_of(album, entry), stamp_of(entry), digest)

        for entry, data in album.read(wanted, most=limits.max_bytes):
            if data is None:
                _note_unread(album, entry, notes, limits)
            else:
                waiting.append((entry, data, pool.submit(_look, data, notes, limits)))
                if len(waiting) > _AHEAD * n_threads:
                    settle()
            n_done += 1
            progress.step("pictures", n_done, len(wanted))
        while waiting:
            settle()
    notes.keep()


def place_of(album: Album, entry: Entry) -> str:
    """Name a file for good, wherever Palio is started."""
    return f"{album.path.resolve()}\0{entry.key}"


def stamp_of(entry: Entry) -> str:
    """Return what changes when a file does."""
    return f"{entry.size}/{entry.stamp}"


def known(album: Album, entry: Entry, notes: Notes) -> tuple[str, Note]:
    """Return the SHA-256 of a file that was read, and what it is. The digest of one that could not be read is empty."""
    digest = notes.digest(place_of(album, entry), stamp_of(entry))
    note = None if digest is None else notes.note(digest)
    if digest is None or note is None:
        return "", Note(problem="the file is gone", kind="gone")
    return ("" if digest.startswith("-") else digest), note


def _is_done(album: Album, entry: Entry, notes: Notes, has: Callable[[str], bool] | None) -> bool:
    digest = notes.digest(place_of(album, entry), stamp_of(entry))
    note = None if digest is None else notes.note(digest)
    if digest is None or note is None:
        return False
    return has is None or bool(note.problem) or has(digest)


def _look(data: bytes, notes: Notes, limits: Limits) -> tuple[str, Note]:
    digest = hashlib.sha256(data).hexdigest()
    return digest, notes.note(digest) or note_of(data, limits)


def _note_unread(album: Album, entry: Entry, notes: Notes, limits: Limits) -> None:
    if entry.size > limits.max_bytes:
        said = f"{counted(entry.size, 'byte')}; at most {limits.max_bytes:,} are read"
        note = Note(problem=said, kind="too large")
    else:
        note = Note(problem="the file cannot be read from where it lies", kind="damaged")
    place = place_of(album, entry)
    digest = "-" + hashlib.sha256(f"{place}\0{stamp_of(entry)}".encode("utf-8", "surrogateescape")).hexdigest()
    notes.add(digest, note)
    notes.remember(place, stamp_of(entry), digest)
