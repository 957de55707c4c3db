"""Make one answer of many by a linear layer: the same as numbers and as nodes of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.records import Layer
from palio.model.graph.builder import GraphBuilder

Array = npt.NDArray[Any]
STACK_FLOOR = 1e-6
"""Probabilities are kept so far from 0 before their logarithm is taken: a member that says never can be overruled."""


def stacked(answers: Sequence[Array], weights: Sequence[float], layer: Layer) -> Array:
    """Return what a layer makes of the probabilities of its members, each of shape (n, n_classes).

    Example:
        >>> both = [np.array([[0.5, 0.5]]), np.array([[0.2, 0.8]])]
        >>> stacked(both, [0.5, 0.5], Layer(offsets=(0.0, 0.0))).round(3).tolist()
        [[0.333, 0.667]]
    """
    scores = np.asarray(layer.offsets) + sum(
        weight * np.log(np.clip(one, STACK_FLOOR, 1.0)) for weight, one in zip(weights, answers, strict=True)
    )
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Array = raised / raised.sum(axis=1, keepdims=True)
    return shares


def emit_stacked(builder: GraphBuilder, answers: Sequence[str], weights: Sequence[float], layer: Layer) -> str:
    """Add the nodes of a layer; return its probabilities, shape (n, n_classes)."""
    total = builder.constant([list(layer.offsets)])
    for answer, weight in zip(answers, weights, strict=True):
        logs = builder.node("Log", builder.node("Clip", answer, builder.constant(STACK_FLOOR), builder.constant(1.0)))
        total = builder.node("Add", total, builder.node("Mul", logs, builder.constant(float(weight))))
    return builder.node("Softmax", total, axis=1)
