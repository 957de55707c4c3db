"""The metrics: one function each, over weighted rows; a table tells what each needs and which way is better."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from palio.measure.boxes import scores as boxes
from palio.measure.sample import N_BINS, Array, View, divide
from palio.measure.specs import MetricSpec as MetricSpec
from palio.measure.specs import Needs

RAREST = 1e-9
"""What a count that was said to be impossible is taken for."""

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
    """Mean distance of forecast and frequency over bins of equal mass (of the predicted class above two classes).

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


def huber(view: View) -> Array:
    """Mean squared error of small errors and absolute error of large ones, in the unit of the target.

    Errors are small up to `Sample.huber_width`; beyond it the loss goes on as a line, and is less than the absolute
    error. Compare it on the same rows only: the width is that of their truth.

    Source: Huber 1964, Annals of Mathematical Statistics 35(1), divided by the width.
    """
    errors, width = np.abs(view.sample.truth - view.sample.prediction), view.sample.huber_width
    return view.mean(np.where(errors <= width, errors**2 / (2 * width), errors - width / 2))


def pinball_10(view: View) -> Array:
    """Loss of a forecast that one truth in ten is to be below, in the unit of the target. See `pinball_90`."""
    return _pinball(view, 0.1)


def pinball_90(view: View) -> Array:
    """Loss of a forecast that nine truths in ten are to be below: too low costs .9 per unit of error, too high .1.

    Source: Koenker & Bassett 1978, Econometrica 46(1).
    """
    return _pinball(view, 0.9)


def _pinball(view: View, level: float) -> Array:
    above = view.sample.truth - view.sample.prediction
    return view.mean(np.maximum(level * above, (level - 1) * above))


def poisson_deviance(view: View) -> Array:
    """Mean deviance of counts; 0 is perfect. Not defined where a truth is below zero.

    A prediction of no more than 0 counts as `RAREST`, as a probability of 0 does: it is punished, and not without end.

    Source: McCullagh & Nelder 1989, Generalized Linear Models, section 2.3.
    """
    truth, said = view.sample.truth, np.maximum(view.sample.prediction, RAREST)
    if truth.min() < 0:
        return np.full(len(view.weights), np.nan)
    ratio = np.where(truth > 0, truth, said) / said
    return view.mean(2 * (truth * np.log(ratio) - (truth - said)))


def _spec(function: Callable[[View], Array], needs: Needs, title: str, meaning: str, **more: Any) -> MetricSpec:
    kind: Literal["classification", "regression"] = "regression" if needs == "value" else "classification"
    named: dict[str, Any] = {"name": function.__name__, "kind": kind, "needs": needs, "function": function}
    return MetricSpec(title=title, meaning=meaning, **named, **more)


_SHARE: dict[str, Any] = {"bounded": True, "higher_is_better": True}
_LOSS: dict[str, Any] = {"higher_is_better": False}
_ERROR: dict[str, Any] = {"higher_is_better": False, "in_unit": True}
_CALIBRATION: dict[str, Any] = {"higher_is_better": False, "bounded": True, "interval": "basic"}
_ALL = (
    _spec(accuracy, "label", "Right answers", "share of the cases that get the right answer", **_SHARE),
    _spec(
        balanced_accuracy,
        "label",
        "Right answers, each class alike",
        "mean over the classes of the share recognised",
        **_SHARE,
    ),
    _spec(precision, "label", "Precision", "how many of the flagged cases are real", **_SHARE),
    _spec(recall, "label", "Recall", "how many of the real cases are found", **_SHARE),
    _spec(f1, "label", "F1", "balance of precision and recall; 1 is perfect", **_SHARE),
    _spec(f1_macro, "label", "F1, each class alike", "mean F1 over the classes; 1 is perfect", **_SHARE),
    _spec(
        roc_auc,
        "probability",
        "Ranking (ROC AUC)",
        "chance that of two cases the right one is ranked first; 0.5 is a coin",
        **_SHARE,
    ),
    _spec(
        pr_auc,
        "probability",
        "Ranking of the rare (PR AUC)",
        "mean precision over all thresholds; a blind pick gets the base rate",
        **_SHARE,
    ),
    _spec(
        log_loss, "probability", "Log loss", "how surprised the probabilities are by the truth; 0 is perfect", **_LOSS
    ),
    _spec(brier, "probability", "Brier score", "mean squared error of the probabilities; 0 is perfect", **_LOSS),
    _spec(
        calibration_error,
        "probability",
        "Calibration error",
        "how far probabilities are from what happens, on average",
        **_CALIBRATION,
    ),
    _spec(rmse, "value", "Typical error, large ones weighted (RMSE)", "root of the mean squared error", **_ERROR),
    _spec(mae, "value", "Average error (MAE)", "mean distance between prediction and truth", **_ERROR),
    _spec(
        r2,
        "value",
        "Explained (R²)",
        "share of the differences between cases that is explained; 1 is perfect",
        higher_is_better=True,
    ),
    _spec(median_absolute_error, "value", "Middle error", "half of the predictions are closer than this", **_ERROR),
    _spec(mape, "value", "Average error in percent (MAPE)", "mean distance relative to the truth", **_LOSS),
    _spec(
        huber,
        "value",
        "Average error, small ones forgiven (Huber)",
        "mean error in which small ones count by their square, large ones as they are",
        always=False,
        **_ERROR,
    ),
    _spec(
        pinball_10,
        "value",
        "Loss of the lower tenth (pinball)",
        "error of a forecast that one case in ten is to be below",
        always=False,
        **_ERROR,
    ),
    _spec(
        pinball_90,
        "value",
        "Loss of the upper tenth (pinball)",
        "error of a forecast that nine cases in ten are to be below",
        always=False,
        **_ERROR,
    ),
    _spec(
        poisson_deviance,
        "value",
        "Deviance of counts (Poisson)",
        "how surprising the counts are; 0 is perfect",
        always=False,
        **_LOSS,
    ),
)
METRICS: dict[str, MetricSpec] = {spec.name: spec for spec in (*_ALL, *boxes.SPECS)}
"""Every metric by name, in the order in which they are shown."""
