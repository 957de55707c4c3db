"""Lay the tables once, however many processes come first, and refuse a database that does not fit."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from palio.core.errors import IntegrityError, UnavailableError
from palio.core.ids import digest
from palio.store import tables
from palio.store.engine import Database

GENESIS = digest(b"palio ledger")
"""The hash before the first line."""
_ADVISORY_LOCK = int.from_bytes(bytes.fromhex(GENESIS[:14]), "big")  # any fixed number that others hardly use


def lay(database: Database, lock: Path) -> None:
    """Create the tables if they are not there, in one transaction under a lock; else check that they fit.

    Args:
        database: Opened, maybe empty.
        lock: File that guards the creation of a SQLite database; PostgreSQL has advisory locks.

    Raises:
        UnavailableError: the tables are of an older or a newer version, or the database cannot be reached.
        IntegrityError: the database is damaged or belongs to something else.
    """
    version = _version(database)
    if version is None:
        with _alone(database, lock) as connection:
            if not _has_tables(connection):
                tables.METADATA.create_all(connection, checkfirst=False)
                connection.execute(tables.META.insert().values(key="schema", value=str(tables.SCHEMA_VERSION)))
                connection.execute(tables.HEAD.insert().values(id=1, sequence=0, hash=GENESIS))
        version = _version(database)
    if version != tables.SCHEMA_VERSION:
        raise _misfit(database, version)


def upgrade(database: Database, lock: Path) -> int:
    """Bring the tables of an older version to the present one, all or nothing.

    Returns:
        The version that is there now.

    Raises:
        UnavailableError: the database is of a newer version.
    """
    with _alone(database, lock) as connection:
        found = _read_version(connection)
        if found is None or found > tables.SCHEMA_VERSION:
            raise _misfit(database, found)
        for version in range(found, tables.SCHEMA_VERSION):
            for statement in tables.MIGRATIONS[version]:
                connection.exec_driver_sql(statement)
        connection.execute(
            tables.META.update().where(tables.META.c.key == "schema").values(value=str(tables.SCHEMA_VERSION))
        )
    return tables.SCHEMA_VERSION


def _version(database: Database) -> int | None:
    with database.read() as connection:
        return _read_version(connection) if _has_tables(connection) else None


def _has_tables(connection: sa.Connection) -> bool:
    return sa.inspect(connection).has_table(tables.META.name)


def _read_version(connection: sa.Connection) -> int | None:
    if not _has_tables(connection):
        return None
    value = connection.execute(sa.select(tables.META.c.value).where(tables.META.c.key == "schema")).scalar()
    return int(value) if value and value.isdigit() else None


def _misfit(database: Database, version: int | None) -> UnavailableError | IntegrityError:
    wanted = tables.SCHEMA_VERSION
    if version is None:
        return IntegrityError(
            f"{database.where}: the ledger's version is missing", hint="restore this database from a backup"
        )
    if version > wanted:
        return UnavailableError(
            f"{database.where}: written by a newer Palio (tables {version}, this one knows {wanted})",
            hint="upgrade this installation: pip install --upgrade palio",
            facts={"found": version, "known": wanted},
        )
    return UnavailableError(
        f"{database.where}: written by an older Palio (tables {version}, this one needs {wanted})",
        hint="make a backup, then run palio store upgrade",
        facts={"found": version, "known": wanted},
    )


@contextmanager
def _alone(database: Database, lock: Path) -> Iterator[sa.Connection]:
    """Give a write transaction that no other creator or upgrader shares."""
    if not database.is_sqlite:
        with database.write() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
            yield connection
        return
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        # The journal mode cannot change inside a transaction, and changing it does not wait: hence the lock.
        raw = database.engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA journal_mode=WAL")
        finally:
            raw.close()
        with database.write() as connection:
            yield connection
    finally:
        os.close(handle)
