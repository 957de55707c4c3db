"""Estimate errors of numbers: a model of the loss, learnt on rows of the reference whose truth is known.

Source: direct loss estimation; intervals by the jackknife of groups over fits that each leave one fold out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from palio.core.seeds import derive
from palio.monitor.quality.beliefs import N_FOLDS, at_most, thinned
from palio.monitor.quality.features import Array

_N_BINS = 20
_LEAST_LEARNT = 500


class Losses:
    """Expected absolute and squared error of a row, from `N_FOLDS` fits.

    Mixed are the mean loss of answers of the same size, and a model that sees the inputs, in the shares that are best
    out of fold (`best_share`). Each is scaled so that its mean out of fold is the real one.

    Args:
        prediction: Shape (n_rows,).
        features: Shape (n_rows, n_columns).
        is_category: Which columns hold codes.
        truth: Shape (n_rows,).
        folds: Shape (n_rows,).
        seed: Equal seeds give equal estimates.
    """

    def __init__(
        self, prediction: Array, features: Array, is_category: list[bool], truth: Array, folds: Array, *, seed: int = 0
    ) -> None:
        error = np.abs(truth - prediction)
        losses = np.stack([error, error**2])
        cuts = np.unique(np.quantile(prediction, np.arange(1, _N_BINS) / _N_BINS))
        self._edges, bins = cuts, np.searchsorted(cuts, prediction, side="right")
        self._means = [_means(losses[:, folds != f], bins[folds != f], len(cuts) + 1) for f in range(N_FOLDS)]
        self.share = 0.0
        self.beyond = np.zeros(2)
        """What inputs say beyond the answer at most: standard deviation of the losses between rows answered alike."""
        self._models: list[Any] = []
        plain = np.stack([self._means[f][:, b] for f, b in zip(folds, bins, strict=True)], axis=1)
        expected = plain
        if features.shape[1] and len(truth) >= _LEAST_LEARNT:
            kept = thinned(len(folds), seed)
            x = np.column_stack([features, prediction])
            expected = self._learn(x[kept], is_category, losses[:, kept], folds[kept], plain[:, kept], seed)
        self.tail = float(np.mean(losses[1] ** 2)) / max(float(np.mean(expected[1] ** 2)), 1e-300)
        self.learnt_from = kept if self._models else np.arange(len(folds))
        """Rows whose loss was expected by fits that had not seen them."""
        self.error = losses[:, self.learnt_from] - expected
        """Of these rows, shape (2, n_rows): absolute and squared error, less what was expected."""

    def _learn(self, x: Array, is_category: list[bool], seen: Array, fold: Array, plain: Array, seed: int) -> Array:
        categories = [*is_category, False]
        models = [
            [
                _learnt(x[fold != f], loss[fold != f], categories, derive(seed, f, place))
                for place, loss in enumerate(seen)
            ]
            for f in range(N_FOLDS)
        ]
        learnt = np.empty_like(seen)
        for f in range(N_FOLDS):
            if (fold == f).any():
                learnt[:, fold == f] = [model.predict(x[fold == f]) for model in models[f]]
        learnt = np.maximum(learnt, 0.0)
        self._scale = seen.mean(1) / np.maximum(learnt.mean(1), 1e-300)
        told = (learnt * self._scale[:, None] - plain) * (seen - plain)
        self.beyond = np.array([at_most(one) for one in told])
        self.share, self._models = best_share(seen[0], plain[0], learnt[0] * self._scale[0]), models
        expected: Array = (1 - self.share) * plain + self.share * learnt * self._scale[:, None]
        self._shape = float(seen[1].mean()) / max(float((expected[0] ** 2).mean()), 1e-300)
        expected[1] = self._averaged(expected[1], expected[0] ** 2)
        return expected

    def _averaged(self, squared: Array, of_absolute: Array) -> Array:
        """Average a squared error as learnt, and as follows from the absolute one if all errors have one shape.

        Few large errors decide the first, which overreaches where they are; the second is right as long as inputs
        change the size of errors alone. They err in other ways. See LOG.md.

        Args:
            squared: Squared errors as learnt.
            of_absolute: Squares of absolute errors as learnt.
        """
        half = self.share / 2
        averaged: Array = (1 - half) * squared + half * self._shape * of_absolute
        return averaged

    def of(self, prediction: Array, features: Array, complete: Array) -> Array:
        """Return the expected losses by each fit, shape (N_FOLDS, 2, n_rows): absolute and squared error."""
        bins = np.searchsorted(self._edges, prediction, side="right")
        out = np.stack([means[:, bins] for means in self._means])
        if self.share and complete.any():
            x = np.column_stack([features[complete], prediction[complete]])
            for losses, models in zip(out, self._models, strict=True):
                learnt = np.maximum(np.stack([model.predict(x) for model in models]), 0.0) * self._scale[:, None]
                losses[:, complete] = (1 - self.share) * losses[:, complete] + self.share * learnt
            of_all = out[:, 0, complete].mean(0)
            squares = of_all * (2 * out[:, 0, complete] - of_all)  # their mean is the square of the mean of all fits
            out[:, 1, complete] = self._averaged(out[:, 1, complete], squares)
        return out


class LossSums:
    """Expected losses of a window, added up; memory does not grow with its rows."""

    def __init__(self) -> None:
        self.n_rows = 0
        self.losses = np.zeros((N_FOLDS, 2))
        self.variance = np.zeros(2)

    def add(self, losses: Array, tail: float) -> None:
        """Count rows.

        Args:
            losses: Shape (N_FOLDS, 2, n_rows), as `Losses.of` gives them.
            tail: Mean of the fourth power of the error, by the mean of its squared expected square.
        """
        self.n_rows += losses.shape[2]
        self.losses += losses.sum(2)
        absolute, squared = losses.mean(0)
        self.variance += [np.maximum(squared - absolute**2, 0).sum(), max(tail - 1, 0) * float((squared**2).sum())]

    def merge(self, other: LossSums) -> None:
        """Add what other sums hold."""
        self.n_rows += other.n_rows
        self.losses += other.losses
        self.variance += other.variance

    def metrics(self) -> dict[str, tuple[float, Array, float]]:
        """Return MAE and RMSE: value, value by each fit, variance by chance."""
        each = self.losses / self.n_rows
        mae, mse = each.mean(0)
        mse = max(mse, mae**2)
        chance = self.variance / self.n_rows**2
        of_root = float(chance[1] / max(4 * mse, 1e-300))
        roots = np.sqrt(np.maximum(each[:, 1], 0.0))
        return {"rmse": (float(np.sqrt(mse)), roots, of_root), "mae": (float(mae), each[:, 0], float(chance[0]))}


_DOUBT, _SURE = 2.0, 6.0
"""Standard errors of the slope: up to the first the plain expectation is believed alone, from the second the other."""


def best_share(seen: Array, plain: Array, learnt: Array) -> float:
    """Say how much to believe a learnt expectation, beside a plain one: alone where it surely knows more.

    What a single loss is cannot be known, so little of its variance is ever saved: how much says nothing about which
    of the two is right on average. Whether the plain one surely misses what the other one adds does; the size of that
    slope does not, since learnt expectations spread too far and are right on average all the same. See LOG.md.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> size = 1 + rng.random(2000)
        >>> seen = size * np.abs(rng.normal(size=2000))
        >>> plain, learnt = np.full(2000, seen.mean()), 0.8 * size
        >>> best_share(seen, plain, learnt) > 0.8, best_share(seen, plain, plain + 0.01 * rng.normal(size=2000)) < 0.3
        (True, True)

    Source: Stone 1974, JRSS B 36(2), for choices by cross-validation.
    """
    more, missed = learnt - plain, seen - plain
    size = float((more**2).sum())
    if size <= 0:
        return 0.0
    slope = float((more * missed).sum()) / size
    error = np.sqrt(max(float(((missed - slope * more) ** 2).mean()), 1e-300) / size)
    return float(np.clip((slope / error - _DOUBT) / (_SURE - _DOUBT), 0.0, 1.0))


def _means(losses: Array, bins: Array, n_bins: int) -> Array:
    """Mean losses per bin of the answer; of an empty bin the mean of all."""
    rows = np.bincount(bins, minlength=n_bins)
    out = np.empty((len(losses), n_bins))
    for mean, loss in zip(out, losses, strict=True):
        mean[:] = np.where(rows > 0, np.bincount(bins, loss, n_bins) / np.maximum(rows, 1), loss.mean())
    return out


def _learnt(x: Array, loss: Array, is_category: list[bool], seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(
        max_iter=100,
        max_leaf_nodes=31,
        min_samples_leaf=20,
        early_stopping=False,
        categorical_features=is_category,
        random_state=seed,
    )
    return model.fit(x, loss)
