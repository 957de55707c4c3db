"""Hold what families of deep networks share: a fitted network, its answers, and its way into a graph."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from palio import measure, model
from palio.core.errors import InputError
from palio.core.records import Course, Epoch, Task
from palio.train.deep.features import LinearHead, fit_head, fit_values
from palio.train.deep.losses import probabilities
from palio.train.deep.pictured import kept_of_rows
from palio.train.deep.plan import QUIETLY, Material, Network, Plan, Teaching, Trained
from palio.train.examples import Array, Examples, Feeds, objective_of
from palio.train.family import Params, class_outputs, value_outputs

PACKAGES = ("torch",)
FOCUS = 2.0
"""Exponent of the focal loss (Lin et al. 2017)."""
FEWEST_WATCHED, WATCHED_PART = 300, 10
"""After an epoch so many held-out rows are looked at, or one for ten that were learned from."""
TRIED_ROWS = 128
"""Rows, and twice as many, by which the pace of a network is measured: its rounds are too dear to try some."""


@dataclass(frozen=True)
class NetworkFitted:
    """A network that has learned, and how rows become what it takes."""

    trained: Trained
    task: Task
    material: Callable[[Examples | Feeds], Material]
    """Rows → what the network takes."""
    add: Callable[[model.GraphBuilder, Any], str]
    """Add all nodes from the cells on, with the module as it is; return the tensor of scores."""
    batch: int = 64

    @property
    def n_parameters(self) -> int:
        """How many numbers were learned."""
        return self.trained.n_parameters

    @property
    def curve(self) -> Array | None:
        """Loss on the watched rows after each round."""
        return self.trained.curve

    @property
    def chosen_by(self) -> Array | None:
        """What rounds are chosen by: the loss that is left when probabilities are corrected."""
        return self.trained.corrected

    @property
    def settled(self) -> Params:
        """The settings that say how long it learned, where its time did: with them it learns as long again."""
        return settled_by(self.trained)

    @property
    def course(self) -> Course:
        """What it gained, epoch by epoch."""
        return course_of(self.trained)

    def at(self, rounds: int) -> NetworkFitted:
        """Return the network as it was after so many rounds, or the nearest that is remembered."""
        return dataclasses.replace(self, trained=self.trained.at(rounds))

    def reference(self, rows: Examples | Feeds) -> model.Outputs:
        """Return what torch answers."""
        from palio.train.deep.calm import calm
        from palio.train.deep.descent import answer

        material = self.material(rows)
        with calm():
            scores = answer(self.trained.module, material, np.arange(len(material.target)), batch=self.batch)
        network = self.trained.network
        if self.task.kind == "regression":
            return value_outputs(scores[:, 0].astype(np.float64) * network.spread + network.center)
        return class_outputs(probabilities(scores), self.task)

    def emit(self, builder: model.GraphBuilder) -> str:
        """Add all nodes; return probabilities (n, n_classes) or values (n, 1)."""
        from palio.train.deep.calm import calm

        builder.precision = "float32"
        with calm():
            scores = builder.cast(self.add(builder, self.trained.module), "double")
        if self.task.kind == "regression":
            network = self.trained.network
            scaled = builder.node("Mul", scores, builder.constant(network.spread))
            return builder.node("Add", scaled, builder.constant(network.center))
        return builder.node("Softmax", scores, axis=1)


def settled_by(trained: Trained) -> Params:
    """Return the settings that say how long a network learned."""
    return {"epochs": trained.n_epochs, **({"steps": trained.n_steps} if trained.n_epochs == 1 else {})}


def course_of(trained: Trained) -> Course:
    """Return what a network gained, epoch by epoch."""
    columns = [_told(one, len(trained.learned)) for one in (trained.learned, trained.curve, trained.scores)]
    return Course(
        epochs=tuple(Epoch(learned=a, watched=b, score=c) for a, b, c in zip(*columns, strict=True)),
        n_epochs=trained.n_epochs,
        n_steps=trained.n_steps,
        epoch_s=trained.epoch_s,
        notes=tuple(trained.notes),
    )


def _told(values: Array | None, n: int) -> list[float | None]:
    """Return values as JSON can say them."""
    return [None] * n if values is None else [float(one) if np.isfinite(one) else None for one in values]


@dataclass(frozen=True)
class LearnsInEpochs:
    """Base of a family whose rounds are epochs.

    Beside rows to watch, a fit makes of its deadline a schedule: as many epochs of those it was asked for as there is
    time for by the pace that it measures, whose rate falls to the end. Elsewhere it takes those it was asked for.
    """

    teaching: Teaching = field(default=QUIETLY, kw_only=True, repr=False, compare=False)

    rounds = "epochs"
    tried_rows = TRIED_ROWS
    longest = 3
    """Times the usual number of epochs, beyond which more would bring nothing."""

    def under(self, teaching: Teaching) -> Self:
        """Return the family whose fits are followed so."""
        return dataclasses.replace(self, teaching=teaching)

    def teach(
        self,
        network: Network,
        material: Material,
        plan: Plan,
        examples: Examples,
        *,
        seed: int,
        deadline: float | None,
        watch: Material | None,
    ) -> Trained:
        """Teach a network by a plan, made to suit the examples and the time there is. Errors as in `loop.train`."""
        from palio.train.deep.loop import train
        from palio.train.deep.saving import Keeper

        if objective_of(examples) == "focal":  # turns to rows that are not yet right
            plan = dataclasses.replace(plan, focus=FOCUS)
        if self.teaching.is_brief:
            plan = dataclasses.replace(plan, must_fall=0.0)
        if watch is not None and deadline is not None:
            plan = dataclasses.replace(plan, budget_s=deadline - time.monotonic())
        network = scaled(network, examples)
        watch = None if watch is None else watched(watch, len(examples.target))
        return train(
            network,
            material,
            plan,
            seed=seed,
            deadline=deadline,
            watch=watch,
            keep=None if self.teaching.keep is None else Keeper(self.teaching.keep),
            tell=self.teaching.tell,
            score=None if watch is None else lambda scores: _score(network, scores, watch, examples.task),
        )

    def grow(self, params: Params, growth: float) -> Params:
        """Return the settings as they are: an epoch of more rows has more steps."""
        return params


@dataclass(frozen=True)
class _Watched:
    """Some rows of a material."""

    material: Material
    rows: Array
    target: Array
    weights: Array | None

    def learned(self, rows: Array, epoch: int) -> tuple[Array, ...]:
        return self.material.learned(self.rows[rows], epoch)

    def seen(self, rows: Array) -> tuple[Array, ...]:
        return self.material.seen(self.rows[rows])


def watched(material: Material, n_learned: int) -> Material:
    """Return what is looked at after each epoch: rows enough to tell epochs apart, for a small part of its time."""
    n_rows, most = len(material.target), max(FEWEST_WATCHED, n_learned // WATCHED_PART)
    if n_rows <= most:
        return material
    rows = np.unique(np.linspace(0, n_rows - 1, most).astype(np.int64))
    weights = None if material.weights is None else material.weights[rows]
    return _Watched(material, rows, material.target[rows], weights)


def starting_layer(
    seen: Array, examples: Examples, *, penalties: Sequence[float], seed: int, deadline: float | None
) -> LinearHead:
    """Fit the linear layer that a taught network starts from; of values, on the scale that the network learns on.

    It is fitted once for the same rows, seed and features in all workers.

    Raises:
        OutOfTime: the deadline has come.
    """
    target, weights, n = examples.target, examples.weights, n_scores(examples.task)

    def fitted() -> Array:
        if n:
            head = fit_head(seen, target, n, penalties=penalties, weights=weights, seed=seed, deadline=deadline)
        else:
            spread = float(target.std()) or 1.0
            head = fit_values(seen, (target - target.mean()) / spread, weights=weights)
        return np.column_stack([head.weights, head.intercepts, np.full(len(head.weights), head.penalty)])

    digest = hashlib.sha256(repr((penalties, seed, n)).encode())
    for one in (seen, target, *(() if weights is None else (weights,))):
        digest.update(np.ascontiguousarray(one).tobytes())
    found = np.array(kept_of_rows(examples, f"layer {digest.hexdigest()}", fitted))
    return LinearHead(found[:, :-2], found[:, -2], float(found[0, -1]))


def scaled(network: Network, examples: Examples) -> Network:
    """Return a network whose values are on the scale of the target; classes need none.

    Raises:
        InputError: every value is the same.
    """
    if examples.task.kind != "regression":
        return network
    spread = float(examples.target.std())
    if not spread:
        raise InputError("network: every value is the same", hint="bring rows of different values")
    return dataclasses.replace(network, center=float(examples.target.mean()), spread=spread)


def _score(network: Network, scores: Array, watch: Material, task: Task) -> float:
    """Return what the metric of a task says of scores of the watched rows."""
    if task.kind == "regression":
        answers = measure.questions.Answers(scores[:, 0].astype(np.float64) * network.spread + network.center)
    else:
        found = probabilities(scores)
        answers = measure.questions.Answers(found.argmax(axis=1), found)
    name = measure.default_metric(task) if task.metric == "auto" else task.metric
    return measure.score(task, watch.target, answers, names=(name,)).get(name, float("nan"))


def hurried(params: Params, share: float, *, least: int = 1) -> Params:
    """Return settings with fewer epochs: each of a shorter schedule is worth more."""
    if share >= 1.0:
        return params
    return params | {"epochs": max(least, int(int(params["epochs"]) * share))}


def n_scores(task: Task) -> int:
    """How many classes a network tells apart; 0: it answers a value."""
    return len(task.classes) if task.kind == "classification" else 0


def settings(trial: Any, spaces: Mapping[str, tuple[Any, ...]]) -> Params:
    """Draw settings: (low, high) floats by their logarithm, or a list of choices."""
    found: Params = {}
    for name, space in spaces.items():
        if len(space) == 1:
            found[name] = trial.suggest_categorical(name, list(space[0]))
        else:
            found[name] = trial.suggest_float(name, *space, log=True)
    return found
