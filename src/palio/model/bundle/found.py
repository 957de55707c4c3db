"""Measure how far two ways of finding things in the same pictures are apart, box by box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from palio import measure
from palio.core.cells.boxes import boxes_of
from palio.core.records import Box
from palio.model.graph.boxes import FLOOR, IOU, MOST_BOXES, THIN, Candidates

Array = npt.NDArray[Any]
SAME = 0.02
"""Boxes of a class whose corners and scores differ by less, in parts of their longer side, are taken for the same."""
LINE = 1e-4
"""Boxes of which the overlap is as close to the one that is too much: the last bit of a product decides."""
STEP = 1.01e-4
"""Pixels that rounded corners of a box may differ by: answers are rounded, and of two numbers that agree to their last
bits one may be rounded up and one down. Of a box of one pixel that alone would be all that is allowed."""
TWIN = 0.3
"""Least overlap of boxes of which either may be dropped for the other, if they are equally sure."""


def boxes_apart(found: Array, expected: Array, *, tolerance: float) -> tuple[float, int]:
    """Compare what is found in some pictures.

    A box that only one of the two has is a difference, unless chance decides between it and another: a twin that is as
    sure to within `tolerance` and overlaps it, a surer one that overlaps it by just too much or just not, one that only
    the other has by chance itself and that it is dropped for, the end of a full list, or the floor below which nothing
    is said.

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
        both = _read(mine, its)
        gap, lonely = _matched(*both)
        largest = max(largest, gap)
        n_alone += sum(map(len, lonely)) - len(_by_chance(both, lonely, tolerance))
    return largest, n_alone


def wrongly_chosen(found: Array, candidates: Sequence[Candidates], *, tolerance: float) -> tuple[float, int]:
    """Hold what a graph found against all that its library had to choose from.

    Which of two boxes stays that are equally sure, and all that hangs on it, is chance. What is found is right if each
    box is one of the library's, no two of a class overlap too much, and each other box of the library is unsure, or
    overlapped by a surer one.

    Args:
        found: A cell of boxes for each picture, shape (n,).
        candidates: Of each picture.
        tolerance: Of scores that count as equal.

    Returns:
        The largest difference of a score, or of a corner in parts of the longer side of its box; and how many boxes
        are nobody's, should have been dropped, or should be there.
    """
    largest, n_wrong = 0.0, 0
    for cell, one in zip(np.ravel(found), candidates, strict=True):
        gap, n = _judged(boxes_of(cell), one, tolerance)
        largest, n_wrong = max(largest, gap), n_wrong + n
    return largest, n_wrong


def _judged(boxes: Sequence[Box], one: Candidates, tolerance: float) -> tuple[float, int]:
    sides = np.maximum(one.shown[:, 2:] - one.shown[:, :2], 1.0).max(axis=1, initial=1.0)
    free, largest, n_wrong = np.ones(len(one.scores), bool), 0.0, 0
    for box in boxes:
        moved = _beyond_rounding(one.shown - np.array(box.box)).max(axis=1, initial=0.0) / sides
        gaps = np.maximum(moved, np.abs(one.scores - (1.0 if box.score is None else box.score)))
        gaps = np.where(free & (one.labels == box.label), gaps, np.inf)
        best = int(gaps.argmin()) if len(gaps) else 0
        if not len(gaps) or gaps[best] > SAME:
            n_wrong += 1
            continue
        free[best], largest = False, max(largest, float(gaps[best]))
    taken = np.flatnonzero(~free)
    same = one.labels[taken][:, None] == one.labels[None]
    shared = np.where(same, measure.boxes.overlaps(one.corners[taken], one.corners), 0.0)
    n_wrong += int(np.triu(shared[:, taken] > one.iou + LINE, 1).sum())
    # what is thinner than a hair in the picture may have been chosen, and not be shown
    is_thin = ((one.shown[:, 2:] - one.shown[:, :2]) <= 2 * THIN).any(axis=1)
    hidden = np.flatnonzero(is_thin & free)
    same = one.labels[hidden][:, None] == one.labels[None]
    behind = np.where(same, measure.boxes.overlaps(one.corners[hidden], one.corners), 0.0)
    droppers = np.concatenate([taken, hidden])
    is_surer = one.scores[droppers][:, None] >= one.scores[None] - tolerance
    is_dropped = ((np.concatenate([shared, behind]) >= one.iou - LINE) & is_surer).any(axis=0)
    is_unsure = one.scores <= one.least + tolerance
    if len(droppers) >= MOST_BOXES:
        is_unsure |= one.scores <= one.scores[taken].min(initial=1.0) + tolerance
    return largest, n_wrong + int((free & ~is_thin & ~is_dropped & ~is_unsure).sum())


def _beyond_rounding(gap: Array) -> Array:
    """Return by how much corners differ beyond what their last digit may."""
    size = np.abs(gap)
    return np.where(size <= STEP, 0.0, size)


def _read(mine: str, its: str) -> tuple[measure.boxes.Objects, measure.boxes.Objects]:
    """Return cells as objects that count their classes alike."""
    one, other = boxes_of(mine), boxes_of(its)
    names = sorted({box.label for box in (*one, *other)})
    return measure.boxes.as_objects(one, names), measure.boxes.as_objects(other, names)


def _matched(one: measure.boxes.Objects, other: measure.boxes.Objects) -> tuple[float, tuple[list[int], list[int]]]:
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
    return largest, (lonely, sorted(left))


def _gaps(one: measure.boxes.Objects, other: measure.boxes.Objects) -> Array:
    sides = np.maximum(other.corners[:, 2:] - other.corners[:, :2], 1.0).max(axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        moved = _beyond_rounding(one.corners[:, None] - other.corners[None]).max(axis=2) / sides[None]
        found = np.maximum(moved, np.abs(one.scores[:, None] - other.scores[None]))
    return np.where(one.classes[:, None] == other.classes[None], found, np.inf)


def _by_chance(
    both: tuple[measure.boxes.Objects, measure.boxes.Objects], lonely: tuple[list[int], list[int]], tolerance: float
) -> set[tuple[int, int]]:
    """Return which of the boxes without a partner, as (side, place), chance decided about, the surest first.

    What one side drops for a box that it has by chance, the other keeps by chance; and so on along a chain.
    """
    excused: set[tuple[int, int]] = set()
    alone = [(side, place) for side in (0, 1) for place in lonely[side]]
    for side, place in sorted(alone, key=lambda one: -both[one[0]].scores[one[1]]):
        one, other = both[side], both[1 - side]
        rivals = np.isin(np.arange(len(other)), [at for where, at in excused if where != side])
        if _is_chance(one, place, other, tolerance, rivals):
            excused.add((side, place))
    return excused


def _is_chance(
    one: measure.boxes.Objects, place: int, other: measure.boxes.Objects, tolerance: float, rivals: Array
) -> bool:
    score = one.scores[place]
    if score <= FLOOR + tolerance or (len(other) >= MOST_BOXES and score <= other.scores[-1] + tolerance):
        return True
    shared = measure.boxes.overlaps(one.corners[[place]], other.corners)[0]
    is_twin = (shared > TWIN) & (np.abs(other.scores - score) <= tolerance)
    is_on_the_line = (np.abs(shared - IOU) <= LINE) & (other.scores >= score)
    is_dropped_for = rivals & (shared >= IOU - LINE) & (other.scores >= score - tolerance)
    is_near = is_twin | is_on_the_line | is_dropped_for
    return bool((is_near & (other.classes == one.classes[place])).any())
