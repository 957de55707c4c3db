"""The things of one picture, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from palio.core.records import Box
from palio.measure.sample import Array


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """What is where in one picture: a truth, or what a model says. Equal if the same boxes are there, and counted."""

    corners: Array
    """Shape (n, 4), float64: left, top, right, bottom in pixels of the shown picture."""
    classes: Array
    """Shape (n,), int64: class index in the order of the task; `UNKNOWN` for a class that it does not have."""
    scores: Array
    """Shape (n,), float64 in [0, 1], not increasing; ones in a truth."""
    ignored: Array
    """Shape (n,), bool: neither found nor missed, whatever is said there."""
    threshold: float = 0.0
    """Score from which on a box is shown and counted: that of the model that said it."""

    def __len__(self) -> int:
        return len(self.classes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Objects):
            return NotImplemented
        mine, its = ((one.corners, one.classes, one.scores, one.ignored) for one in (self, other))
        return all(map(np.array_equal, mine, its)) and np.array_equal(self.is_said, other.is_said)

    __hash__ = None  # type: ignore[assignment]

    @property
    def is_said(self) -> Array:
        """Tell which boxes are sure enough to be shown and counted."""
        return np.asarray((self.scores >= self.threshold) & ~self.ignored)

    def take(self, which: Array | slice) -> Objects:
        """Return those given by mask, index or slice."""
        return Objects(
            self.corners[which], self.classes[which], self.scores[which], self.ignored[which], self.threshold
        )

    def boxes(self, classes: Sequence[str], *, scored: bool = True) -> tuple[Box, ...]:
        """Write them by name; with `scored`, as an answer, with their scores. An unknown class has no name."""
        return tuple(
            Box(
                label=classes[kind] if kind >= 0 else "",
                box=(left, top, right, bottom),
                score=score if scored else None,
                ignored=ignored,
            )
            for (left, top, right, bottom), kind, score, ignored in zip(
                self.corners.tolist(), self.classes.tolist(), self.scores.tolist(), self.ignored.tolist(), strict=True
            )
        )


def as_objects(boxes: Iterable[Box], classes: Sequence[str], *, unknown: int = -2, threshold: float = 0.0) -> Objects:
    """Read boxes as arrays, the surest first; those without a score count as sure.

    Args:
        boxes: Of one picture.
        classes: Names in the order of the task.
        unknown: In place of a class that is none of these.
        threshold: Of the model that said them.
    """
    found = tuple(boxes)
    places = {name: place for place, name in enumerate(classes)}
    scores = np.array([1.0 if one.score is None else one.score for one in found], np.float64)
    order = np.argsort(-scores, kind="stable")
    objects = Objects(
        np.array([one.box for one in found], np.float64).reshape(-1, 4),
        np.array([places.get(one.label, unknown) for one in found], np.int64),
        scores,
        np.array([one.ignored for one in found], bool),
        threshold,
    )
    return objects.take(order)
