"""Answer by the classes that a backbone was taught by others, where ours are among them: nothing is learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from palio import model
from palio.core.errors import InputError
from palio.core.records import Modality, PictureReading, Task, TaskKind
from palio.core.words import listed
from palio.train.deep import pictured
from palio.train.deep.features import PIXELS
from palio.train.deep.own_classes import LastLayer, last_layer, matched, names_of
from palio.train.deep.pictured import Front
from palio.train.deep.places import label_of, place_of
from palio.train.examples import Array, Examples, Feeds, Shape
from palio.train.family import FixedSettings, Params, check_time, class_outputs


@dataclass(frozen=True)
class ZeroShotFitted:
    """A frozen backbone, and those rows of its own last layer that are ours."""

    front: Front
    reading: PictureReading
    layer: LastLayer
    """One row for each of its classes that is one of ours."""
    ours: Array
    """Which of our classes each row is, shape (n_rows_of_the_layer,)."""
    task: Task
    n_parameters: int = 0
    curve: Array | None = None

    def at(self, rounds: int) -> ZeroShotFitted:
        """Return the model itself: it does not learn in rounds."""
        return self

    @property
    def _together(self) -> Array:
        """Adds up the probabilities of each of our classes, shape (n_rows_of_the_layer, n_classes)."""
        return np.asarray(self.ours[:, None] == np.arange(len(self.task.classes)), np.float64)

    def reference(self, rows: Examples | Feeds) -> model.Outputs:
        """Return the answers of the last layer in float64."""
        seen = pictured.features_of(rows, self.front, self.reading).astype(np.float64)
        scores = seen @ self.layer.weights.T + self.layer.intercepts
        raised = np.exp(scores - scores.max(axis=1, keepdims=True))
        return class_outputs(raised / raised.sum(axis=1, keepdims=True) @ self._together, self.task)

    def emit(self, builder: model.GraphBuilder) -> str:
        """Add the backbone and its last layer; return probabilities (n, n_classes)."""
        builder.precision = "float32"
        pixels = f"{builder.reading(self.reading).tensor}.pixels"
        (seen,) = model.inline(builder, self.front.graph, {PIXELS: pixels})
        weights = builder.constant(np.ascontiguousarray(self.layer.weights.T))
        product = builder.node("MatMul", builder.cast(seen, "double"), weights)
        shares = builder.node("Softmax", builder.node("Add", product, builder.constant(self.layer.intercepts)), axis=1)
        return builder.node("MatMul", shares, builder.constant(self._together))


@dataclass(frozen=True)
class ZeroShot(FixedSettings):
    """The backbone's own answers, of the classes that bear the names of ours.

    Source: Radford et al. 2021 (answers without a picture of the task); here by the names of a fixed last layer.
    """

    backbone: str = ""
    """Folder or name of the network that others taught; empty: there is nothing to compete with."""

    name = "zero_shot"
    tasks: tuple[TaskKind, ...] = ("classification",)
    modalities: tuple[Modality, ...] = ("image",)
    needs: tuple[str, ...] = ("image",)
    packages = ("torch", "transformers")
    n_settings = 0

    def known(self, task: Task) -> tuple[str, ...]:
        """Return those of our classes that the backbone was taught by name."""
        return tuple(matched(task.classes, names_of(place_of(self.backbone)))) if self.backbone else ()

    def unfit(self, task: Task) -> str:
        """Say which of our classes the backbone was not taught by name; empty if it knows all, or none is named."""
        known = self.known(task)
        strange = listed(f"`{one}`" for one in task.classes if one not in known)
        if not self.backbone or not strange:
            return ""
        if not known:
            return f"the backbone was taught none of {strange} by name"
        return f"the backbone was taught {listed(f'`{one}`' for one in known)} by name, but none of {strange}"

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: a look at each picture."""
        return 5.0 + 0.03 * shape.n_rows + 1e-3 * shape.n_features + 1e-3 * max(1, shape.n_classes)

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return the middle of each picture, as the backbone was taught."""
        return [{"backbone": label_of(self.backbone), "fit": "crop"}]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw the only settings there are."""
        return {key: trial.suggest_categorical(key, [one]) for key, one in self.defaults(shape, task)[0].items()}

    def fit(
        self,
        examples: Examples,
        *,
        params: Params,
        seed: int,
        deadline: float | None = None,
        watch: Examples | None = None,
    ) -> ZeroShotFitted:
        """Open the backbone and take the rows of its last layer that are ours; no label is looked at.

        Raises:
            OutOfTime: the deadline has come.
            InputError: no backbone was named or it cannot be opened, or it does not know all classes by name.
        """
        check_time(deadline)
        if why := self.unfit(examples.task):
            raise InputError(f"{self.name}: {why}", hint="leave it out of [train] families")
        place, column, whole = place_of(self.backbone), pictured.column_of(examples), examples.whole()[0]
        is_small = pictured.small_side(whole) <= pictured.SMALL_SIDE
        front = pictured.front_of(examples, place, size=pictured.SMALL_SIZE if is_small else 0)
        check_time(deadline)
        reading = PictureReading(input=column, size=front.size, short=front.short, fit=params["fit"])
        known, layer = matched(examples.task.classes, names_of(place)), last_layer(place, front.n_features)
        rows = [at for ours in examples.task.classes for at in known[ours]]
        ours = [k for k, name in enumerate(examples.task.classes) for _ in known[name]]
        own = LastLayer(layer.weights[rows], layer.intercepts[rows])
        return ZeroShotFitted(front, reading, own, np.array(ours, np.int64), examples.task)


FAMILY = ZeroShot()
