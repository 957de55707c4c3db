"""Go on teaching a whole detector that others taught: D-FINE, or RT-DETRv2, as the package transformers has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from palio.core.records import Modality, PictureReading, Task, TaskKind
from palio.train.deep import pictured
from palio.train.deep.boxes.augment import Changes, may_mirror
from palio.train.deep.boxes.bringing import scenes_of
from palio.train.deep.boxes.queries import BACKBONE, QueryGoal, open_queries
from palio.train.deep.places import kind_of, label_of, place_of
from palio.train.deep.plan import Network
from palio.train.examples import Examples, Shape
from palio.train.families.boxed import (
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
from palio.train.family import Params, check_time

PACE_S = 1.5
"""Seconds that one picture takes in training, of 640 pixels on one core."""
AFTER = 0.95
DOSE = Dose(2_000, least=2, most=20)
ALONE = 1.0
"""Nothing is suppressed: no two questions are answered with the same thing."""


@dataclass(frozen=True)
class QueryFamily(LearnsInEpochs):
    """A detector that asks a picture some hundred questions; nothing needs to be suppressed.

    Its weights are named as `backbone`; where they are of another kind, it stays away.

    Source: Peng et al. 2024 (D-FINE); Lv et al. 2024 (RT-DETRv2); Carion et al. 2020 (DETR).
    """

    name: str
    kind: str
    """Kind of its weights, as their configuration calls it."""
    backbone: str = ""
    """Folder or name of the weights."""

    tasks: tuple[TaskKind, ...] = ("detection",)
    modalities: tuple[Modality, ...] = ("image",)
    needs: tuple[str, ...] = ("image",)
    packages: tuple[str, ...] = ("torch", "transformers", "scipy")
    n_settings: int = 2
    longest = 1

    def suits(self) -> tuple[str, str] | None:
        """Say why it has no weights to go on from, and what helps; None if it has."""
        if not self.backbone:
            return "no weights are named", "set [train] backbone to the folder or name of such a detector"
        if (found := kind_of(place_of(self.backbone))) != self.kind:
            return f"the weights are of the kind `{found}`, not `{self.kind}`", "name weights of its own kind"
        return None

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: each epoch goes through all pictures."""
        each = shape.n_rows * PACE_S + 1e-4 * shape.n_features + 1e-4 * max(1, shape.n_classes)
        return float(30.0 + int(params["epochs"]) * each)

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return a slow rate, at which what was learned before is not lost; then a faster one."""
        label, epochs = label_of(self.backbone), DOSE.epochs(shape)
        first = {"backbone": label, "rate": 1e-4, "mosaic": 0.0, "epochs": epochs}
        return [first, first | {"rate": 3e-4}]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw the rate, and how often four pictures become one."""
        return settings(
            trial,
            {
                "backbone": ([label_of(self.backbone)],),
                "rate": (3e-5, 1e-3),
                "mosaic": ([0.0, 0.5],),
                "epochs": (DOSE.choices(shape),),
            },
        )

    def hurry(self, params: Params, share: float) -> Params:
        """Take fewer epochs."""
        return hurried(params, share)

    def fit(
        self,
        examples: Examples,
        *,
        params: Params,
        seed: int,
        deadline: float | None = None,
        watch: Examples | None = None,
    ) -> BoxedFitted:
        """Go on teaching for `epochs`, or for as many as there is time for where other pictures are held out.

        Raises:
            OutOfTime: the deadline came before the first step.
            InputError: no picture has a box, a cell is no picture, the weights cannot be opened, or it cannot learn.
            UnavailableError: torch or transformers is not installed.
        """
        check_time(deadline)
        need_boxes(examples, self.name)
        from palio.train.deep.calm import begin_chance, calm

        column, n_classes = pictured.column_of(examples), len(examples.task.classes)
        how = Changes(mosaic=float(params["mosaic"]), mirror=may_mirror(examples.task.classes))
        with calm():
            begin_chance(seed, 23)  # what begins anew in it
            own = open_queries(place_of(self.backbone), self.kind, n_classes)
            scenes = scenes_of(examples, column=column, size=own.size, fronts={}, how=how, seed=seed, deadline=deadline)
        plan = plan_for(params, batch=4, decay=1e-4, clip=0.1, share=AFTER, watch=watch, deadline=deadline)
        network = Network(own.module, n_classes, pace=lambda name: 0.1 if BACKBONE in name else 1.0, goal=QueryGoal)
        trained = self.teach(network, scenes, plan, examples, seed=seed, deadline=deadline, watch=None)
        notes = () if how.mirror else (UNMIRRORED,)
        return BoxedFitted(
            task=examples.task,
            reading=PictureReading(input=column, size=own.size, fit="letterbox"),
            say=lambda pixels: said_by(trained.module, None, pixels),
            add=lambda builder, pixels: add_network(
                builder,
                pixels,
                trained.module,
                size=own.size,
                n_classes=n_classes,
                n_places=own.n_queries,
                is_set=True,
            ),
            n_parameters=trained.n_parameters,
            iou=ALONE,
            settled=settled_by(trained),
            course=course_with(trained, notes),
            notes=notes,
        )


DFINE = QueryFamily("dfine", "d_fine")
RTDETR = QueryFamily("rtdetr", "rt_detr_v2")
