"""What is where in pictures, as a graph answers it: brought back into each picture's own coordinates, and told by name.

Needs numpy alone. `suppressing` puts the same suppression into a graph that `suppressed` does here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.cells.boxes import cell_of
from palio.core.records import Box
from palio.model.cells.names import BOXES, CLASSES, SCORES

Array = npt.NDArray[Any]
BOX_OUTPUTS = (BOXES, SCORES, CLASSES)
"""What a graph that finds things has as outputs."""
IOU = 0.6
"""Of two boxes of a class that overlap more, the less sure one is dropped."""
BEFORE, MOST_BOXES = 300, 100
"""The surest boxes of a picture that are compared, and those that are answered, at most."""
THIN = 1e-3
"""Boxes of a side that is no longer, in pixels, are none."""
FLOOR = 0.01
"""What is less sure is not said."""


def finds_boxes(names: Any) -> bool:
    """Tell whether outputs of these names say what is where."""
    return set(BOX_OUTPUTS) <= set(names)


def unfitted(corners: Array, places: Array) -> Array:
    """Bring corners from the pixels that a graph took into those of each picture, not cut off; shape (n, k, 4).

    Args:
        corners: Shape (n, k, 4).
        places: Shape (n, 4 or more), as in `brought_back`.
    """
    across, down, left, top = (one[:, None] for one in places[:, :4].T)
    moved: Array = (corners + np.stack([left, top, left, top], -1)) / np.stack([across, down, across, down], -1)
    return moved


def brought_back(outputs: Mapping[str, Array], places: Array) -> dict[str, Array]:
    """Bring boxes from the pixels that a graph took into those of each picture, and cut them off at its borders.

    What lies outside altogether, on the grey around a picture, is left out.

    Args:
        outputs: `boxes` (n, k, 4), `scores` (n, k), `classes` (n, k), and others, which stay as they are.
        places: Shape (n, 6): what the picture was multiplied by across and down, what was cut off at its left and top,
            and its own width and height.
    """
    found = unfitted(np.asarray(outputs[BOXES], np.float64), places)
    found = found.clip(0.0, np.tile(places[:, None, 4:6], 2)).astype(np.float32)
    scores, classes = outputs[SCORES], outputs[CLASSES]
    is_there = (scores > 0) & (found[..., 2] - found[..., 0] > THIN) & (found[..., 3] - found[..., 1] > THIN)
    order = np.argsort(~is_there, axis=1, kind="stable")
    is_there = np.take_along_axis(is_there, order, 1)
    return dict(outputs) | {
        BOXES: np.take_along_axis(found, order[..., None], 1) * is_there[..., None],
        SCORES: np.take_along_axis(scores, order, 1) * is_there,
        CLASSES: np.take_along_axis(classes, order, 1) * is_there,
    }


def cells_of(outputs: Mapping[str, Array], classes: Sequence[str]) -> Array:
    """Write what was found in each picture as a cell of boxes, shape (n,), objects: by name, the surest first.

    Corners are rounded to a ten-thousandth of a pixel and scores to a millionth, which is closer than two libraries
    agree.

    Example:
        >>> found = {"boxes": np.ones((1, 1, 4)), "scores": np.full((1, 1), 0.5), "classes": np.zeros((1, 1), int)}
        >>> cells_of(found, ["cat"]).tolist()
        ['[{"label":"cat","box":[1.0,1.0,1.0,1.0],"score":0.5}]']
    """
    cells = np.empty(len(outputs[SCORES]), object)
    for row in range(len(cells)):
        is_there = outputs[SCORES][row] > 0
        boxes = np.round(np.asarray(outputs[BOXES][row][is_there], np.float64), 4).tolist()
        scores = np.clip(np.round(np.asarray(outputs[SCORES][row][is_there], np.float64), 6), 0, 1).tolist()
        kinds = outputs[CLASSES][row][is_there].tolist()
        cells[row] = cell_of(
            Box(label=classes[kind], box=tuple(box), score=score)
            for box, score, kind in zip(boxes, scores, kinds, strict=True)
        )
    return cells


def suppressed(
    corners: Array,
    scores: Array,
    *,
    iou: float = IOU,
    before: int = BEFORE,
    top: int = MOST_BOXES,
    floor: float = FLOOR,
) -> dict[str, Array]:
    """Keep the surest of boxes that overlap, one after the other: what graphs are held against.

    Args:
        corners: Shape (n, m, 4), float32.
        scores: Shape (n, m, n_classes), float32 in [0, 1].
        iou: Of two boxes of a class that overlap more, the less sure one is dropped.
        before: The surest boxes of all classes that are compared.
        top: Boxes that are answered.
        floor: What is no surer is not said.
    """
    n, n_classes = len(corners), scores.shape[-1]
    flat = np.asarray(scores, np.float32).reshape(n, -1)
    before = min(before, flat.shape[1])
    k = min(top, before)
    found = {BOXES: np.zeros((n, k, 4), np.float32), SCORES: np.zeros((n, k), np.float32)}
    found[CLASSES] = np.zeros((n, k), np.int64)
    for row in range(n):
        order = np.argsort(-flat[row], kind="stable")[:before]
        order = order[flat[row][order] > np.float32(floor)]
        boxes, kinds = np.asarray(corners[row], np.float32)[order // n_classes], order % n_classes
        kept = _kept(boxes, kinds, np.float32(iou))[:k]
        found[BOXES][row, : len(kept)] = boxes[kept]
        found[SCORES][row, : len(kept)] = flat[row][order][kept]
        found[CLASSES][row, : len(kept)] = kinds[kept]
    return found


@dataclass(frozen=True)
class Candidates:
    """The boxes of a picture among which suppression chooses."""

    corners: Array
    """Shape (k, 4), in the pixels that the network took."""
    shown: Array
    """The same in those of the picture, cut off at its borders, and rounded as answers are."""
    scores: Array
    labels: Array
    iou: float
    """Of two boxes of a class that overlap more, the less sure one is dropped."""
    least: float
    """Score of the least sure box that is compared with others."""


def candidates_of(
    corners: Array, scores: Array, places: Array, classes: Sequence[str], *, iou: float = IOU
) -> list[Candidates]:
    """Return what `suppressed` and `brought_back` choose from, picture by picture; arguments as theirs."""
    found, names = [], np.array(classes, object)
    for row in range(len(corners)):
        flat = np.asarray(scores[row], np.float64).ravel()
        order = np.argsort(-flat, kind="stable")
        least = max(FLOOR, float(flat[order[min(BEFORE, len(order)) - 1]]) if len(order) > BEFORE else 0.0)
        order = order[flat[order] > 0.9 * least]  # so that what is out by a hair is among them
        boxes = np.asarray(corners[row], np.float64)[order // scores.shape[-1]]
        shown = unfitted(boxes[None], places[[row]])[0].clip(0.0, np.tile(places[row, None, 4:6], 2))
        labels = names[order % len(names)]
        found.append(Candidates(boxes, np.round(shown, 4), flat[order], labels, iou, least))
    return found


def _kept(boxes: Array, kinds: Array, iou: np.float32) -> Array:
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    sides = np.maximum(high - low, np.float32(0))
    shared = sides[..., 0] * sides[..., 1]
    areas = np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0)
    beside = (shared > iou * (areas[:, None] + areas[None, :] - shared)) & (kinds[:, None] == kinds[None, :])
    is_kept = np.ones(len(boxes), bool)
    for place in range(len(boxes)):
        if is_kept[place]:
            is_kept[place + 1 :] &= ~beside[place, place + 1 :]
    return np.flatnonzero(is_kept)
