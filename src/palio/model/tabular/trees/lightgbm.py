"""Emit LightGBM.

Source: LightGBM `include/LightGBM/tree.h` (`NumericalDecision`, `CategoricalDecision`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from palio.core.errors import InputError
from palio.core.records import Task
from palio.model.graph.builder import GraphBuilder
from palio.model.graph.heads import both_classes
from palio.model.tabular.trees.ensemble import Ensemble

LIGHTGBM_ZERO = float(np.float32(1e-35))
"""LightGBM takes |x| up to this (`kZeroThreshold`) for zero, and cuts between zero and the rest at exactly this."""
LIGHTGBM_INFINITY = 1e300
"""LightGBM writes infinite thresholds (all known values left, missing ones right) as this (`AvoidInf`)."""


def emit_lightgbm(builder: GraphBuilder, features: str, booster: Any, task: Task, *, rounds: int | None = None) -> str:
    """Add a LightGBM model; return probabilities or values, equal to `booster.predict` on the same features.

    Codes of categories are whole numbers.

    Args:
        features: Tensor of shape (n, n_features), in the order the booster was trained on.
        booster: A `lightgbm.Booster` trained on class indices in the order of `task.classes`, or on values.
        rounds: Use the trees of the first ones; None: up to `booster.best_iteration`, all if there is none.

    Raises:
        InputError: an objective that does not fit the task, linear trees.
    """
    model = booster.dump_model(num_iteration=rounds)
    objective, *settings = str(model.get("objective", "none")).split(" ")
    n_scores = int(model["num_tree_per_iteration"])
    trees = model["tree_info"]
    scale = n_scores / len(trees) if model.get("average_output") and trees else 1.0
    ensemble = Ensemble()
    zero_features: set[int] = set()
    for index, tree in enumerate(trees):
        ensemble.root(_add_lightgbm(ensemble, tree["tree_structure"], index % n_scores, scale, zero_features))
    if not trees:
        ensemble.root(ensemble.leaf(0, 0.0))
    if zero_features:
        features = _zero_is_missing(builder, features, zero_features, int(model["max_feature_idx"]) + 1)
    scores = ensemble.emit(builder, features, n_scores)
    options = dict(setting.split(":", 1) for setting in settings if ":" in setting)
    return _lightgbm_head(builder, scores, objective, options, "sqrt" in settings, task)


def _add_lightgbm(ensemble: Ensemble, root: dict[str, Any], target: int, scale: float, zero_features: set[int]) -> int:
    """Add one tree without recursion (a leaf-wise tree may be deep); return its root."""
    top = [0]
    waiting: list[tuple[dict[str, Any], list[int], int]] = [(root, top, 0)]
    while waiting:
        node, parent, side = waiting.pop()
        if "split_feature" not in node:
            if "leaf_coeff" in node:
                raise InputError("LightGBM: linear trees cannot be exported", hint="train with linear_tree = false")
            parent[side] = ensemble.leaf(target, float(node["leaf_value"]) * scale)
            continue
        feature = int(node["split_feature"])
        if node["decision_type"] == "==":
            here = ensemble.member(feature, [float(value) for value in str(node["threshold"]).split("||")])
        else:
            threshold = _real_threshold(float(node["threshold"]))
            missing = node["missing_type"]
            if missing == "Zero":
                zero_features.add(feature)
            # Without a missing type LightGBM reads NaN as zero.
            goes_left = threshold >= 0.0 if missing == "None" else bool(node["default_left"])
            here = ensemble.split(feature, threshold, missing_true=goes_left)
        parent[side] = here
        waiting.append((node["right_child"], ensemble.children[here], 1))
        waiting.append((node["left_child"], ensemble.children[here], 0))
    return top[0]


def _real_threshold(threshold: float) -> float:
    """Return what LightGBM compares with: its dump hides infinity, and its rows lose numbers that are nearly zero.

    A threshold among the numbers that are taken for zero moves to the side where zero is not.
    """
    if abs(threshold) >= LIGHTGBM_INFINITY:
        return float(np.copysign(np.inf, threshold))
    if abs(threshold) > LIGHTGBM_ZERO:
        return threshold
    return LIGHTGBM_ZERO if threshold >= 0 else float(np.nextafter(-LIGHTGBM_ZERO, -np.inf))


def _zero_is_missing(builder: GraphBuilder, features: str, columns: set[int], n_features: int) -> str:
    """Turn zeros of `columns` into NaN, as LightGBM does with `zero_as_missing`."""
    limit = [LIGHTGBM_ZERO if column in columns else -1.0 for column in range(n_features)]
    is_zero = builder.node("LessOrEqual", builder.node("Abs", features), builder.constant(limit))
    return builder.node("Where", is_zero, builder.constant(float("nan")), features)


def _lightgbm_head(
    builder: GraphBuilder, scores: str, objective: str, options: dict[str, str], is_root: bool, task: Task
) -> str:
    if task.kind == "classification":
        wanted = ("binary", "cross_entropy", "xentropy") if len(task.classes) == 2 else ("multiclass",)
        if objective not in wanted:
            raise _wrong_objective(objective, wanted)
        if objective == "multiclass":
            return builder.node("Softmax", scores, axis=1)
        slope = float(options.get("sigmoid", "1"))
        if slope != 1.0:
            scores = builder.node("Mul", scores, builder.constant(slope))
        return both_classes(builder, builder.node("Sigmoid", scores))
    if objective in ("poisson", "gamma", "tweedie"):
        scores = builder.node("Exp", scores)
    elif objective not in _PLAIN_OBJECTIVES:
        raise _wrong_objective(objective, (*_PLAIN_OBJECTIVES, "poisson", "gamma", "tweedie"))
    if is_root:  # reg_sqrt: the trees learned sign(y)·√|y|
        scores = builder.node("Mul", scores, builder.node("Abs", scores))
    return scores


_PLAIN_OBJECTIVES = ("regression", "regression_l1", "huber", "fair", "quantile", "mape")


def _wrong_objective(objective: str, wanted: tuple[str, ...]) -> InputError:
    return InputError(
        f"LightGBM: objective `{objective}` cannot be exported for this task",
        hint=f"train with objective {' or '.join(wanted)}",
    )
