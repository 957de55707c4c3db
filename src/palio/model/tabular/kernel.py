"""Emit sums of likenesses to rows that were learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from palio.core.errors import InputError
from palio.core.records import Task
from palio.model.graph.builder import GraphBuilder
from palio.model.tabular.scores import BentInputs, Head, emit_bent, emit_head, emit_product

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class KernelSum:
    """Scores: coefficients times how alike a row is to each landmark (see `palio.train.solvers.kernels`)."""

    inputs: BentInputs
    factors: Numbers
    """What each input is multiplied with: how much it counts."""
    kernel: Literal["gaussian", "rational", "polynomial"]
    landmarks: Numbers
    """Shape (n_landmarks, n_inputs), already multiplied with `factors`."""
    width: float
    coefficients: Numbers
    """Shape (n_landmarks, n_scores)."""
    intercepts: Numbers
    head: Head


def emit_kernel(builder: GraphBuilder, features: str, machine: KernelSum, task: Task) -> str:
    """Add a kernel machine, reading features of shape (n, n_features); return its probabilities or values.

    Raises:
        InputError: a coefficient is not finite.
    """
    if not np.isfinite(machine.coefficients).all():
        raise InputError("kernel machine: a coefficient is not finite", hint="fit again with more regularisation")
    rows = emit_bent(builder, features, machine.inputs)
    rows = builder.node("Mul", rows, builder.constant(machine.factors))
    alike = _alike(builder, rows, machine)
    scores = builder.node("MatMul", alike, builder.constant(machine.coefficients))
    scores = builder.node("Add", scores, builder.constant(machine.intercepts))
    return emit_head(builder, scores, machine.head, task)


def _alike(builder: GraphBuilder, rows: str, machine: KernelSum) -> str:
    marks, width, one = machine.landmarks, machine.width, builder.constant(1.0)
    if machine.kernel == "polynomial":
        product = emit_product(builder, rows, marks.T / width)
        base = builder.node("Add", product, one)
        return builder.node("Mul", builder.node("Mul", base, base), base)
    product = emit_product(builder, rows, -2.0 * marks.T / width)
    squares = builder.node("ReduceSum", builder.node("Mul", rows, rows), builder.constant([1], "int64"), keepdims=1)
    own = builder.node("Div", squares, builder.constant([width]))
    offset = builder.node("Add", own, builder.constant((marks * marks).sum(axis=1) / width))
    distance = builder.node("Max", builder.node("Add", product, offset), builder.constant(0.0))
    if machine.kernel == "rational":
        return builder.node("Reciprocal", builder.node("Add", distance, one))
    return builder.node("Exp", builder.node("Neg", distance))
