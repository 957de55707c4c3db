"""Hold what families of deep networks share: a fitted network, its answers, and its way into a graph."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from palio import model
from palio.core.errors import InputError
from palio.core.records import Task
from palio.train.deep.features import LinearHead, fit_head, fit_values
from palio.train.deep.losses import probabilities
from palio.train.deep.plan import Material, Network, Plan, Trained
from palio.train.family import (
    Array,
    Examples,
    Feeds,
    Params,
    class_outputs,
    objective_of,
    value_outputs,
)

PACKAGES = ("torch",)
FOCUS = 2.0
"""Exponent of the focal loss (Lin et al. 2017)."""
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


class LearnsInEpochs:
    """Base of a family whose rounds are epochs."""

    rounds = "epochs"
    tried_rows = TRIED_ROWS

    def grow(self, params: Params, growth: float) -> Params:
        """Return the settings as they are: an epoch of more rows has more steps."""
        return params


def starting_layer(
    seen: Array, examples: Examples, *, penalties: Sequence[float], seed: int, deadline: float | None
) -> LinearHead:
    """Fit the linear layer that a taught network starts from; of values, on the scale that the network learns on.

    Raises:
        OutOfTime: the deadline has come.
    """
    target, weights, n = examples.target, examples.weights, n_scores(examples.task)
    if n:
        return fit_head(seen, target, n, penalties=penalties, weights=weights, seed=seed, deadline=deadline)
    spread = float(target.std()) or 1.0
    return fit_values(seen, (target - target.mean()) / spread, weights=weights)


def scaled(network: Network, examples: Examples) -> Network:
    """Return a network whose values are on the scale of the target; classes need none.

    Raises:
        InputError: every value is the same.
    """
    if examples.task.kind == "classification":
        return network
    spread = float(examples.target.std())
    if not spread:
        raise InputError("network: every value is the same", hint="bring rows of different values")
    return dataclasses.replace(network, center=float(examples.target.mean()), spread=spread)


def suited(plan: Plan, examples: Examples) -> Plan:
    """Return a plan that makes small what was asked for: the focal loss turns to rows that are not yet right."""
    return dataclasses.replace(plan, focus=FOCUS) if objective_of(examples) == "focal" else plan


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
