"""Learn a small convolutional network from nothing: for small pictures, or where nobody brings weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from palio import model
from palio.core.records import Modality, PictureReading, Task, TaskKind
from palio.train.deep import pictured
from palio.train.deep.boxes.augment import may_mirror
from palio.train.deep.features import PIXELS
from palio.train.deep.pictures import Pictures, small_network, statistics_of
from palio.train.deep.plan import Network, Plan
from palio.train.examples import Array, Examples, Feeds, Shape
from palio.train.families.networks import (
    PACKAGES,
    LearnsInEpochs,
    NetworkFitted,
    hurried,
    n_scores,
    settings,
)
from palio.train.family import Params, check_time, need_two_classes

SIZES = (32, 64)
"""Pictures are learned from at the least of these sizes that the middling one does not exceed, or at the greatest."""
EPOCHS = 15


@dataclass(frozen=True)
class Cnn(LearnsInEpochs):
    """Convolutions with two residual blocks, taught with one cycle of the rate.

    Source: see `palio.train.deep.pictures`. Measured on 6,000 pictures of CIFAR-10: accuracy .72 in 450 s of one core.
    """

    name = "cnn"
    tasks: tuple[TaskKind, ...] = ("classification", "regression")
    modalities: tuple[Modality, ...] = ("image",)
    needs: tuple[str, ...] = ("image",)
    packages = PACKAGES
    n_settings = 4

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: each epoch goes through all pictures."""
        area = (int(params.get("size", 32)) / 32) ** 2
        pace = 6e-3 * (int(params["width"]) / 32) ** 1.7 * area
        each = shape.n_rows * pace + 1e-4 * shape.n_features + 1e-4 * max(1, shape.n_classes)
        return float(4.0 + int(params.get("epochs", EPOCHS)) * each)

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return the network of thirty-two channels, with shifts and mirror images."""
        first = {"width": 32, "rate": 1e-2, "smoothing": 0.1, "strength": 1, "epochs": EPOCHS}
        return [first, first | {"strength": 2, "rate": 5e-3}]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw the width, the rate, and how much pictures are changed."""
        return settings(
            trial,
            {
                "width": ([16, 32, 48],),
                "rate": (1e-3, 2e-2),
                "smoothing": ([0.0, 0.1],),
                "strength": ([0, 1, 2, 3],),
                "epochs": ([EPOCHS],),
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
    ) -> NetworkFitted:
        """Learn for `epochs`.

        Raises:
            OutOfTime: the deadline came before the first step.
            InputError: fewer than two classes have examples, a cell is no picture, or the network cannot learn.
            UnavailableError: torch is not installed.
        """
        check_time(deadline)
        need_two_classes(examples, self.name)
        from palio.train.deep.calm import calm

        whole = examples.whole()[0]
        side = pictured.small_side(whole)
        size = next((one for one in SIZES if one >= side), SIZES[-1])
        reading = PictureReading(input=pictured.column_of(examples), size=size)

        def material(rows: Examples | Feeds, strength: int = 0) -> Pictures:
            return pictures_of(rows, reading, strength=strength, seed=seed, deadline=deadline)

        learned = material(examples, int(params["strength"]))
        n = n_scores(examples.task)
        plan = Plan(
            epochs=int(params["epochs"]),
            steps=int(params.get("steps", 0)),
            batch=int(np.clip(len(examples.target) // 40, 8, 64)),
            rate=float(params["rate"]),
            smoothing=float(params["smoothing"]) if n else 0.0,
        )
        with calm():
            statistics = statistics_of(learned.pixels)
            network = Network(small_network(n or 1, width=int(params["width"]), seed=seed, statistics=statistics), n)
            trained = self.teach(
                network,
                learned,
                plan,
                examples,
                seed=seed,
                deadline=deadline,
                watch=None if watch is None else material(watch),
            )

        def add(builder: model.GraphBuilder, module: Any) -> str:
            from palio.train.deep.exporting import exported

            graph = exported(module, {PIXELS: example_of(size)})
            return model.inline(builder, graph, {PIXELS: f"{builder.reading(reading).tensor}.pixels"})[0]

        return NetworkFitted(trained, examples.task, material, add)


def pictures_of(
    rows: Examples | Feeds, reading: PictureReading, *, strength: int = 0, seed: int = 0, deadline: float | None = None
) -> Pictures:
    """Return rows as networks on pictures take them; of feeds the truth is not known, and not asked for."""
    pixels = pictured.pixels_of(rows, reading, deadline=deadline)
    if isinstance(rows, Examples):
        mirror = may_mirror(rows.task.classes)
        return Pictures(pixels, rows.target, rows.weights, strength=strength, seed=seed, mirror=mirror)
    return Pictures(pixels, np.zeros(len(pixels), np.int64))


def example_of(size: int) -> Array:
    """Return a few pictures of noise."""
    return np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype=np.uint8)


FAMILY = Cnn()
