"""Emit trees: LightGBM and scikit-learn forests as one `TreeEnsemble` in float64.

Source: ai.onnx.ml 5 `TreeEnsemble`; LightGBM `include/LightGBM/tree.h` (`NumericalDecision`, `CategoricalDecision`);
scikit-learn `tree/_tree.pyx` (`_apply_dense`: rows are float32, thresholds float64).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.errors import InputError
from palio.core.records import Task
from palio.model.graph.builder import ML, GraphBuilder
from palio.model.graph.heads import both_classes

LESS_OR_EQUAL, MEMBER = 0, 6
SUM = 1
NO_TRANSFORM = 0
LIGHTGBM_ZERO = float(np.float32(1e-35))
"""LightGBM takes |x| up to this (`kZeroThreshold`) for zero, and cuts between zero and the rest at exactly this."""
LIGHTGBM_INFINITY = 1e300
"""LightGBM writes infinite thresholds (all known values left, missing ones right) as this (`AvoidInf`)."""


class _Ensemble:
    """The flat lists of a `TreeEnsemble`: inner nodes and leaves of all trees."""

    def __init__(self) -> None:
        self.roots: list[int] = []
        self.features: list[int] = []
        self.splits: list[float] = []
        self.modes: list[int] = []
        self.missing_true: list[int] = []
        self.children: list[list[int]] = []
        """Per node: true child, false child; a leaf k is written as -1 - k."""
        self.members: list[float] = []
        self.leaf_targets: list[int] = []
        self.leaf_weights: list[float] = []

    def leaf(self, target: int, weight: float) -> int:
        self.leaf_targets.append(target)
        self.leaf_weights.append(weight)
        return -len(self.leaf_weights)

    def split(self, feature: int, threshold: float, *, missing_true: bool) -> int:
        self.features.append(feature)
        self.splits.append(threshold)
        self.modes.append(LESS_OR_EQUAL)
        self.missing_true.append(int(missing_true))
        self.children.append([0, 0])
        return len(self.features) - 1

    def member(self, feature: int, values: list[float]) -> int:
        node = self.split(feature, 0.0, missing_true=False)
        self.modes[node] = MEMBER
        self.members.extend([*values, float("nan")])
        return node

    def root(self, node: int) -> None:
        """Close a tree; one that is a single leaf gets a split whose sides are the same leaf."""
        if node < 0:
            leaf, node = node, self.split(0, 0.0, missing_true=False)
            self.children[node] = [leaf, leaf]
        self.roots.append(node)

    def emit(self, builder: GraphBuilder, features: str, n_targets: int) -> str:
        """Add the ensemble; return the sums of the leaves, float64 (n, n_targets)."""
        children = np.array(self.children, dtype=np.int64)
        is_leaf = children < 0
        ids = np.where(is_leaf, -1 - children, children)
        members = {"membership_values": np.array(self.members, dtype=np.float64)} if self.members else {}
        return builder.node(
            "TreeEnsemble",
            features,
            domain=ML,
            n_targets=n_targets,
            tree_roots=self.roots,
            nodes_featureids=self.features,
            nodes_splits=np.array(self.splits, dtype=np.float64),
            nodes_modes=np.array(self.modes, dtype=np.uint8),
            nodes_missing_value_tracks_true=self.missing_true,
            nodes_truenodeids=ids[:, 0].tolist(),
            nodes_falsenodeids=ids[:, 1].tolist(),
            nodes_trueleafs=is_leaf[:, 0].astype(int).tolist(),
            nodes_falseleafs=is_leaf[:, 1].astype(int).tolist(),
            leaf_targetids=self.leaf_targets,
            leaf_weights=np.array(self.leaf_weights, dtype=np.float64),
            aggregate_function=SUM,
            post_transform=NO_TRANSFORM,
            **members,
        )


# ── LightGBM ────────────────────────────────────────────────────────────────────────────────────────────────────────


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
    ensemble = _Ensemble()
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


def _add_lightgbm(ensemble: _Ensemble, root: dict[str, Any], target: int, scale: float, zero_features: set[int]) -> int:
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


# ── scikit-learn ────────────────────────────────────────────────────────────────────────────────────────────────────


def emit_forest(builder: GraphBuilder, features: str, estimator: Any, task: Task) -> str:
    """Add a forest (or one tree) of scikit-learn; return its probabilities, or its values.

    Features are read as float32, as scikit-learn does, and compared with float64 thresholds.

    Args:
        features: Tensor of shape (n, n_features).
        estimator: A fitted RandomForest, ExtraTrees or DecisionTree, trained on class indices in the order of
            `task.classes` (a class that its rows lacked gets probability 0), or on values.

    Raises:
        InputError: more than one target.
    """
    members = [tree.tree_ for tree in getattr(estimator, "estimators_", [estimator])]
    if any(tree.n_outputs != 1 for tree in members):
        raise InputError("forest: more than one target cannot be exported", hint="train one forest per target")
    rounded = builder.cast(builder.cast(features, "float"), "double")
    if task.kind == "regression":
        sums = _emit_sums(builder, rounded, [(tree, tree.value[:, 0, 0]) for tree in members])
        return _mean(builder, sums, len(members))
    seen = [int(label) for label in estimator.classes_]
    shares = [_shares(tree, seen, len(task.classes)) for tree in members]
    if len(task.classes) == 2:
        sums = _emit_sums(builder, rounded, [(t, share[:, 1]) for t, share in zip(members, shares, strict=True)])
        return both_classes(builder, _mean(builder, sums, len(members)))
    return _emit_shares(builder, rounded, members, shares)


def _shares(tree: Any, seen: list[int], n_classes: int) -> npt.NDArray[np.float64]:
    """Return class probabilities per node, shape (n_nodes, n_classes)."""
    counts = tree.value[:, 0, :]
    shares = np.zeros((counts.shape[0], n_classes))
    shares[:, seen] = counts / counts.sum(axis=1, keepdims=True)
    return shares


def _mean(builder: GraphBuilder, sums: str, n_trees: int) -> str:
    return builder.node("Div", sums, builder.constant(float(n_trees)))


def _emit_sums(builder: GraphBuilder, features: str, trees: list[tuple[Any, npt.NDArray[np.float64]]]) -> str:
    """Sum one number per leaf over all trees, shape (n, 1)."""
    ensemble = _Ensemble()
    for tree, weights in trees:
        _add_sklearn(ensemble, tree, weights, 0)
    return ensemble.emit(builder, features, 1)


def _emit_shares(builder: GraphBuilder, features: str, trees: list[Any], shares: list[npt.NDArray[np.float64]]) -> str:
    """Average the class probabilities of the leaves, shape (n, n_classes).

    A leaf holds one number, so each tree (a target of its own) gives the row of a table that holds its probabilities:
    the trees are walked once, however many classes there are.
    """
    ensemble = _Ensemble()
    start = 0
    for target, tree in enumerate(trees):
        _add_sklearn(ensemble, tree, np.arange(start, start + tree.node_count, dtype=np.float64), target)
        start += tree.node_count
    rows = builder.cast(ensemble.emit(builder, features, len(trees)), "int64")
    picked = builder.node("Gather", builder.constant(np.concatenate(shares)), rows)
    return builder.node("ReduceMean", picked, builder.constant([1], "int64"), keepdims=0)


def _add_sklearn(ensemble: _Ensemble, tree: Any, weights: npt.NDArray[np.float64], target: int) -> None:
    left, right = tree.children_left.tolist(), tree.children_right.tolist()
    features, thresholds = tree.feature.tolist(), tree.threshold.tolist()
    missing_left = np.asarray(tree.missing_go_to_left).tolist()
    numbers = [
        ensemble.leaf(target, float(weights[node]))
        if left[node] < 0
        else ensemble.split(features[node], thresholds[node], missing_true=bool(missing_left[node]))
        for node in range(tree.node_count)
    ]
    for node, number in enumerate(numbers):
        if number >= 0:
            ensemble.children[number] = [numbers[left[node]], numbers[right[node]]]
    ensemble.root(numbers[0])
