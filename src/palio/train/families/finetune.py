"""Go on teaching the last blocks of a network that others taught, from where a linear layer on its features is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from palio import model
from palio.core.records import Modality, PictureReading, Task, TaskKind
from palio.train.deep import pictured
from palio.train.deep.features import PIXELS
from palio.train.deep.places import label_of, place_of
from palio.train.deep.plan import Material, Plan
from palio.train.examples import Examples, Feeds, Shape
from palio.train.families.cnn import example_of, pictures_of
from palio.train.families.networks import (
    LearnsInEpochs,
    NetworkFitted,
    hurried,
    n_scores,
    settings,
    starting_layer,
)
from palio.train.family import Params, check_time, need_two_classes

FEW, MANY = 500, 3_000
"""Pictures below which almost everything stays frozen, and from which on almost nothing does."""
FREE = {"little": 4, "half": 11, "most": 14}
"""How many of eighteen blocks learn; of other numbers of blocks, as large a part."""
PENALTIES = (300.0, 30.0)


@dataclass(frozen=True)
class Finetune(LearnsInEpochs):
    """A backbone whose last blocks learn on, the later ones faster; the others run in ONNX Runtime.

    Source: Yosinski et al. 2014 (what is general stands in the first layers); Howard and Ruder 2018 (rates by layer);
    Kumar et al. 2022 (a linear layer first, then the rest).
    """

    backbone: str = ""
    """Folder or name of the network that others taught."""

    name = "finetune"
    tasks: tuple[TaskKind, ...] = ("classification", "regression")
    modalities: tuple[Modality, ...] = ("image",)
    needs: tuple[str, ...] = ("image",)
    packages = ("torch", "transformers")
    n_settings = 4

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: a look at each picture, then the epochs."""
        pace = {"little": 0.02, "half": 0.03, "most": 0.04}[params["free"]]
        each = shape.n_rows * pace + 1e-4 * shape.n_features + 1e-4 * max(1, shape.n_classes)
        return 8.0 + 0.03 * shape.n_rows + int(params["epochs"]) * each

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return what suits the number of pictures: the fewer, the less learns, and the slower."""
        if shape.n_rows < FEW:
            first: Params = {"free": "little", "rate": 5e-5, "epochs": 8}
        elif shape.n_rows < MANY:
            first = {"free": "half", "rate": 3e-4, "epochs": 6}
        else:
            first = {"free": "most", "rate": 5e-4, "epochs": 4}
        first |= {"backbone": label_of(self.backbone), "strength": 1, "smoothing": 0.1}
        return [first, first | {"strength": 2, "epochs": int(first["epochs"]) + 2}]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw how much learns, how fast, for how long, and how much pictures are changed."""
        return settings(
            trial,
            {
                "free": (list(FREE),),
                "rate": (2e-5, 2e-3),
                "strength": ([0, 1, 2, 3],),
                "smoothing": ([0.0, 0.1],),
                "epochs": ([4, 6, 8, 10],),
                "backbone": ([label_of(self.backbone)],),
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
    ) -> NetworkFitted:
        """Fit the linear layer, then learn for `epochs`.

        Raises:
            OutOfTime: the deadline came before the first step.
            InputError: no backbone was named or it cannot be opened, a cell is no picture, fewer than two classes have
                examples, or the network cannot learn.
            UnavailableError: torch or transformers is not installed.
        """
        check_time(deadline)
        need_two_classes(examples, self.name)
        from palio.train.deep.backbones import open_backbone
        from palio.train.deep.calm import calm
        from palio.train.deep.finetuning import finetuning

        place, whole = place_of(self.backbone), examples.whole()[0]
        size = pictured.SMALL_SIZE if pictured.small_side(whole) <= pictured.SMALL_SIDE else 0
        all_blocks = pictured.front_of(examples, place, size=size)
        reading = PictureReading(input=pictured.column_of(examples), size=all_blocks.size, short=all_blocks.short)
        seen = pictured.features_of(examples, all_blocks, reading, deadline=deadline)
        n = n_scores(examples.task)
        check_time(deadline)
        with calm():
            backbone = open_backbone(place, size=size or None)
            freeze = max(0, round(len(backbone.blocks) * (1 - FREE[params["free"]] / 18)))
            front = pictured.front_of(examples, place, size=size, n_blocks=freeze).graph if freeze else b""
            head = starting_layer(seen, examples, penalties=PENALTIES, seed=seed, deadline=deadline)
            own = finetuning(backbone, n, freeze=freeze, head=head, front=front)
        strength = int(params["strength"])

        def material(rows: Examples | Feeds, strength: int = 0) -> Material:
            return own.material(pictures_of(rows, reading, strength=strength, seed=seed, deadline=deadline))

        plan = Plan(
            epochs=int(params["epochs"]),
            steps=int(params.get("steps", 0)),
            batch=32 if len(examples.target) >= FEW else 16,
            rate=float(params["rate"]),
            decay=0.02,
            warm_up=0.1,
            end=0.02,
            clip=10.0,
            smoothing=float(params["smoothing"]) if n else 0.0,
        )
        with calm():
            trained = self.teach(
                own.network,
                material(examples, strength),
                plan,
                examples,
                seed=seed,
                deadline=deadline,
                watch=None if watch is None else material(watch),
            )

        def add(builder: model.GraphBuilder, module: Any) -> str:
            from palio.train.deep.exporting import exported

            tensor = f"{builder.reading(reading).tensor}.pixels"
            graph = exported(module, {"values": own.inputs(example_of(reading.size))})
            if own.front:
                (tensor,) = model.inline(builder, own.front, {PIXELS: tensor})
            return model.inline(builder, graph, {"values": tensor})[0]

        return NetworkFitted(trained, examples.task, material, add)


FAMILY = Finetune()
