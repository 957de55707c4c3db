"""Read cells that hold boxes: a JSON list of what is where in a picture."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import msgspec

from palio.core.cells.categories import folded
from palio.core.cells.cell import Parsed, Parser, Plain
from palio.core.records import Box, Column

_MOST = 20
"""Labels that a person is shown."""


class Boxes:
    """What is where in a picture; an empty list says that nothing is there, a missing cell that nobody has looked."""

    expected = "a list of boxes, each with `label` and `box` (left, top, right, bottom in pixels)"
    carries_text = True

    def parser(self, column: Column) -> Parser:
        """Take a JSON list, and write it in the one form that it has everywhere; spellings that are one become one."""
        if not column.fold or not column.categories:
            return _parsed
        spelt = {folded(label): label for label in reversed(column.categories)}

        def parsed(cell: Any) -> Parsed | None:
            found = _read(cell)
            if found is None:
                return None
            named = (msgspec.structs.replace(one, label=spelt.get(folded(one.label), one.label)) for one in found)
            return Parsed(cell_of(named))

        return parsed

    def plain(self, column: Column) -> Plain:  # noqa: ARG002 — the same for all
        """Name none: every cell is read."""
        return Plain()

    def describe(self, column: Column) -> str:  # noqa: ARG002 — there is one way
        """Say how it is read."""
        return "boxes"

    def show(self, value: float | str) -> str:
        """Write them as they are; `counted` is for people in a hurry."""
        return str(value)

    def hard(self, column: Column) -> tuple[Any, ...]:  # noqa: ARG002 — the same for all
        """Name cells that are easily misread."""
        one = '{"label":"a","box":[0,0,1,1]}'
        readable = "[]", "[ ]", f"[{one}]", f"[{one},{one}]", '[{"box":[-1.5,0,1e3,1],"label":"","score":0.5,"x":1}]'
        return ("", *readable, one, '[{"label":"a","box":[1,0,0,1]}]', "[0,0,1,1]")


def boxes_of(cell: Any) -> tuple[Box, ...]:
    """Read a cell of boxes: JSON, or what JSON holds.

    Raises:
        ValueError: it is no list of boxes; or one has no size, or a place or score that is no number.

    Example:
        >>> boxes_of('[{"label": "cat", "box": [1, 2, 3.5, 4]}]')[0].box
        (1.0, 2.0, 3.5, 4.0)
    """
    try:
        found = (
            msgspec.json.decode(cell, type=tuple[Box, ...])
            if isinstance(cell, str | bytes)
            else msgspec.convert(cell, tuple[Box, ...])
        )
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ValueError(str(error)[:200]) from None
    for place, one in enumerate(found):
        left, top, right, bottom = one.box
        if not all(map(math.isfinite, one.box)) or not (left < right and top < bottom):
            raise ValueError(f"box {place} has no size: {list(one.box)}")
        if one.score is not None and not 0 <= one.score <= 1:
            raise ValueError(f"box {place} has the score {one.score}")
    return found


def outside(boxes: Iterable[Box], width: float, height: float) -> Box | None:
    """Return the first box most of which lies outside of a picture of these sides; None if there is none.

    Example:
        >>> outside([Box(label="cat", box=(300, 200, 400, 300))], 320, 240) is None
        False
        >>> outside([Box(label="cat", box=(300, 200, 330, 242))], 320, 240) is None
        True
    """
    for one in boxes:
        left, top, right, bottom = one.box
        inside = max(0.0, min(right, width) - max(left, 0.0)) * max(0.0, min(bottom, height) - max(top, 0.0))
        if 2 * inside < (right - left) * (bottom - top):
            return one
    return None


def cell_of(boxes: Iterable[Box]) -> str:
    """Write boxes as a cell; what `boxes_of` reads back bit for bit.

    Example:
        >>> cell_of([Box(label="cat", box=(1.0, 2.0, 3.5, 4.0))])
        '[{"label":"cat","box":[1.0,2.0,3.5,4.0]}]'
    """
    return msgspec.json.encode(list(boxes)).decode()


def counted(boxes: Iterable[Box]) -> str:
    """Count the things by what they are, for people.

    Example:
        >>> counted([Box(label="cat", box=(0, 0, 1, 1)), Box(label="cat", box=(5, 0, 6, 1))])
        '2 cat'
    """
    counts: dict[str, int] = {}
    for one in boxes:
        counts[one.label] = counts.get(one.label, 0) + 1
    shown = [f"{n} {label}" for label, n in list(counts.items())[:_MOST]]
    return ", ".join([*shown, "…"] if len(counts) > _MOST else shown) or "nothing"


def _parsed(cell: Any) -> Parsed | None:
    found = _read(cell)
    return None if found is None else Parsed(cell_of(found))


def _read(cell: Any) -> tuple[Box, ...] | None:
    if not isinstance(cell, str):
        return None
    try:
        return boxes_of(cell)
    except ValueError:
        return None
