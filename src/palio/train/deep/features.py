"""Learn from what a frozen backbone sees: features once through ONNX Runtime, then a linear layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from palio import model
from palio.train.deep.backbones import Backbone
from palio.train.deep.exporting import SCORES, exported
from palio.train.deep.layers import normalised
from palio.train.examples import Array
from palio.train.family import calm_threads, check_time

PIXELS = "pixels"
PENALTIES = (1e3, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3)
"""Weights of the squared penalty, the strongest first: of models that are equally good the simplest is taken."""
N_FOLDS = 5
BATCH = 32


def frozen_graph(backbone: Backbone, *, n_blocks: int | None = None) -> bytes:
    """Return the first blocks of a backbone (all if None) as a graph from `pixels` uint8 (n, S, S, 3) to `scores`."""
    import torch

    front = torch.nn.Sequential(normalised(backbone.mean, backbone.std), *backbone.blocks[:n_blocks])
    front = front.to(memory_format=torch.channels_last)
    rng = np.random.default_rng(0)
    example = rng.integers(0, 256, (3, backbone.size, backbone.size, 3), dtype=np.uint8)
    return exported(front, {PIXELS: example}, tolerance=1e-3)  # features, not scores: their size is not ours


def through(runner: model.Graph, pixels: Array) -> Array:
    """Return what a graph on pixels answers, a batch at a time."""
    parts = [runner.run({PIXELS: pixels[start : start + BATCH]})[SCORES] for start in range(0, len(pixels), BATCH)]
    return np.concatenate(parts)


@dataclass(frozen=True)
class LinearHead:
    """A linear layer on features: `features @ weights.T + intercepts` are the scores of the classes."""

    weights: Array
    """Shape (n_classes, n_features)."""
    intercepts: Array
    penalty: float

    def scores(self, features: Array) -> Array:
        """Return scores, shape (n_rows, n_classes), float64."""
        return np.asarray(features, np.float64) @ self.weights.T + self.intercepts


def fit_head(
    features: Array,
    target: Array,
    n_classes: int,
    *,
    penalties: Sequence[float] = PENALTIES,
    weights: Array | None = None,
    seed: int = 0,
    deadline: float | None = None,
) -> LinearHead:
    """Fit a penalised logistic regression on standardised features; the penalty is found by cross-validation.

    Classes without examples are never said.

    Raises:
        OutOfTime: the deadline has come.
    """
    calm_threads()
    import threadpoolctl

    mean, spread = _scale(features)
    X = (features - mean) / spread
    with threadpoolctl.threadpool_limits(1, user_api="blas"):  # sums must not depend on the machine's load
        penalty = _best_penalty(X, target, penalties, weights, seed, deadline) if len(penalties) > 1 else penalties[0]
        check_time(deadline)
        ((own, intercepts),) = _path(X, target, n_classes, (penalty,), weights)
    own = own / spread
    return LinearHead(own, intercepts - own @ mean, penalty)


def fit_values(features: Array, target: Array, *, weights: Array | None = None) -> LinearHead:
    """Fit a penalised linear regression on standardised features; the penalty is found by leaving rows out."""
    calm_threads()
    import threadpoolctl
    from sklearn.linear_model import RidgeCV

    mean, spread = _scale(features)
    middle, width = float(target.mean()), float(target.std()) or 1.0
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        ridge = RidgeCV(alphas=PENALTIES)
        ridge.fit((features - mean) / spread, (target - middle) / width, sample_weight=weights)
    own = np.asarray(ridge.coef_, np.float64).reshape(1, -1) * width / spread
    return LinearHead(own, np.array([float(ridge.intercept_) * width + middle]) - own @ mean, float(ridge.alpha_))


def _scale(features: Array) -> tuple[Array, Array]:
    """Return mean and deviation of each feature; infinity where it says nothing."""
    mean, spread = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    return mean, np.where(spread > 1e-6 * max(1e-12, float(spread.max(initial=0.0))), spread, np.inf)


def _best_penalty(
    X: Array, target: Array, penalties: Sequence[float], weights: Array | None, seed: int, deadline: float | None
) -> float:
    rng = np.random.default_rng((seed, 5))
    fold_of = np.zeros(len(target), np.int64)
    for label in np.unique(target):  # each class is spread over the folds
        own = rng.permutation(np.flatnonzero(target == label))
        fold_of[own] = (np.arange(len(own)) + rng.integers(N_FOLDS)) % N_FOLDS
    n_classes = int(target.max()) + 1
    losses = np.zeros(len(penalties))
    for fold in range(N_FOLDS):
        learned, held = fold_of != fold, fold_of == fold
        if not held.any() or len(np.unique(target[learned])) < 2:
            continue
        counts = None if weights is None else weights[learned]
        path = _path(X[learned], target[learned], n_classes, penalties, counts)
        for place, (own, intercepts) in enumerate(path):
            scores = X[held] @ own.T + intercepts
            scores = scores - scores.max(axis=1, keepdims=True)
            sure = np.exp(scores[np.arange(len(scores)), target[held]]) / np.exp(scores).sum(axis=1)
            losses[place] -= float(np.log(np.maximum(sure, 1e-15)).sum())
            check_time(deadline)
    return float(penalties[int(np.argmin(losses))])


def _path(
    X: Array, target: Array, n_classes: int, penalties: Sequence[float], weights: Array | None
) -> Iterator[tuple[Array, Array]]:
    """Fit one penalty after the other, each from where the one before ended.

    The weights of a penalised model lie in the span of its rows. Where there are fewer rows than features, they are
    looked for there (Hastie & Tibshirani 2004, Biostatistics 5(3), sec. 3): the same model, from fewer numbers.
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    basis = None
    if X.shape[0] < X.shape[1]:
        basis, turned = np.linalg.qr(X.T)
        X = np.ascontiguousarray(turned.T)
    learner: Any = LogisticRegression(max_iter=200, warm_start=True)
    for penalty in penalties:
        learner.C = 1.0 / penalty
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # so many steps are enough to rank and to calibrate
            learner.fit(X, target, sample_weight=weights)
        found = learner.coef_ if basis is None else learner.coef_ @ basis.T
        own, intercepts = np.zeros((n_classes, found.shape[1])), np.full(n_classes, -1e4)
        present = learner.classes_
        if len(present) == 2:
            own[present[1]], intercepts[present] = found[0], (0.0, float(learner.intercept_[0]))
        else:
            own[present], intercepts[present] = found, learner.intercept_
        yield own, intercepts
