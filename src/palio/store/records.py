"""Keep what the rooms know: records by kind and key, written once, never changed."""

from __future__ import annotations

from typing import TypeVar

import msgspec
import sqlalchemy as sa

from palio.core.clock import Clock, utc_now
from palio.core.errors import ConflictError, InputError, IntegrityError, NotFoundError
from palio.core.ids import canonical_json, short
from palio.core.records import Record
from palio.store.engine import Database, insert_into
from palio.store.tables import RECORDS, to_text

RecordType = TypeVar("RecordType", bound=Record)
SHORTEST_PREFIX = 6


class Records:
    """Records by kind and key.

    The kind is the name of the record's class. A record reads back equal, and unknown fields of a newer version are
    skipped.
    """

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def put(self, record: Record, *, key: str) -> None:
        """Keep a record under `key`. Putting an equal one again does nothing.

        Raises:
            ConflictError: another record of this kind is there already.
            InputError: the record could not be read back, e.g. a number is not finite.
        """
        with self._database.write() as connection:
            write_record(connection, record, key, at=to_text(self._clock()))

    def get(self, kind: type[RecordType], key: str) -> RecordType | None:
        """Return the record under `key`, or None.

        Args:
            kind: The record's class.
            key: The full key, or at least six characters with which only one key begins.

        Raises:
            InputError: several keys begin so.
            IntegrityError: what is stored is not such a record.
        """
        mine = RECORDS.c.kind == kind.__name__
        query = sa.select(RECORDS.c.key, RECORDS.c.json).where(mine)
        with self._database.read() as connection:
            row = connection.execute(query.where(RECORDS.c.key == key)).one_or_none()
            if row is None and len(key) >= SHORTEST_PREFIX:
                begins = sa.func.substr(RECORDS.c.key, 1, len(key)) == key
                rows = connection.execute(query.where(begins).order_by(RECORDS.c.number).limit(4)).all()
                if len(rows) > 1:
                    found = ", ".join(short(r.key) for r in rows[:3]) + (", …" if len(rows) > 3 else "")
                    raise InputError(
                        f"{kind.__name__.lower()} {key}: several begin so: {found}", hint="give more digits"
                    )
                row = rows[0] if rows else None
        return None if row is None else _decode(kind, row.key, row.json)

    def require(self, kind: type[RecordType], key: str) -> RecordType:
        """Return the record under `key`. Arguments and errors as in `get`.

        Raises:
            NotFoundError: there is none.
        """
        record = self.get(kind, key)
        if record is None:
            raise NotFoundError(
                f"{kind.__name__.lower()} {short(key)}: not in this store",
                hint="check the identity and that this is the right project",
                facts={"kind": kind.__name__, "key": key},
            )
        return record

    def all(self, kind: type[RecordType], *, newest_first: bool = False) -> list[RecordType]:
        """Return every record of a kind, in the order of writing.

        Raises:
            IntegrityError: what is stored is not such a record.
        """
        order = RECORDS.c.number.desc() if newest_first else RECORDS.c.number
        query = sa.select(RECORDS.c.key, RECORDS.c.json).where(RECORDS.c.kind == kind.__name__).order_by(order)
        with self._database.read() as connection:
            return [_decode(kind, row.key, row.json) for row in connection.execute(query)]


def write_record(connection: sa.Connection, record: Record, key: str, *, at: str) -> None:
    """Keep a record inside a transaction. Errors as in `Records.put`."""
    kind = type(record).__name__
    text = canonical_json(record)
    try:
        msgspec.json.decode(text, type=type(record))
    except msgspec.ValidationError as error:
        raise InputError(
            f"{kind.lower()} {short(key)}: cannot be read back: {error}",
            hint="JSON holds no infinite number and no NaN: leave the field out or make it None",
        ) from None
    insert = insert_into(connection, RECORDS).values(kind=kind, key=key, json=text.decode(), at=at)
    done = connection.execute(insert.on_conflict_do_nothing(index_elements=["kind", "key"]))
    if done.rowcount == 1:
        return
    query = sa.select(RECORDS.c.json).where(RECORDS.c.kind == kind, RECORDS.c.key == key)
    if connection.execute(query).scalar_one().encode() != text:
        raise ConflictError(
            f"{kind.lower()} {short(key)}: another one is stored under this key",
            hint="records never change: give the new one its own key",
            facts={"kind": kind, "key": key},
        )


def _decode(kind: type[RecordType], key: str, text: str) -> RecordType:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        raise IntegrityError(
            f"{kind.__name__.lower()} {short(key)}: the stored record cannot be read: {error}",
            hint="restore the database from a backup, or run the step that made it again",
            facts={"kind": kind.__name__, "key": key},
        ) from None
