import numpy as np
import pytest

from palio.core.errors import InputError
from palio.core.monitoring import Estimate, Outcome
from palio.core.records import Metric, Task
from palio.monitor import Estimator
from palio.monitor.quality.beliefs import N_FOLDS
from palio.monitor.quality.dle import Losses
from palio.monitor.quality.estimates import judge_errors, judge_estimates, with_errors
from tests.monitor.estimating import (
    NUMBER,
    THREE,
    TWO,
    numbers,
    part,
    real,
    three_classes,
    two_classes,
    window,
    without_inputs,
)


def estimated(estimator, rows):
    one = estimator.fresh()
    one.add(rows)
    return {estimate.metric: estimate for estimate in one.finish()}


@pytest.mark.slow
@pytest.mark.parametrize(("task", "make"), [(TWO, two_classes), (THREE, three_classes), (NUMBER, numbers)])
def test_intervals_hold_the_real_figure_as_often_as_they_say(task, make):
    inside = {}
    for seed in range(200):
        rng = np.random.default_rng(seed)
        estimator = Estimator(without_inputs(make(rng, 2000)), task)
        rows = make(rng, 1000)
        figures = real(task, rows)
        for name, one in estimated(estimator, rows).items():
            inside.setdefault(name, []).append(one.value.low <= figures[name] <= one.value.high)
    shares = {name: np.mean(hits) for name, hits in inside.items()}
    assert all(0.88 <= share <= 0.99 for share in shares.values()), shares


@pytest.mark.slow
@pytest.mark.parametrize(("task", "make"), [(TWO, two_classes), (NUMBER, numbers)])
def test_intervals_hold_the_real_figure_where_a_model_sees_the_inputs(task, make):
    inside = {}
    for seed in range(200):
        rng = np.random.default_rng(seed)
        estimator = Estimator(make(rng, 1500), task)
        rows = make(rng, 1500)
        figures = real(task, rows)
        for name, one in estimated(estimator, rows).items():
            inside.setdefault(name, []).append(one.value.low <= figures[name] <= one.value.high)
    shares = {name: np.mean(hits) for name, hits in inside.items()}
    assert all(0.88 <= share <= 0.99 for share in shares.values()), shares


@pytest.mark.parametrize(("task", "make", "metric"), [(TWO, two_classes, "accuracy"), (NUMBER, numbers, "mae")])
def test_estimates_follow_a_shift_of_the_inputs(task, make, metric):
    rng = np.random.default_rng(1)
    estimator, rows = Estimator(make(rng, 8000), task), make(rng, 4000, shift=1.0)
    one, was = estimated(estimator, rows)[metric], real(task, rows)[metric]
    assert abs(one.value.value - was) < 0.5 * abs(one.reference - was)


