from __future__ import annotations

import numpy as np
import pytest

from palio import measure
from palio.core.errors import InputError
from palio.core.records import Task
from palio.measure import Answers

N_TRIALS = 200


@pytest.mark.parametrize(
    ("kind", "n_rows"), [("two", 400), pytest.param("three", 400, marks=pytest.mark.slow), ("numbers", 200)]
)
def test_the_interval_holds_the_truth_in_88_to_99_percent_of_trials(draw, kind, n_rows):
    truth = measure.score(*draw[kind](10**6, 400_000).all)
    held = dict.fromkeys(truth, 0)
    for trial in range(N_TRIALS):
        got = measure.score_with_intervals(*draw[kind](trial, n_rows).all, seed=trial, n_resamples=300)
        for name, metric in got.items():
            held[name] += metric.low <= truth[name] <= metric.high
    shares = {name: count / N_TRIALS for name, count in held.items()}
    assert all(0.88 <= share <= 0.99 for share in shares.values()), shares


def test_more_rows_narrow_the_interval_by_the_root(draw):
    small = measure.score_with_intervals(*draw["two"](1, 1000).all)
    large = measure.score_with_intervals(*draw["two"](1, 16_000).all)
    for name in ("accuracy", "roc_auc", "log_loss", "f1"):
        ratio = (small[name].high - small[name].low) / (large[name].high - large[name].low)
        assert 3.2 < ratio < 5.0, name


def test_too_many_rows_are_subsampled_and_the_width_corrected(draw):
    a = draw["two"](1, 8000)
    whole = measure.score_with_intervals(*a.all)
    part = measure.score_with_intervals(*a.all, max_rows=2000)
    for name in ("roc_auc", "log_loss", "f1", "pr_auc"):
        assert part[name].value == whole[name].value
        ratio = (part[name].high - part[name].low) / (whole[name].high - whole[name].low)
        assert 0.8 < ratio < 1.25, name


def test_equal_seeds_give_equal_intervals_and_blocks_do_not_matter(draw):
    from palio.measure import intervals

    a = draw["three"](1, 300)
    first = measure.score_with_intervals(*a.all, seed=3, n_resamples=200)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "_BLOCK_CELLS", 301)
        second = measure.score_with_intervals(*a.all, seed=3, n_resamples=200)
    assert {n: m.value for n, m in first.items()} == {n: m.value for n, m in second.items()}
    for name in first:
        assert first[name].low == pytest.approx(second[name].low, abs=1e-12)
        assert first[name].high == pytest.approx(second[name].high, abs=1e-12)


def test_a_perfect_answer_is_not_taken_for_certain(draw):
    a = draw["two"](1, 60)
    sure = np.eye(2)[a.truth]
    got = measure.score_with_intervals(a.task, a.truth, Answers(a.truth, sure))
    n_positive = int(a.truth.sum())
    for name in ("accuracy", "balanced_accuracy", "f1", "roc_auc", "pr_auc", "recall", "precision"):
        assert got[name].value == got[name].high == 1.0
        assert got[name].low == pytest.approx(measure.wilson(n_positive, n_positive)[0]) or name == "accuracy"
        assert got[name].low < 0.97


def test_every_metric_lies_inside_its_interval_and_its_range(draw):
    for kind in ("two", "three", "numbers"):
        for n_rows in (2, 3, 5, 30):
            for seed in range(8):
                got = measure.score_with_intervals(*draw[kind](seed, n_rows).all, n_resamples=50)
                for name, metric in got.items():
                    assert metric.low <= metric.value <= metric.high, name
                    assert np.isfinite([metric.low, metric.high]).all(), name
                    if measure.METRICS[name].bounded:
                        assert metric.low >= 0 and metric.high <= 1 + 1e-12, name


def test_wilson_matches_published_figures():
    # Newcombe 1998, Statistics in Medicine 17, table I: 81/263, 15/148, 0/20, 1/29.
    for hits, n, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        assert measure.wilson(hits, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_refuses_what_is_no_proportion():
    with pytest.raises(InputError):
        measure.wilson(3, 2)
    assert measure.wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_ranking_by_one_answer_for_all_rows_is_known_exactly(n_classes):
    task = Task(kind="classification", target="y", classes=tuple("abc"[:n_classes]))
    truth = np.arange(60) % n_classes
    shares = np.tile(np.bincount(truth) / len(truth), (len(truth), 1))
    got = measure.score_with_intervals(task, truth, Answers(np.zeros(len(truth), int), shares))
    for name, value in (("roc_auc", 0.5), ("balanced_accuracy", 1 / n_classes)):
        assert (got[name].low, got[name].value, got[name].high) == pytest.approx((value, value, value)), name
    assert got["accuracy"].low < got["accuracy"].value < got["accuracy"].high


def test_a_perfect_ranking_is_not_known_exactly():
    task = Task(kind="classification", target="y", classes=("a", "b"))
    truth = np.arange(60) % 2
    got = measure.score_with_intervals(task, truth, Answers(truth, np.stack([1.0 - truth, truth], axis=1)))
    assert got["roc_auc"].high == 1.0
    assert got["roc_auc"].low < 0.95
