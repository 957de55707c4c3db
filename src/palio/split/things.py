"""What pictures hold, for a cut: each picture is cut with the rarest of the things in it.

Boxes are no classes of a row, for a picture may hold several. So a cut asks another question of them: which things are
there, rarest first, `(nothing)` among them. What was rarest in an earlier cut stays so, that rows keep their part.

Source: the order of the classes is that of Sechidis, Tsoumakas and Vlahavas 2011, "On the stratification of multi-label
data", ECML PKDD.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from palio.core.cells import boxes_of
from palio.core.records import Task

NOTHING = "(nothing)"
"""Stratum of pictures without any box."""
Pairs = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]


def are_asked(task: Task) -> bool:
    """Tell whether a task asks what is where in pictures."""
    return task.kind == "detection"


def pairs_of(cells: Iterable[str | None], task: Task, *, first_row: int = 0) -> tuple[Pairs, npt.NDArray[np.bool_]]:
    """Return row and class of each thing in each cell, and which cells are there.

    Classes are numbered in the order of the task, `NOTHING` behind them; what is ignored does not count.
    """
    places = {label: place for place, label in enumerate(task.classes)}
    found: list[tuple[int, int]] = []
    there = []
    for row, cell in enumerate(cells):
        there.append(cell is not None)
        if cell is not None:
            held = {places[box.label] for box in boxes_of(cell) if box.label in places and not box.ignored}
            found += [(first_row + row, place) for place in sorted(held) or [len(places)]]
    return np.array(found, np.int64).reshape(-1, 2), np.array(there, bool)


def as_classes(task: Task, pairs: Pairs, before: Sequence[str] = ()) -> tuple[Task, Pairs]:
    """Ask instead which things there are, the rarest first; returns that question, and the pairs in its order.

    Args:
        task: What is asked of the pictures.
        pairs: As `pairs_of` gives them.
        before: Strata of an earlier cut, whose order stays; things that it did not know come first.
    """
    names = (*task.classes, NOTHING)
    counts = np.bincount(pairs[:, 1], minlength=len(names))
    rarest = sorted(range(len(names)), key=lambda place: (counts[place], place))
    known = [name for name in before if name in names]
    order = [*(names[place] for place in rarest if names[place] not in known), *known]
    rank = np.array([order.index(name) for name in names], np.int64)
    asked = msgspec.structs.replace(task, kind="classification", classes=tuple(order), metric="accuracy")
    return asked, np.stack([pairs[:, 0], rank[pairs[:, 1]]], axis=1)


def rarest_of(pairs: Pairs, n_rows: int) -> Codes:
    """Return the first class of each row, shape (n_rows,); -1 where nobody has looked."""
    codes = np.full(n_rows, np.iinfo(np.int32).max, np.int64)
    np.minimum.at(codes, pairs[:, 0], pairs[:, 1])
    codes[codes == np.iinfo(np.int32).max] = -1
    return codes.astype(np.int32)


def among(pairs: Pairs, rows: npt.NDArray[np.bool_]) -> Pairs:
    """Return the pairs of some rows, which are counted anew."""
    place = np.cumsum(rows) - 1
    kept = pairs[rows[pairs[:, 0]]]
    return np.stack([place[kept[:, 0]], kept[:, 1]], axis=1)
