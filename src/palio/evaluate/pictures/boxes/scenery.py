"""Slices of pictures by what is in them: how many things, how small, how crowded, how cut off."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from palio.evaluate.answers import Array
from palio.evaluate.segmenting import MIN_ROWS, Segment
from palio.measure import boxes

COLUMN = "scene"
SMALL, LARGE = 0.02, 0.2
"""Shares of the picture: things are small, or large, where the middle one has less, or more."""
CROWDED = 0.2
"""Overlap from which on things stand in front of each other."""
BORDER = 1.0
"""Pixels from the border within which a thing may be cut off."""


def scenery(truth: Array, sides: Array) -> list[Segment]:
    """Cut pictures by what is in them.

    Args:
        truth: Shape (n_rows,), an `Objects` each.
        sides: Shape (n_rows, 2): width and height of each picture.
    """
    found = list(_cut(truth, np.asarray(sides, np.float64)))
    return [one for one in found if MIN_ROWS <= one.rows.sum() <= len(truth) - MIN_ROWS]


def _cut(truth: Array, sides: Array) -> Iterator[Segment]:
    counts = np.array([int((~one.ignored).sum()) for one in truth])
    for low, high, words in ((1, 1, "one thing"), (2, 3, "two or three things"), (4, 9, "four to nine things")):
        yield Segment(COLUMN, f"with {words}", (counts >= low) & (counts <= high))
    yield Segment(COLUMN, "with ten things or more", counts >= 10)
    share = np.array([_middle_share(one, side) for one, side in zip(truth, sides, strict=True)])
    yield Segment(COLUMN, f"whose things are small (below {SMALL:.0%} of the picture)", share < SMALL)
    yield Segment(COLUMN, f"whose things are large (above {LARGE:.0%} of the picture)", share > LARGE)
    yield Segment(COLUMN, "whose things stand in front of each other", np.array([*map(_is_crowded, truth)], bool))
    cut = np.array([_is_cut_off(one, side) for one, side in zip(truth, sides, strict=True)], bool)
    yield Segment(COLUMN, "whose things are cut off at the border", cut)


def _middle_share(one: boxes.Objects, side: Array) -> float:
    area = boxes.areas(one.corners[~one.ignored])
    return float(np.median(area) / side.prod()) if len(area) else float("nan")


def _is_crowded(one: boxes.Objects) -> bool:
    corners = one.corners[~one.ignored]
    covers = boxes.overlaps(corners, corners) - np.eye(len(corners))
    return bool((covers > CROWDED).any())


def _is_cut_off(one: boxes.Objects, side: Array) -> bool:
    corners = one.corners[~one.ignored]
    return bool((corners[:, :2] <= BORDER).any() or (corners[:, 2:] >= side - BORDER).any())
