"""What of all that a model finds in pictures a client is told: what is as sure as the model's threshold asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from palio.core.cells import boxes_of, cell_of
from palio.core.records import Task
from palio.serve.protocols.datatypes import Array
from palio.serve.protocols.wire import WireError


class Saying:
    """Leaves out what a model is not sure enough of. The log keeps all of it: that is what is scored later.

    Args:
        output: Which output holds cells of boxes.
        threshold: What is less sure is not said.
    """

    def __init__(self, output: str, threshold: float) -> None:
        self.output, self.threshold = output, threshold

    def __call__(self, outputs: Mapping[str, Array], threshold: float | None = None) -> dict[str, Array]:
        """Return the outputs with the boxes that are said; a threshold of the client's goes before the model's."""
        least = self.threshold if threshold is None else threshold
        cells = outputs[self.output]
        told = np.empty(cells.shape, object)
        for place, cell in np.ndenumerate(cells):
            told[place] = cell_of(box for box in boxes_of(cell) if (box.score or 0.0) >= least)
        return {**outputs, self.output: told}


def saying_of(task: Task, output: str) -> Saying | None:
    """Return what leaves out boxes; None where a task asks for none."""
    return Saying(output, task.threshold) if task.kind == "detection" else None


def as_json(cells: Sequence[Any]) -> list[msgspec.Raw]:
    """Return cells of boxes as parts of a JSON document: the lists that they are, not texts that hold them."""
    return [msgspec.Raw(str(cell).encode()) for cell in cells]


def threshold_in(value: Any) -> float:
    """Read the parameter `threshold` of a request. Raises WireError 400: it is none.

    Example:
        >>> threshold_in("0.25"), threshold_in(0)
        (0.25, 0.0)
    """
    try:
        found = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = float("nan")
    if not 0 <= found <= 1:
        raise WireError(400, "the parameter threshold must be a number from 0 to 1")
    return found
