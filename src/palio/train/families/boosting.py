"""Let each tree correct those before it: gradient boosting with LightGBM, categories taken as they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from palio import model
from palio.core.records import Modality, Task, TaskKind
from palio.train.examples import Array, Examples, Objective, Shape, level_of
from palio.train.families.pace import (
    ROUNDS,
    InRounds,
    Pace,
    bend_of,
    bounds_of_columns,
    expected_rounds,
    most_rounds,
    objective_for_values,
    patience_of,
    share_of_columns,
    trees_a_round,
)
from palio.train.family import (
    Params,
    TabularFitted,
    calm_threads,
    check_time,
    class_outputs,
    n_threads,
    need_two_classes,
    value_outputs,
)
from palio.train.features import preprocessing_for

MANY_CLASSES = 4
"""Of more classes, each a tree a round, steps are longer: half the trees for about the same loss."""


class Boosting(InRounds):
    """Boosted trees that stop when the watched rows say so.

    Source: Friedman 2001, Annals of Statistics 29(5); Ke et al. 2017, NeurIPS 30 (LightGBM).
    """

    name = "lightgbm"
    tasks: tuple[TaskKind, ...] = ("classification", "regression")
    modalities: tuple[Modality, ...] = ("tabular", "text")
    n_settings = 9
    makes = True

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: each tree walks over all cells and searches all leaves (LOG.md: cost of a fit)."""
        trees = expected_rounds(params) * trees_a_round(shape)
        looked_at = shape.n_features * float(params["feature_fraction"])
        cells, cuts = shape.n_rows * (1 + looked_at), int(params["num_leaves"]) * looked_at
        return 0.05 + 2e-8 * shape.n_rows * shape.n_features + trees * (1e-4 + 1.2e-8 * cells + 2e-6 * cuts)

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return settings that are hard to beat on most tables, then a random and a bushy variant of them.

        Values are not tried with random thresholds: they need four times the rounds and end worse (LOG.md: cost of a
        fit).
        """
        small = shape.n_rows < 5_000
        base: Params = {
            "learning_rate": 0.1 if shape.n_classes > MANY_CLASSES else 0.05,
            "num_leaves": 12 if small else 31,
            "min_data_in_leaf": 20,
            "feature_fraction": share_of_columns(shape, 0.7),
            "bagging_fraction": 0.8,
            "lambda_l2": 1.0,
            "extra_trees": False,
            "cat_smooth": 10.0,
            "max_cat_threshold": 32,
        }
        bushy = base | {
            "num_leaves": 8 if small else 80,
            "learning_rate": 0.06 if shape.n_classes > MANY_CLASSES else 0.03,
            "min_data_in_leaf": 40,
            "lambda_l2": 5.0,
        }
        random = base | {
            "extra_trees": True,
            "feature_fraction": share_of_columns(shape, 0.9),
            "num_leaves": 12 if small else 48,
        }
        return [base, random, bushy] if task.kind == "classification" else [base, bushy]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw pace, size, randomness and penalties."""
        most = int(np.clip(shape.n_rows // 20, 16, 256))
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
            "num_leaves": trial.suggest_int("num_leaves", 4, max(most, 96), log=True),
            "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 3, 200, log=True),
            "feature_fraction": trial.suggest_float("feature_fraction", *bounds_of_columns(shape, 0.3)),
            "bagging_fraction": trial.suggest_float("bagging_fraction", 0.5, 1.0),
            "lambda_l2": trial.suggest_float("lambda_l2", 1e-3, 100.0, log=True),
            "extra_trees": trial.suggest_categorical("extra_trees", [False, True]),
            "cat_smooth": trial.suggest_float("cat_smooth", 1.0, 100.0, log=True),
            "max_cat_threshold": trial.suggest_int("max_cat_threshold", 4, 64, log=True),
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
        """Boost until the watched rows no longer gain, for `n_estimators` rounds at most, or until the deadline.

        Raises:
            OutOfTime: the deadline has come before the first round.
            InputError: fewer than two classes have examples, or a count is negative.
        """
        calm_threads()
        import lightgbm

        check_time(deadline)
        task, shape = examples.task, examples.shape
        preprocessing = preprocessing_for(examples, "tree", params)
        X = examples.matrix(preprocessing)
        need_two_classes(examples, "lightgbm")
        settings = _settings(params, examples, seed)
        data = {"categorical_feature": list(preprocessing.categorical), "params": settings}
        rows = lightgbm.Dataset(X, examples.target, weight=examples.weights, **data)
        watched = []
        if watch is not None:
            matrix = watch.matrix(preprocessing)
            watched = [lightgbm.Dataset(matrix, watch.target, weight=watch.weights, reference=rows, **data)]
        check_time(deadline)
        pace = Pace(patience_of(params, shape), deadline)
        n_leaves = int(params["num_leaves"]) * trees_a_round(shape)
        usual = most_rounds(params, leaves_a_round=n_leaves) if watched else expected_rounds(params)
        booster = lightgbm.train(
            settings,
            rows,
            num_boost_round=int(params.get(ROUNDS, usual)),
            valid_sets=watched,
            callbacks=[partial(_after_round, pace)],
            keep_training_booster=True,  # as text it is written once, in `_fitted`, which lets go of the rows
        )
        return _fitted(booster, preprocessing, task, pace)


def _after_round(pace: Pace, state: Any) -> None:
    import lightgbm

    loss = state.evaluation_result_list[0][2] if state.evaluation_result_list else None
    if not pace.goes_on(loss):
        raise lightgbm.callback.EarlyStopException(state.iteration, state.evaluation_result_list)


def _fitted(booster: Any, preprocessing: model.Preprocessing, task: Task, pace: Pace) -> TabularFitted:
    import lightgbm

    text = booster.model_to_string(num_iteration=-1)
    booster = lightgbm.Booster(model_str=text)
    n_rounds, n_trees = int(booster.current_iteration()), int(booster.num_model_per_iteration())
    curve = pace.curve(n_rounds)
    leaves = np.array(re.findall(r"^num_leaves=(\d+)$", text, re.MULTILINE), dtype=np.int64)
    numbers = np.cumsum(2 * leaves - 1)

    def back_to(rounds: int) -> TabularFitted:
        rounds = max(1, min(rounds, n_rounds))
        return TabularFitted(
            preprocessing=preprocessing,
            answer=partial(_answer, booster, rounds, task),
            add=partial(_add, text, rounds, task),
            n_parameters=int(numbers[rounds * n_trees - 1]) if n_rounds else 1,
            curve=curve,
            back_to=back_to,
        )

    return back_to(n_rounds)


def _answer(booster: Any, rounds: int, task: Task, features: Array) -> model.Outputs:
    raw = booster.predict(features, num_iteration=rounds, num_threads=n_threads())
    if task.kind == "regression":
        return value_outputs(raw)
    return class_outputs(raw if raw.ndim == 2 else np.column_stack([1 - raw, raw]), task)


def _add(text: str, rounds: int, task: Task, builder: model.GraphBuilder, features: str) -> str:
    return model.emit_lightgbm(builder, features, text, task, rounds=rounds)


_OBJECTIVES: dict[Objective, tuple[str, str]] = {
    "squared": ("regression", "l2"),
    "absolute": ("regression_l1", "l1"),
    "huber": ("huber", "huber"),
    "quantile": ("quantile", "quantile"),
    "poisson": ("poisson", "poisson"),
}
"""Objective → what LightGBM calls it, and the loss that is watched."""


def _settings(params: Params, examples: Examples, seed: int) -> dict[str, Any]:
    """Return LightGBM's own settings; the answer does not depend on the number of threads."""
    settings: dict[str, Any] = {k: v for k, v in params.items() if k not in (ROUNDS, "made")}
    n_rows, n_classes = len(examples.target), len(examples.task.classes)
    settings["min_data_in_leaf"] = max(1, min(int(params["min_data_in_leaf"]), n_rows // 8))
    if examples.task.kind == "regression":
        settings |= _for_values(examples)
    elif n_classes == 2:
        settings |= {"objective": "binary", "metric": "binary_logloss"}
    else:
        settings |= {"objective": "multiclass", "num_class": n_classes, "metric": "multi_logloss"}
    return settings | {
        "bagging_freq": 1,
        "min_data_per_group": max(1, min(100, n_rows // 50)),
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": n_threads(),
        "seed": seed % 2**31,
        "verbose": -1,
    }


def _for_values(examples: Examples) -> dict[str, Any]:
    objective = objective_for_values(examples, "lightgbm")
    name, loss = _OBJECTIVES[objective]
    settings: dict[str, Any] = {"objective": name, "metric": loss}
    if objective == "huber":
        settings["alpha"] = bend_of(examples.target)
    if objective == "quantile":
        settings["alpha"] = level_of(examples)
    return settings


FAMILY = Boosting()
