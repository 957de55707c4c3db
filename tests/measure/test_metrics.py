"""scikit-learn is the judge of every metric."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from palio import measure
from palio.core.records import Task
from palio.measure import Answers


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
    even = measure.score(a.task, a.truth[1:], a.answers.take(slice(1, None)))["median_absolute_error"]
    assert even == pytest.approx(sk.median_absolute_error(a.truth[1:], a.prediction[1:]))


@pytest.mark.parametrize("kind", ["two", "three", "numbers"])
def test_a_weight_of_two_is_the_same_as_the_row_twice(draw, kind):
    a = draw[kind](4, 300)
    weights = np.random.default_rng(0).integers(0, 4, 300)
    rows = np.repeat(np.arange(300), weights)
    sample = measure.questions.of(a.task).sample(a.truth, a.answers)
    for spec in measure.METRICS.values():
        if spec.kind != a.task.kind or spec.name in ("calibration_error", "huber"):  # the plain sample fixes their bins
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
    honest = measure.score(task, truth, Answers(truth, np.stack([1 - p, p], axis=1)))["calibration_error"]
    shifted = np.clip(p + 0.1, 0, 1)
    boaster = measure.score(task, truth, Answers(truth, np.stack([1 - shifted, shifted], axis=1)))["calibration_error"]
    assert honest < 0.005
    assert boaster == pytest.approx(0.0955, abs=0.005)


def test_the_named_positive_class_counts_even_when_it_comes_first(draw):
    a = draw["two"](6, 500)
    flipped = Task(kind="classification", target="y", classes=("no", "yes"), positive="no")
    got = measure.score(flipped, a.truth, a.answers)
    assert got["recall"] == pytest.approx(sk.recall_score(a.truth, a.prediction, pos_label=0))
    assert got["pr_auc"] == pytest.approx(sk.average_precision_score(a.truth == 0, a.probabilities[:, 0]))


def named(metric: str) -> Task:
    return Task(kind="regression", target="y", metric=metric)


def test_metrics_of_objectives_agree_with_scikit_learn(draw):
    a = draw["numbers"](3, 2001)
    for metric, level in (("pinball_10", 0.1), ("pinball_90", 0.9)):
        wanted = sk.mean_pinball_loss(a.truth, a.prediction, alpha=level)
        assert measure.score(named(metric), a.truth, a.answers)[metric] == pytest.approx(wanted)
    counts, rates = np.floor(np.abs(a.truth - 8)), np.abs(a.prediction)
    assert (counts == 0).any()
    got = measure.score(named("poisson_deviance"), counts, Answers(rates))["poisson_deviance"]
    assert got == pytest.approx(sk.mean_poisson_deviance(counts, rates))


def test_a_forecast_of_a_quantile_is_best_by_its_own_pinball_loss():
    truth = np.random.default_rng(0).exponential(size=5000)
    for metric, level in (("pinball_10", 0.1), ("pinball_90", 0.9)):
        losses = [
            measure.score(named(metric), truth, Answers(np.full(5000, np.quantile(truth, q))))[metric]
            for q in (0.05, 0.1, 0.5, 0.9, 0.95)
        ]
        assert int(np.argmin(losses)) == {0.1: 1, 0.9: 3}[level]


def test_counts_below_zero_have_no_deviance_and_a_rate_of_zero_is_punished_not_passed_over():
    task, ones = named("poisson_deviance"), np.ones(3)
    assert "poisson_deviance" not in measure.score(task, np.array([-1.0, 1, 2]), Answers(ones))
    for impossible in (0.0, -3.0):
        found = measure.score(task, ones, Answers(np.array([impossible, 1, 1])))["poisson_deviance"]
        assert found == pytest.approx(2 * (-np.log(1e-9) - 1) / 3, rel=1e-6)
    assert measure.score(task, ones, Answers(ones))["poisson_deviance"] == 0.0


def test_the_huber_loss_is_the_square_of_small_errors_and_a_line_of_large_ones():
    truth = np.random.default_rng(1).normal(size=4001)
    width = measure.questions.of(named("huber")).sample(truth, Answers(truth)).huber_width
    assert width == pytest.approx(1.345, abs=0.1)
    for off, wanted in ((0.0, 0.0), (width / 2, width / 8), (width, width / 2), (9 * width, 8.5 * width)):
        assert measure.score(named("huber"), truth, Answers(truth + off))["huber"] == pytest.approx(wanted)
    scaled = measure.score(named("huber"), 100 * truth, Answers(100 * truth + 50))["huber"]
    assert scaled == pytest.approx(100 * measure.score(named("huber"), truth, Answers(truth + 0.5))["huber"])


def test_a_metric_of_an_objective_is_computed_where_it_is_asked_for(draw):
    a = draw["numbers"](3, 200)
    always = set(measure.score(*a.all))
    assert "huber" not in always and "huber" in measure.METRICS
    assert set(measure.score(named("huber"), a.truth, a.answers)) == always | {"huber"}
    assert set(measure.score_with_intervals(named("huber"), a.truth, a.answers, n_resamples=50)) == always | {"huber"}


def test_every_metric_has_words_and_a_direction():
    for name, spec in measure.METRICS.items():
        assert spec.name == name and spec.title and spec.meaning
        assert spec.function.__doc__
        assert not (spec.bounded and spec.in_unit)
