"""What smooth models share: inputs that are bent at the ends, and how scores become answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from palio.core.records import Task
from palio.model.graph.builder import GraphBuilder

LARGEST_LOG = 30.0
"""Scores of counts are cut to this before they are raised."""


@dataclass(frozen=True)
class BentInputs:
    """Features moved, scaled, and bent: x / √(1 + (x / reach)²)."""

    order: tuple[int, ...]
    """Features in the order of the inputs."""
    centers: npt.NDArray[np.float64]
    scales: npt.NDArray[np.float64]
    reach: float
    """No input is larger than this."""


@dataclass(frozen=True)
class Head:
    """How scores become answers."""

    present: tuple[int, ...] = ()
    """Classes that the scores stand for; empty for values."""
    is_exponential: bool = False
    """A value is the exponential of its score."""
    center: float = 0.0
    spread: float = 1.0
    """A value is this many times what was found, plus the center."""


def emit_bent(builder: GraphBuilder, features: str, inputs: BentInputs) -> str:
    """Add the nodes of inputs, (n, n_inputs), reading features (n, n_features)."""
    chosen = features
    if inputs.order != tuple(range(len(inputs.order))):
        chosen = builder.columns(features, list(inputs.order))
    moved = builder.node("Sub", chosen, builder.constant(inputs.centers))
    moved = builder.node("Div", moved, builder.constant(inputs.scales))
    part = builder.node("Div", moved, builder.constant([inputs.reach] * len(inputs.order)))
    size = builder.node("Sqrt", builder.node("Add", builder.constant(1.0), builder.node("Mul", part, part)))
    return builder.node("Div", moved, size)


def emit_head(builder: GraphBuilder, scores: str, head: Head, task: Task, *, is_mean: bool = False) -> str:
    """Add what turns scores into probabilities (n, n_classes), or values (n, 1).

    Args:
        scores: Tensor (n, n_scores); (n_models, n, n_scores) if the mean of several models answers.
        is_mean: Whether there are several.
    """
    found = scores
    if task.kind == "classification":
        found = builder.node("Softmax", scores, axis=-1)
    elif head.is_exponential:
        found = builder.node("Exp", builder.node("Min", scores, builder.constant(LARGEST_LOG)))
    if is_mean:
        found = builder.node("ReduceMean", found, builder.constant([0], "int64"), keepdims=0)
    return emit_found(builder, found, head, task)


def emit_found(builder: GraphBuilder, found: str, head: Head, task: Task) -> str:
    """Add what turns probabilities of the classes present, or scaled values, into those of all classes, or values."""
    if task.kind == "regression":
        scaled = builder.node("Mul", found, builder.constant([head.spread]))
        return builder.node("Add", scaled, builder.constant([head.center]))
    if len(head.present) == len(task.classes):
        return found
    places = np.zeros((len(head.present), len(task.classes)))
    places[np.arange(len(head.present)), list(head.present)] = 1.0
    return builder.node("MatMul", found, builder.constant(places))


def emit_product(builder: GraphBuilder, rows: str, factors: npt.NDArray[np.float64]) -> str:
    """Return rows @ factors, of one column as a multiplication.

    ONNX Runtime may draw a single number that stands beside a matrix product into it, in float32.
    """
    op = "Mul" if factors.shape[0] == 1 else "MatMul"
    return builder.node(op, rows, builder.constant(np.ascontiguousarray(factors)))
