"""Measure how far two ways of finding things in the same pictures are apart, box by box."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from palio import measure
from palio.core.cells.boxes import boxes_of
from palio.model.graph.boxes import FLOOR, IOU, MOST_BOXES

Array = npt.NDArray[Any]
SAME = 0.02
"""Boxes of a class whose corners and scores differ by less, in parts of their longer side, are taken for the same."""
LINE = 1e-4
"""Boxes of which the overlap is as close to the one that is too much: the last bit of a product decides."""
TWIN = 0.3
"""Least overlap of boxes of which either may be dropped for the other, if they are equally sure."""


def boxes_apart(found: Array, expected: Array, *, tolerance: float) -> tuple[float, int]:
    """Compare what is found in some pictures.

    A box that only one of the two has is a difference, unless chance decides between it and another: a twin that is as
    sure to within `tolerance` and overlaps it, a surer one that overlaps it by just too much or just not, the end of a
    full list, or the floor below which nothing is said.

    Args:
        found: A cell of boxes for each picture, shape (n,).
        expected: Likewise.
        tolerance: Of scores that count as equal.

    Returns:
        The largest difference of a score, or of a corner in parts of the longer side of its box; and how many boxes
        only one of the two has.
    """
    largest, n_alone = 0.0, 0
    for mine, its in zip(np.ravel(found), np.ravel(expected), strict=True):
        one, other = _read(mine, its)
        gap, lonely, missed = _matched(one, other)
        largest = max(largest, gap)
        n_alone += sum(not _is_chance(one, place, other, tolerance) for place in lonely)
        n_alone += sum(not _is_chance(other, place, one, tolerance) for place in missed)
    return largest, n_alone


def _read(*cells: str) -> list[measure.boxes.Objects]:
    """Return cells as objects that count their classes alike."""
    boxes = [boxes_of(cell) for cell in cells]
    names = sorted({one.label for own in boxes for one in own})
    return [measure.boxes.as_objects(own, names) for own in boxes]


def _matched(one: measure.boxes.Objects, other: measure.boxes.Objects) -> tuple[float, list[int], list[int]]:
    """Pair boxes; return the largest difference of a pair, and which boxes of the first and second have none."""
    gaps = _gaps(one, other)
    largest, left = 0.0, set(range(len(other)))
    lonely: list[int] = []
    for place in range(len(one)):
        best = min(left, key=lambda at: gaps[place, at], default=None)
        if best is None or not gaps[place, best] <= SAME:
            lonely.append(place)
            continue
        largest = max(largest, float(gaps[place, best]))
        left.discard(best)
    return largest, lonely, sorted(left)


def _gaps(one: measure.boxes.Objects, other: measure.boxes.Objects) -> Array:
    sides = np.maximum(other.corners[:, 2:] - other.corners[:, :2], 1.0).max(axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        moved = np.abs(one.corners[:, None] - other.corners[None]).max(axis=2) / sides[None]
        found = np.maximum(moved, np.abs(one.scores[:, None] - other.scores[None]))
    return np.where(one.classes[:, None] == other.classes[None], found, np.inf)


def _is_chance(one: measure.boxes.Objects, place: int, other: measure.boxes.Objects, tolerance: float) -> bool:
    score = one.scores[place]
    if score <= FLOOR + tolerance or (len(other) >= MOST_BOXES and score <= other.scores[-1] + tolerance):
        return True
    mine = one.corners[place]
    low = np.maximum(mine[:2], other.corners[:, :2])
    high = np.minimum(mine[2:], other.corners[:, 2:])
    shared = np.maximum(high - low, 0).prod(axis=1)
    union = (mine[2:] - mine[:2]).prod() + (other.corners[:, 2:] - other.corners[:, :2]).prod(axis=1) - shared
    is_twin = (shared > TWIN * union) & (np.abs(other.scores - score) <= tolerance)
    is_on_the_line = (np.abs(shared - IOU * union) <= LINE * union) & (other.scores >= score)
    return bool(((is_twin | is_on_the_line) & (other.classes == one.classes[place])).any())
