"""Learn from edges, thumbnails and colours of pictures: a linear layer on what needs no teaching, in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from palio.core.records import Modality, PictureReading, Task, TaskKind
from palio.train.deep import pictured
from palio.train.deep.gradients import SIZES, gradients_front
from palio.train.examples import Examples, Shape
from palio.train.families.features import FeaturesFitted, linear_layer
from palio.train.family import FixedSettings, Params, check_time, need_two_classes

PENALTIES = (1e3, 300.0, 100.0, 30.0)
"""The strongest first: of 5,000 pictures 300 is best, of a hundred the strongest."""


@dataclass(frozen=True)
class Hog(FixedSettings):
    """A penalised linear model of oriented gradients, a thumbnail and shades; its penalty is found by itself.

    Needs neither weights nor torch: what a network has to beat, and a model where there is time for no other.

    Source: see `palio.train.deep.gradients`.
    """

    name = "hog"
    tasks: tuple[TaskKind, ...] = ("classification", "regression")
    modalities: tuple[Modality, ...] = ("image",)
    needs: tuple[str, ...] = ("image",)
    packages = ("PIL",)
    n_settings = 1

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: a look at each picture, and some fits of the linear layer."""
        return 1.5 + shape.n_rows * (4e-3 + 4e-4 * max(1, shape.n_classes)) + 1e-3 * shape.n_features

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return all of each picture, squeezed."""
        return [{"fit": "squash"}]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw how a picture is brought into a square."""
        return {"fit": trial.suggest_categorical("fit", ["squash", "crop", "letterbox"])}

    def fit(
        self,
        examples: Examples,
        *,
        params: Params,
        seed: int,
        deadline: float | None = None,
        watch: Examples | None = None,
    ) -> FeaturesFitted:
        """Fit the linear layer; its penalty is found by cross-validation on the same rows.

        Raises:
            OutOfTime: the deadline has come.
            InputError: a cell is no picture, or fewer than two classes have examples.
        """
        check_time(deadline)
        need_two_classes(examples, self.name)
        column, side = pictured.column_of(examples), pictured.small_side(examples.whole()[0])
        front = gradients_front(next((one for one in SIZES if one >= side), SIZES[-1]))
        reading = PictureReading(input=column, size=front.size, short=front.short, fit=params["fit"])
        seen = pictured.features_of(examples, front, reading, deadline=deadline)
        head = linear_layer(seen, examples, seed=seed, deadline=deadline, penalties=PENALTIES)
        return FeaturesFitted(front, reading, head, examples.task)


FAMILY = Hog()
