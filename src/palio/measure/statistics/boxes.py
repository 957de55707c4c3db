"""Describe what is said to be where in pictures: how many boxes, how large, where, and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.cells.boxes import boxes_of

Array = npt.NDArray[Any]
NAMES = ("n_boxes", "box_size", "box_across", "box_down", "box_score")
"""Boxes that are shown; the root of the middle area; how far from the left and from the top their middles are, on
average, in pixels; and the mean score. Of a picture without boxes only the first."""


def describe_boxes(values: Array, threshold: float) -> tuple[dict[str, Array], bytes]:
    """Compute all statistics of the boxes from a threshold on; return also what is kept for later cells."""
    kept = np.array([threshold], "<f4").tobytes()
    return compute(values, dict.fromkeys(NAMES, kept)), kept


def learn(values: Array) -> tuple[dict[str, Array], dict[str, bytes]]:
    """Compute all statistics of cells; every box counts."""
    return _computed(values, 0.0), {}


def compute(values: Array, kept: Mapping[str, bytes]) -> dict[str, Array]:
    """Compute all statistics of cells, of the boxes from the threshold on that was kept."""
    held = next((one for name, one in kept.items() if name in NAMES and one), b"")
    return _computed(values, float(np.frombuffer(held[:4], "<f4")[0]) if held else 0.0)


def _computed(values: Array, threshold: float) -> dict[str, Array]:
    rows = [_row(cell, threshold) for cell in values.tolist()]
    table = np.array(rows, np.float64).reshape(-1, len(NAMES))
    return dict(zip(NAMES, table.T, strict=True))


def _row(cell: Any, threshold: float) -> tuple[float, ...]:
    nothing = (np.nan,) * (len(NAMES) - 1)
    try:
        found = [one for one in boxes_of(cell) if (one.score is None or one.score >= threshold) and not one.ignored]
    except ValueError:
        return (np.nan, *nothing)
    if not found:
        return (0.0, *nothing)
    left, top, right, bottom = np.array([one.box for one in found]).T
    size = float(np.sqrt(np.median((right - left) * (bottom - top))))
    middle = float((left + right).mean() / 2), float((top + bottom).mean() / 2)
    return (float(len(found)), size, *middle, float(np.mean([1.0 if o.score is None else o.score for o in found])))
