"""Learn from what a network that others taught sees in pictures: its frozen features, and a linear layer on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from palio import model
from palio.core.records import Fit, Modality, PictureReading, Task, TaskKind
from palio.train.deep import pictured
from palio.train.deep.features import PENALTIES, PIXELS, LinearHead, fit_head, fit_values
from palio.train.deep.pictured import Front
from palio.train.deep.places import label_of, place_of
from palio.train.examples import Array, Examples, Feeds, Shape
from palio.train.family import FixedSettings, Params, check_time, class_outputs, need_two_classes, value_outputs

FITS: tuple[Fit, ...] = ("crop", "squash", "letterbox")


@dataclass(frozen=True)
class FeaturesFitted:
    """A frozen backbone and a linear layer."""

    front: Front
    reading: PictureReading
    head: LinearHead
    task: Task
    curve: Array | None = None

    @property
    def n_parameters(self) -> int:
        """How many numbers were learned; those of the backbone were not."""
        return int(self.head.weights.size + self.head.intercepts.size)

    def at(self, rounds: int) -> FeaturesFitted:
        """Return the model itself: it does not learn in rounds."""
        return self

    def reference(self, rows: Examples | Feeds) -> model.Outputs:
        """Return the answers of the linear layer in float64."""
        scores = self.head.scores(pictured.features_of(rows, self.front, self.reading))
        if self.task.kind == "regression":
            return value_outputs(scores[:, 0])
        raised = np.exp(scores - scores.max(axis=1, keepdims=True))
        return class_outputs(raised / raised.sum(axis=1, keepdims=True), self.task)

    def emit(self, builder: model.GraphBuilder) -> str:
        """Add the backbone and the linear layer; return probabilities (n, n_classes) or values (n, 1)."""
        builder.precision = "float32"
        pixels = f"{builder.reading(self.reading).tensor}.pixels"
        (seen,) = model.inline(builder, self.front.graph, {PIXELS: pixels})
        weights, intercepts = self.head.weights, self.head.intercepts
        if self.task.kind == "classification" and len(weights) == 2:
            weights, intercepts = weights[1:] - weights[:1], intercepts[1:] - intercepts[:1]
        return model.emit_linear(builder, builder.cast(seen, "double"), weights, intercepts, self.task)


def linear_layer(
    seen: Array, examples: Examples, *, seed: int, deadline: float | None, penalties: Sequence[float] = PENALTIES
) -> LinearHead:
    """Fit the layer that makes answers of what was seen of each picture, shape (n, n_features)."""
    if examples.task.kind == "regression":
        return fit_values(seen, examples.target, weights=examples.weights)
    n_classes = len(examples.task.classes)
    how: Any = {"penalties": penalties, "weights": examples.weights, "seed": seed, "deadline": deadline}
    return fit_head(seen, examples.target, n_classes, **how)


@dataclass(frozen=True)
class Features(FixedSettings):
    """A penalised linear model on the features of a frozen backbone, which are computed once.

    Source: Donahue et al. 2014 (DeCAF); Kornblith et al. 2019 (a linear layer beside fine-tuning).
    """

    backbone: str = ""
    """Folder or name of the network that others taught; empty: there is nothing to compete with."""

    name = "features"
    tasks: tuple[TaskKind, ...] = ("classification", "regression")
    modalities: tuple[Modality, ...] = ("image",)
    needs: tuple[str, ...] = ("image",)
    packages = ("torch", "transformers")
    n_settings = 1

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: a look at each picture, and some fits of the linear layer."""
        return 5.0 + shape.n_rows * (0.03 + 2e-3 * max(1, shape.n_classes)) + 1e-3 * shape.n_features

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return the middle of each picture, then all of it, squeezed."""
        return [self._settings(fit) for fit in ("crop", "squash")]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw how a picture is brought into a square."""
        fit = trial.suggest_categorical("fit", list(FITS))
        return self._settings(fit) | {"backbone": trial.suggest_categorical("backbone", [label_of(self.backbone)])}

    def _settings(self, fit: str) -> Params:
        return {"backbone": label_of(self.backbone), "fit": fit}

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
            InputError: no backbone was named or it cannot be opened, a cell is no picture, or fewer than two classes
                have examples.
        """
        check_time(deadline)
        need_two_classes(examples, self.name)
        column, whole = pictured.column_of(examples), examples.whole()[0]
        is_small = pictured.small_side(whole) <= pictured.SMALL_SIDE
        front = pictured.front_of(examples, place_of(self.backbone), size=pictured.SMALL_SIZE if is_small else 0)
        reading = PictureReading(input=column, size=front.size, short=front.short, fit=params["fit"])
        seen = pictured.features_of(examples, front, reading, deadline=deadline)
        return FeaturesFitted(front, reading, linear_layer(seen, examples, seed=seed, deadline=deadline), examples.task)


FAMILY = Features()
