"""Let each tree correct those before it: gradient boosting with CatBoost, whose trees ask the same on every path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from palio import model
from palio.core.errors import InputError
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
from palio.train.family import Params, TabularFitted, check_time, class_outputs, need_two_classes, value_outputs
from palio.train.features import preprocessing_for

N_THREADS = 1
"""Threads of a fit: CatBoost does not promise the same trees for another number of them."""


class Catboost(InRounds):
    """Boosted symmetric trees that stop when the watched rows say so.

    Source: Prokhorenkova et al. 2018, NeurIPS 31 (CatBoost).
    """

    name = "catboost"
    tasks: tuple[TaskKind, ...] = ("classification", "regression")
    modalities: tuple[Modality, ...] = ("tabular", "text")
    n_settings = 6
    makes = True

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: each level of a tree walks over all cells, for each class (LOG.md: cost of a fit)."""
        depth, n_scores = int(params["depth"]), trees_a_round(shape)
        looked_at = shape.n_features * float(params["rsm"])
        cells = shape.n_rows * (4 + looked_at)
        level = 1.2e-8 * cells * (1 + 0.5 * (n_scores - 1))
        round_s: float = 1e-3 + depth * level + 2e-7 * 2**depth * looked_at * n_scores
        return 0.2 + 1e-7 * shape.n_rows * shape.n_features + expected_rounds(params) * round_s

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return trees of depth six, in longer steps for many classes: they need a thousand rounds otherwise."""
        return [
            {
                "learning_rate": 0.15 if shape.n_classes > 2 else 0.08,
                "depth": 6,
                "l2_leaf_reg": 3.0,
                "random_strength": 1.0,
                "subsample": 0.8,
                "rsm": share_of_columns(shape, 1.0),
            }
        ]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw pace, size, randomness and penalties."""
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.03, 0.3, log=True),
            "depth": trial.suggest_int("depth", 3, 8),
            "l2_leaf_reg": trial.suggest_float("l2_leaf_reg", 0.3, 30.0, log=True),
            "random_strength": trial.suggest_float("random_strength", 0.0, 3.0),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
            "rsm": trial.suggest_float("rsm", *bounds_of_columns(shape, 0.2)),
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
            InputError: fewer than two classes or values have examples, or a count is negative.
        """
        import catboost

        check_time(deadline)
        preprocessing = preprocessing_for(examples, "forest", params)
        need_two_classes(examples, self.name)
        if float(examples.target.min()) == float(examples.target.max()):
            raise InputError("catboost: all values are the same", hint="bring rows of at least two values")
        start = _start(examples)
        rows = start.pool(examples, preprocessing)
        watched = None if watch is None else start.pool(watch, preprocessing)
        check_time(deadline)
        pace = Pace(patience_of(params, examples.shape), deadline)
        # a leaf has a number for each class, which takes a quarter of the bytes of a leaf
        n_leaves = 2 ** int(params["depth"]) * (1 + trees_a_round(examples.shape) // 4)
        usual = most_rounds(params, leaves_a_round=n_leaves) if watched else expected_rounds(params)
        booster = catboost.CatBoost(
            _settings(params, start, seed, rows.shape) | {"iterations": int(params.get(ROUNDS, usual))}
        )
        booster.fit(rows, eval_set=watched, callbacks=[_Follow(pace)])
        return _fitted(booster, preprocessing, examples.task, start, pace)


@dataclass(frozen=True)
class _Start:
    """Where the first tree starts from: the score that suits all rows, so that no round is spent on finding it."""

    loss: str
    scores: Array
    """One for each score of the booster."""
    seen: Array = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """The class of each score, for more than two classes."""
    exponential: bool = False

    def pool(self, examples: Examples, preprocessing: model.Preprocessing) -> Any:
        """Return the rows as the library takes them; those of a class that no score is for are left out."""
        import catboost

        X, y, weights = examples.matrix(preprocessing), examples.target, examples.weights
        if len(self.seen):
            rows = np.flatnonzero(np.isin(y, self.seen))
            X, y = X[rows], np.searchsorted(self.seen, y[rows])
            weights = None if weights is None else weights[rows]
        baseline = np.tile(self.scores, (len(y), 1))
        return catboost.Pool(X.astype(np.float32), y, weight=weights, baseline=baseline, thread_count=N_THREADS)


_OBJECTIVES: dict[Objective, str] = {
    "squared": "RMSE",
    "absolute": "MAE",
    "huber": "Huber:delta={bend}",
    "quantile": "Quantile:alpha={level}",
    "poisson": "Poisson",
}
"""Objective → what CatBoost calls it."""


def _start(examples: Examples) -> _Start:
    y, task = examples.target, examples.task
    weights = np.ones(len(y)) if examples.weights is None else examples.weights
    if task.kind == "regression":
        objective, level = objective_for_values(examples, "catboost"), level_of(examples)
        loss = _OBJECTIVES[objective].format(bend=bend_of(y), level=level)
        if objective == "poisson":
            return _Start(loss, np.array([np.log(np.average(y, weights=weights))]), exponential=True)
        level = level if objective == "quantile" else 0.5
        middle = np.average(y, weights=weights) if objective == "squared" else np.quantile(y, level)
        return _Start(loss, np.array([float(middle)]))
    seen = np.unique(y)
    shares = np.bincount(y, weights=weights + 1e-9, minlength=len(task.classes))[seen]
    shares /= shares.sum()
    if len(task.classes) == 2:
        return _Start("Logloss", np.array([np.log(shares[1] / shares[0])]))
    return _Start("MultiClass", np.log(shares), seen)


def _settings(params: Params, start: _Start, seed: int, shape: tuple[int, int]) -> dict[str, Any]:
    settings: dict[str, Any] = {k: v for k, v in params.items() if k not in (ROUNDS, "made")}
    n_rows, n_features = shape
    if n_rows < 100:
        settings["subsample"] = 1.0
    settings["rsm"] = min(1.0, max(float(params["rsm"]), 4 / n_features))  # of few columns it may draw none
    return settings | {
        "loss_function": start.loss,
        "boosting_type": "Plain",
        # said, since else it depends on the number of rounds; with one step two classes take twice the rounds
        "leaf_estimation_iterations": 10 if start.loss == "Logloss" else 1,
        "bootstrap_type": "Bernoulli",  # the library's own, MVS, raises an error once all rows are answered perfectly
        "boost_from_average": False,
        "border_count": 128,
        "use_best_model": False,
        "allow_writing_files": False,
        "logging_level": "Silent",
        "thread_count": N_THREADS,
        "random_seed": seed % 2**31,
    }


class _Follow:
    """What CatBoost calls after each round."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace

    def after_iteration(self, state: Any) -> bool:
        watched = (state.metrics or {}).get("validation")
        return self.pace.goes_on(None if watched is None else float(next(iter(watched.values()))[-1]))


