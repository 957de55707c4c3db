"""The metrics: one function each, over weighted rows; a table tells what each needs and which way is better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from palio.measure.sample import N_BINS, Array, View, divide


@dataclass(frozen=True, kw_only=True)
class MetricSpec:
    """What a metric is. `function` gives one value per row of weights; NaN where it is not defined."""

    name: str
    kind: Literal["classification", "regression"]
    higher_is_better: bool
    needs: Literal["probability", "label", "value"]
    function: Callable[[View], Array]
    bounded: bool = False
    """Lies in [0, 1]."""
    interval: Literal["percentile", "basic"] = "percentile"
    """`basic` for a metric that is biased upward in small samples (calibration error)."""
    decimals: int = 3
    """Digits worth showing."""


# ── labels ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def accuracy(view: View) -> Array:
    """Share of rows that get the right label."""
    return view.mean((view.sample.truth == view.sample.prediction).astype(np.float64))


def balanced_accuracy(view: View) -> Array:
    """Mean recall of the classes that occur. Source: Brodersen et al. 2010, ICPR."""
    truth, _, hits = view.counts
    return _mean_defined(divide(hits, truth))


def recall(view: View) -> Array:
    """Share of the positive rows that are found (macro average above two classes)."""
    truth, _, hits = view.counts
    return _of_interest(view, divide(hits, truth, empty=0.0))


def precision(view: View) -> Array:
    """Share of the rows called positive that are (macro average above two classes)."""
    _, predicted, hits = view.counts
    return _of_interest(view, divide(hits, predicted, empty=0.0))


def f1(view: View) -> Array:
    """Harmonic mean of precision and recall of the positive class (macro average above two classes)."""
    truth, predicted, hits = view.counts
    return _of_interest(view, divide(2 * hits, truth + predicted, empty=0.0))


def f1_macro(view: View) -> Array:
    """Mean of the F1 of every class that occurs or is predicted."""
    truth, predicted, hits = view.counts
    return _mean_defined(divide(2 * hits, truth + predicted))


def _of_interest(view: View, per_class: Array) -> Array:
    if view.sample.is_binary():
        return per_class[:, view.sample.positive]
    truth, predicted, _ = view.counts
    return _mean_defined(np.where(truth + predicted > 0, per_class, np.nan))


def _mean_defined(per_class: Array) -> Array:
    defined = ~np.isnan(per_class)
    return divide(np.where(defined, per_class, 0.0).sum(axis=1), defined.sum(axis=1))


# ── probabilities ───────────────────────────────────────────────────────────────────────────────────────────────────


def roc_auc(view: View) -> Array:
    """Chance that a row of the class scores above a row of another; one against the rest, macro average.

    Source: Hanley & McNeil 1982, Radiology 143(1); Provost & Domingos 2000 for many classes, unweighted.
    """
    return _over_classes(view, _roc_auc_of)


def pr_auc(view: View) -> Array:
    """Average precision: precision over the steps of recall, no interpolation; macro average above two classes."""
    return _over_classes(view, _average_precision_of)


def _over_classes(view: View, one: Callable[[View, int], Array]) -> Array:
    if view.sample.is_binary():
        return one(view, view.sample.positive)
    return _mean_defined(np.stack([one(view, label) for label in range(view.sample.n_classes)], axis=1))


def _roc_auc_of(view: View, label: int) -> Array:
    inside, outside = view.groups(label)
    below = np.cumsum(outside, axis=1)
    total = inside.sum(axis=1) * below[:, -1]
    won = np.einsum("ij,ij->i", inside, below) - np.einsum("ij,ij->i", inside, outside) / 2
    return divide(won, total)


def _average_precision_of(view: View, label: int) -> Array:
    inside, outside = view.groups(label)
    inside, outside = inside[:, ::-1], outside[:, ::-1]
    found = np.cumsum(inside, axis=1)
    positives = found[:, -1].copy()
    called = np.cumsum(outside, axis=1)
    called += found
    both = (positives > 0) & (called[:, -1] > positives)
    called[called == 0] = 1
    found /= called
    return np.where(both, divide(np.einsum("ij,ij->i", inside, found), positives), np.nan)


def log_loss(view: View) -> Array:
    """Mean negative log-likelihood of the true class (natural logarithm). Source: Good 1952, JRSS B 14(1)."""
    return view.mean(view.sample.log_losses)


def brier(view: View) -> Array:
    """Mean squared distance of forecast and outcome. Source: Brier 1950, Monthly Weather Review 78(1)."""
    return view.mean(view.sample.brier_losses)


def calibration_error(view: View) -> Array:
    """Mean distance of forecast and frequency over bins of equal mass (of the top class above two classes).

    Source: Naeini et al. 2015, AAAI (ECE); equal mass after Nixon et al. 2019, CVPR workshops.
    """
    forecast, outcome = view.sample.forecast
    gaps = View(view.sample, view.weights * (forecast - outcome)).sums(view.sample.bins, N_BINS)
    return divide(np.abs(gaps).sum(axis=1), view.total)


# ── numbers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def rmse(view: View) -> Array:
    """Root of the mean squared error, in the unit of the target."""
    return np.sqrt(view.mean((view.sample.truth - view.sample.prediction) ** 2))


def mae(view: View) -> Array:
    """Mean absolute error, in the unit of the target."""
    return view.mean(np.abs(view.sample.truth - view.sample.prediction))


def r2(view: View) -> Array:
    """Share of the variance that is explained; 0 is the mean's own score, not defined for a constant target."""
    truth = view.sample.truth - view.sample.truth.mean()
    spread = view.mean(truth**2) - view.mean(truth) ** 2
    spread = np.where(spread > 1e-12 * max(float(np.abs(view.sample.truth).max()), 1e-300) ** 2, spread, 0.0)
    return 1.0 - divide(view.mean((view.sample.truth - view.sample.prediction) ** 2), spread)


