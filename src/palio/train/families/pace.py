"""Learn in rounds: when a fit stops, how many rounds it will take, and how to make do with fewer."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from palio.core.errors import InputError
from palio.train.examples import Array, Examples, Objective, Shape, objective_of
from palio.train.family import OutOfTime, Params, check_time

ROUNDS = "n_estimators"
MAX_RATE = 0.3
"""Largest step that a hurried fit takes: beyond it trees spoil what others learned (LOG.md: families of trees)."""
MAX_LEAVES = 150_000
"""Leaves of all rounds together, so that a graph stays below some 5 MB."""
COLUMNS_A_TREE, LEAST_SHARE = 500.0, 0.02
"""Columns that a tree looks at, where there are very many, and the least share of them."""
PATIENCE = 2.5
"""Patience in rounds, times the step: small steps gain little in each round, and for long."""


@dataclass
class Pace:
    """Follow one fit: it goes on while the watched rows gain, and while there is time."""

    patience: int
    deadline: float | None
    losses: list[float] = field(default_factory=list)
    _best: int = 0

    def goes_on(self, loss: float | None = None) -> bool:
        """Take the loss on the watched rows after one more round, and say whether to do another one."""
        if loss is not None:
            self.losses.append(loss)
            if loss < self.losses[self._best]:
                self._best = len(self.losses) - 1
            if len(self.losses) - 1 - self._best >= self.patience:
                return False
        try:
            check_time(self.deadline)
        except OutOfTime:
            return False
        return True

    def curve(self, n_rounds: int) -> Array | None:
        """Return the losses of the rounds that were kept; None if no rows were watched."""
        return np.array(self.losses[:n_rounds], dtype=np.float64) if self.losses else None


def patience_of(params: Params, shape: Shape) -> int:
    """Say for how many rounds without a gain a fit goes on: fewer where a round has a tree for each of many classes."""
    share = 1.0 if shape.n_classes <= 5 else 0.5
    return int(np.clip(round(share * PATIENCE / params["learning_rate"]), 8, 100))


def expected_rounds(params: Params) -> int:
    """Say how many rounds a fit will take: the number that is set, else what such steps usually need."""
    return int(params.get(ROUNDS, round(np.clip(20.0 / params["learning_rate"], 40, 1000))))


def most_rounds(params: Params, *, leaves_a_round: int) -> int:
    """Say how many rounds a fit that watches rows may take, each of which adds so many leaves."""
    return max(20, min(round(100.0 / float(params["learning_rate"])), MAX_LEAVES // leaves_a_round, 3000))


def share_of_columns(shape: Shape, usual: float) -> float:
    """Return the share of the columns that a tree looks at: of very many some hundred, else each costs seconds.

    Example:
        >>> share_of_columns(Shape(1_000, 20, 2), 0.7), share_of_columns(Shape(1_000, 5_000, 2), 0.7)
        (0.7, 0.1)
    """
    return min(usual, max(LEAST_SHARE, COLUMNS_A_TREE / max(1, shape.n_features)))


def bounds_of_columns(shape: Shape, least: float) -> tuple[float, float]:
    """Return between which shares of the columns is searched: of very many up to three times the usual number."""
    return share_of_columns(shape, least), min(1.0, max(LEAST_SHARE, COLUMNS_A_TREE / max(1, shape.n_features)) * 3)


def trees_a_round(shape: Shape) -> int:
    """Count the trees of a round: one for each class, one for two classes or a value."""
    return shape.n_classes if shape.n_classes > 2 else 1


class InRounds:
    """Base of a family that adds trees round by round, each weighed with `learning_rate`."""

    rounds = ROUNDS
    needs: tuple[str, ...] = ()

    def grow(self, params: Params, growth: float) -> Params:
        """Boost longer on more rows: by the square root of `growth`."""
        if ROUNDS not in params:
            return params
        return params | {ROUNDS: max(1, round(params[ROUNDS] * growth**0.5))}

    def hurry(self, params: Params, share: float) -> Params:
        """Take fewer rounds, and longer steps up to `MAX_RATE`."""
        if share >= 1.0:
            return params
        usual = expected_rounds(params)
        fewer = max(1, round(usual * share))
        rate = max(params["learning_rate"], min(MAX_RATE, params["learning_rate"] * usual / fewer))
        return params | {"learning_rate": rate, ROUNDS: fewer}


def objective_for_values(examples: Examples, family: str) -> Objective:
    """Return what a fit to values makes small; what is meant for classes counts as `squared`.

    Raises:
        InputError: `poisson` is asked for, and a value is negative or none is positive.
    """
    objective = objective_of(examples)
    if objective == "poisson" and (float(examples.target.min()) < 0 or float(examples.target.max()) <= 0):
        raise InputError(
            f"{family}: objective `poisson` got values from {examples.target.min():g} to {examples.target.max():g}, "
            "it takes counts (0 or more, not all of them 0)",
            hint="choose objective `squared`, or a target that counts",
        )
    return "squared" if objective in ("log_loss", "focal") else objective


def bend_of(target: Array) -> float:
    """Return the error at which a Huber loss turns from squared to absolute: half of the middle spread of `target`.

    The libraries' own default is one unit of the target, whatever the unit.
    """
    low, high = np.quantile(target, [0.25, 0.75])
    return float(high - low) / 2 or float(target.std()) or 1.0
