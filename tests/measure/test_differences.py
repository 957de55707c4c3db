from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from palio import measure
from palio.core.errors import InputError
from palio.measure.differences import mcnemar


def test_equal_answers_differ_by_nothing_for_certain(draw):
    a = draw["two"](1, 500)
    for metric, better in measure.paired(a.task, a.truth, a.answers, a.answers, seed=0, n_resamples=200).values():
        assert (metric.value, metric.low, metric.high, better) == (0.0, 0.0, 0.0, 0.5)


def test_positive_is_better_whatever_the_metric(draw):
    worse, better = draw["two"](1, 3000, noise=2.0), draw["two"](1, 3000, noise=0.3)
    assert (worse.truth == better.truth).all()
    for name, (metric, share) in measure.paired(worse.task, worse.truth, worse.answers, better.answers, seed=0).items():
        assert metric.low > 0 and share > 0.99, name
    for name, (metric, share) in measure.paired(worse.task, worse.truth, better.answers, worse.answers, seed=0).items():
        assert metric.high < 0 and share < 0.01, name


def test_pairing_is_sharper_than_comparing_two_intervals(draw):
    a = draw["numbers"](1, 1000)
    b = type(a)(a.task, a.truth, a.prediction + np.random.default_rng(1).normal(0, 0.1, 1000))
    metric, _ = measure.paired(a.task, a.truth, a.answers, b.answers, seed=0)["mae"]
    alone = measure.score_with_intervals(*a.all)["mae"]
    assert metric.high - metric.low < (alone.high - alone.low) / 3


@pytest.mark.slow
def test_the_interval_of_the_difference_holds_the_truth_in_88_to_99_percent_of_trials(draw):
    def pair(seed, n):
        a = draw["two"](seed, n, noise=1.2)
        own = np.random.default_rng(seed + 7).normal(0, 1.5, n)
        p = 1 / (1 + np.exp(-np.log(a.probabilities[:, 1] + 1e-9) + np.log(a.probabilities[:, 0] + 1e-9) - own))
        return a, type(a)(a.task, a.truth, (p > 0.5).astype(int), np.stack([1 - p, p], axis=1))

    a, b = pair(10**6, 400_000)
    one, two = measure.score(*a.all), measure.score(*b.all)
    held = dict.fromkeys(("accuracy", "f1", "roc_auc", "pr_auc", "log_loss", "brier"), 0)
    for trial in range(200):
        a, b = pair(trial, 300)
        got = measure.paired(a.task, a.truth, a.answers, b.answers, seed=trial, n_resamples=300, names=tuple(held))
        for name in held:
            sign = 1 if measure.higher_is_better(name) else -1
            held[name] += got[name][0].low <= sign * (two[name] - one[name]) <= got[name][0].high
    assert all(0.88 <= count / 200 <= 0.99 for count in held.values()), held


@pytest.mark.slow
def test_differences_that_few_rows_make_are_not_taken_for_sure(draw):
    def pair(seed, n):
        a = draw["two"](seed, n, noise=1.2)
        rng = np.random.default_rng(seed + 7)
        odds = np.log(a.probabilities[:, 1] + 1e-9) - np.log(a.probabilities[:, 0] + 1e-9)
        p = 1 / (1 + np.exp(-odds - np.where(rng.random(n) < 0.1, rng.normal(0, 1.5, n), 0.0)))
        return a, type(a)(a.task, a.truth, (p > 0.5).astype(int), np.stack([1 - p, p], axis=1))

    names = ("accuracy", "roc_auc", "log_loss", "brier")
    a, b = pair(10**6, 400_000)
    one, two = measure.score(*a.all), measure.score(*b.all)
    held = dict.fromkeys(names, 0)
    for trial in range(200):
        a, b = pair(trial, 150)
        got = measure.paired(a.task, a.truth, a.answers, b.answers, seed=trial, n_resamples=300, names=names)
        for name in held:
            sign = 1 if measure.higher_is_better(name) else -1
            held[name] += got[name][0].low <= sign * (two[name] - one[name]) <= got[name][0].high
    assert held.pop("accuracy") >= 0.88 * 200  # four labels that differ are a coarse count: up to 100
    assert all(0.88 <= count / 200 <= 0.99 for count in held.values()), held


def test_the_same_mistakes_with_other_forecasts_leave_room_for_doubt(draw):
    a = draw["two"](1, 100)
    b = type(a)(a.task, a.truth, a.prediction, np.roll(a.probabilities, 1, axis=0))
    metric, better = measure.paired(a.task, a.truth, a.answers, b.answers, seed=0)["accuracy"]
    assert metric.value == 0 and metric.low < 0 < metric.high and better == 0.5


def test_models_that_answered_other_rows_are_refused(draw):
    with pytest.raises(InputError, match="100 and 99 rows"):
        a = draw["two"](1, 100)
        measure.paired(a.task, a.truth, a.answers, draw["two"](1, 99).answers, seed=0)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (5, 5), (1, 9), (300, 351), (4000, 4400)])
def test_mcnemar_is_the_exact_binomial_test(b, c):
    first = np.r_[np.ones(b), np.zeros(c), np.ones(10)].astype(bool)
    second = np.r_[np.zeros(b), np.ones(c), np.ones(10)].astype(bool)
    wanted = binomtest(b, b + c).pvalue if b + c else 1.0
    assert mcnemar(first, second) == pytest.approx(wanted, rel=1e-9)
