"""Let each tree correct those before it: gradient boosting with LightGBM, categories taken as they are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from palio import model
from palio.core.records import Modality, Task, TaskKind
from palio.train.family import (
    Array,
    Examples,
    Params,
    Shape,
    TabularFitted,
    calm_threads,
    check_time,
    class_outputs,
    n_threads,
    need_two_classes,
    value_outputs,
)

MAX_ROUNDS = 1500
PATIENCE_ROUNDS = 40
"""Rounds without progress on the watched rows after which a fit stops."""


class Boosting:
    """Boosted trees that stop when the watched rows say so.

    Source: Friedman 2001, Annals of Statistics 29(5); Ke et al. 2017, NeurIPS 30 (LightGBM).
    """

    name = "lightgbm"
    tasks: tuple[TaskKind, ...] = ("classification", "regression")
    modalities: tuple[Modality, ...] = ("tabular",)
    n_settings = 9
    needs_watch = True

    def seconds(self, shape: Shape) -> float:
        """Estimate one fit of 300 rounds, 500 for values; a tree for each class in a round (LOG.md: cost of a fit)."""
        trees = 300 * (shape.n_classes if shape.n_classes > 2 else 1) if shape.n_classes else 500
        return 0.2 + trees * (7e-4 + 1.5e-8 * shape.n_rows * shape.n_features)

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return settings that are hard to beat on most tables, then a bushy and a random variant of them.

        Values are not tried with random thresholds: they need four times the rounds and end worse (LOG.md: cost of a
        fit).
        """
        small = shape.n_rows < 5_000
        base: Params = {
            "learning_rate": 0.05,
            "num_leaves": 12 if small else 31,
            "min_data_in_leaf": 20,
            "feature_fraction": 0.7,
            "bagging_fraction": 0.8,
            "lambda_l2": 1.0,
            "extra_trees": False,
            "cat_smooth": 10.0,
            "max_cat_threshold": 32,
        }
        bushy = base | {
            "num_leaves": 8 if small else 80,
            "learning_rate": 0.03,
            "min_data_in_leaf": 40,
            "lambda_l2": 5.0,
        }
        random = base | {"extra_trees": True, "feature_fraction": 0.9, "num_leaves": 12 if small else 48}
        return [base, bushy, random] if task.kind == "classification" else [base, bushy]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw pace, size, randomness and penalties."""
        most = int(np.clip(shape.n_rows // 20, 16, 256))
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.15, log=True),
            "num_leaves": trial.suggest_int("num_leaves", 4, max(most, 96), log=True),
            "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 3, 200, log=True),
            "feature_fraction": trial.suggest_float("feature_fraction", 0.3, 1.0),
            "bagging_fraction": trial.suggest_float("bagging_fraction", 0.5, 1.0),
            "lambda_l2": trial.suggest_float("lambda_l2", 1e-3, 100.0, log=True),
            "extra_trees": trial.suggest_categorical("extra_trees", [False, True]),
            "cat_smooth": trial.suggest_float("cat_smooth", 1.0, 100.0, log=True),
            "max_cat_threshold": trial.suggest_int("max_cat_threshold", 4, 64, log=True),
        }

    def settle(self, params: Params, learned: Sequence[Mapping[str, float]]) -> Params:
        """Set the rounds to the mean of the folds."""
        return params | {"n_estimators": max(1, round(float(np.mean([found["n_estimators"] for found in learned]))))}

    def grow(self, params: Params, growth: float) -> Params:
        """Boost longer on more rows: by the square root of `growth`."""
        return params | {"n_estimators": max(1, round(params["n_estimators"] * growth**0.5))}

    def fit(
        self,
        examples: Examples,
        *,
        params: Params,
        seed: int,
        deadline: float | None = None,
        watch: Examples | None = None,
    ) -> TabularFitted:
        """Boost until the watched rows no longer gain, or for `n_estimators` rounds.

        Raises:
            OutOfTime: the deadline has come.
            InputError: fewer than two classes have examples.
        """
        calm_threads()
        import lightgbm

        check_time(deadline)
        task = examples.task
        preprocessing = examples.preprocessing("tree")
        X = examples.matrix(preprocessing)
        need_two_classes(examples, "lightgbm")
        settings = _settings(params, task, seed, n_rows=len(X))
        data = {"categorical_feature": list(preprocessing.categorical), "params": settings}
        rows = lightgbm.Dataset(X, examples.target, **data)
        watched = (
            None
            if watch is None
            else lightgbm.Dataset(watch.matrix(preprocessing), watch.target, reference=rows, **data)
        )
        callbacks = [_stop_at(deadline)]
        if watched is not None:
            callbacks.append(lightgbm.early_stopping(PATIENCE_ROUNDS, verbose=False))
        booster = lightgbm.train(
            settings,
            rows,
            num_boost_round=int(params.get("n_estimators", MAX_ROUNDS if watched else 300)),
            valid_sets=[watched] if watched else None,
            callbacks=callbacks,
        )
        rounds = booster.best_iteration if booster.best_iteration > 0 else booster.current_iteration()
        return _fitted(booster, rounds, preprocessing, task)


def _fitted(booster: Any, rounds: int, preprocessing: model.Preprocessing, task: Task) -> TabularFitted:
    import lightgbm

    text = booster.model_to_string(num_iteration=rounds)
    if rounds < booster.current_iteration():  # forget the rounds after the best one, so that graph and library agree
        booster = lightgbm.Booster(model_str=text)

    def answer(features: Array) -> model.Outputs:
        raw = booster.predict(features, num_threads=n_threads())
        if task.kind == "regression":
            return value_outputs(raw)
        return class_outputs(raw if raw.ndim == 2 else np.column_stack([1 - raw, raw]), task)

    return TabularFitted(
        preprocessing=preprocessing,
        answer=answer,
        add=lambda builder, name: model.emit_lightgbm(builder, name, booster, task),
        n_parameters=sum(2 * int(leaves) - 1 for leaves in re.findall(r"^num_leaves=(\d+)$", text, re.MULTILINE)),
        learned={"n_estimators": float(rounds)},
    )


def _settings(params: Params, task: Task, seed: int, *, n_rows: int) -> dict[str, Any]:
    """Return LightGBM's own settings; the answer does not depend on the number of threads."""
    settings: dict[str, Any] = {k: v for k, v in params.items() if k != "n_estimators"}
    settings["min_data_in_leaf"] = max(1, min(int(params["min_data_in_leaf"]), n_rows // 8))
    if task.kind == "regression":
        absolute = task.metric in ("mae", "median_absolute_error")
        settings |= {"objective": "regression_l1" if absolute else "regression"}
    elif len(task.classes) == 2:
        settings |= {"objective": "binary"}
    else:
        settings |= {"objective": "multiclass", "num_class": len(task.classes)}
    return settings | {
        "bagging_freq": 1,
        "min_data_per_group": max(1, min(100, n_rows // 50)),
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": n_threads(),
        "seed": seed % 2**31,
        "verbose": -1,
    }


def _stop_at(deadline: float | None) -> Any:
    def stop(_: Any) -> None:
        check_time(deadline)

    return stop


FAMILY = Boosting()
