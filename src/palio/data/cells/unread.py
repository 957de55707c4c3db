"""Notice cells that hold numbers in ways that are not read: `120/80`, `10-19`, `1h30m`, `0x1f`, `Jan-22`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from palio.core.cells.calendar import MONTHS, plain

_SHOWN = 200
"""Values that are looked at."""
_MOST = 0.9
_FEW_SHAPES = 4
_LONGEST = 40
_BEGINS = re.compile(r"[-+(~<>≈≤≥]?\d|(?:PT?|H|S|T|FY|KW)[ -]?\d", re.IGNORECASE)
_HEX = re.compile(r"0x[0-9a-f]+\Z", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]+")
_MONTH_AND = re.compile(r"(?:(?P<before>[^\W\d_]{3,})\.?[ '-]?\d{1,2}|\d{1,2}[ .'-]*(?P<after>[^\W\d_]{3,})\.?)\Z")


def about(values: Sequence[str]) -> list[str]:
    """Say what the values of a column of words hold beside words.

    Args:
        values: The different values, or the first of them.

    Example:
        >>> about(["120/80", "135/90"])
        ['several numbers in each cell, as `120/80`, are read as one category; for an order write them into columns of
        their own']
        >>> about(["red", "A-12"]), about(["Jan-22", "Feb-22"])[0][:47]
        ([], 'months or days without a year, as `Jan-22`, are')
    """
    some = list(values[:_SHOWN])
    if len(some) < 2:
        return []
    if all(map(_HEX.match, some)):
        return [f"hexadecimal numbers, as `{some[0]}`, are read as categories; for an order write them as decimal ones"]
    if all(map(_is_month, some)):
        return [
            f"months or days without a year, as `{some[0]}`, are read as categories; for an order write 2022-01 or "
            "2022-01-22"
        ]
    shapes = Counter(shape for cell in some if (shape := _shape(cell)))
    if sum(shapes.values()) < _MOST * len(some) or len(shapes) > _FEW_SHAPES:
        return []
    example = next(cell for cell in some if _shape(cell))
    return [
        f"several numbers in each cell, as `{example}`, are read as one category; for an order write them into columns "
        "of their own"
    ]


def _is_month(cell: str) -> bool:
    found = _MONTH_AND.match(cell)
    return found is not None and plain(found["before"] or found["after"]) in MONTHS


def _shape(cell: str) -> str:
    """Write a cell of several numbers with `0` for each and `a` for each word; empty: it is none."""
    if len(cell) > _LONGEST or not _BEGINS.match(cell):
        return ""
    shape = _WORD.sub("a", _NUMBER.sub("0", cell))
    return shape if shape.count("0") > 1 and shape.count("a") <= shape.count("0") + 1 else ""
