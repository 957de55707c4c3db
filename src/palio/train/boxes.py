"""Hold what is where in pictures as numbers of one shape, so that a search keeps it as it keeps any answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from palio import measure, model
from palio.core.cells.boxes import boxes_of
from palio.core.records import Task
from palio.train.examples import Array

WIDE = 6
"""Numbers of a box: its corners, its score (0 where there is no box), its class."""


def packed(outputs: model.Outputs, classes: Sequence[str]) -> Array:
    """Return boxes as float64 (n, most, 6), the surest first.

    Example:
        >>> cell = '[{"label":"cat","box":[1.0,2.0,3.0,4.0],"score":0.5}]'
        >>> packed(model.Outputs(np.array([cell], object), are_boxes=True), ["cat"])[0, 0].tolist()
        [1.0, 2.0, 3.0, 4.0, 0.5, 0.0]
    """
    found = np.zeros((len(outputs.prediction), model.MOST_BOXES, WIDE))
    for row, cell in enumerate(outputs.prediction):
        here = measure.boxes.as_objects(boxes_of(cell), classes)
        n = min(len(here), model.MOST_BOXES)
        found[row, :n, :4], found[row, :n, 4], found[row, :n, 5] = here.corners[:n], here.scores[:n], here.classes[:n]
    return found


def unpacked(numbers: Array, classes: Sequence[str]) -> model.Outputs:
    """Return boxes as a graph answers them; `numbers` may be flat, (n, most · 6)."""
    held = np.asarray(numbers, np.float64).reshape(len(numbers), -1, WIDE)
    found = {"boxes": held[..., :4], "scores": held[..., 4], "classes": held[..., 5].astype(np.int64)}
    return model.Outputs(model.cells_of(found, classes), are_boxes=True)


def shown(task: Task, truth: Array, said: measure.Answers, names: Sequence[str] | None = None) -> measure.Answers:
    """Count boxes from where that is best on these rows, if a metric asks for a threshold and none is chosen yet.

    Args:
        task: A detection; its threshold counts where there is one.
        truth: Of the rows.
        said: All boxes.
        names: Metrics; None: all. Average precision asks for no threshold.
    """
    if task.threshold or (names is not None and all(name.startswith("ap") for name in names)):
        return said
    return measure.boxes.at_threshold(said, measure.boxes.best_threshold(task, truth, said))
