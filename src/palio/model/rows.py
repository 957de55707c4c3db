"""Turn JSON records into feeds, strictly: what does not fit the schema is refused by name, never guessed."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.errors import ContractError, did_you_mean
from palio.core.records import Column, Schema
from palio.model.names import carries_strings, input_name

UNKNOWN, RANGE, MISSING = "unknown category", "out of range", "missing"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_EXPECTED = {
    "number": "a finite number",
    "integer": "a whole number",
    "datetime": "an ISO 8601 date or seconds since 1970",
    "boolean": "true or false",
    "category": "text",
    "text": "text",
}


def feeds_from_records(
    records: Sequence[Mapping[str, Any]], schema: Schema
) -> tuple[dict[str, npt.NDArray[Any]], list[list[str]]]:
    """Turn decoded JSON objects into feeds; see `RecordReader`, which is faster for many calls."""
    return RecordReader(schema).read(records)


class RecordReader:
    """Read records against one schema.

    A field may be left out, or be null, where the schema allows a missing value. Columns of the schema that are not
    features are ignored. Dates are ISO 8601 (UTC unless they say otherwise), the column's own format, or seconds;
    booleans may stand for "true" and "false", and numbers for categories that print like them.

    Example:
        >>> from palio.core.records import Column, Schema
        >>> reader = RecordReader(Schema(columns=(Column(name="age", type="integer", low=18, high=90),)))
        >>> feeds, flags = reader.read([{"age": 33}, {"age": 99}])
        >>> feeds["age"].tolist(), flags
        ([[33.0], [99.0]], [[], ['age: out of range']])
    """

    def __init__(self, schema: Schema) -> None:
        self._known = frozenset(column.name for column in schema.columns)
        self._features = tuple(column.name for column in schema.features)
        self._readers = [(c, input_name(c.name), _reader(c), _flagger(c)) for c in schema.features]

    def read(self, records: Sequence[Mapping[str, Any]]) -> tuple[dict[str, npt.NDArray[Any]], list[list[str]]]:
        """Return the feeds, and per record what is unusual about it.

        That is `<column>: unknown category`, `<column>: out of range` or `<column>: missing`.

        Raises:
            ContractError: an unknown field, a missing value that is not allowed, a value of the wrong type, a number
                that is not finite, or one that the column's policy rejects. `facts["violations"]` lists column, rule
                and row; values are never repeated.
        """
        for row, record in enumerate(records):
            if not record.keys() <= self._known:
                raise self._unknown_field(record, row)
        flags: list[list[str]] = [[] for _ in records]
        feeds = {}
        for column, name, read, flag in self._readers:
            values = [
                self._cell(column, read, flag, record.get(column.name), flags, row)
                for row, record in enumerate(records)
            ]
            feeds[name] = np.array(values, dtype=object if carries_strings(column) else np.float64).reshape(-1, 1)
        return feeds, flags

    @staticmethod
    def _cell(
        column: Column,
        read: Callable[[Any], float | str | None],
        flag: Callable[[Any], str],
        cell: Any,
        flags: list[list[str]],
        row: int,
    ) -> float | str:
        if cell is None or cell == "":
            if not column.missing_allowed:
                raise _violation(column, "missing", row, "is missing, but must be given", hint="give a value")
            if column.on_missing == "flag":
                flags[row].append(f"{column.name}: {MISSING}")
            return "" if carries_strings(column) else math.nan
        value = read(cell)
        if value is None:
            raise _violation(
                column, "type", row, f"is not {_EXPECTED[column.type]}", hint=f"send {_EXPECTED[column.type]}"
            )
        unusual = flag(value)
        if unusual:
            policy = column.on_unknown if unusual == UNKNOWN else column.on_out_of_range
            if policy == "reject":
                rule = "category" if unusual == UNKNOWN else "range"
                raise _violation(column, rule, row, f"is {unusual}", hint=_allowed(column))
            if policy == "flag":
                flags[row].append(f"{column.name}: {unusual}")
        return value

    def _unknown_field(self, record: Mapping[str, Any], row: int) -> ContractError:
        surplus = sorted(str(name)[:60] for name in record if name not in self._known)
        return ContractError(
            f"record {row}: unknown field `{surplus[0]}`",
            hint=did_you_mean(surplus[0], self._features),
            facts={"violations": [{"column": name, "rule": "surplus", "row": row} for name in surplus[:16]]},
        )


def _violation(column: Column, rule: str, row: int, what: str, *, hint: str) -> ContractError:
    return ContractError(
        f"record {row}: `{column.name}` {what}",
        hint=hint,
        facts={"violations": [{"column": column.name, "rule": rule, "row": row}]},
    )


def _allowed(column: Column) -> str:
    if column.categories is not None:
        shown = ", ".join(f"`{value}`" for value in column.categories[:12])
        return f"send one of {shown}" + (" …" if len(column.categories) > 12 else "")
    if column.low is not None and column.high is not None:
        return f"send a value from {column.low:g} to {column.high:g}"
    return f"send at least {column.low:g}" if column.low is not None else f"send at most {column.high:g}"


def _flagger(column: Column) -> Callable[[Any], str]:
    """Return what names an unusual value of `column`: "" for a usual one."""
    if column.type in ("category", "boolean"):
        known = None if column.categories is None else frozenset(column.categories)
        return lambda value: "" if known is None or value in known else UNKNOWN
    if carries_strings(column):
        return lambda value: ""  # noqa: ARG005 - any text is usual
    low = -math.inf if column.low is None else column.low
    high = math.inf if column.high is None else column.high
    return lambda value: "" if low <= value <= high else RANGE


def _reader(column: Column) -> Callable[[Any], float | str | None]:
    """Return what reads a cell of `column`; the reader gives None for a cell of the wrong type."""
    if column.type == "number":
        return _number
    if column.type == "integer":
        return _integer
    if column.type == "datetime":
        return lambda cell: _datetime(cell, column.format)
    if column.type == "boolean":
        known = frozenset(column.categories or ("true", "false"))
        return lambda cell: _text(cell, known, strict=True)
    if column.type == "category":
        known = frozenset(column.categories or ())
        return lambda cell: _text(cell, known)
    return lambda cell: cell if isinstance(cell, str) else None


def _number(cell: Any) -> float | None:
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return None
    try:
        value = float(cell)
    except OverflowError:  # a whole number beyond float64
        return None
    return value if math.isfinite(value) else None


def _integer(cell: Any) -> float | None:
    value = _number(cell)
    return value if value is not None and value.is_integer() else None


def _text(cell: Any, known: frozenset[str], *, strict: bool = False) -> str | None:
    if isinstance(cell, str):
        return cell if not strict or cell in known or cell in ("true", "false") else None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        prints = [str(cell)]
        if isinstance(cell, float) and cell.is_integer():
            prints.append(str(int(cell)))
        elif isinstance(cell, int) and abs(cell) < 1 << 53:
            prints.append(str(float(cell)))
        return next((text for text in prints if text in known), None)
    return None


def _datetime(cell: Any, form: str | None) -> float | None:
    if not isinstance(cell, str):
        return _number(cell)
    moment = None
    try:
        moment = dt.datetime.fromisoformat(cell)
    except ValueError:
        if form is None:
            return None
    try:
        if moment is None:
            moment = dt.datetime.strptime(cell, str(form))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=dt.UTC)
        return ((moment - _EPOCH) // _MICROSECOND) / 1e6
    except (ValueError, OverflowError):
        return None
