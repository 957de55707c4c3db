"""Emit XGBoost.

Source: XGBoost `src/predictor/predict_fn.h` (`GetNextNode`: rows and thresholds are float32, compared with `<`) and
`src/common/categorical.h` (`Decision`: what is in the set of a node goes right).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.errors import InputError
from palio.core.records import Task
from palio.model.graph.builder import GraphBuilder
from palio.model.graph.heads import both_classes
from palio.model.tabular.trees.ensemble import Ensemble

MAX_FLOAT32 = float(np.finfo(np.float32).max)
"""Larger values are cut to this: XGBoost refuses what float32 turns into infinity."""
ROWS_AT_ONCE = 4096

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class XgboostModel:
    """What a booster has learned, read from its own JSON."""

    objective: str
    offsets: Array
    """Score before the first tree, one for each score."""
    trees: tuple[dict[str, Any], ...]
    targets: tuple[int, ...]
    """The score that each tree adds to."""
    ends: tuple[int, ...]
    """Number of trees after each round."""

    @classmethod
    def of(cls, booster: Any) -> XgboostModel:
        """Read a booster.

        Raises:
            InputError: it is not made of trees with one number in each leaf.
        """
        learner = json.loads(bytes(booster.save_raw("json")))["learner"]
        gradient = learner["gradient_booster"]
        if gradient["name"] != "gbtree":
            raise InputError(f"XGBoost: booster `{gradient['name']}` cannot be exported", hint="train with gbtree")
        found, objective = gradient["model"], str(learner["objective"]["name"])
        if any(int(tree["tree_param"]["size_leaf_vector"]) > 1 for tree in found["trees"]):
            raise InputError(
                "XGBoost: leaves with several numbers cannot be exported",
                hint="train with multi_strategy = one_output_per_tree",
            )
        base = np.atleast_1d(np.array(json.loads(learner["learner_model_param"]["base_score"]), dtype=np.float32))
        offsets = base.astype(np.float64)
        if objective == "binary:logistic":
            offsets = np.log(offsets) - np.log1p(-offsets)
        elif objective in _EXPONENTIAL:
            offsets = np.log(offsets)
        n_scores = max(1, int(learner["learner_model_param"]["num_class"]))
        return cls(
            objective=objective,
            offsets=np.broadcast_to(offsets, (n_scores,)),
            trees=tuple(found["trees"]),
            targets=tuple(found["tree_info"]),
            ends=tuple(found["iteration_indptr"][1:]),
        )

    def n_trees(self, rounds: int | None) -> int:
        """Count the trees of the first `rounds` rounds; None: of all."""
        if not self.ends:
            return 0
        return self.ends[-1 if rounds is None else max(1, min(rounds, len(self.ends))) - 1]

    def scores(self, booster: Any, features: Array, rounds: int | None = None) -> Array:
        """Add up in float64 the leaves that the library itself finds for each row; shape (n_rows, n_scores).

        The library adds them up in float32, in an order of its own: its answers are off by 1e-7, and a graph that is
        held against them could hide a wrong branch in that. Which leaf a row falls into is the library's word alone.
        """
        import xgboost

        n_trees, n_scores = self.n_trees(rounds), len(self.offsets)
        values = [np.array(tree["split_conditions"], dtype=np.float32) for tree in self.trees[:n_trees]]
        starts = np.cumsum([0, *(len(one) for one in values)])[:-1]
        flat = np.concatenate(values).astype(np.float64) if values else np.zeros(0)
        targets = np.array(self.targets[:n_trees])
        found = np.tile(self.offsets, (len(features), 1))
        types = booster.feature_types
        for start in range(0, len(features) if n_trees else 0, ROWS_AT_ONCE):
            block = np.clip(features[start : start + ROWS_AT_ONCE], -MAX_FLOAT32, MAX_FLOAT32)
            rows = xgboost.DMatrix(block, feature_types=types, enable_categorical=True, nthread=1)
            leaves = booster.predict(rows, pred_leaf=True, iteration_range=(0, rounds or 0)).reshape(len(block), -1)
            weights = flat[leaves.astype(np.int64) + starts]
            for score in range(n_scores):
                found[start : start + len(block), score] += weights[:, targets == score].sum(axis=1)
        return found


def emit_xgboost(
    builder: GraphBuilder, features: str, model: XgboostModel, task: Task, *, rounds: int | None = None
) -> str:
    """Add an XGBoost model; return its probabilities, or its values.

    Features are read as float32, as XGBoost does; codes of categories are whole numbers below 2**24.

    Args:
        features: Tensor of shape (n, n_features), in the order the booster was trained on.
        model: Of a booster trained on class indices in the order of `task.classes`, or on values.
        rounds: Use the trees of the first ones; None: all.

    Raises:
        InputError: an objective that does not fit the task.
    """
    ensemble = Ensemble()
    n_trees = model.n_trees(rounds)
    for tree, target in zip(model.trees[:n_trees], model.targets, strict=False):
        _add(ensemble, tree, target)
    if not n_trees:
        ensemble.root(ensemble.leaf(0, 0.0))
    limit = builder.constant(MAX_FLOAT32)
    cut = builder.node("Clip", features, builder.constant(-MAX_FLOAT32), limit)
    rounded = builder.cast(builder.cast(cut, "float"), "double")
    sums = ensemble.emit(builder, rounded, len(model.offsets))
    return _head(builder, builder.node("Add", sums, builder.constant(model.offsets)), model.objective, task)


def _add(ensemble: Ensemble, tree: dict[str, Any], target: int) -> None:
    thresholds = np.array(tree["split_conditions"], dtype=np.float32)
    below = np.nextafter(thresholds, np.float32(-np.inf)).astype(np.float64).tolist()  # x < t is x <= the one below t
    weights = thresholds.astype(np.float64).tolist()
    left, right, columns = tree["left_children"], tree["right_children"], tree["split_indices"]
    default_left, members = tree["default_left"], _members(tree)
    numbers: list[int] = []
    for node in range(len(left)):
        if left[node] < 0:
            numbers.append(ensemble.leaf(target, weights[node]))
        elif node in members:
            numbers.append(ensemble.member(columns[node], members[node], missing_true=not default_left[node]))
        else:
            numbers.append(ensemble.split(columns[node], below[node], missing_true=bool(default_left[node])))
    for node, number in enumerate(numbers):
        if number >= 0:
            sides = [numbers[left[node]], numbers[right[node]]]
            ensemble.children[number] = sides[::-1] if node in members else sides
    ensemble.root(numbers[0])


def _members(tree: dict[str, Any]) -> dict[int, list[float]]:
    """Return the codes that go right, for each node that asks for a category."""
    segments = zip(tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True)
    return {node: [float(code) for code in tree["categories"][start : start + size]] for node, start, size in segments}


_EXPONENTIAL = ("count:poisson", "reg:gamma", "reg:tweedie")
_PLAIN = ("reg:squarederror", "reg:absoluteerror", "reg:quantileerror", "reg:pseudohubererror")


def _head(builder: GraphBuilder, scores: str, objective: str, task: Task) -> str:
    if task.kind == "classification":
        wanted = "binary:logistic" if len(task.classes) == 2 else "multi:softprob"
        if objective != wanted:
            raise _wrong_objective(objective, (wanted,))
        if objective == "multi:softprob":
            return builder.node("Softmax", scores, axis=1)
        return both_classes(builder, builder.node("Sigmoid", scores))
    if objective in _EXPONENTIAL:
        return builder.node("Exp", scores)
    if objective not in _PLAIN:
        raise _wrong_objective(objective, (*_PLAIN, *_EXPONENTIAL))
    return scores


def _wrong_objective(objective: str, wanted: tuple[str, ...]) -> InputError:
    return InputError(
        f"XGBoost: objective `{objective}` cannot be exported for this task",
        hint=f"train with objective {' or '.join(wanted)}",
    )
