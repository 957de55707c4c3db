"""Emit models that are one matrix product, or none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from palio.core.errors import InputError
from palio.core.records import Task
from palio.model.graph.builder import GraphBuilder
from palio.model.graph.heads import both_classes


def emit_linear(
    builder: GraphBuilder, features: str, coefficients: npt.ArrayLike, intercepts: npt.ArrayLike, task: Task
) -> str:
    """Add a linear model; return its probabilities (sigmoid or softmax), or its values.

    Args:
        features: Tensor of shape (n, n_features).
        coefficients: Shape (n_classes, n_features); (n_features,) or (1, n_features) for two classes (score of the
            second class) and regression.
        intercepts: One per row of `coefficients`; -inf for a class that is never to be predicted.

    Raises:
        InputError: the shapes do not fit each other or the task, or a coefficient is not finite.
    """
    weights = np.atleast_2d(np.asarray(coefficients, dtype=np.float64))
    offsets = np.atleast_1d(np.asarray(intercepts, dtype=np.float64)).ravel()
    n_scores = len(task.classes) if task.kind == "classification" and len(task.classes) > 2 else 1
    if weights.shape[0] != n_scores or offsets.shape != (n_scores,):
        raise InputError(
            f"linear model: coefficients of shape {weights.shape} and intercepts of shape {offsets.shape}, "
            f"the task needs {n_scores} of each",
            hint="give one row of coefficients per class, or one for two classes and for regression",
        )
    if not np.isfinite(weights).all() or np.isnan(offsets).any():
        raise InputError("linear model: a coefficient is not finite", hint="fit again with more regularisation")
    # ONNX Runtime makes the division by one number before a matrix product a factor of it, in float32
    product = builder.node(
        "Mul" if weights.shape[1] == 1 else "MatMul", features, builder.constant(np.ascontiguousarray(weights.T))
    )
    score = builder.node("Add", product, builder.constant(offsets))
    if task.kind == "regression":
        return score
    if n_scores == 1:
        return both_classes(builder, builder.node("Sigmoid", score))
    return builder.node("Softmax", score, axis=1)


def emit_constant(builder: GraphBuilder, value: npt.ArrayLike, task: Task) -> str:
    """Add a model that looks at nothing; return its probabilities, or its value, for each row.

    Args:
        value: The probability of each class in the order of `task.classes`, or one number for regression.

    Raises:
        InputError: not one probability per class.
    """
    constant = np.atleast_1d(np.asarray(value, dtype=np.float64)).ravel()
    wanted = len(task.classes) if task.kind == "classification" else 1
    if constant.shape != (wanted,):
        raise InputError(f"constant model: {constant.size} numbers, the task needs {wanted}", hint="give one per class")
    return builder.node("Mul", builder.ones(), builder.constant(constant))
