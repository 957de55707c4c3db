"""Answer as the nearest rows do: weighted neighbours, on inputs that are stretched by how much they count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from palio import model
from palio.core.records import Modality, Task, TaskKind
from palio.train.examples import Array, Examples, Shape
from palio.train.family import (
    FixedSettings,
    Params,
    TabularFitted,
    calm_threads,
    check_time,
    class_outputs,
    value_outputs,
)
from palio.train.solvers.inputs import Inputs, inputs_of, some
from palio.train.solvers.losses import Loss, loss_of
from palio.train.solvers.metric import METRIC_LANDMARKS, METRIC_ROWS, gaussian_landmarks, stretched

MAX_SAMPLE = 100_000
"""Rows that are learned from; of more, a random part is."""
MAX_STORED, MAX_NUMBERS = 2_000, 200_000
"""Rows, and numbers in them, that the graph holds; all others are counted with the nearest of them."""
COUNTS = (2, 4, 8, 15, 30, 60, 120)
"""Numbers of neighbours; the best on rows left out, one at a time, is taken."""
PRIORS = (0.02, 0.1, 0.5, 2.0)
"""Rows of the overall mean that are mixed into an answer."""
_BLOCK = 2048


class Neighbours(FixedSettings):
    """Nearest neighbours whose weight falls to zero beyond the last of them, so that no tie is broken by chance.

    Source: Fix and Hodges 1951; Nadaraya 1964 (weights); Radhakrishnan et al. 2024 (which inputs count).
    """

    name = "neighbours"
    tasks: tuple[TaskKind, ...] = ("classification", "regression")
    modalities: tuple[Modality, ...] = ("tabular",)
    n_settings = 2

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: distances of all rows to those that are stored, and of these to each other."""
        rows = min(shape.n_rows, MAX_SAMPLE)
        n_inputs, scores = 1.5 * shape.n_features, max(1, shape.n_classes)
        stored, few = min(rows, MAX_STORED), min(rows, METRIC_ROWS)
        metric = few * METRIC_LANDMARKS * (n_inputs * (1 + min(scores, 8)) + METRIC_LANDMARKS)
        work = int(params["iterations"]) * metric + rows * stored * (n_inputs + 60)
        work += stored * stored * len(COUNTS) * (40 + 2 * scores)
        return 0.1 + 1e-3 * shape.n_features + 3e-7 * shape.n_rows * shape.n_features + 4e-10 * work

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return stretched inputs, then inputs as they are."""
        return [{"iterations": 2, "reach": 1.5}, {"iterations": 0, "reach": 1.5}]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw how often inputs are stretched, and how far weights reach beyond the last neighbour."""
        return {
            "iterations": trial.suggest_int("iterations", 0, 3),
            "reach": trial.suggest_float("reach", 1.05, 4.0, log=True),
        }

    def fit(
        self,
        examples: Examples,
        *,
        params: Params,
        seed: int,
        deadline: float | None = None,
        watch: Examples | None = None,
    ) -> TabularFitted:
        """Choose the rows that are stored, and how many of them answer.

        Raises:
            OutOfTime: the deadline has come.
            InputError: fewer than two classes have examples.
        """
        calm_threads()
        import threadpoolctl

        check_time(deadline)
        loss = loss_of(examples, self.name)
        preprocessing = examples.preprocessing("linear")
        rng = np.random.default_rng(seed)
        chosen = some(len(examples.target), MAX_SAMPLE, rng)
        features = examples.matrix(preprocessing)[chosen]
        inputs = inputs_of(features)
        rows, targets = inputs(features), loss.targets(examples.target[chosen])
        weights = None if examples.weights is None else examples.weights[chosen]
        with threadpoolctl.threadpool_limits(1, user_api="blas"):
            factors = np.ones(rows.shape[1])
            choose = gaussian_landmarks(rng, deadline)
            for _ in range(int(params["iterations"])):
                factors = stretched(rows, factors, targets, weights, choose, rng, deadline)
            counts = np.ones(len(rows)) if weights is None else weights
            stored = _store(rows * factors, targets, counts, rng, deadline)
            votes = _chosen(stored, float(params["reach"]), loss, deadline)
        circle = _Circle(inputs, factors, votes, loss, examples.task)
        return TabularFitted(
            preprocessing=preprocessing, answer=circle.answer, add=circle.add, n_parameters=stored.rows.size
        )


@dataclass(frozen=True)
class _Stored:
    """Rows that stand for all."""

    rows: Array
    """Shape (n_stored, n_inputs)."""
    counts: Array
    """How many rows each stands for, (n_stored,)."""
    targets: Array
    """Mean of their targets, (n_stored, n_scores)."""


