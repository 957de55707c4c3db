"""Describe how each column is read, so that a person can check a whole table in a glance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from palio.core.cells import kind_of
from palio.core.records import MANY, Column, ColumnReading, Schema
from palio.data.cells.scan import ColumnScan

EXCLUDED = "excluded"
"""Why no model reads a column that a person excluded."""
N_VALUES = 5
MAX_SHOWN = 40


def readings(schema: Schema, scans: Mapping[str, ColumnScan], more: Sequence[str] = ()) -> tuple[ColumnReading, ...]:
    """Return how each column of a survey is read, in the order of the file.

    Args:
        schema: What was found.
        scans: How.
        more: What else is doubtful, each sentence beginning with the column.
    """
    return tuple(_reading(column, schema, scans[column.name], more) for column in schema.columns)


def not_of_a_column(notes: Iterable[str], table: Sequence[ColumnReading]) -> tuple[str, ...]:
    """Return the notes that the table does not hold: those about the file, the rows, or several columns.

    Example:
        >>> row = ColumnReading(name="x", reading="number", role="feature", doubts=("few",))
        >>> not_of_a_column(["`x`: few", "10 rows have no `x`"], [row])
        ('10 rows have no `x`',)
    """
    told = {f"`{row.name}`: {doubt}" for row in table for doubt in row.doubts}
    told |= {f"`{row.name}` is not a feature: {row.why}" for row in table if row.why}
    return tuple(note for note in notes if note not in told)


def _reading(column: Column, schema: Schema, scan: ColumnScan, more: Sequence[str]) -> ColumnReading:
    ranged = column.low is not None and column.high is not None
    counts = None if ranged else scan.label_counts()
    role = _role(column, schema)
    is_told = scan.n_wrong > 0 or scan.has_huge
    head = f"`{column.name}`: "
    doubts = [doubt.removeprefix(head) for doubt in scan.doubts()]
    wrong = [scan.column().note] if is_told else []
    doubts = [*wrong, *doubts, *(one.removeprefix(head) for one in more if one.startswith(head))]
    return ColumnReading(
        name=column.name,
        reading=kind_of(column).describe(column),
        role=role,
        examples=tuple((_cut(cell), _cut(value)) for cell, value in scan.examples.items()),
        n_missing=scan.n_missing,
        n_unread=scan.n_wrong,
        values=_values(column, counts),
        n_values=None if counts is None else len(counts),
        why="" if column.feature or role == "target" else column.note,
        doubts=() if column.note == EXCLUDED else tuple(dict.fromkeys(doubts)),
    )


def _role(column: Column, schema: Schema) -> str:
    if column.name == schema.target:
        return "target"
    named = {schema.id: "id", schema.group: "group"}.get(column.name, "")
    named = "time" if column.name in schema.time else named
    if named and column.feature:
        return f"{named}, feature"
    return named or ("feature" if column.feature else "not read")


def _values(column: Column, counts: Mapping[str, int] | None) -> str:
    kind = kind_of(column)
    if column.low is not None and column.high is not None:
        return f"{kind.show(column.low)} to {kind.show(column.high)}"
    if counts is None:
        return MANY
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    return ", ".join(_cut(value) for value in ranked[:N_VALUES]) + (", …" if len(ranked) > N_VALUES else "")


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"
