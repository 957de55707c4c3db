"""Make probabilities mean what they say: the same correction as numbers and as nodes of a graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.records import Calibration
from palio.model.graph.builder import GraphBuilder

Array = npt.NDArray[Any]
TINY = 1e-12
"""Probabilities are kept so far from 0 and 1 before their logarithm is taken."""


def calibrated(probabilities: Array, how: Calibration) -> Array:
    """Correct probabilities, shape (n, n_classes)."""
    if how.kind == "none":
        return probabilities
    if how.kind == "isotonic":
        lows, highs, slopes = _pieces(how)
        steps = np.maximum(np.minimum(probabilities[:, 1:], highs), lows) - lows
        return _both(np.clip(steps @ slopes + how.numbers[1], 0.0, 1.0))
    logs = np.log(np.clip(probabilities, TINY, 1.0))
    if how.kind == "temperature":
        return _softmax(logs * how.numbers[0])
    slope, offset = how.numbers
    with np.errstate(over="ignore"):  # where classes part without exception slopes are steep; infinity is right then
        return _both(1.0 / (1.0 + np.exp(-((logs[:, 1:] - logs[:, :1]) * slope + offset))))


def emit_calibrated(builder: GraphBuilder, probabilities: str, how: Calibration) -> str:
    """Add the nodes of a correction; return the corrected probabilities, shape (n, n_classes)."""
    if how.kind == "none":
        return probabilities
    if how.kind == "isotonic":
        lows, highs, slopes = _pieces(how)
        second = builder.columns(probabilities, [1])
        cut = builder.node("Max", builder.node("Min", second, builder.constant(highs)), builder.constant(lows))
        steps = builder.node("Sub", cut, builder.constant(lows))
        risen = builder.node(
            "Add", builder.node("MatMul", steps, builder.constant(slopes)), builder.constant(how.numbers[1])
        )
        return _emit_both(builder, builder.node("Clip", risen, builder.constant(0.0), builder.constant(1.0)))
    logs = builder.node("Log", builder.node("Clip", probabilities, builder.constant(TINY), builder.constant(1.0)))
    if how.kind == "temperature":
        return builder.node("Softmax", builder.node("Mul", logs, builder.constant(how.numbers[0])), axis=1)
    slope, offset = how.numbers
    apart = builder.node("Sub", builder.columns(logs, [1]), builder.columns(logs, [0]))
    moved = builder.node("Add", builder.node("Mul", apart, builder.constant(slope)), builder.constant(offset))
    return _emit_both(builder, builder.node("Sigmoid", moved))


def _pieces(how: Calibration) -> tuple[Array, Array, Array]:
    """Return where the straight pieces begin and end, and how steep they are: shapes (1, k), (1, k), (k, 1)."""
    at, value = np.asarray(how.numbers[0::2]), np.asarray(how.numbers[1::2])
    return at[None, :-1], at[None, 1:], (np.diff(value) / np.diff(at))[:, None]


def _both(second: Array) -> Array:
    return np.hstack([1.0 - second, second])


def _emit_both(builder: GraphBuilder, second: str) -> str:
    return builder.concat([builder.node("Sub", builder.constant(1.0), second), second])


def _softmax(scores: Array) -> Array:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    total: Array = raised / raised.sum(axis=1, keepdims=True)
    return total