@dataclass(frozen=True)
class _Votes:
    """How stored rows answer."""

    stored: _Stored
    n_neighbours: int
    reach: float
    floor: float
    """Squared distance that is added to the reach."""
    prior: float
    mean: Array

    def found(self, rows: Array) -> Array:
        """Return probabilities or values of rows, shape (n_rows, n_scores)."""
        return self.from_distances(distances(rows, self.stored.rows))

    def from_distances(self, squares: Array) -> Array:
        """Return the same from squared distances to the stored rows."""
        place = min(self.n_neighbours, squares.shape[1]) - 1
        last = np.partition(squares, place, axis=1)[:, place : place + 1]
        near = np.maximum(1 - squares / (self.reach * last + self.floor), 0.0)
        voices = near * near * self.stored.counts
        total = voices.sum(axis=1, keepdims=True) + self.prior
        return np.asarray((voices @ self.stored.targets + self.prior * self.mean) / total)


def distances(rows: Array, stored: Array) -> Array:
    """Return squared distances, shape (n_rows, n_stored)."""
    own = (rows * rows).sum(axis=1, keepdims=True)
    return np.asarray(np.maximum(own + (stored * stored).sum(axis=1) + rows @ (-2.0 * stored.T), 0.0))


def _store(rows: Array, targets: Array, counts: Array, rng: np.random.Generator, deadline: float | None) -> _Stored:
    """Draw rows, and count every other one with the nearest of them."""
    most = max(20, min(MAX_STORED, MAX_NUMBERS // (rows.shape[1] + targets.shape[1])))
    drawn = np.unique(rows[some(len(rows), most, rng)], axis=0)
    sums, sizes = np.zeros((len(drawn), targets.shape[1])), np.zeros(len(drawn))
    for start in range(0, len(rows), _BLOCK):
        check_time(deadline)
        block = slice(start, start + _BLOCK)
        nearest = distances(rows[block], drawn).argmin(axis=1)
        np.add.at(sums, nearest, targets[block] * counts[block, None])
        np.add.at(sizes, nearest, counts[block])
    kept = sizes > 0
    return _Stored(drawn[kept], sizes[kept], sums[kept] / sizes[kept, None])


def _chosen(stored: _Stored, reach: float, loss: Loss, deadline: float | None) -> _Votes:
    """Choose how many neighbours answer, and how much of the mean is mixed in."""
    mean = np.average(stored.targets, axis=0, weights=stored.counts)
    squares = distances(stored.rows, stored.rows)
    np.fill_diagonal(squares, np.inf)
    floor = max(1e-6, 1e-3 * float(np.median(squares.min(axis=1)))) if len(squares) > 1 else 1.0
    best, least = _Votes(stored, 1, reach, floor, 1.0, mean), np.inf
    for n_neighbours in COUNTS:
        if n_neighbours >= len(squares):
            break
        for prior in PRIORS:
            check_time(deadline)
            votes = _Votes(stored, n_neighbours, reach, floor, prior * stored.counts.mean(), mean)
            found = votes.from_distances(squares)
            if loss.n_classes:
                losses = -(np.log(np.maximum(found, 1e-15)) * stored.targets).sum(axis=1)
            else:
                losses = ((found - stored.targets) ** 2).sum(axis=1)
            value = float(np.average(losses, weights=stored.counts))
            if value < least:
                best, least = votes, value
    return best


@dataclass(frozen=True)
class _Circle:
    """Neighbours that have been chosen."""

    inputs: Inputs
    factors: Array
    votes: _Votes
    loss: Loss
    task: Task

    def answer(self, features: Array) -> model.Outputs:
        """Answer rows of features."""
        import threadpoolctl

        blocks = []
        with threadpoolctl.threadpool_limits(1, user_api="blas"):
            for start in range(0, max(1, len(features)), _BLOCK):
                rows = self.inputs(features[start : start + _BLOCK]) * self.factors
                blocks.append(self.loss.spread_out(self.votes.found(rows)))
        found = np.concatenate(blocks)
        return value_outputs(found) if self.task.kind == "regression" else class_outputs(found, self.task)

    def add(self, builder: model.GraphBuilder, features: str) -> str:
        """Add the nodes."""
        votes = self.votes
        neighbours = model.NeighbourVotes(
            inputs=self.inputs.spec,
            factors=self.factors,
            rows=votes.stored.rows,
            counts=votes.stored.counts,
            targets=votes.stored.targets,
            n_neighbours=min(votes.n_neighbours, len(votes.stored.rows)),
            reach=votes.reach,
            floor=votes.floor,
            prior=votes.prior,
            mean=votes.mean,
            head=self.loss.head,
        )
        return model.emit_neighbours(builder, features, neighbours, self.task)


FAMILY = Neighbours()
