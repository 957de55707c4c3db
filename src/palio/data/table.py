"""Describe how each column is read, so that a person can check a whole table in a glance."""

from __future__ import annotations

from collections.abc import Mapping

from palio.core.cells import kind_of
from palio.core.records import Column, ColumnReading, Schema
from palio.data.cells.scan import ColumnScan

N_VALUES = 5
_MAX_SHOWN = 40


def readings(schema: Schema, scans: Mapping[str, ColumnScan]) -> tuple[ColumnReading, ...]:
    """Return how each column of a survey is read, in the order of the file."""
    return tuple(_reading(column, schema, scans[column.name]) for column in schema.columns)


def _reading(column: Column, schema: Schema, scan: ColumnScan) -> ColumnReading:
    return ColumnReading(
        name=column.name,
        reading=kind_of(column).describe(column),
        role=_role(column, schema),
        examples=tuple((_cut(cell), _cut(value)) for cell, value in scan.examples.items()),
        n_missing=scan.n_missing,
        n_unread=scan.n_wrong,
        values=_values(column, scan),
        doubts=tuple(scan.doubts()),
    )


def _role(column: Column, schema: Schema) -> str:
    if column.name == schema.target:
        return "target"
    named = {schema.id: "id", schema.group: "group"}.get(column.name, "")
    named = "time" if column.name in schema.time else named
    if named and column.feature:
        return f"{named}, feature"
    return named or ("feature" if column.feature else f"not read: {column.note}")


def _values(column: Column, scan: ColumnScan) -> str:
    kind = kind_of(column)
    if column.low is not None and column.high is not None:
        return f"{kind.show(column.low)} to {kind.show(column.high)}"
    counts = scan.label_counts()
    if counts is None:
        return "many different"
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    shown = ", ".join(_cut(value) for value in ranked[:N_VALUES])
    return shown + (f", … ({len(ranked):,})" if len(ranked) > N_VALUES else "")


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"
