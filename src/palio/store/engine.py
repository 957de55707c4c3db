"""Open the database, in SQLite or PostgreSQL, and turn its complaints into errors that say what to do."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from palio.core.errors import ConfigError, IntegrityError, UnavailableError, need
from palio.store.layout import without_secrets

LOCK_TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 10
_WRITES = "palio_writes"
_KEEP_SYNC = sa.text(
    "SELECT set_config('synchronous_commit', "
    "CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, "
    "true)"
)


class Database:
    """A pool of connections that knows how to begin, and whom to blame.

    Safe for threads; a forked child drops the connections that belong to its parent.
    """

    def __init__(self, engine: sa.Engine, *, where: str, secret: str = "", is_read_only: bool = False) -> None:
        self.engine = engine
        self.where = where
        self.is_read_only = is_read_only
        self._secret = secret
        self._process = os.getpid()

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Give a connection that sees one consistent state.

        Raises:
            UnavailableError, IntegrityError: the database is not there, is locked, or is damaged.
        """
        with self._connection(writes=False) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Give a connection in a transaction that is on disk when the block ends, or leaves no trace.

        SQLite: takes the write lock at once, waiting up to 30 s for it. PostgreSQL: `synchronous_commit` is never off.

        Raises:
            UnavailableError, IntegrityError: the database is not there, is locked, or is damaged.
        """
        if self.is_read_only:
            raise UnavailableError(
                f"{self.where}: it can only be read here",
                hint="give this user write access to the folder and the file, or work where it can be written",
            )
        with self._connection(writes=True) as connection:
            if not self.is_sqlite:
                connection.execute(_KEEP_SYNC)
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _connection(self, *, writes: bool) -> Iterator[sa.Connection]:
        if os.getpid() != self._process:
            self.engine.dispose(close=False)
            self._process = os.getpid()
        try:
            with self.engine.connect() as connection:
                connection = connection.execution_options(**{_WRITES: writes})
                with connection.begin():
                    yield connection
        except sa.exc.TimeoutError:
            raise UnavailableError(
                f"{self.where}: all connections are busy", hint="close other users of this store, or retry"
            ) from None
        except (sa.exc.DBAPIError, UnicodeEncodeError) as error:
            self._blame(error)

    def _blame(self, error: sa.exc.DBAPIError | UnicodeEncodeError) -> NoReturn:
        cause = getattr(error, "orig", None) or error
        said = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        if self._secret:
            said = said.replace(self._secret, "***")
        if self.is_sqlite:
            raise _sqlite_error(self.where, said) from None
        if isinstance(error, (sa.exc.OperationalError, sa.exc.InterfaceError)):
            raise UnavailableError(
                f"{self.where}: PostgreSQL does not answer: {said}",
                hint="check that the server runs and that [store] url names host, port, database and user",
            ) from None
        raise UnavailableError(
            f"{self.where}: PostgreSQL refuses: {said}",
            hint="check the rights of the user that [store] url names",
        ) from None


def open_sqlite(path: Path, *, read_only: bool = False) -> Database:
    """Open a SQLite file: write-ahead log, full sync, one writer at a time.

    `synchronous=FULL` makes each commit wait for the disk, so that an acknowledged line survives a power cut.
    The journal mode is set when the schema is created; it is a property of the file.

    Args:
        path: The file.
        read_only: Only read it, where nothing can be written, not even beside it. Others may write it meanwhile.
    """
    if read_only:  # no pool: each connection looks anew whether somebody writes
        engine = sa.create_engine("sqlite://", creator=partial(_connect_read_only, path), poolclass=sa.NullPool)
    else:
        url = sa.URL.create("sqlite", database=str(path))
        engine = sa.create_engine(url, connect_args={"timeout": LOCK_TIMEOUT_S}, pool_reset_on_return=None)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver must not begin behind our back
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return Database(engine, where=str(path), is_read_only=read_only)


def _connect_read_only(path: Path) -> sqlite3.Connection:
    """Open a file of which nothing beside it can be made.

    SQLite reads a write-ahead log only with the file that shares it (`-shm`), which a writer keeps beside it. Without a
    writer there is neither, and the file is all there is. A log without that file would be passed over: refused.

    Source: sqlite.org/wal.html, read-only databases; sqlite.org/c3ref/open.html, `immutable`.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=LOCK_TIMEOUT_S, check_same_thread=False)
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
    except sqlite3.OperationalError:
        connection.close()
        beside = path.with_name(f"{path.name}-wal")
        if beside.exists() and beside.stat().st_size:
            raise
        connection = sqlite3.connect(f"{uri}&immutable=1", uri=True, timeout=LOCK_TIMEOUT_S, check_same_thread=False)
    return connection


def open_url(url: str) -> Database:
    """Open the database that `url` names.

    Args:
        url: `postgresql://user:password@host:port/database` (also `postgresql+psycopg://`) or `sqlite:///path`.

    Raises:
        ConfigError: not such a URL. The message never repeats it, as it may hold a password.
        UnavailableError: the driver is not installed.
    """
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise ConfigError(
            "[store] url: not a database URL", hint="write it as postgresql://user:password@host:5432/database"
        ) from None
    scheme = parsed.drivername.partition("+")[0]
    if scheme == "sqlite" and parsed.database:
        return open_sqlite(Path(parsed.database))
    if scheme not in ("postgresql", "postgres"):
        raise ConfigError(f"[store] url: `{scheme}` is not supported", hint="use postgresql:// or sqlite:///")
    arguments: dict[str, Any] = {} if "connect_timeout" in parsed.query else {"connect_timeout": CONNECT_TIMEOUT_S}
    try:
        engine = sa.create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            connect_args=arguments,
            isolation_level="READ COMMITTED",  # after waiting for the head of the ledger, see what the winner wrote
            pool_pre_ping=True,
            hide_parameters=True,
        )
    except ImportError as error:
        raise need("postgres", error) from None
    where = without_secrets(parsed.set(drivername="postgresql", query={}).render_as_string(hide_password=True))
    return Database(engine, where=where, secret=str(parsed.password or parsed.query.get("password") or ""))


def insert_into(connection: sa.Connection, table: sa.Table) -> Any:
    """Begin an INSERT that may say `on_conflict_…`; both databases spell it alike, SQLAlchemy in two places."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # not loaded for the embedded database

    return postgresql.insert(table)


def _sqlite_error(where: str, said: str) -> UnavailableError | IntegrityError:
    if "not a database" in said or "malformed" in said or "disk image" in said or "no such" in said:
        return IntegrityError(
            f"{where}: the ledger is damaged: {said}", hint="restore this file from a backup, or start a new project"
        )
    if "locked" in said or "busy" in said:
        return UnavailableError(
            f"{where}: locked by another process for more than {LOCK_TIMEOUT_S:.0f} s",
            hint="stop the process that holds it (fuser shows which), then retry",
        )
    if "readonly" in said or "unable to open" in said:
        return UnavailableError(
            f"{where}: cannot be opened", hint="give this user write access to the folder and the file"
        )
    if "full" in said or "disk I/O" in said:
        return UnavailableError(f"{where}: the disk refuses: {said}", hint="free some space, then retry")
    return UnavailableError(f"{where}: {said}", hint="check that the file lies on a local disk and is whole")
