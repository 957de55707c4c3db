"""Describe the tables, once for SQLite and PostgreSQL.

Times are text (ISO 8601, UTC, six decimals): equal in both databases, exact, and in order when sorted. JSON is text
too, because the ledger's hashes cover the very characters that are stored. All names begin with `palio_`, so that a
database may be shared with other programs.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text, UniqueConstraint

SCHEMA_VERSION = 1
"""Raised by one with every change of a table; `palio store upgrade` walks through `MIGRATIONS`."""

MIGRATIONS: dict[int, tuple[str, ...]] = {}
"""Version → the SQL statements that lead from it to the next; they must run on both databases."""

METADATA = MetaData()
_Count = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only for INTEGER

META = Table("palio_meta", METADATA, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

HEAD = Table(
    "palio_head",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sequence", _Count, nullable=False),
    Column("hash", Text, nullable=False),
)
"""One row: the last line of the ledger. Locking it puts writers in a row; it also shows when the last lines are cut."""

EVENTS = Table(
    "palio_events",
    METADATA,
    Column("sequence", _Count, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("palio_events_kind", "kind", "sequence"),
    Index("palio_events_subject", "subject", "sequence"),
)

RECORDS = Table(
    "palio_records",
    METADATA,
    Column("number", _Count, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("json", Text, nullable=False),
    Column("at", Text, nullable=False),
    UniqueConstraint("kind", "key", name="palio_records_key"),
)

STEPS = Table(
    "palio_steps",
    METADATA,
    Column("step", Text, primary_key=True),
    Column("inputs", Text, primary_key=True),
    Column("output", Text, nullable=False),
    Column("at", Text, nullable=False),
)

PROMOTIONS = Table(
    "palio_promotions",
    METADATA,
    Column("sequence", _Count, primary_key=True, autoincrement=False),
    Column("model", Text, nullable=False),
    Column("version", _Count, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("previous", _Count),
    Column("kind", Text, nullable=False),
    Column("decision", Text),
    Column("evidence", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Text, nullable=False),
    Index("palio_promotions_model", "model", "sequence"),
)
"""`sequence` is the number of the ledger line that tells of the promotion, and that line's payload repeats the row."""


def to_text(moment: dt.datetime) -> str:
    """Write a moment as the tables hold it.

    Example:
        >>> to_text(dt.datetime(2026, 5, 4, tzinfo=dt.UTC))
        '2026-05-04T00:00:00.000000+00:00'
    """
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds")


def to_moment(text: str) -> dt.datetime:
    """Read a moment that `to_text` wrote."""
    return dt.datetime.fromisoformat(text)
