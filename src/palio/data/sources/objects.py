"""Turn JSON objects into rows of text cells: nested objects unfold to `a.b`, lists are passed over.

Numbers keep the text that they are written in: `1.10` stays, and 20 digits stay 20 digits.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from palio.core.errors import InputError
from palio.data.sources import names

_DEEPEST = 16
LINES = msgspec.json.Decoder(dict[str, Any], float_hook=str)
"""Reads one object; numbers that are no integers of 64 bits keep the text that they are written in."""


class Written(str):
    """A number, as it is written."""

    __slots__ = ()


_NESTED = frozenset({dict, list})


def as_text(cell: Any) -> str | None:
    """Write a plain value as text, so that the same value has the same text from every source.

    Example:
        >>> as_text(True), as_text(3), as_text("1.50"), as_text(None)
        ('true', '3', '1.50', None)
    """
    if cell is None or isinstance(cell, str):
        return cell
    if type(cell) is bool:
        return "true" if cell else "false"
    return repr(cell)


class Unfolder:
    """Unfolds objects, and remembers what the columns are."""

    def __init__(self, where: str) -> None:
        self.names: dict[str, None] = {}
        self.nested: dict[str, None] = {}
        self.lists: dict[str, int] = {}
        """Column → number of the first row that holds a list in it."""
        self.double: dict[str, int] = {}
        self.n_rows = 0
        self._where = where

    def see(self, value: Mapping[str, Any]) -> None:
        """Take notice of an object; quickly, if it is flat."""
        if _NESTED.isdisjoint(map(type, value.values())):
            self.n_rows += 1
            if not value.keys() <= self.names.keys():
                self.names.update(dict.fromkeys(value))
        else:
            self.row(value)

    def row(self, value: Mapping[str, Any]) -> dict[str, str | None]:
        """Unfold an object whose fractions are texts, as written."""
        self.n_rows += 1
        cells: dict[str, str | None] = {}
        self._unfold(value, "", cells, 0)
        if not cells.keys() <= self.names.keys():
            self.names.update(dict.fromkeys(cells))
        return cells

    def _unfold(self, value: Mapping[str, Any], prefix: str, cells: dict[str, str | None], depth: int) -> None:
        for key, cell in value.items():
            name = prefix + key
            if name in cells:
                self.double.setdefault(name, self.n_rows)
            kind = type(cell)
            if kind is dict:
                self._object(cell, name, cells, depth)
            elif kind is list:
                self._list(name, is_empty=not cell, cells=cells)
            else:
                cells[name] = as_text(cell)

    def _object(self, cell: Mapping[str, Any], name: str, cells: dict[str, str | None], depth: int) -> None:
        if depth >= _DEEPEST:
            raise InputError(
                f"{self._where}: `{name[:80]}` is nested more than {_DEEPEST} deep", hint="flatten it, or write a table"
            )
        if cell:
            self.nested.setdefault(name)
        self._unfold(cell, f"{name}.", cells, depth + 1)

    def _list(self, name: str, *, is_empty: bool, cells: dict[str, str | None]) -> None:
        cells[name] = None
        if not is_empty:
            self.lists.setdefault(name, self.n_rows)

    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns that hold plain cells."""
        return tuple(name for name in self.names if name not in self.lists)

    def passed_over(self) -> dict[str, str]:
        """Return the columns that hold lists, with the reason."""
        return {name: f"it holds lists, first in row {row:,}" for name, row in self.lists.items()}

    def notes(self) -> list[str]:
        """Say what was unfolded and what occurs twice."""
        notes = []
        top = [name for name in self.nested if "." not in name] or list(self.nested)
        if top:
            shown = ", ".join(f"`{name}`" for name in top[:6]) + (f" and {len(top) - 6} more" if len(top) > 6 else "")
            inside = next((name for name in self.names if name.startswith(f"{top[0]}.")), "")
            notes.append(f"{self._where}: {shown} hold{'s' if len(top) == 1 else ''} objects, unfolded to `{inside}` …")
        if self.double:
            name, row = next(iter(self.double.items()))
            notes.append(
                f"{self._where}: `{name}` occurs twice in an object (first in row {row:,}), the last one counts"
            )
        return notes + names.about_passed_over(self.passed_over(), self._where)


def decode(text: str) -> Any:
    """Read one JSON value; NaN and Infinity are taken as written, double keys are found by `doubles`.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deep.
    """
    return PARSER.decode(text)


def doubles(line: bytes) -> list[str]:
    """Return the keys that occur more than once in an object of a line."""
    found: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: set[str] = set()
        found.extend(key for key, _ in items if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        return dict(items)

    json.loads(line, object_pairs_hook=pairs)
    return found


PARSER = json.JSONDecoder(parse_float=Written, parse_int=Written, parse_constant=Written, strict=False)


def batch_of(rows: Sequence[Mapping[str, Any]], columns: Iterable[str]) -> pa.RecordBatch:
    """Put rows into columns of text; a key that is absent is a missing cell."""
    columns = list(columns)
    arrays = []
    for name in columns:
        cells = [as_text(row.get(name)) for row in rows]
        try:
            arrays.append(pa.array(cells, pa.string()))
        except UnicodeEncodeError:  # half of a character
            arrays.append(pa.array([c and c.encode("utf-8", "replace").decode() for c in cells], pa.string()))
    return pa.RecordBatch.from_arrays(arrays, names=columns)
