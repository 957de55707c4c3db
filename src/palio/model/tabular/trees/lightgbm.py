"""Emit LightGBM.

Source: LightGBM `include/LightGBM/tree.h` (`NumericalDecision`, `CategoricalDecision`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.errors import InputError
from palio.core.records import Task
from palio.model.graph.builder import GraphBuilder
from palio.model.graph.heads import both_classes
from palio.model.tabular.trees.ensemble import LESS_OR_EQUAL, MEMBER, Ensemble, Nodes

LIGHTGBM_ZERO = float(np.float32(1e-35))
"""LightGBM takes |x| up to this (`kZeroThreshold`) for zero, and cuts between zero and the rest at exactly this."""
LIGHTGBM_INFINITY = 1e300
"""LightGBM writes infinite thresholds (all known values left, missing ones right) as this (`AvoidInf`)."""
_CATEGORICAL, _DEFAULT_LEFT, _MISSING_AT = 1, 2, 2
"""Bits of `decision_type`: a category is asked for, missing values go left; from the third bit on the missing type."""
_MISSING_NONE, _MISSING_ZERO = 0, 1

Array = npt.NDArray[Any]


def emit_lightgbm(builder: GraphBuilder, features: str, booster: Any, task: Task, *, rounds: int | None = None) -> str:
    """Add a LightGBM model; return probabilities or values, equal to `booster.predict` on the same features.

    Codes of categories are whole numbers. The model is read from its text, key by key for all trees together: thousands
    of trees would take longer to walk one by one than to grow.

    Args:
        features: Tensor of shape (n, n_features), in the order the booster was trained on.
        booster: A `lightgbm.Booster` trained on class indices in the order of `task.classes`, or on values; or its
            text, with all rounds.
        rounds: Use the trees of the first ones; None: up to `booster.best_iteration`, all if there is none.

    Raises:
        InputError: an objective that does not fit the task, linear trees.
    """
    text = booster if isinstance(booster, str) else booster.model_to_string(num_iteration=rounds)
    head, _, trees = text.partition("\n\nTree=0\n")
    told = dict(line.partition("=")[::2] for line in head.splitlines())
    objective, *settings = told.get("objective", "none").split(" ")
    n_scores = int(told["num_tree_per_iteration"])
    lines = _lines_by_key(trees.partition("\nend of trees\n")[0], most=None if rounds is None else rounds * n_scores)
    if "1" in lines.get("is_linear", ()):
        raise InputError("LightGBM: linear trees cannot be exported", hint="train with linear_tree = false")
    n_leaves = _numbers(lines, "num_leaves", np.int64)
    scale = n_scores / len(n_leaves) if "average_output" in told and len(n_leaves) else 1.0
    ensemble = Ensemble()
    if len(n_leaves):
        nodes, zero_features = _nodes(lines, n_leaves)
        weights = _numbers(lines, "leaf_value", np.float64) * scale
        ensemble.extend(nodes, np.repeat(np.arange(len(n_leaves)) % n_scores, n_leaves), weights)
        if zero_features:
            features = _zero_is_missing(builder, features, zero_features, int(told["max_feature_idx"]) + 1)
    else:
        ensemble.root(ensemble.leaf(0, 0.0))
    scores = ensemble.emit(builder, features, n_scores)
    options = dict(setting.split(":", 1) for setting in settings if ":" in setting)
    return _lightgbm_head(builder, scores, objective, options, "sqrt" in settings, task)


def _lines_by_key(trees: str, *, most: int | None) -> dict[str, list[str]]:
    """Return for each key what stands behind it in the first `most` trees that have it."""
    found: dict[str, list[str]] = {}
    n_trees = 1
    for line in trees.split("\n"):
        key, _, value = line.partition("=")
        if key == "Tree":
            if n_trees == most:
                break
            n_trees += 1
        elif key:
            found.setdefault(key, []).append(value)
    return found


def _numbers(lines: dict[str, list[str]], key: str, dtype: type) -> Array:
    """Return the numbers behind a key, of all trees together."""
    return np.array(" ".join(lines.get(key, ())).split(), dtype=dtype)


def _nodes(lines: dict[str, list[str]], n_leaves: Array) -> tuple[Nodes, set[int]]:
    """Return the inner nodes of all trees, and the features whose zeros count as missing."""
    n_nodes = n_leaves - 1
    of_node = np.repeat(np.arange(len(n_leaves)), n_nodes)
    first_node, first_leaf = np.cumsum(n_nodes) - n_nodes, np.cumsum(n_leaves) - n_leaves
    columns, kinds = _numbers(lines, "split_feature", np.int64), _numbers(lines, "decision_type", np.int64)
    thresholds = _numbers(lines, "threshold", np.float64)
    sides = np.column_stack([_numbers(lines, f"{side}_child", np.int64) for side in ("left", "right")])
    children = np.where(sides < 0, sides - first_leaf[of_node, None], sides + first_node[of_node, None])
    roots = np.where(n_nodes > 0, first_node, -1 - first_leaf)
    is_member, missing = (kinds & _CATEGORICAL) > 0, kinds >> _MISSING_AT
    splits = np.where(is_member, 0.0, _real_thresholds(thresholds))
    # Without a missing type LightGBM reads NaN as zero.
    goes_left = np.where(missing == _MISSING_NONE, splits >= 0.0, (kinds & _DEFAULT_LEFT) > 0)
    nodes = Nodes(
        features=columns,
        splits=splits,
        modes=np.where(is_member, MEMBER, LESS_OR_EQUAL),
        missing_true=goes_left & ~is_member,
        children=children,
        members=_members(lines, np.bincount(of_node[is_member], minlength=len(n_leaves)), thresholds[is_member]),
        roots=roots,
    )
    return nodes, set(columns[(missing == _MISSING_ZERO) & ~is_member].tolist())


def _members(lines: dict[str, list[str]], n_asked: Array, places: Array) -> list[Array]:
    """Return the codes that go left, for each node that asks for a category, tree by tree.

    Args:
        n_asked: How many such nodes each tree has.
        places: Of each such node: which of the sets of its tree is meant.
    """
    found: list[Array] = []
    start = 0
    bounds, words = iter(lines.get("cat_boundaries", ())), iter(lines.get("cat_threshold", ()))
    for n in n_asked[n_asked > 0].tolist():
        ends = np.array(next(bounds).split(), dtype=np.int64)
        bits = np.unpackbits(np.array(next(words).split(), dtype="<u4").view(np.uint8), bitorder="little")
        sets = places[start : start + n].astype(np.int64).tolist()
        found += [np.flatnonzero(bits[32 * ends[one] : 32 * ends[one + 1]]).astype(np.float64) for one in sets]
        start += n
    return found


def _real_thresholds(thresholds: Array) -> Array:
    """Return what LightGBM compares with: its text hides infinity, and its rows lose numbers that are nearly zero.

    A threshold among the numbers that are taken for zero moves to the side where zero is not.
    """
    size = np.abs(thresholds)
    near = np.where(thresholds >= 0, LIGHTGBM_ZERO, np.nextafter(-LIGHTGBM_ZERO, -np.inf))
    far = np.where(size >= LIGHTGBM_INFINITY, np.copysign(np.inf, thresholds), thresholds)
    return np.asarray(np.where(size > LIGHTGBM_ZERO, far, near))


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
