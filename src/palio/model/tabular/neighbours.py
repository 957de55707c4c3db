"""Emit votes of the stored rows that are nearest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from palio.core.records import Task
from palio.model.graph.builder import GraphBuilder
from palio.model.tabular.scores import BentInputs, Head, emit_bent, emit_found, emit_product

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NeighbourVotes:
    """Stored rows, and how they answer.

    One at the squared distance s has the voice count · max(0, 1 - s / (reach · last + floor))², where `last` is the
    squared distance of the last neighbour.
    """

    inputs: BentInputs
    factors: Numbers
    """What each input is multiplied with."""
    rows: Numbers
    """Shape (n_stored, n_inputs), already multiplied."""
    counts: Numbers
    targets: Numbers
    """Shape (n_stored, n_scores): shares of classes, or values."""
    n_neighbours: int
    reach: float
    floor: float
    prior: float
    """The voice of `mean`."""
    mean: Numbers
    head: Head


def emit_neighbours(builder: GraphBuilder, features: str, votes: NeighbourVotes, task: Task) -> str:
    """Add the votes, reading features of shape (n, n_features); return probabilities or values."""
    rows = builder.node("Mul", emit_bent(builder, features, votes.inputs), builder.constant(votes.factors))
    one = builder.constant([1], "int64")
    own = builder.node("ReduceSum", builder.node("Mul", rows, rows), one, keepdims=1)
    offset = builder.node("Add", own, builder.constant((votes.rows * votes.rows).sum(axis=1)))
    product = emit_product(builder, rows, -2.0 * votes.rows.T)
    squares = builder.node("Max", builder.node("Add", offset, product), builder.constant(0.0))
    last = _last(builder, squares, votes.n_neighbours)
    reached = builder.node("Mul", last, builder.constant([votes.reach]))
    part = builder.node("Div", squares, builder.node("Add", reached, builder.constant([votes.floor])))
    near = builder.node("Max", builder.node("Sub", builder.constant(1.0), part), builder.constant(0.0))
    voices = builder.node("Mul", builder.node("Mul", near, near), builder.constant(votes.counts))
    said = emit_product(builder, voices, votes.targets)
    said = builder.node("Add", said, builder.constant(votes.prior * votes.mean))
    total = builder.node("ReduceSum", voices, one, keepdims=1)
    total = builder.node("Add", total, builder.constant([votes.prior]))
    return emit_found(builder, builder.node("Div", said, total), votes.head, task)


def _last(builder: GraphBuilder, squares: str, n_neighbours: int) -> str:
    """Return the squared distance of the last neighbour, (n, 1)."""
    nearest = builder.sorted_least(squares, n_neighbours)
    return builder.columns(nearest, [n_neighbours - 1])
