"""Emit CatBoost, trained on numbers alone.

Source: CatBoost `catboost/libs/model` (oblivious trees: the answer to split i is bit i of the leaf; rows and borders
are float32, compared with `>`; leaves are float64).
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.errors import InputError
from palio.core.records import Task
from palio.model.graph.builder import GraphBuilder
from palio.model.graph.heads import both_classes
from palio.model.tabular.trees.ensemble import Ensemble, emit_row_sums

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Tree:
    """One oblivious tree: (feature, border) of each level, and the numbers of its leaves (n_leaves, n_scores)."""

    splits: tuple[tuple[int, float], ...]
    leaves: Array


@dataclass(frozen=True)
class CatboostModel:
    """What a booster has learned, read from its own JSON."""

    trees: tuple[_Tree, ...]
    scale: float
    bias: Array
    nan_is_high: frozenset[int]
    """Features whose missing values count as larger than any number, not as smaller."""

    @classmethod
    def of(cls, booster: Any) -> CatboostModel:
        """Read a booster.

        Raises:
            InputError: it was trained on categories or texts, or its trees are not symmetric.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.json")
            booster.save_model(str(path), format="json")
            found = json.loads(path.read_bytes())
        if "oblivious_trees" not in found:
            raise InputError(
                "CatBoost: trees that are not symmetric cannot be exported", hint="train with SymmetricTree"
            )
        scale, bias = found["scale_and_bias"]
        trees = []
        for tree in found["oblivious_trees"]:
            asked = tree["splits"] or ()  # a tree that found nothing to ask has none
            if any(split["split_type"] != "FloatFeature" for split in asked):
                raise InputError("CatBoost: splits of categories cannot be exported", hint="train on numbers")
            splits = tuple((int(split["float_feature_index"]), float(split["border"])) for split in asked)
            leaves = np.array(tree["leaf_values"], dtype=np.float64).reshape(2 ** len(splits), -1)
            trees.append(_Tree(splits, leaves))
        columns = found["features_info"].get("float_features", ())
        high = {int(one["feature_index"]) for one in columns if one["nan_value_treatment"] == "AsTrue"}
        return cls(tuple(trees), float(scale), np.array(bias, dtype=np.float64), frozenset(high))


def emit_catboost(
    builder: GraphBuilder,
    features: str,
    model: CatboostModel,
    task: Task,
    *,
    rounds: int | None = None,
    start: npt.ArrayLike = 0.0,
    seen: npt.ArrayLike = (),
    exponential: bool = False,
) -> str:
    """Add a CatBoost model; return its probabilities (sigmoid or softmax), or its values.

    Features are read as float32, as CatBoost does.

    Args:
        features: Tensor of shape (n, n_features), in the order the booster was trained on.
        model: Of a booster trained on class indices, or on values.
        rounds: Use the trees of the first ones; None: all.
        start: What is added to each score: the baseline that the booster was trained from.
        seen: For more than two classes: the class of each score; the others get probability 0.
        exponential: Whether a value is the exponential of its score.
    """
    trees = model.trees[:rounds]
    rounded = builder.cast(builder.cast(features, "float"), "double")
    offsets = model.bias + np.asarray(start, dtype=np.float64)
    if task.kind == "classification" and len(task.classes) > 2:
        add = [partial(_add, tree, model.nan_is_high) for tree in trees]
        present = np.asarray(seen, dtype=np.int64)
        tables = [np.zeros((len(tree.leaves), len(task.classes))) for tree in trees]
        for table, tree in zip(tables, trees, strict=True):
            table[:, present] = tree.leaves * model.scale
        spread = np.full(len(task.classes), -np.inf)
        spread[present] = offsets
        sums = emit_row_sums(builder, rounded, add, tables)
        return builder.node("Softmax", builder.node("Add", sums, builder.constant(spread)), axis=1)
    ensemble = Ensemble()
    for tree in trees:
        _add(tree, model.nan_is_high, ensemble, tree.leaves[:, 0] * model.scale, 0)
    scores = builder.node("Add", ensemble.emit(builder, rounded, 1), builder.constant(offsets))
    if task.kind == "classification":
        return both_classes(builder, builder.node("Sigmoid", scores))
    return builder.node("Exp", scores) if exponential else scores


def _add(tree: _Tree, nan_is_high: frozenset[int], ensemble: Ensemble, weights: Array, target: int) -> None:
    """Add one tree, level by level from the leaves up: each node asks for the bit of its level."""
    below = [ensemble.leaf(target, float(weight)) for weight in weights]
    for level in reversed(range(len(tree.splits))):
        feature, border = tree.splits[level]
        nodes = []
        for prefix in range(2**level):
            node = ensemble.split(feature, border, missing_true=feature not in nan_is_high)
            ensemble.children[node] = [below[prefix], below[prefix + 2**level]]
            nodes.append(node)
        below = nodes
    ensemble.root(below[0])
