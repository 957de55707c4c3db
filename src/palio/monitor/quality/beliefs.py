"""What the truth of a row probably is, by rows of the reference whose truth is known.

Two ways are mixed. The forecast alone, calibrated: right as long as equal forecasts mean equal chances. And a model of
the truth that sees the inputs beside the forecast: right under any covariate shift that it has seen enough of, but it
carries a change of the concept further. Which share each gets follows from how much better the second one is out of
fold: see `share_of`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from palio.core.seeds import derive
from palio.monitor.quality.calibration import Calibrator, best_kind, log_loss_of
from palio.monitor.quality.features import Array

N_FOLDS = 5
MAX_LEARNT = 30_000
"""Rows of the reference that the models with inputs learn from at most."""
_LEAST_LEARNT = 500
FULLY = 0.05
"""Share of the loss that the model with inputs must save to be believed alone."""


def share_of(gain: float) -> float:
    """Say how much to believe the model with inputs, by the share of log loss that it saves.

    In proportion, and alone from a twentieth on. See LOG.md for what was measured.

    Example:
        >>> round(share_of(0.005), 3), share_of(0.3), share_of(-0.01)
        (0.1, 1.0, 0.0)
    """
    return min(1.0, max(0.0, gain / FULLY))


def folds_of(n_rows: int, blocks: Array | None, seed: int) -> Array:
    """Put rows into folds: runs of blocks, so that folds differ as times do; without blocks by chance."""
    found = np.unique(blocks) if blocks is not None else np.empty(0)
    if blocks is not None and len(found) >= N_FOLDS:
        return np.asarray(np.searchsorted(found, blocks) * N_FOLDS // len(found))
    return np.random.default_rng(derive(seed, "folds")).permutation(n_rows) % N_FOLDS


class Beliefs:
    """Chances of each class, from `N_FOLDS` fits that each leave out a fold of the reference.

    The fits' mean is the belief, what they differ by tells how sure it is (the jackknife of groups).

    Args:
        forecast: Shape (n_rows, n_classes).
        features: Shape (n_rows, n_columns), NaN for missing; no columns: the forecast alone.
        is_category: Which columns hold codes.
        truth: Shape (n_rows,), class index.
        folds: Shape (n_rows,).
        seed: Equal seeds give equal beliefs.

    Source: Efron & Stein 1981, Annals of Statistics 9(3), for the jackknife.
    """

    def __init__(
        self, forecast: Array, features: Array, is_category: list[bool], truth: Array, folds: Array, *, seed: int = 0
    ) -> None:
        self.n_classes = forecast.shape[1]
        kind, plain = best_kind(forecast, truth, folds)
        self.learnt_from, self.expected = np.arange(len(truth)), plain
        """Rows whose chances are known by fits that had not seen them, and these chances."""
        self.beyond = 0.0
        """What inputs say beyond the forecast at most: deviation of the chance of a class between rows that are
        forecast alike."""
        self._calibrators = [Calibrator(forecast[folds != f], truth[folds != f], kind) for f in range(N_FOLDS)]
        self.share = 0.0
        self._models: list[Any] = []
        if features.shape[1] and len(truth) >= _LEAST_LEARNT:
            self._learn(np.column_stack([features, forecast]), is_category, truth, folds, plain, seed)

    def _learn(self, x: Array, is_category: list[bool], truth: Array, folds: Array, plain: Array, seed: int) -> None:
        kept = thinned(len(truth), seed)
        x, truth, folds = x[kept], truth[kept], folds[kept]
        categories = is_category + [False] * self.n_classes
        self._models = [_learnt(x[folds != f], truth[folds != f], categories, derive(seed, f)) for f in range(N_FOLDS)]
        with_inputs = np.empty((len(truth), self.n_classes))
        for f, model in enumerate(self._models):
            if (folds == f).any():
                with_inputs[folds == f] = _chances(model, x[folds == f], self.n_classes)
        before = log_loss_of(plain[kept], truth)
        self.share = share_of(1 - log_loss_of(with_inputs, truth) / max(before, 1e-12))
        came = np.eye(self.n_classes)[truth]
        told = ((with_inputs - plain[kept]) * (came - plain[kept])).sum(1) / 2  # of two classes each says the same
        self.beyond = at_most(told)
        self.learnt_from, self.expected = kept, (1 - self.share) * plain[kept] + self.share * with_inputs

    def of(self, forecast: Array, features: Array, complete: Array) -> Array:
        """Return the chances by each fit, shape (N_FOLDS, n_rows, n_classes); rows without inputs by forecast alone."""
        out = np.stack([calibrator(forecast) for calibrator in self._calibrators])
        if self.share and complete.any():
            x = np.column_stack([features[complete], forecast[complete]])
            for belief, model in zip(out, self._models, strict=True):
                learnt = _chances(model, x, self.n_classes)
                belief[complete] = (1 - self.share) * belief[complete] + self.share * learnt
        return out

    def apart(self, pulls: Array, chances: Array, forecast: Array) -> float:
        """Return how sure it is which of the two ways is right about rows, as a variance of the mean of their pulls.

        Their shares are taken for how likely each is to be right.

        Args:
            pulls: Shape (n_rows, n_classes), by what the truth is.
            chances: As `of` gives them, the fits' mean.
            forecast: Of these rows.
        """
        if not self.share or not len(chances):
            return 0.0
        plain = np.mean([calibrator(forecast) for calibrator in self._calibrators], axis=0)
        between = float((pulls * (chances - plain)).sum(1).mean()) / self.share
        return self.share * (1 - self.share) * between**2


def at_most(squares: Array) -> float:
    """Return the root of a mean that may be two standard errors higher."""
    return math.sqrt(max(0.0, float(squares.mean())) + 2 * float(squares.std()) / math.sqrt(max(len(squares), 1)))


def thinned(n_rows: int, seed: int) -> Array:
    """Choose the rows to learn from: all, or `MAX_LEARNT` by chance."""
    if n_rows <= MAX_LEARNT:
        return np.arange(n_rows)
    chosen = np.random.default_rng(derive(seed, "learnt")).choice(n_rows, MAX_LEARNT, replace=False)
    return np.sort(chosen)


def _learnt(x: Array, truth: Array, is_category: list[bool], seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    if len(np.unique(truth)) < 2:
        return int(truth[0])
    model = HistGradientBoostingClassifier(
        max_iter=100,
        max_leaf_nodes=15,
        min_samples_leaf=50,
        early_stopping=bool(np.bincount(truth)[np.unique(truth)].min() >= 10),
        categorical_features=is_category,
        random_state=seed,
    )
    return model.fit(x, truth)


def _chances(model: Any, x: Array, n_classes: int) -> Array:
    out = np.zeros((len(x), n_classes))
    if isinstance(model, int):
        out[:, model] = 1.0
    else:
        out[:, model.classes_] = model.predict_proba(x)
    return out
