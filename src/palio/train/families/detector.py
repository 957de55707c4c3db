"""Learn what is where in pictures with a light network on a frozen, then taught backbone: on a CPU, within minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from palio import model
from palio.core.records import Modality, PictureReading, Task, TaskKind
from palio.train.deep import pictured
from palio.train.deep.boxes.augment import Changes, may_mirror
from palio.train.deep.boxes.bringing import scenes_of, sides_of
from palio.train.deep.boxes.goal import BoxGoal
from palio.train.deep.boxes.network import FEW_STEPS, STEP, Trunk, detector, places_of, small_trunk, trunk_of
from palio.train.deep.pictures import statistics_of
from palio.train.deep.places import kind_of, label_of, place_of
from palio.train.deep.plan import Network
from palio.train.examples import Array, Examples, Shape
from palio.train.families.boxed import (
    BATCH,
    UNMIRRORED,
    BoxedFitted,
    Dose,
    add_network,
    course_with,
    need_boxes,
    plan_for,
    said_by,
)
from palio.train.families.networks import LearnsInEpochs, hurried, settings, settled_by
from palio.train.family import Params, check_time, n_threads

SIZES = (224, 320, 416)
SIZE = 320
ENLARGED = 2.0
"""Times that pictures are shown as large as they are, at most: the largest size is so many times their longer side, and
the others keep their proportion to it. What is larger shows no more, and costs."""
DOSE = Dose(6_000, least=12, most=45)
BACKBONE_PACE = 0.1
"""By how much blocks of the backbone learn slower than the head."""
AFTER = 0.97
"""Share of the time that is planned with; what is left is for the answers to the held-out pictures."""


@dataclass(frozen=True)
class Detector(LearnsInEpochs):
    """Maps of three sizes, mixed up and down, and a box at every place of each.

    Where a backbone is named, its first blocks are frozen and run in ONNX Runtime, in training as in service; its last
    ones learn on. Without one a small network starts from nothing, which takes many more pictures to be as good.

    Source: see `palio.train.deep.boxes`. Measured on 136 pictures of pedestrians: AP50 .86 after 95 s of one core, .91
    after 190 s, .97 (AP .56) after 465 s.
    """

    backbone: str = ""
    """Folder or name of the network that others taught; empty: it starts from nothing."""

    name = "detector"
    tasks: tuple[TaskKind, ...] = ("detection",)
    modalities: tuple[Modality, ...] = ("image",)
    needs: tuple[str, ...] = ("image",)
    packages = ("torch", "transformers")
    n_settings = 3
    longest = 1

    def suits(self) -> tuple[str, str] | None:
        """Say why the backbone that was named is none for it, and what helps; None if it is, or none was named."""
        if self.backbone and (kind := kind_of(place_of(self.backbone))) in WHOLE_DETECTORS:
            return f"the weights are those of a whole detector ({kind})", "leave them to the family of their own"
        return None

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: a look at each picture, then the epochs."""
        pace = 0.1 * (int(params.get("size", SIZE)) / SIZE) ** 2
        each = shape.n_rows * pace + 1e-4 * shape.n_features + 1e-4 * max(1, shape.n_classes)
        return float(20.0 + 0.03 * shape.n_rows + int(params["epochs"]) * each)

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return pictures of 320 pixels; then smaller ones, which are answered in half of the time."""
        label, epochs = label_of(self.backbone), DOSE.epochs(shape)
        first = {"backbone": label, "size": SIZE, "rate": 2e-3, "mosaic": 0.5, "epochs": epochs}
        return [first, first | {"size": SIZES[0]}]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw the size of the pictures, the rate, and how often four become one."""
        return settings(
            trial,
            {
                "backbone": ([label_of(self.backbone)],),
                "size": (list(SIZES),),
                "rate": (5e-4, 5e-3),
                "mosaic": ([0.0, 0.5, 0.8],),
                "epochs": (DOSE.choices(shape),),
            },
        )

    def hurry(self, params: Params, share: float) -> Params:
        """Take fewer epochs."""
        return hurried(params, share, least=2)

    def fit(
        self,
        examples: Examples,
        *,
        params: Params,
        seed: int,
        deadline: float | None = None,
        watch: Examples | None = None,
    ) -> BoxedFitted:
        """Learn for `epochs`, or for as many as there is time for where other pictures are held out.

        Raises:
            OutOfTime: the deadline came before the first step.
            InputError: no picture has a box, a cell is no picture, the backbone gives no maps, or the network cannot
                learn.
            UnavailableError: torch or transformers is not installed.
        """
        check_time(deadline)
        need_boxes(examples, self.name)
        from palio.train.deep.calm import calm

        column = pictured.column_of(examples)
        size = shown_size(int(params["size"]), sides_of(examples.whole()[0], column))
        n_classes = len(examples.task.classes)
        how = Changes(mosaic=float(params["mosaic"]), mirror=may_mirror(examples.task.classes))
        with calm():
            trunk, graphs = self._trunk(examples, column, size, seed)
            fronts = {side: model.Graph(one, threads=n_threads()) for side, one in graphs.items()}
            scenes = scenes_of(examples, column=column, size=size, fronts=fronts, how=how, seed=seed, deadline=deadline)
            n_steps = int(params["epochs"]) * max(1, len(examples.target) // BATCH)
            module = detector(
                trunk,
                n_classes,
                n_frozen=trunk.n_frozen if fronts else 0,
                momentum=0.1 if n_steps < FEW_STEPS else 0.03,
                seed=seed,
            )
        plan = plan_for(params, batch=BATCH, decay=0.02, clip=10.0, share=AFTER, watch=watch, deadline=deadline)
        is_taught_on = bool(fronts)

        def pace(name: str) -> float:
            return BACKBONE_PACE if is_taught_on and name.startswith("blocks") else 1.0

        network = Network(module, n_classes, pace=pace, goal=BoxGoal)
        trained = self.teach(network, scenes, plan, examples, seed=seed, deadline=deadline, watch=None)
        notes = [] if how.mirror else [UNMIRRORED]
        notes += [] if self.backbone else [BARE]
        front = graphs.get(size, b"")
        return BoxedFitted(
            task=examples.task,
            reading=PictureReading(input=column, size=size, fit="letterbox"),
            say=lambda pixels: said_by(trained.module, fronts.get(size), pixels),
            add=lambda builder, pixels: add_network(
                builder,
                pixels,
                trained.module,
                size=size,
                n_classes=n_classes,
                n_places=len(places_of(size)),
                front=front,
            ),
            n_parameters=trained.n_parameters,
            settled=settled_by(trained),
            course=course_with(trained, notes),
            notes=tuple(notes),
        )

    def _trunk(self, examples: Examples, column: str, size: int, seed: int) -> tuple[Trunk, dict[int, bytes]]:
        """Return what the detector looks through, and its frozen blocks as graphs, one for each size of a batch."""
        from palio.train.deep.backbones import open_backbone
        from palio.train.deep.boxes.scenes import sizes_of

        if not self.backbone:
            whole = examples.whole()[0]
            small = PictureReading(input=column, tensor="#", size=size, fit="squash")
            cells = pictured.Cells(whole.feeds()[column][:, 0], small)
            some = cells[np.unique(np.linspace(0, len(cells) - 1, min(50, len(cells))).astype(np.int64))]
            return small_trunk(seed=seed, statistics=statistics_of(some)), {}
        place = place_of(self.backbone)
        trunk = trunk_of(open_backbone(place, size=size))
        graphs = {
            side: pictured.front_of(examples, place, size=side, n_blocks=trunk.n_frozen).graph
            for side in sizes_of(size)
        }
        return trunk, graphs


def shown_size(asked: int, sides: Array) -> int:
    """Return the size at which pictures are shown: smaller than was asked where they are small themselves.

    Args:
        asked: One of `SIZES`, or another.
        sides: Width and height of each picture, shape (n_rows, 2).

    Example:
        >>> shown_size(320, np.array([[640, 480]])), shown_size(320, np.array([[96, 96]]))
        (320, 160)
    """
    longest = float(np.quantile(sides.max(axis=1), 0.9)) if len(sides) else float(SIZES[-1])
    share = min(1.0, ENLARGED * longest / SIZES[-1])
    return max(2 * STEP, round(asked * share / STEP) * STEP)


BARE = (
    "It started from nothing, since no weights are named: with a backbone under [train] it learns from ten times fewer "
    "pictures what it otherwise would."
)
WHOLE_DETECTORS = ("d_fine", "rt_detr", "rt_detr_v2", "detr", "deformable_detr", "yolos", "conditional_detr")
"""Kinds of weights that are no backbone."""


FAMILY = Detector()