def test_expected_losses_add_up_to_the_real_ones_out_of_fold():
    """A bound that holds for every row, such as of a square by an absolute error, raises noisy numbers on average."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2_000, 8))
    said = 5 * features[:, 0]
    truth = said + np.exp(0.8 * features[:, 1]) * rng.choice([-1.0, 1.0], 2_000)
    losses = Losses(said, features, [False] * 8, truth, np.arange(2_000) % N_FOLDS)
    assert losses.share == 1.0
    assert losses.error.mean(1) == pytest.approx([0.0, 0.0], abs=1e-9)


def test_batches_and_merged_estimators_tell_the_same_as_one():
    rng = np.random.default_rng(2)
    estimator, rows = Estimator(two_classes(rng, 3000), TWO), two_classes(rng, 2000)
    left, right = estimator.fresh(), estimator.fresh()
    for start in range(0, 1000, 250):
        left.add(part(rows, slice(start, start + 250)))
    right.add(part(rows, slice(1000, None)))
    left.merge(right)
    whole = estimated(estimator, rows)
    for one in left.finish():
        assert one.value.value == pytest.approx(whole[one.metric].value.value, abs=1e-9)
        assert one.value.low == pytest.approx(whole[one.metric].value.low, rel=0.02)


def test_an_estimator_holds_as_much_after_many_rows_as_after_few():
    rng = np.random.default_rng(3)
    estimator = Estimator(without_inputs(two_classes(rng, 2000)), TWO)
    for _ in range(40):
        estimator.add(two_classes(rng, 1000))
    assert estimator.n_rows == 40_000
    assert len(estimator._kept) == 5000


def test_rows_without_inputs_are_estimated_by_their_answer():
    rng = np.random.default_rng(4)
    estimator, rows = Estimator(two_classes(rng, 4000), TWO), two_classes(rng, 2000)
    hidden = {name: np.full(2000, np.nan) if name.startswith("input.") else rows[name] for name in rows}
    plain = Estimator(two_classes(np.random.default_rng(4), 4000), TWO, columns=())
    for given in (hidden, without_inputs(rows)):
        assert estimated(estimator, given)["f1"].value.value == pytest.approx(
            estimated(plain, rows)["f1"].value.value, abs=1e-12
        )


def test_rows_that_cannot_be_read_are_passed_over():
    rng = np.random.default_rng(5)
    estimator, rows = Estimator(two_classes(rng, 1000), TWO).fresh(), two_classes(rng, 100)
    rows["probability_yes"][:10] = np.nan
    rows["prediction"][10:15] = "maybe"
    estimator.add(rows)
    assert estimator.n_rows == 85


def test_labels_alone_give_the_metrics_of_labels():
    rng = np.random.default_rng(6)
    rows = {name: values for name, values in two_classes(rng, 3000).items() if not name.startswith("probability_")}
    found = estimated(Estimator(rows, TWO), rows)
    assert "accuracy" in found
    assert "roc_auc" not in found
    was = np.mean(rows["prediction"] == rows["truth"])
    assert found["accuracy"].value.value == pytest.approx(was, abs=0.01)


def test_a_metric_that_chances_do_not_tell_is_told_by_weights():
    rng = np.random.default_rng(7)
    task = Task(kind="regression", target="y", metric="r2")
    rows = numbers(rng, 4000)
    found = estimated(Estimator(rows, task), numbers(rng, 2000))
    assert found["r2"].method == "weighted"
    assert found["r2"].value.low < real(NUMBER, rows)["r2"] < found["r2"].value.high
    far = estimated(Estimator(rows, task), numbers(rng, 2000, shift=6.0))
    assert "r2" not in far  # next to no row of the reference is like these


def test_weights_follow_a_shift():
    rng = np.random.default_rng(8)
    task = Task(kind="regression", target="y", metric="median_absolute_error")
    reference, rows = numbers(rng, 5000), numbers(rng, 4000, shift=0.8)
    one, was = estimated(Estimator(reference, task), rows)["median_absolute_error"], real(NUMBER, rows)
    assert abs(one.value.value - was[one.metric]) < 0.5 * abs(one.reference - was[one.metric])


def test_too_small_a_reference_says_nothing():
    rng = np.random.default_rng(9)
    assert estimated(Estimator(two_classes(rng, 100), TWO), two_classes(rng, 100)) == {}


def test_no_rows_say_nothing():
    assert Estimator(two_classes(np.random.default_rng(0), 1000), TWO).finish() == ()


def test_a_reference_without_truth_is_refused():
    rows = two_classes(np.random.default_rng(0), 1000)
    del rows["truth"]
    with pytest.raises(InputError, match="no column `truth`"):
        Estimator(rows, TWO)


def test_equal_seeds_give_equal_estimates():
    rows = two_classes(np.random.default_rng(10), 2000)
    assert Estimator(rows, TWO, seed=3).fresh().finish() == ()
    first, second = (estimated(Estimator(rows, TWO, seed=3), rows) for _ in range(2))
    assert first == second


def test_a_shift_into_the_unsure_is_a_finding_and_none_is_not():
    rng = np.random.default_rng(11)
    estimator = Estimator(two_classes(rng, 6000), TWO)
    rows = two_classes(rng, 20_000)
    unsure = part(rows, np.abs(rows["probability_yes"] - 0.5) < 0.3)
    for given, kinds in ((unsure, {"estimated_quality"}), (rows, set())):
        found = judge_estimates(window(), estimated(estimator, given).values(), estimator.standards, TWO)
        assert {one.kind for one in found} == kinds
    one = judge_estimates(window(), estimated(estimator, unsure).values(), estimator.standards, TWO)[0]
    assert one.severity == "page"
    assert one.effect > one.limit


def metric(value, half):
    return Metric(value=value, low=value - half, high=value + half, n_rows=1000)


def test_errors_of_earlier_estimates_are_told_with_the_next():
    def pair(guess, was):
        return (
            (Estimate(metric="accuracy", value=metric(guess, 0.01), reference=0.8, method="cbpe"),),
            (Outcome(metric="accuracy", value=metric(was, 0.01), reference=0.8),),
        )

    newest = pair(0.7, 0.7)[0]
    assert with_errors(newest, [pair(0.8, 0.78), pair(0.8, 0.86)])[0].error == pytest.approx(0.04)
    assert with_errors(newest, [])[0].error is None


def test_an_estimate_that_was_off_is_a_finding():
    guess = Estimate(metric="accuracy", value=metric(0.8, 0.01), reference=0.8, method="cbpe")
    for was, kinds in ((0.79, []), (0.7, ["estimate_off"])):
        outcome = Outcome(metric="accuracy", value=metric(was, 0.01), reference=0.8)
        assert [one.kind for one in judge_errors(window(), [guess], [outcome], TWO)] == kinds