def _fitted(booster: Any, preprocessing: model.Preprocessing, task: Task, start: _Start, pace: Pace) -> TabularFitted:
    n_rounds = int(booster.tree_count_)
    curve = pace.curve(n_rounds)
    if curve is not None and start.loss == "RMSE":
        curve = curve**2  # the library tells the root
    leaves = booster.get_tree_leaf_counts()
    numbers = np.cumsum(leaves * len(start.scores) + np.log2(leaves).astype(np.int64))

    def back_to(rounds: int) -> TabularFitted:
        rounds = max(1, min(rounds, n_rounds))
        return TabularFitted(
            preprocessing=preprocessing,
            answer=partial(_answer, booster, start, rounds, task),
            add=partial(_add, booster, start, rounds, task),
            n_parameters=int(numbers[rounds - 1]),
            curve=curve,
            back_to=back_to,
        )

    return back_to(n_rounds)


def _answer(booster: Any, start: _Start, rounds: int, task: Task, features: Array) -> model.Outputs:
    with np.errstate(over="ignore"):
        X = features.astype(np.float32)
    raw = booster.predict(X, prediction_type="RawFormulaVal", ntree_end=rounds, thread_count=N_THREADS)
    scores = raw.reshape(len(X), -1) + start.scores
    if task.kind == "regression":
        return value_outputs(np.exp(scores[:, 0]) if start.exponential else scores[:, 0])
    probabilities = probabilities_of(scores)
    if len(start.seen):
        spread = np.zeros((len(X), len(task.classes)))
        spread[:, start.seen] = probabilities
        probabilities = spread
    return class_outputs(probabilities, task)


def _add(booster: Any, start: _Start, rounds: int, task: Task, builder: model.GraphBuilder, features: str) -> str:
    return model.emit_catboost(
        builder,
        features,
        model.CatboostModel.of(booster),
        task,
        rounds=rounds,
        start=start.scores,
        seen=start.seen,
        exponential=start.exponential,
    )


FAMILY = Catboost()
