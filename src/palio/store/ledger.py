"""Write down what happened: one line after the other, each sealed by a hash over itself and the line before.

Source of the scheme: Haber & Stornetta 1991, "How to time-stamp a digital document", Journal of Cryptology 3(2).
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from palio.core.clock import Clock, utc_now
from palio.core.errors import ConflictError, IntegrityError, RefusedError
from palio.core.ids import canonical_json, digest
from palio.core.records import Event
from palio.store.engine import Database
from palio.store.foundation import GENESIS
from palio.store.tables import EVENTS, HEAD, PROMOTIONS, to_moment, to_text

_PAGE_ROWS = 1000
_HEAD_LOCKED = sa.select(HEAD.c.sequence, HEAD.c.hash).where(HEAD.c.id == 1).with_for_update()
_NAMES = ("sequence", "at", "actor", "kind", "subject", "text", "payload", "previous_hash")


class Ledger:
    """The append-only story of a project. Appenders, of any number of processes, stand in a row."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def append(
        self,
        kind: str,
        subject: str,
        text: str,
        *,
        payload: Mapping[str, Any] | None = None,
        actor: str | None = None,
        at_most: int | None = None,
    ) -> Event:
        """Write one line; it is on disk when this returns.

        Args:
            kind: Room and verb, e.g. `data.ingest`.
            subject: Identity of what the line is about.
            text: One sentence for people.
            payload: JSON-safe facts; records are allowed. Not-a-number becomes null.
            actor: Who did it; the user of this process if None.
            at_most: A budget: how many lines of this kind and subject there may be in the end.

        Raises:
            RefusedError: the budget is spent; nothing was written. No two processes can share its last unit.
        """
        with self._database.write() as connection:
            head = lock_head(connection)
            if at_most is not None:
                self._check_budget(connection, kind, subject, at_most)
            return write_line(
                connection, head, kind, subject, text, payload=payload or {}, actor=actor, at=to_text(self._clock())
            )

    def append_once(
        self,
        kind: str,
        subject: str,
        text: str,
        *,
        payload: Mapping[str, Any] | None = None,
        actor: str | None = None,
    ) -> Event:
        """Write one line unless one of this kind about `subject` is there; return the line that is there now."""
        with self._database.write() as connection:
            head = lock_head(connection)
            query = sa.select(EVENTS).where(EVENTS.c.kind == kind, EVENTS.c.subject == subject).limit(1)
            row = connection.execute(query).one_or_none()
            if row is not None:
                return _event(row)
            return write_line(
                connection, head, kind, subject, text, payload=payload or {}, actor=actor, at=to_text(self._clock())
            )

    def append_after(
        self,
        kind: str,
        subject: str,
        text: str,
        *,
        family: str,
        after: int,
        payload: Mapping[str, Any] | None = None,
        actor: str | None = None,
    ) -> Event:
        """Write one line if nothing was written since the caller looked: compare-and-set.

        Args:
            kind: Room and verb; begins with `family`.
            subject: Identity of what the line is about.
            text: One sentence for people.
            family: The kinds that compete: those that begin so.
            after: Number of the newest line of the family about `subject`, as the caller knows it; 0: there is none.
            payload: As in `append`.
            actor: As in `append`.

        Raises:
            ConflictError: there is a newer line; nothing was written.
        """
        with self._database.write() as connection:
            head = lock_head(connection)
            newest = connection.execute(_newest(family, subject)).one_or_none()
            found = 0 if newest is None else int(newest.sequence)
            if found != after:
                raise ConflictError(
                    f"{kind} {subject[:40]}: somebody else wrote line {found} first",
                    hint="look at what is there now, then try again",
                    facts={"expected": after, "found": found},
                )
            return write_line(
                connection, head, kind, subject, text, payload=payload or {}, actor=actor, at=to_text(self._clock())
            )

    def newest(self, family: str, subject: str) -> Event | None:
        """Return the newest line about `subject` whose kind begins with `family`, or None; by index."""
        with self._database.read() as connection:
            return newest_line(connection, family, subject)

    def events(
        self, *, kind: str | None = None, subject: str | None = None, after: int = 0, limit: int | None = None
    ) -> list[Event]:
        """Return lines, oldest first.

        Args:
            kind: Only kinds that begin so: `promote` finds `promote.release`.
            subject: Only lines about this.
            after: Only lines with a greater sequence number.
            limit: At most so many.
        """
        query = sa.select(EVENTS).where(EVENTS.c.sequence > after).order_by(EVENTS.c.sequence).limit(limit)
        if kind is not None:
            query = query.where(sa.func.substr(EVENTS.c.kind, 1, len(kind)) == kind)
        if subject is not None:
            query = query.where(EVENTS.c.subject == subject)
        with self._database.read() as connection:
            return [_event(row) for row in connection.execute(query)]

    def count(self, kind: str, subject: str) -> int:
        """Count the lines of exactly this kind about `subject`."""
        with self._database.read() as connection:
            return _count(connection, kind, subject)

    def head(self) -> tuple[int, str]:
        """Return the number and hash of the last line: kept elsewhere, they prove that nothing was rewritten."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(HEAD.c.sequence, HEAD.c.hash)).one()
            return int(row.sequence), str(row.hash)

    def verify(self) -> None:
        """Recompute every hash, and compare each promotion with its line. Memory does not grow with the ledger.

        Raises:
            IntegrityError: a line was edited, removed or added by hand, and which; or a promotion was.
        """
        expected, previous = 1, GENESIS
        with self._database.read() as connection:
            for row in _pages(connection):
                if row.sequence != expected or row.previous_hash != previous:
                    raise self._broken(expected, "is missing or was replaced")
                if _hash(row._mapping) != row.hash:
                    raise self._broken(row.sequence, "was edited after it was written")
                expected, previous = row.sequence + 1, row.hash
            head = connection.execute(sa.select(HEAD.c.sequence, HEAD.c.hash)).one_or_none()
            if head is None or (head.sequence, head.hash) != (expected - 1, previous):
                raise self._broken(expected, "is missing: lines at the end were removed or added by hand")
            self._verify_promotions(connection)

    def _verify_promotions(self, connection: sa.Connection) -> None:
        rows = {row.sequence: dict(row._mapping) for row in connection.execute(sa.select(PROMOTIONS))}
        told = connection.execute(sa.select(EVENTS).where(EVENTS.c.kind.in_(PROMOTION_KINDS.values())))
        for line in told:
            told_row = msgspec.json.decode(line.payload)["promotion"]
            if rows.pop(line.sequence, None) != told_row | {"sequence": line.sequence, "at": line.at}:
                raise self._broken(line.sequence, "tells of a promotion that is no longer what it says")
        if rows:
            raise self._broken(min(rows), "does not tell of the promotion that refers to it")

    def _check_budget(self, connection: sa.Connection, kind: str, subject: str, at_most: int) -> None:
        n_lines = _count(connection, kind, subject)
        if n_lines >= at_most:
            raise RefusedError(
                f"{kind} {subject[:12]}: all {at_most} are used",
                hint="raise the budget, and know why",
                facts={"used": n_lines, "budget": at_most},
            )

    def _broken(self, sequence: int, what: str) -> IntegrityError:
        return IntegrityError(
            f"{self._database.where}: ledger line {sequence} {what}",
            hint="restore the database from a backup; lines before this one are sound",
            facts={"sequence": sequence},
        )


PROMOTION_KINDS = {"promote": "promote.release", "rollback": "promote.rollback", "import": "promote.import"}
"""What a promotion is called in the ledger."""


class Head(NamedTuple):
    """The last line of the ledger, as seen by the one transaction that may append."""

    sequence: int
    hash: str


def lock_head(connection: sa.Connection) -> Head:
    """Wait until this transaction is the only one that may append, whatever the database."""
    row = connection.execute(_HEAD_LOCKED).one()
    return Head(int(row.sequence), str(row.hash))


def write_line(
    connection: sa.Connection,
    head: Head,
    kind: str,
    subject: str,
    text: str,
    *,
    payload: Mapping[str, Any],
    actor: str | None,
    at: str,
) -> Event:
    """Append a line behind the head, inside the transaction that locked it."""
    line: dict[str, Any] = {
        "sequence": head.sequence + 1,
        "at": at,
        "actor": clean(actor or operating_system_user()),
        "kind": clean(kind),
        "subject": clean(subject)[:1000],  # PostgreSQL cannot index more than 2,700 bytes
        "text": clean(text),
        "payload": canonical_json(dict(payload)).decode(),
        "previous_hash": head.hash,
    }
    line["hash"] = _hash(line)
    connection.execute(EVENTS.insert().values(**line))
    connection.execute(HEAD.update().where(HEAD.c.id == 1).values(sequence=line["sequence"], hash=line["hash"]))
    return _event_of(line)


def newest_line(connection: sa.Connection, family: str, subject: str) -> Event | None:
    """Return the newest line as `Ledger.newest` does, inside a transaction."""
    row = connection.execute(_newest(family, subject)).one_or_none()
    return None if row is None else _event(row)


def operating_system_user() -> str:
    """Name the user of this process as the operating system knows it, not as the environment says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def clean(text: str) -> str:
    r"""Replace what PostgreSQL cannot hold as text: the zero character and halves of characters.

    Example:
        >>> clean("a\x00b")
        'a�b'
    """
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _hash(line: Mapping[str, Any]) -> str:
    return digest(canonical_json([line[name] for name in _NAMES]))


def _newest(family: str, subject: str) -> Any:
    query = sa.select(EVENTS).where(
        EVENTS.c.subject == subject, sa.func.substr(EVENTS.c.kind, 1, len(family)) == family
    )
    return query.order_by(EVENTS.c.sequence.desc()).limit(1)


def _count(connection: sa.Connection, kind: str, subject: str) -> int:
    query = sa.select(sa.func.count()).where(EVENTS.c.kind == kind, EVENTS.c.subject == subject)
    return int(connection.execute(query).scalar_one())


def _pages(connection: sa.Connection) -> Iterator[Any]:
    after = -1
    while True:
        query = sa.select(EVENTS).where(EVENTS.c.sequence > after).order_by(EVENTS.c.sequence).limit(_PAGE_ROWS)
        rows = connection.execute(query).all()
        yield from rows
        if len(rows) < _PAGE_ROWS:
            return
        after = rows[-1].sequence


def _event(row: Any) -> Event:
    return _event_of(row._mapping)


def _event_of(line: Mapping[str, Any]) -> Event:
    return Event(**{**line, "at": to_moment(line["at"]), "payload": msgspec.json.decode(line["payload"])})
