"""Emit the forests of scikit-learn.

Source: scikit-learn `tree/_tree.pyx` (`_apply_dense`: rows are float32, thresholds float64).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.errors import InputError
from palio.core.records import Task
from palio.model.graph.builder import GraphBuilder
from palio.model.graph.heads import both_classes
from palio.model.tabular.trees.ensemble import Ensemble, emit_row_sums


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
    add = [partial(_add_sklearn, tree) for tree in members]
    totals = [np.where(tree.children_left < 0, tree.weighted_n_node_samples, 1.0) for tree in members]
    counts = [np.rint(share * total[:, None]) for share, total in zip(shares, totals, strict=True)]
    is_whole = all(
        np.allclose(count / total[:, None], share, rtol=0, atol=1e-14)
        for count, total, share in zip(counts, totals, shares, strict=True)
    )  # rows have no weights
    sums = emit_row_sums(builder, rounded, add, counts if is_whole else shares, totals if is_whole else None)
    return _mean(builder, sums, len(members))


def _shares(tree: Any, seen: list[int], n_classes: int) -> npt.NDArray[np.float64]:
    """Return class probabilities per node, shape (n_nodes, n_classes); those of forks, which nobody asks for, are 0."""
    counts = tree.value[:, 0, :]
    shares = np.zeros((counts.shape[0], n_classes))
    leaves = tree.children_left < 0
    shares[np.ix_(leaves, seen)] = counts[leaves] / counts[leaves].sum(axis=1, keepdims=True)
    return shares


def _mean(builder: GraphBuilder, sums: str, n_trees: int) -> str:
    return builder.node("Div", sums, builder.constant(float(n_trees)))


def _emit_sums(builder: GraphBuilder, features: str, trees: list[tuple[Any, npt.NDArray[np.float64]]]) -> str:
    """Sum one number per leaf over all trees, shape (n, 1)."""
    ensemble = Ensemble()
    for tree, weights in trees:
        _add_sklearn(tree, ensemble, weights, 0)
    return ensemble.emit(builder, features, 1)


def _add_sklearn(tree: Any, ensemble: Ensemble, weights: npt.NDArray[np.float64], target: int) -> None:
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
