import numpy as np
import pytest

from palio.monitor.quality.outcomes import (
    judge_classes,
    judge_labels,
    judge_outcomes,
    label_delay_s,
    outcomes_of,
    standards_from,
)
from palio.monitor.quality.standards import margin_of, standards_of
from tests.monitor.estimating import NUMBER, THREE, TWO, numbers, part, real, two_classes, window

NOW = np.datetime64("2026-06-01T00:00:00", "us")


def test_metrics_are_those_of_the_labelled_rows():
    rng = np.random.default_rng(0)
    rows, standards = two_classes(rng, 1000), standards_of(TWO, two_classes(rng, 4000))
    some = rng.random(1000) < 0.5
    given = rows | {"truth": np.where(some, rows["truth"], "")}
    found = {one.metric: one for one in outcomes_of(TWO, given, standards)}
    was = real(TWO, part(rows, some))
    assert {name: one.value.value for name, one in found.items()} == pytest.approx({name: was[name] for name in found})
    assert found["roc_auc"].reference == standards["roc_auc"].value.value
    assert found["roc_auc"].value.n_rows == some.sum()


def test_numbers_are_read_from_the_labels_as_they_are_joined():
    rng = np.random.default_rng(1)
    rows, standards = numbers(rng, 500), standards_of(NUMBER, numbers(rng, 2000))
    joined = rows | {"truth": np.full(500, "", object), "truth_number": rows["truth"]}
    found = {one.metric: one.value.value for one in outcomes_of(NUMBER, joined, standards)}
    assert found["mae"] == pytest.approx(real(NUMBER, rows)["mae"])


def test_few_labels_and_none_say_nothing():
    rng = np.random.default_rng(2)
    standards = standards_of(TWO, two_classes(rng, 1000))
    assert outcomes_of(TWO, two_classes(rng, 20), standards) == ()
    assert outcomes_of(TWO, {}, standards) == ()


def test_a_turned_concept_is_found_by_labels():
    rng = np.random.default_rng(3)
    standards = standards_of(TWO, two_classes(rng, 5000))
    for turned, kinds in ((True, {"quality"}), (False, set())):
        outcomes = outcomes_of(TWO, two_classes(rng, 2000, turned=turned), standards)
        found = judge_outcomes(window(), outcomes, standards, TWO)
        assert {one.kind for one in found} == kinds
        assert all(one.severity == "page" and ", expected " in one.reason for one in found)


def test_metrics_of_the_bundle_are_standards_where_rows_are_not_at_hand():
    rng = np.random.default_rng(4)
    full = standards_of(TWO, two_classes(rng, 5000))
    standards = standards_from({name: one.value for name, one in full.items()})
    outcomes = outcomes_of(TWO, two_classes(rng, 2000, turned=True), standards)
    assert judge_outcomes(window(), outcomes, standards, TWO)


def test_what_moves_by_itself_is_no_finding():
    rng = np.random.default_rng(5)
    blocks = [two_classes(rng, 800, turned=bool(i % 2)) for i in range(8)]
    rows = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    still = standards_of(TWO, rows)
    moving = standards_of(TWO, rows | {"block": np.repeat(np.arange(8), 800)})
    assert moving["accuracy"].spread > 0.05
    outcomes = outcomes_of(TWO, blocks[1], still)
    assert judge_outcomes(window(), outcomes, still, TWO)
    assert not judge_outcomes(window(), outcomes, moving, TWO)


def test_the_margin_is_a_share_of_what_can_be_lost():
    assert margin_of("roc_auc", 0.6) == 0.01
    assert margin_of("roc_auc", 0.99) == pytest.approx(0.001)
    assert margin_of("rmse", 40.0) == pytest.approx(2.0)


def test_young_rows_do_not_make_labels_look_quick():
    rng = np.random.default_rng(6)
    day = 86_400e6
    answered = NOW - (rng.random(20_000) * 30 * day).astype("timedelta64[us]")
    delay = rng.exponential(5 * day, 20_000)
    received = answered + delay.astype("timedelta64[us]")
    come = received < NOW
    days = label_delay_s(answered[come], received[come], NOW) / 86_400
    plain = np.quantile(delay[come], 0.9) / day
    assert days == pytest.approx(5 * np.log(10), rel=0.07)
    assert abs(days - 5 * np.log(10)) < abs(plain - 5 * np.log(10))


def test_nine_of_ten_labels_are_counted():
    answered = np.full(10, NOW - np.timedelta64(1, "D"))
    received = answered + np.arange(1, 11).astype("timedelta64[m]").astype("timedelta64[us]")
    assert label_delay_s(answered, received, NOW) == 540.0
    assert label_delay_s(answered, received, NOW, share=0.5) == 300.0
    assert label_delay_s(answered[:0], received[:0], NOW) is None


def test_labels_for_one_kind_of_answer_are_selective_and_random_ones_are_not():
    rng = np.random.default_rng(7)
    rows = two_classes(rng, 3000)
    by_answer = rng.random(3000) < np.where(rows["prediction"] == "yes", 0.9, 0.2)
    found = judge_labels(window(), rows | {"known": by_answer}, TWO)
    assert [one.kind for one in found] == ["selective_labels"]
    alarms = sum(bool(judge_labels(window(), rows | {"known": rng.random(3000) < 0.4}, TWO)) for _ in range(200))
    assert alarms <= 1
    assert judge_labels(window(), rows | {"known": np.ones(3000, bool)}, TWO) == ()


def test_labels_that_the_model_does_not_know_are_found_and_slips_are_not():
    counts = {"a": 400, "b": 400, "c": 200}
    labels = np.array(["a"] * 500 + ["b"] * 400 + ["c"] * 80 + ["d"] * 20 + ["e"] * 3 + [""] * 100, object)
    found = judge_classes(window(), {"truth": labels}, THREE, counts)
    assert [(one.kind, one.subject) for one in found] == [("classes", "d")]
    assert found[0].effect == pytest.approx(20 / 1003)


def test_a_class_that_no_longer_comes_is_found_when_labels_are_enough_to_say_so():
    counts = {"a": 450, "b": 450, "c": 100}
    for n_labels, subjects in ((20, []), (500, ["c"])):
        labels = np.array(["a", "b"] * (n_labels // 2), object)
        assert [one.subject for one in judge_classes(window(), {"truth": labels}, THREE, counts)] == subjects


def test_figures_are_of_what_was_answered_where_the_threshold_is_not_a_half():
    rows = two_classes(np.random.default_rng(5), 2000)
    low = {**rows, "prediction": np.where(rows["probability_yes"] > 0.2, "yes", "no").astype(object)}
    figures = {one.metric: one.value.value for one in outcomes_of(TWO, low, standards_of(TWO, low))}
    wanted = real(TWO, low)
    assert figures["accuracy"] == wanted["accuracy"] == np.mean(low["prediction"] == low["truth"])
    assert figures["recall"] > real(TWO, rows)["recall"]
