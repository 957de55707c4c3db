"""Tell from the beginning of a text file what stands before the decimals of its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from palio.core.errors import InputError
from palio.data.sources.rows import NUMBER

_DECIMAL_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+|),\d+([eE][+-]?\d+)?$")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([.,])\d{3}(\1\d{3})*$")
_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?$")


def decimal_of(rows: Iterable[Sequence[str]], wanted: str, *, separator: str, missing: tuple[str, ...]) -> str:
    """Return `.` or `,`: a comma only where the cells leave no other reading.

    Args:
        rows: Rows of equal width, without the header.
        wanted: `.` or `,` if somebody knows, else `auto`.
        separator: Between the cells.
        missing: Cells that mean "not known".
    """
    if wanted not in ("auto", ".", ","):
        raise InputError(f"[data] decimal: got `{wanted}`, allowed are auto, `.` and `,`", hint="use `auto`")
    if wanted != "auto":
        return wanted
    if separator == ",":
        return "."
    marks, found = {*missing, ""}, False
    for cells in zip(*rows, strict=True):
        present = [cell for cell in cells if cell not in marks]
        if any(_DECIMAL_POINT.match(c) and not _THOUSANDS.match(c) for c in present):
            return "."
        commas = [c for c in present if _DECIMAL_COMMA.match(c)]
        whole = [c for c in present if "," not in c and NUMBER.match(c)]
        is_number = bool(commas) and len(commas) + len(whole) == len(present)
        # 1,234 may be one thousand in another country
        found |= is_number and any(not _THOUSANDS.match(c) for c in commas)
    return "," if found else "."
