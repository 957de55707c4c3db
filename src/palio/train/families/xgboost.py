"""Let each tree correct those before it: gradient boosting with XGBoost, level by level or leaf by leaf."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from palio import model
from palio.core.records import Modality, Task, TaskKind
from palio.train.examples import Array, Examples, Objective, Shape, level_of
from palio.train.families.links import probabilities_of
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
    need_two_classes,
    value_outputs,
)
from palio.train.features import preprocessing_for

N_THREADS = 1
"""Threads of a fit: with more the sums of a histogram, and so the trees, depend on how many there are."""


class Xgboost(InRounds):
    """Boosted trees that stop when the watched rows say so.

    Source: Chen and Guestrin 2016, KDD (XGBoost).
    """

    name = "xgboost"
    tasks: tuple[TaskKind, ...] = ("classification", "regression")
    modalities: tuple[Modality, ...] = ("tabular", "text")
    n_settings = 8
    makes = True

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: each tree walks over all cells and searches all leaves (LOG.md: cost of a fit)."""
        trees = expected_rounds(params) * trees_a_round(shape)
        looked_at = shape.n_features * float(params["colsample_bytree"])
        cells, cuts = shape.n_rows * (1 + looked_at), int(params["max_leaves"]) * looked_at
        return 0.05 + 3e-8 * shape.n_rows * shape.n_features + trees * (3e-4 + 2e-8 * cells + 4e-6 * cuts)

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return trees that grow level by level, then bushier ones that grow leaf by leaf."""
        small = shape.n_rows < 5_000
        level: Params = {
            "learning_rate": 0.05,
            "grow_policy": "depthwise",
            "max_leaves": 16 if small else 64,
            "min_child_weight": 2.0,
            "subsample": 0.8,
            "colsample_bytree": share_of_columns(shape, 0.7),
            "reg_lambda": 1.0,
            "max_cat_threshold": 32,
        }
        leaf = level | {"grow_policy": "lossguide", "max_leaves": 12 if small else 64, "min_child_weight": 5.0}
        return [level, leaf]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw pace, size, randomness and penalties."""
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
            "grow_policy": trial.suggest_categorical("grow_policy", ["depthwise", "lossguide"]),
            "max_leaves": trial.suggest_int("max_leaves", 4, 256, log=True),
            "min_child_weight": trial.suggest_float("min_child_weight", 0.1, 100.0, log=True),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
            "colsample_bytree": trial.suggest_float("colsample_bytree", *bounds_of_columns(shape, 0.3)),
            "reg_lambda": trial.suggest_float("reg_lambda", 1e-2, 100.0, log=True),
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
        import xgboost

        check_time(deadline)
        preprocessing = preprocessing_for(examples, "tree", params)
        need_two_classes(examples, self.name)
        rows = _matrix(examples, preprocessing)
        watched = [] if watch is None else [(_matrix(watch, preprocessing), "watched")]
        check_time(deadline)
        pace = Pace(patience_of(params, examples.shape), deadline)
        n_leaves = int(params["max_leaves"]) * trees_a_round(examples.shape)
        usual = most_rounds(params, leaves_a_round=n_leaves) if watched else expected_rounds(params)
        booster = xgboost.train(
            _settings(params, examples, seed),
            rows,
            num_boost_round=int(params.get(ROUNDS, usual)),
            evals=watched,
            callbacks=[_follow(pace)],
            verbose_eval=False,
        )
        return _fitted(booster, preprocessing, examples.task, pace)


def _matrix(examples: Examples, preprocessing: model.Preprocessing) -> Any:
    import xgboost

    X = examples.matrix(preprocessing)
    types = ["c" if index in preprocessing.categorical else "q" for index in range(X.shape[1])]
    return xgboost.DMatrix(
        np.clip(X, -model.MAX_FLOAT32, model.MAX_FLOAT32),
        examples.target,
        weight=examples.weights,
        feature_types=types,
        enable_categorical=True,
        nthread=N_THREADS,
    )


def _follow(pace: Pace) -> Any:
    import xgboost

    class Follow(xgboost.callback.TrainingCallback):  # type: ignore[misc]
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            losses = next(iter(evals_log["watched"].values())) if evals_log else [None]
            loss = losses[-1]
            return not pace.goes_on(None if loss is None else float(loss))

    return Follow()


def _fitted(booster: Any, preprocessing: model.Preprocessing, task: Task, pace: Pace) -> TabularFitted:
    learned = model.XgboostModel.of(booster)
    n_rounds = len(learned.ends)
    curve = pace.curve(n_rounds)
    if curve is not None and learned.objective == "reg:squarederror":
        curve = curve**2  # the library tells the root
    numbers = np.cumsum([int(tree["tree_param"]["num_nodes"]) for tree in learned.trees])

    def back_to(rounds: int) -> TabularFitted:
        rounds = max(1, min(rounds, n_rounds))
        return TabularFitted(
            preprocessing=preprocessing,
            answer=partial(_answer, booster, learned, rounds, task),
            add=partial(_add, learned, rounds, task),
            n_parameters=int(numbers[learned.n_trees(rounds) - 1]),
            curve=curve,
            back_to=back_to,
        )

    return back_to(n_rounds)


def _answer(booster: Any, learned: model.XgboostModel, rounds: int, task: Task, features: Array) -> model.Outputs:
    scores = learned.scores(booster, features, rounds)
    if task.kind == "classification":
        return class_outputs(probabilities_of(scores), task)
    return value_outputs(np.exp(scores[:, 0]) if learned.objective == "count:poisson" else scores[:, 0])


def _add(learned: model.XgboostModel, rounds: int, task: Task, builder: model.GraphBuilder, features: str) -> str:
    return model.emit_xgboost(builder, features, learned, task, rounds=rounds)


_OBJECTIVES: dict[Objective, tuple[str, str]] = {
    "squared": ("reg:squarederror", "rmse"),
    "absolute": ("reg:absoluteerror", "mae"),
    "huber": ("reg:pseudohubererror", "mphe"),
    "quantile": ("reg:quantileerror", "quantile"),
    "poisson": ("count:poisson", "poisson-nloglik"),
}
"""Objective → what XGBoost calls it, and the loss that is watched."""


def _settings(params: Params, examples: Examples, seed: int) -> dict[str, Any]:
    settings: dict[str, Any] = {k: v for k, v in params.items() if k not in (ROUNDS, "made")}
    if params["grow_policy"] == "depthwise":
        settings |= {"max_depth": max(1, math.ceil(math.log2(params["max_leaves"]))), "max_leaves": 0}
    else:
        settings["max_depth"] = 0
    if examples.task.kind == "regression":
        objective = objective_for_values(examples, "xgboost")
        settings["objective"], settings["eval_metric"] = _OBJECTIVES[objective]
        if objective == "huber":
            settings["huber_slope"] = bend_of(examples.target)
        if objective == "quantile":
            settings["quantile_alpha"] = level_of(examples)
    elif len(examples.task.classes) == 2:
        settings |= {"objective": "binary:logistic", "eval_metric": "logloss"}
    else:
        settings |= {
            "objective": "multi:softprob",
            "eval_metric": "mlogloss",
            "num_class": len(examples.task.classes),
        }
    return settings | {"tree_method": "hist", "nthread": N_THREADS, "seed": seed % 2**31, "verbosity": 0}


FAMILY = Xgboost()
