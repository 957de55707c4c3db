"""Make probabilities mean what they say, from rows whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from palio.monitor.quality.features import Array

Kind = Literal["isotonic", "platt"]
_N_BINS = 1_000
_EDGE = 1e-6


class Calibrator:
    """Forecasts, corrected: each class against the rest, then made to add up to one.

    Args:
        forecast: Shape (n_rows, n_classes).
        truth: Shape (n_rows,), class index.
        kind: A rising step function, or a curve of two parameters.

    Example:
        >>> said = np.array([[0.2, 0.8]] * 4)
        >>> Calibrator(said, np.array([0, 1, 0, 1]), "isotonic")(said)[0].tolist()
        [0.5, 0.5]

    Source: Zadrozny & Elkan 2002, KDD (isotonic, one against the rest); Platt 1999, Advances in Large Margin
    Classifiers.
    """

    def __init__(self, forecast: Array, truth: Array, kind: Kind) -> None:
        fit = _isotonic if kind == "isotonic" else _platt
        self._is_binary = forecast.shape[1] == 2
        labels = (1,) if self._is_binary else range(forecast.shape[1])
        self._curves = [fit(*_binned(forecast[:, label], truth == label)) for label in labels]

    def __call__(self, forecast: Array) -> Array:
        """Return calibrated forecasts, shape (n_rows, n_classes)."""
        if self._is_binary:
            positive = self._curves[0](forecast[:, 1])
            return np.stack([1 - positive, positive], axis=1)
        each = np.stack([curve(forecast[:, label]) for label, curve in enumerate(self._curves)], axis=1)
        total = each.sum(axis=1, keepdims=True)
        out: Array = np.divide(each, total, out=forecast.copy(), where=total > _EDGE)
        return out


def best_kind(forecast: Array, truth: Array, folds: Array) -> tuple[Kind, Array]:
    """Choose the kind of calibration by log loss out of fold.

    Returns:
        The kind, and the calibrated forecasts of the rows by fits that had not seen them.
    """
    kinds: tuple[Kind, ...] = ("isotonic", "platt")
    tried = {kind: out_of_fold(forecast, truth, folds, kind) for kind in kinds}
    kind = min(kinds, key=lambda one: log_loss_of(tried[one], truth))
    return kind, tried[kind]


def out_of_fold(forecast: Array, truth: Array, folds: Array, kind: Kind) -> Array:
    """Calibrate each fold by the rows of the others."""
    out = np.empty_like(forecast)
    for fold in np.unique(folds):
        held = folds == fold
        out[held] = Calibrator(forecast[~held], truth[~held], kind)(forecast[held])
    return out


def log_loss_of(forecast: Array, truth: Array) -> float:
    """Return the mean log loss; a forecast is kept off 0 by what so many rows can tell."""
    least = 1.0 / (len(truth) + 2)
    return float(-np.log(np.maximum(forecast[np.arange(len(truth)), truth], least)).mean())


def _binned(forecast: Array, came: Array) -> tuple[Array, Array, Array]:
    """Group rows by forecast, ascending: mean forecast, share that came, rows."""
    order = np.argsort(forecast, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(forecast[order]) > 0])
    if len(starts) > _N_BINS:
        starts = starts[np.diff(starts * _N_BINS // len(order), prepend=-1) > 0]
    rows = np.diff(np.r_[starts, len(order)]).astype(np.float64)
    said = np.add.reduceat(forecast[order], starts) / rows
    return said, np.add.reduceat(came[order].astype(np.float64), starts) / rows, rows


def _isotonic(said: Array, came: Array, rows: Array) -> Callable[[Array], Array]:
    from scipy.optimize import isotonic_regression

    fitted = np.asarray(isotonic_regression(came, weights=rows).x)
    return lambda forecast: np.interp(forecast, said, fitted)


def _platt(said: Array, came: Array, rows: Array) -> Callable[[Array], Array]:
    """Fit `1 / (1 + exp(-(a + b * logit)))` by Newton's method, with Platt's prior of one row of each kind."""
    x = np.stack([np.ones_like(said), _logit(said)], axis=1)
    hits, total = came * rows, rows
    share = float(hits.sum() + 1) / float(total.sum() + 2)
    hits, total = hits + share * total / total.sum(), total + total / total.sum()
    beta, before = np.zeros(2), np.inf
    step = np.array([_logit(np.array(share)), 0.0])
    for _ in range(60):
        loss = float((np.logaddexp(0, x @ (beta + step)) * total - hits * (x @ (beta + step))).sum())
        if loss > before:  # too far: half the way
            step = step / 2
            continue
        if before - loss < 1e-9 * abs(loss):
            break
        beta, before = beta + step, loss
        q = 1 / (1 + np.exp(-x @ beta))
        curvature = (x.T * (total * q * (1 - q))) @ x + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, x.T @ (hits - total * q))
    a, b = float(beta[0]), float(beta[1])
    return lambda forecast: 1 / (1 + np.exp(-(a + b * _logit(forecast))))


def _logit(p: Array) -> Array:
    kept = np.clip(p, 1e-3, 1 - 1e-3)
    out: Array = np.log(kept / (1 - kept))
    return out
