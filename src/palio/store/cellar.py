"""Open the store of a project, and put its shelves together."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import sqlalchemy as sa

from palio.core.clock import Clock, utc_now
from palio.core.errors import RefusedError, UnavailableError
from palio.core.ids import short
from palio.store import foundation
from palio.store.blobs import Blobs, open_blobs
from palio.store.engine import Database, open_sqlite, open_url
from palio.store.layout import Layout
from palio.store.ledger import Ledger, lock_head, write_line
from palio.store.live import live_bundles, live_identities
from palio.store.promotions import Promotions
from palio.store.records import Records
from palio.store.steps import Steps
from palio.store.tables import to_text

_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


class Store:
    """Everything a project keeps. Holds connections: close it, or use it as a context manager.

    Threads may share one store; processes open their own.
    """

    def __init__(
        self, database: Database, blobs: Blobs, *, clock: Clock = utc_now, unfinished: Path | None = None
    ) -> None:
        self.unfinished = unfinished
        """Folder of this machine for what is under way and may be thrown away."""
        self.database = database
        self.blobs = blobs
        self.ledger = Ledger(database, clock)
        self.records = Records(database, clock)
        self.steps = Steps(database, clock)
        self.promotions = Promotions(database, blobs, clock)
        self._clock = clock
        blobs.guard = self._may_delete

    @property
    def is_read_only(self) -> bool:
        """Whether this user, or this disk, lets nothing be written."""
        return self.database.is_read_only

    @property
    def where(self) -> str:
        """The database, for people: without user and password."""
        return self.database.where

    def live(self) -> dict[str, str]:
        """Return the bundles that cannot be deleted, each with the reason."""
        with self.database.read() as connection:
            return live_bundles(connection)

    def close(self) -> None:
        """Close all connections."""
        self.database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _may_delete(self, identity: str) -> Iterator[None]:
        if self.blobs.exists(identity):
            # the line stands before the blob goes: a crash between leaves a line too many, never a deletion untold
            with self.database.write() as connection:
                head = lock_head(connection)
                self._refuse_what_is_live(connection, identity)
                text = f"Deleted blob {short(identity)}."
                at = to_text(self._clock())
                write_line(connection, head, "store.delete", identity, text, payload={}, actor=None, at=at)
        try:
            with self.database.write() as connection:
                lock_head(connection)  # nobody can promote a bundle while it is being deleted
                self._refuse_what_is_live(connection, identity)
                yield
        except Exception:
            if self.blobs.exists(identity):
                self.ledger.append("store.keep", identity, f"Blob {short(identity)} is still there: not deleted.")
            raise

    def _refuse_what_is_live(self, connection: sa.Connection, identity: str) -> None:
        reason = live_identities(connection, self.blobs).get(identity)
        if reason is not None:
            raise RefusedError(
                f"blob {short(identity)}: cannot be deleted: it is {reason}",
                hint="promote another bundle first; what a rollback needs is kept as well",
                facts={"blob": identity, "reason": reason},
            )


def open_store(folder: Path, *, url: str = "", blobs: str = "", clock: Clock = utc_now) -> Store:
    """Open the store of the project in `folder`, and create it if it is not there.

    Any number of processes may do this at the same moment. A store that this user may only read is opened for reading:
    whatever wants to write into it is refused then.

    Args:
        folder: The project; what is kept locally lies in `.palio` below it.
        url: Database, e.g. `postgresql://user:password@host/database`; empty: SQLite in `.palio`.
        blobs: Folder or fsspec URL for blobs; empty: `.palio/blobs`.
        clock: Where the time comes from.

    Raises:
        ConfigError: `url` or `blobs` is not understood.
        UnavailableError: the place cannot be reached or written, is locked, or was written by another version.
        IntegrityError: the database is damaged.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place, open_store(Path(place)) as store:
        ...     store.blobs.get(store.blobs.put(b"hello"))
        b'hello'
    """
    layout = Layout(folder)
    database = _open_database(layout, url)
    try:
        foundation.lay(database, _lock(layout, database))
        return Store(database, open_blobs(blobs, layout.blobs), clock=clock, unfinished=layout.unfinished)
    except BaseException:
        database.close()
        raise


def upgrade_store(folder: Path, *, url: str = "") -> int:
    """Bring a database that an older Palio wrote to the present version, all or nothing.

    Returns:
        The version that is there now.

    Raises:
        UnavailableError: the database cannot be reached, or is of a newer version.
        IntegrityError: there is no ledger in the database.
    """
    layout = Layout(folder)
    database = _open_database(layout, url)
    try:
        return foundation.upgrade(database, _lock(layout, database))
    finally:
        database.close()


def _open_database(layout: Layout, url: str) -> Database:
    if url:
        return open_url(url)
    try:
        if not layout.root.is_dir():
            layout.root.mkdir(parents=True, exist_ok=True)
            (layout.root / ".gitignore").write_text("*\n", "utf-8")
        with layout.lock.open("ab"):
            return open_sqlite(layout.ledger)
    except OSError as error:
        if error.errno in _READ_ONLY and os.access(layout.ledger, os.R_OK):
            return open_sqlite(layout.ledger, read_only=True)
        raise UnavailableError(
            f"{layout.root}: {error.strerror or error}",
            hint="give this user write access to the folder, or name another with --dir",
        ) from None


def _lock(layout: Layout, database: Database) -> Path:
    if database.is_sqlite and database.where != str(layout.ledger):
        return Path(f"{database.where}.lock")
    return layout.lock
