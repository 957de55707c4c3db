"""Weigh the features and add them up: logistic regression and ridge regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from palio import model
from palio.core.errors import InputError
from palio.core.records import Modality, Task, TaskKind
from palio.train.family import (
    Array,
    Examples,
    FixedSettings,
    Params,
    Shape,
    TabularFitted,
    calm_threads,
    check_time,
    class_outputs,
    value_outputs,
)


class Linear(FixedSettings):
    """Penalised linear models on scaled numbers and one-hot categories.

    Source: Hoerl and Kennard 1970 (ridge); Zhu, Byrd, Lu and Nocedal 1997 (L-BFGS, which fits the logistic one).
    """

    name = "linear"
    tasks: tuple[TaskKind, ...] = ("classification", "regression")
    modalities: tuple[Modality, ...] = ("tabular", "text")
    n_settings = 1

    def seconds(self, shape: Shape, params: Params) -> float:
        """Estimate one fit: about 100 passes over some four columns for each feature (LOG.md: cost of a fit)."""
        passes = 100 * max(1, shape.n_classes - 1) if shape.n_classes else 4
        return 0.1 + 4e-9 * shape.n_rows * (4 * shape.n_features) * passes

    def defaults(self, shape: Shape, task: Task) -> Sequence[Params]:
        """Return a light penalty, then a firm one."""
        return [{"penalty": 1.0}, {"penalty": 30.0}]

    def suggest(self, trial: Any, shape: Shape, task: Task) -> Params:
        """Draw the weight of the squared penalty."""
        return {"penalty": trial.suggest_float("penalty", 1e-3, 1e4, log=True)}

    def fit(
        self,
        examples: Examples,
        *,
        params: Params,
        seed: int,
        deadline: float | None = None,
        watch: Examples | None = None,
    ) -> TabularFitted:
        """Fit the coefficients; a closed form or L-BFGS, so `seed` is not used.

        Raises:
            OutOfTime: the deadline has come.
            InputError: fewer than two classes have examples.
        """
        calm_threads()
        import threadpoolctl

        check_time(deadline)
        preprocessing = examples.preprocessing("linear")
        features = examples.matrix(preprocessing)
        check_time(deadline)
        with threadpoolctl.threadpool_limits(1, user_api="blas"):  # sums must not depend on the machine's load
            penalty = float(params["penalty"])
            if examples.task.kind == "regression":
                coefficients, intercepts = _ridge(features, examples.target, penalty, examples.weights)
            else:
                coefficients, intercepts = _logistic(features, examples, penalty)

        def answer(X: Array) -> model.Outputs:
            with threadpoolctl.threadpool_limits(1, user_api="blas"):  # as above
                scores = X @ coefficients.T + intercepts
            if examples.task.kind == "regression":
                return value_outputs(scores[:, 0])
            return class_outputs(_probabilities(scores), examples.task)

        return TabularFitted(
            preprocessing=preprocessing,
            answer=answer,
            add=lambda builder, name: model.emit_linear(builder, name, coefficients, intercepts, examples.task),
            n_parameters=int(coefficients.size + intercepts.size),
        )


def _ridge(X: Array, y: Array, penalty: float, weights: Array | None) -> tuple[Array, Array]:
    """Return coefficients (1, n_features) and intercept (1,), fitted on the standardised target."""
    from sklearn.linear_model import Ridge

    middle, spread = float(y.mean()), float(y.std()) or 1.0
    ridge = Ridge(alpha=penalty, solver="cholesky").fit(X, (y - middle) / spread, sample_weight=weights)
    return ridge.coef_.reshape(1, -1) * spread, np.array([float(ridge.intercept_) * spread + middle])


def _logistic(X: Array, examples: Examples, penalty: float) -> tuple[Array, Array]:
    """Return coefficients and intercepts: one row of them for two classes, else one for each class."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    y, task = examples.target, examples.task
    present = np.unique(y)
    if len(present) < 2:
        raise InputError("linear: only one class has examples", hint="bring rows of at least two classes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 300 steps are enough to rank and to calibrate
        fitted = LogisticRegression(C=1.0 / penalty, max_iter=300).fit(X, y, sample_weight=examples.weights)
    n_classes = len(task.classes)
    if n_classes == 2:
        return np.asarray(fitted.coef_, np.float64), np.asarray(fitted.intercept_, np.float64)
    coefficients, intercepts = (
        np.zeros((n_classes, X.shape[1])),
        np.full(n_classes, -np.inf),
    )  # a class without examples has probability 0
    if len(present) == 2:  # scikit-learn then fits a single row of scores, for the second class
        coefficients[present[1]], intercepts[present] = fitted.coef_[0], (0.0, float(fitted.intercept_[0]))
    else:
        coefficients[present], intercepts[present] = fitted.coef_, fitted.intercept_
    return coefficients, intercepts


def _probabilities(scores: Array) -> Array:
    """Turn scores into probabilities: logistic for one column of them, softmax for more."""
    if scores.shape[1] == 1:
        positive = np.where(scores >= 0, 1 / (1 + np.exp(-np.abs(scores))), 1 - 1 / (1 + np.exp(-np.abs(scores))))
        return np.hstack([1 - positive, positive])
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    total: Array = raised / raised.sum(axis=1, keepdims=True)
    return total


FAMILY = Linear()
