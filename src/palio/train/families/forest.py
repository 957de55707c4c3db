"""Ask many trees, each grown on its own chance, and take the mean: random forest and extra trees."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from palio import model
from palio.core.records import Modality, Task, TaskKind
from palio.train.examples import Array, Examples, Shape
from palio.train.family import (
    FixedSettings,
    Params,
    TabularFitted,
    calm_threads,
    check_time,
    class_outputs,
    n_threads,
    need_two_classes,
    value_outputs,
)
from palio.train.held_warnings import held_warnings

N_TREES = 100
TREES_A_STEP = 20
"""Trees between two looks at the clock."""
MAX_BYTES = 6_000_000
"""Bound on the size of a graph: some 50 bytes for a leaf and its fork, and a count for each class (8 with weights)."""
MAX_SAMPLE = 20_000
"""Rows a tree is grown on at most: more make it slower and larger, hardly better."""

MIN_ROWS_A_THREAD = 500
"""Rows for which another thread is worth its start."""


class Forest(FixedSettings):
    """Averaged trees: strong without any tuning, and wrong in other places than boosted ones.

    Source: Breiman 2001, Machine Learning 45 (random forest); Geurts, Ernst and Wehenkel 2006, Machine Learning 63
    (extra trees).
    """

    name = "forest"
    tasks: tuple[TaskKind, ...] = ("classification", "regression")
    modalities: tuple[Modality, ...] = ("tabular", "text")
    n_settings = 4

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: rows × their logarithm × features looked at × classes, for each tree (LOG.md)."""
        rows = min(shape.n_rows, MAX_SAMPLE)
        looked_at = shape.n_features * float(params["max_features"]) * (0.4 if params["extra"] else 1.0)
        depth = min(math.log2(rows + 2), math.log2(params["max_leaf_nodes"]) + 4)
        shares = 1 + 0.02 * shape.n_classes  # that every cut is judged by, and every node keeps
        return 0.1 + 1e-6 * shape.n_rows + 1e-8 * N_TREES * rows * depth * (3 + looked_at) * shares

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return a random forest with small leaves, then extra trees, which look at more features."""
        share = 0.5 if task.kind == "regression" else 0.3
        forest = {"extra": False, "min_samples_leaf": 3, "max_features": share, "max_leaf_nodes": 1024}
        return [forest, forest | {"extra": True, "max_features": 2 * share}]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw the kind of tree, its size, and how many features it looks at."""
        return {
            "extra": trial.suggest_categorical("extra", [False, True]),
            "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 30, log=True),
            "max_features": trial.suggest_float("max_features", 0.1, 1.0),
            "max_leaf_nodes": trial.suggest_int("max_leaf_nodes", 64, 2048, log=True),
        }

    def fit(
        self,
        examples: Examples,
        *,
        params: Params,
        seed: int,
        deadline: float | None = None,
        watch: Examples | None = None,
    ) -> TabularFitted:
        """Grow the trees, twenty at a time.

        Raises:
            OutOfTime: the deadline has come.
            InputError: fewer than two classes have examples.
        """
        calm_threads()
        check_time(deadline)
        task = examples.task
        preprocessing = examples.preprocessing("forest")
        X = examples.matrix(preprocessing)
        need_two_classes(examples, "forest")
        estimator = _estimator(params, examples, seed)
        for n_trees in range(TREES_A_STEP, N_TREES + 1, TREES_A_STEP):
            check_time(deadline)
            estimator.set_params(n_estimators=n_trees)
            with held_warnings():
                estimator.fit(
                    X, examples.target, sample_weight=examples.weights
                )  # warm start: adds trees to those that stand

        estimator.set_params(n_jobs=1)

        return TabularFitted(
            preprocessing=preprocessing,
            answer=partial(_answer, estimator, task),
            add=partial(_add, estimator, task),
            n_parameters=sum(_n_numbers(tree.tree_) for tree in estimator.estimators_),
        )


def _answer(estimator: Any, task: Task, features: Array) -> model.Outputs:
    if task.kind == "regression":
        return value_outputs(_in_blocks(estimator.predict, features))
    probabilities = np.zeros((len(features), len(task.classes)))
    probabilities[:, estimator.classes_] = _in_blocks(estimator.predict_proba, features)
    return class_outputs(probabilities, task)


def _add(estimator: Any, task: Task, builder: model.GraphBuilder, features: str) -> str:
    return model.emit_forest(builder, features, estimator, task)


def _in_blocks(answer: Callable[[Array], Array], features: Array) -> Array:
    """Answer with all threads, each some of the rows: the trees of a row are added up in one order.

    The library gives each thread some of the trees instead and adds them up as they come, so that the last bits of an
    answer, and every score made of it, differ from call to call.
    """
    threads = n_threads()
    blocks = np.array_split(features, max(1, min(threads, len(features) // MIN_ROWS_A_THREAD)))
    with held_warnings(), ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(answer, blocks)))


def _estimator(params: Params, examples: Examples, seed: int) -> Any:
    from sklearn import ensemble

    n_rows, task = len(examples.target), examples.task
    kind = "ExtraTrees" if params["extra"] else "RandomForest"
    make = getattr(ensemble, kind + ("Regressor" if task.kind == "regression" else "Classifier"))
    leaf_bytes = 50 + len(task.classes) * (1 if examples.weights is None else 8)
    most_leaves = max(8, MAX_BYTES // (N_TREES * leaf_bytes))
    return make(
        max_features=float(params["max_features"]),
        min_samples_leaf=int(params["min_samples_leaf"]),
        max_leaf_nodes=min(int(params["max_leaf_nodes"]), most_leaves),
        bootstrap=True,
        max_samples=None if n_rows <= MAX_SAMPLE else MAX_SAMPLE,
        warm_start=True,
        n_jobs=n_threads(),
        random_state=seed,
    )


def _n_numbers(tree: Any) -> int:
    """Count a threshold for each fork, and the values of each leaf."""
    return int(tree.node_count - tree.n_leaves + tree.n_leaves * tree.value.shape[2])


FAMILY = Forest()
