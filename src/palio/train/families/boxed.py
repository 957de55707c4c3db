"""Hold what families of detectors share: what a fitted one says of pictures, and its way into a graph."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from palio import model
from palio.core.errors import InputError
from palio.core.records import Course, PictureReading, Task
from palio.train.deep.exporting import SCORES
from palio.train.deep.features import PIXELS
from palio.train.deep.pictured import Cells
from palio.train.deep.plan import Plan, Trained
from palio.train.examples import Array, Examples, Feeds, Shape
from palio.train.families.networks import course_of
from palio.train.family import Params

BATCH = 8
PROBE = 1e-2
"""Greatest difference of what a network says of noise, in pixels; answers to pictures are held to a hundredth of it."""
UNMIRRORED = "Pictures were not mirrored: a class is named after a side, or has a number."
Said = tuple[Array, Array]
"""Boxes (n, m, 4) in pixels of the fitted pictures, and scores (n, m, n_classes)."""


@dataclass(frozen=True)
class BoxedFitted:
    """A detector that has learned, or was brought."""

    task: Task
    reading: PictureReading
    say: Callable[[Array], Said]
    """Pixels, uint8 (n, S, S, 3) → what its library says of them."""
    add: Callable[[model.GraphBuilder, str], tuple[str, str, int | None]]
    """Add its nodes on the tensor of pixels; return the tensors of boxes and scores, and how many boxes a picture has,
    None: any number."""
    n_parameters: int
    iou: float = model.IOU
    settled: Params = field(default_factory=dict)
    """Settings that were found while it was fitted: with them it is fitted alike again."""
    notes: tuple[str, ...] = ()
    """What a person should know."""
    course: Any = None
    curve: Array | None = None

    def at(self, rounds: int) -> BoxedFitted:
        """Return itself: its last round is the one that its schedule led to."""
        return self

    def reference(self, rows: Examples | Feeds) -> model.Outputs:
        """Return what the library says, one box after the other suppressed, in the pixels of each picture."""
        feeds = rows.feeds() if isinstance(rows, Examples) else rows
        column = feeds[self.reading.input]
        listed = list(column) if column.dtype == np.uint8 else column[:, 0].tolist()
        held = np.empty(len(listed), object)
        held[:] = listed
        reader = model.PictureReader(self.reading)
        parts, candidates = [], list[model.Candidates]()
        for start in range(0, len(held), BATCH):
            some = held[start : start + BATCH]
            corners, scores = self.say(Cells(some, self.reading)[slice(None)])
            found, places = model.suppressed(corners, scores, iou=self.iou), reader.places(some.tolist())
            parts.append(model.cells_of(model.brought_back(found, places), self.task.classes))
            candidates += model.candidates_of(corners, scores, places, self.task.classes, iou=self.iou)
        cells = np.concatenate(parts) if parts else np.empty(0, object)
        return model.Outputs(cells, are_boxes=True, candidates=tuple(candidates))

    def emit(self, builder: model.GraphBuilder) -> str:
        """Add everything from pixels on; return what is where, float32 (n, k, 6)."""
        builder.precision = "float32"
        pixels = f"{builder.reading(self.reading).tensor}.pixels"
        corners, scores, n_places = self.add(builder, pixels)
        n_classes = len(self.task.classes)
        return model.emit_suppressed(builder, corners, scores, n_places=n_places, n_classes=n_classes, iou=self.iou)


@dataclass(frozen=True)
class Dose:
    """How many epochs a detector learns, unless it is told."""

    pictures: int
    """That all epochs together show, about."""
    least: int
    most: int

    def epochs(self, shape: Shape) -> int:
        """Return the epochs for so many pictures."""
        return int(np.clip(self.pictures // max(1, shape.n_rows), self.least, self.most))

    def choices(self, shape: Shape) -> list[int]:
        """Return the epochs that a search may try."""
        return sorted({self.least, self.epochs(shape), self.most})


def plan_for(
    params: Params,
    *,
    batch: int,
    decay: float,
    clip: float,
    share: float,
    watch: Examples | None,
    deadline: float | None,
) -> Plan:
    """Return how a detector is taught: its last round counts, and where others judge it, its epochs fit the time.

    Args:
        params: `epochs`, `rate` and maybe `steps`.
        batch: Pictures of a step.
        decay: Of weights.
        clip: Longest gradient.
        share: Of the time that is planned with; what is left is for the answers to the held-out pictures.
        watch: Pictures that are held out; None: it learns all of its epochs.
        deadline: Moment on `time.monotonic`.
    """
    return Plan(
        epochs=int(params["epochs"]),
        steps=int(params.get("steps", 0)),
        batch=batch,
        rate=float(params["rate"]),
        decay=decay,
        warm_up=0.1,
        end=0.02,
        clip=clip,
        ema=0.99,
        most_kept=1,
        budget_s=None if watch is None or deadline is None else share * (deadline - time.monotonic()),
    )


def need_boxes(examples: Examples, family: str) -> None:
    """Raise `InputError` if no picture has a box."""
    if not any(one is not None and len(one) for one in examples.target):
        raise InputError(f"{family}: no picture has a box", hint="bring pictures in which something is marked")


def course_with(trained: Trained, notes: Sequence[str]) -> Course:
    """Return what a network gained, epoch by epoch, with more to be known."""
    course = course_of(trained)
    return msgspec.structs.replace(course, notes=(*course.notes, *notes))


def said_by(module: Any, front: model.Graph | None, pixels: Array) -> Said:
    """Return what torch says of pixels: corners, and how sure it is of each class."""
    from palio.train.deep.calm import calm

    with calm() as torch, torch.inference_mode():
        values = pixels if front is None else front.run({PIXELS: pixels})[SCORES]
        found = module(torch.from_numpy(np.ascontiguousarray(values))).float()
        return found[..., :4].numpy(), torch.sigmoid(found[..., 4:]).numpy()


def add_network(
    builder: model.GraphBuilder,
    pixels: str,
    module: Any,
    *,
    size: int,
    n_classes: int,
    n_places: int,
    front: bytes = b"",
    is_set: bool = False,
) -> tuple[str, str, int | None]:
    """Add a network that says (n, n_places, 4 + n_classes) to a graph, with the frozen blocks before it.

    Raises:
        InputError: it cannot be written, or the graph answers otherwise.
    """
    from palio.train.deep.calm import calm
    from palio.train.deep.exporting import exported

    values = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype=np.uint8)
    tensor = pixels
    if front:
        values = model.Graph(front).run({PIXELS: values})[SCORES]
        (tensor,) = model.inline(builder, front, {PIXELS: pixels})
    with calm():
        graph = exported(module, {"values": values}, tolerance=PROBE, is_set=is_set)
    (found,) = model.inline(builder, graph, {"values": tensor})
    axis = builder.constant([2], "int64")
    at = [builder.constant([place], "int64") for place in (0, 4, 4 + n_classes)]
    corners, scores = (builder.node("Slice", found, low, high, axis) for low, high in (at[:2], at[1:]))
    return corners, builder.node("Sigmoid", scores), n_places