def median_absolute_error(view: View) -> Array:
    """Error that half of the rows stay below, in the unit of the target."""
    errors = np.abs(view.sample.truth - view.sample.prediction)
    order = np.argsort(errors, kind="stable")
    errors = errors[order]
    share = np.cumsum(view.weights[:, order], axis=1)
    half = share[:, -1:] / 2
    low = np.minimum((share < half).sum(axis=1), len(errors) - 1)
    high = np.minimum((share <= half).sum(axis=1), len(errors) - 1)
    middle: Array = (errors[low] + errors[high]) / 2
    return middle


def mape(view: View) -> Array:
    """Mean absolute error relative to the truth; not defined where a truth is zero."""
    truth = view.sample.truth
    if not np.all(truth):
        return np.full(len(view.weights), np.nan)
    return view.mean(np.abs((truth - view.sample.prediction) / truth))


def _spec(
    function: Callable[[View], Array], needs: Literal["probability", "label", "value"], **more: object
) -> MetricSpec:
    kind: Literal["classification", "regression"] = "regression" if needs == "value" else "classification"
    return MetricSpec(name=function.__name__, kind=kind, needs=needs, function=function, **more)  # type: ignore[arg-type]


_ALL = (
    _spec(accuracy, "label", higher_is_better=True, bounded=True),
    _spec(balanced_accuracy, "label", higher_is_better=True, bounded=True),
    _spec(precision, "label", higher_is_better=True, bounded=True),
    _spec(recall, "label", higher_is_better=True, bounded=True),
    _spec(f1, "label", higher_is_better=True, bounded=True),
    _spec(f1_macro, "label", higher_is_better=True, bounded=True),
    _spec(roc_auc, "probability", higher_is_better=True, bounded=True),
    _spec(pr_auc, "probability", higher_is_better=True, bounded=True),
    _spec(log_loss, "probability", higher_is_better=False),
    _spec(brier, "probability", higher_is_better=False),
    _spec(calibration_error, "probability", higher_is_better=False, bounded=True, interval="basic"),
    _spec(rmse, "value", higher_is_better=False),
    _spec(mae, "value", higher_is_better=False),
    _spec(r2, "value", higher_is_better=True),
    _spec(median_absolute_error, "value", higher_is_better=False),
    _spec(mape, "value", higher_is_better=False),
)
METRICS: dict[str, MetricSpec] = {spec.name: spec for spec in _ALL}
"""Every metric by name, in the order in which they are shown."""
