"""Read the beginning of files that declare their columns line by line, as ARFF does."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from palio.core.errors import InputError

_ATTRIBUTE = re.compile(r"@attribute\s+(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|([^\s{]+))", re.IGNORECASE)
_ESCAPED = re.compile(r"\\(.)")


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """What stands above the rows."""

    columns: tuple[str, ...]
    n_lines: int
    """Lines before the first row."""


def declared(lines: Sequence[str], name: str) -> Declared | None:
    """Return the columns that are declared above the rows; None: none are.

    Raises:
        InputError: the rows hold pairs of place and cell.
    """
    begun = next((line for line in lines if line.strip() and not line.startswith("%")), "").lstrip("\ufeff")
    if not begun.lower().startswith("@relation"):
        return None
    columns = []
    for number, line in enumerate(lines, start=1):
        words = line.strip().lower()
        if found := _ATTRIBUTE.match(line.strip()):
            columns.append(_ESCAPED.sub(r"\1", next(part for part in found.groups() if part is not None)))
        elif words == "@data" and columns:
            first = next((row for row in lines[number:] if row.strip() and not row.startswith("%")), "")
            if first.lstrip().startswith("{"):
                raise InputError(
                    f"{name}: its rows name cells by their places, which is not read", hint="write it as CSV"
                )
            return Declared(columns=tuple(columns), n_lines=number)
    return None
