"""scikit-learn is the judge of every metric."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from palio import measure
from palio.core.records import Task


@pytest.mark.parametrize("decimals", [6, 1])
def test_two_class_metrics_agree_with_scikit_learn_also_with_ties(draw, decimals):
    a = draw["two"](1, 4000, decimals=decimals)
    got = measure.score(*a.all)
    y, label, p = a.truth, a.prediction, a.probabilities[:, 1]
    wanted = {
        "accuracy": sk.accuracy_score(y, label),
        "balanced_accuracy": sk.balanced_accuracy_score(y, label),
        "precision": sk.precision_score(y, label),
        "recall": sk.recall_score(y, label),
        "f1": sk.f1_score(y, label),
        "f1_macro": sk.f1_score(y, label, average="macro"),
        "roc_auc": sk.roc_auc_score(y, p),
        "pr_auc": sk.average_precision_score(y, p),
        "log_loss": sk.log_loss(y, a.probabilities),
        "brier": sk.brier_score_loss(y, p),
    }
    assert set(got) == {*wanted, "calibration_error"}
    assert {name: got[name] for name in wanted} == pytest.approx(wanted, abs=1e-12)


def test_three_class_metrics_agree_with_scikit_learn(draw):
    a = draw["three"](2, 3000)
    got = measure.score(*a.all)
    y, label, p = a.truth, a.prediction, a.probabilities
    onehot = np.eye(3)[y]
    wanted = {
        "accuracy": sk.accuracy_score(y, label),
        "balanced_accuracy": sk.balanced_accuracy_score(y, label),
        "precision": sk.precision_score(y, label, average="macro"),
        "recall": sk.recall_score(y, label, average="macro"),
        "f1": sk.f1_score(y, label, average="macro"),
        "f1_macro": sk.f1_score(y, label, average="macro"),
        "roc_auc": sk.roc_auc_score(y, p, multi_class="ovr"),
        "pr_auc": sk.average_precision_score(onehot, p),
        "log_loss": sk.log_loss(y, p),
        "brier": sk.brier_score_loss(y, p),
    }
    assert {name: got[name] for name in wanted} == pytest.approx(wanted, abs=1e-12)


def test_regression_metrics_agree_with_scikit_learn(draw):
    a = draw["numbers"](3, 2001)
    wanted = {
        "rmse": sk.root_mean_squared_error(a.truth, a.prediction),
        "mae": sk.mean_absolute_error(a.truth, a.prediction),
        "r2": sk.r2_score(a.truth, a.prediction),
        "median_absolute_error": sk.median_absolute_error(a.truth, a.prediction),
        "mape": sk.mean_absolute_percentage_error(a.truth, a.prediction),
    }
    assert measure.score(*a.all) == pytest.approx(wanted, rel=1e-12)
    even = measure.score(a.task, a.truth[1:], a.prediction[1:])["median_absolute_error"]
    assert even == pytest.approx(sk.median_absolute_error(a.truth[1:], a.prediction[1:]))


@pytest.mark.parametrize("kind", ["two", "three", "numbers"])
def test_a_weight_of_two_is_the_same_as_the_row_twice(draw, kind):
    a = draw[kind](4, 300)
    weights = np.random.default_rng(0).integers(0, 4, 300)
    rows = np.repeat(np.arange(300), weights)
    sample = measure.Sample(*a.all)
    for spec in measure.METRICS.values():
        if spec.kind != a.task.kind or spec.name == "calibration_error":  # its bins are fixed by the plain sample
            continue
        from palio.measure.sample import View

        repeated = sample.take(rows)
        plain = spec.function(View(repeated, np.ones((1, len(rows)))))
        assert spec.function(View(sample, weights[None, :].astype(float))) == pytest.approx(plain, rel=1e-9), spec.name


def test_a_forecast_that_means_what_it_says_has_next_to_no_calibration_error():
    rng = np.random.default_rng(5)
    p = rng.random(200_000)
    truth = (rng.random(200_000) < p).astype(np.int64)
    task = Task(kind="classification", target="y", classes=("0", "1"))
    honest = measure.score(task, truth, truth, np.stack([1 - p, p], axis=1))["calibration_error"]
    shifted = np.clip(p + 0.1, 0, 1)
    boaster = measure.score(task, truth, truth, np.stack([1 - shifted, shifted], axis=1))["calibration_error"]
    assert honest < 0.005
    assert boaster == pytest.approx(0.0955, abs=0.005)


def test_the_named_positive_class_counts_even_when_it_comes_first(draw):
    a = draw["two"](6, 500)
    flipped = Task(kind="classification", target="y", classes=("no", "yes"), positive="no")
    got = measure.score(flipped, a.truth, a.prediction, a.probabilities)
    assert got["recall"] == pytest.approx(sk.recall_score(a.truth, a.prediction, pos_label=0))
    assert got["pr_auc"] == pytest.approx(sk.average_precision_score(a.truth == 0, a.probabilities[:, 0]))
