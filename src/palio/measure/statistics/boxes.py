"""Describe what is said to be where in pictures: how many boxes, of which class, how large, where, and how sure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.cells.boxes import boxes_of
from palio.core.records import Box

Array = npt.NDArray[Any]
NAMES = ("n_boxes", "box_size", "box_across", "box_down", "box_score")
"""Boxes that are shown; the root of the middle area; how far from the left and from the top their middles are, on
average, in pixels; and the mean score. Of a picture without boxes only the first."""
_THRESHOLD = 4
"""Bytes of what is kept that hold the threshold."""
MOST_CLASSES = 12
"""The classes whose boxes are described apart, those with most boxes; names are a statistic, a point, and the class."""
FEWEST_PICTURES = 20
"""Of a class that is in fewer pictures the boxes are only counted: too little is known of their sizes and places."""


def describe_boxes(
    values: Array, threshold: float, classes: Sequence[str] = ()
) -> tuple[dict[str, Array], dict[str, bytes]]:
    """Compute all statistics of the boxes from a threshold on; return also what is kept of each for later cells.

    Of several classes the boxes of each are described, too: cats that become dogs, or lie elsewhere than before, need
    change no other number.
    """
    least = np.array([threshold], "<f4").tobytes()
    kept = dict.fromkeys(NAMES, least)
    if len(classes) > 1:
        shown = [[box.label for box in _shown(cell, threshold) or ()] for cell in values.tolist()]
        boxes = Counter(label for labels in shown for label in labels)
        pictures = Counter(label for labels in shown for label in set(labels))
        most = sorted(classes, key=lambda name: -boxes[name])[:MOST_CLASSES]
        for name in (one for one in classes if one in most):
            known = NAMES if pictures[name] >= FEWEST_PICTURES else NAMES[:1]
            kept |= dict.fromkeys([f"{statistic}.{name}" for statistic in known], least + _padded(name.encode()))
    return compute(values, kept), kept


def learn(values: Array) -> tuple[dict[str, Array], dict[str, bytes]]:
    """Compute all statistics of cells; every box counts."""
    return _computed(values, 0.0), {}


def compute(values: Array, kept: Mapping[str, bytes]) -> dict[str, Array]:
    """Compute all statistics of cells, of the boxes from the threshold on that was kept."""
    known = {name: one for name, one in kept.items() if one and name.partition(".")[0] in NAMES}
    held = next(iter(known.values()), b"")
    return _computed(
        values,
        float(np.frombuffer(held[:_THRESHOLD], "<f4")[0]) if held else 0.0,
        {name: one[_THRESHOLD:].rstrip(b"\0").decode() for name, one in known.items() if name not in NAMES},
    )


def _computed(values: Array, threshold: float, classes: Mapping[str, str] = MappingProxyType({})) -> dict[str, Array]:
    """Compute all statistics of all boxes, and those named of the class that each is of."""
    cells = [_shown(cell, threshold) for cell in values.tolist()]
    found = dict(zip(NAMES, _table(cells).T, strict=True))
    for label in dict.fromkeys(classes.values()):
        own = _table([None if one is None else [box for box in one if box.label == label] for one in cells])
        found |= {name: own[:, NAMES.index(name.partition(".")[0])] for name, of in classes.items() if of == label}
    return found


def _table(cells: Sequence[Sequence[Box] | None]) -> Array:
    """Return a row for each picture, a column for each of `NAMES`."""
    return np.array([_row(found) for found in cells], np.float64).reshape(-1, len(NAMES))


def _padded(name: bytes) -> bytes:
    """Fill up to whole words of four bytes, as everything has that is kept."""
    return name + bytes(-len(name) % 4)


def _shown(cell: Any, threshold: float) -> list[Box] | None:
    """Return the boxes of a cell that count; None: it is none."""
    try:
        return [one for one in boxes_of(cell) if (one.score is None or one.score >= threshold) and not one.ignored]
    except ValueError:
        return None


def _row(found: Sequence[Box] | None) -> tuple[float, ...]:
    nothing = (np.nan,) * (len(NAMES) - 1)
    if found is None:
        return (np.nan, *nothing)
    if not found:
        return (0.0, *nothing)
    left, top, right, bottom = np.array([one.box for one in found]).T
    size = float(np.sqrt(np.median((right - left) * (bottom - top))))
    middle = float((left + right).mean() / 2), float((top + bottom).mean() / 2)
    return (float(len(found)), size, *middle, float(np.mean([1.0 if o.score is None else o.score for o in found])))
