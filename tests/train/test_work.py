from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from palio import measure, model
from palio.core.errors import InputError
from palio.core.records import Task
from palio.testing.family import TASKS, examples_of
from palio.train.family import Family
from palio.train.lessons import Lesson
from palio.train.orders import Order, Outcome
from palio.train.pace import Pace
from palio.train.table import load_family
from palio.train.work import (
    best_round,
    best_round_elsewhere,
    carry_out,
    checked_rows,
    line_of,
    n_hard,
    numbers_of,
    score_numbers,
    thinned,
)
from tests.train import odd_families as odd
from tests.train.small_parts import lesson_of

LESSON = lesson_of(examples_of(TASKS["two classes"]))
BOOSTED = {"n_estimators": 40, "num_leaves": 7}


def done(family: Family, params: dict[str, Any] | None = None, **changes: Any) -> Outcome:
    settings = dict(family.defaults(LESSON.take("learn 0").shape, LESSON.examples.task)[0]) | (params or {})
    asked: dict[str, Any] = {"number": 4, "family": family.name, "params": settings, "seed": 0, "folds": (0, 1, 2)}
    return carry_out(Order(**asked | {"metrics": ("log_loss", "f1_macro")} | changes), family, LESSON, Pace())


def test_the_best_round_is_that_of_the_mean_curve() -> None:
    assert best_round([np.array([3.0, 1.0, 2.0]), np.array([3.0, 2.5, 1.0])]) == 3
    assert best_round([np.array([1.0])]) == 1


def test_a_curve_that_stopped_early_goes_on_as_it_ended() -> None:
    assert best_round([np.array([3.0, 2.0]), np.array([3.0, 2.0, 1.5, 1.6])]) == 3


def test_each_fold_is_scored_at_the_round_that_suits_the_others_best() -> None:
    found = done(load_family("lightgbm"), BOOSTED)
    assert found.status == "done" and found.rounds == best_round(found.curves)
    for fold, answers, score in zip((0, 1, 2), found.answers, found.scores, strict=True):
        truth = LESSON.take(f"score {fold}").target
        assert score_numbers(LESSON.examples.task, truth, answers)["log_loss"] == pytest.approx(score)
        best = best_round([curve for other, curve in enumerate(found.curves) if other != fold])
        assert score == pytest.approx(found.curves[fold][min(best, len(found.curves[fold])) - 1], rel=1e-6)


def test_a_fold_that_scores_the_same_rows_has_no_say_in_the_round() -> None:
    rows = {"score 0": np.arange(3), "score 1": np.arange(3, 6), "score 2": np.arange(2, 5)}
    lesson = Lesson(LESSON.examples, rows)
    curves = {0: np.array([1.0, 2.0, 3.0]), 1: np.array([2.0, 1.0, 3.0]), 2: np.array([3.0, 2.0, 1.0])}
    assert best_round_elsewhere(curves, 0, lesson) == 2
    assert best_round_elsewhere(curves, 1, lesson) == 1
    assert best_round_elsewhere(curves, 2, lesson) == 3  # every other fold shares rows with it
    assert best_round_elsewhere({0: curves[0]}, 0, lesson) == 1


def test_later_folds_take_those_that_were_done_into_account() -> None:
    whole = done(load_family("lightgbm"), BOOSTED)
    first = done(load_family("lightgbm"), BOOSTED, folds=(0,))
    others = done(load_family("lightgbm"), BOOSTED, folds=(1, 2), curves=dict(enumerate(first.curves)))
    assert others.rounds == whole.rounds
    assert others.scores == whole.scores[1:]


def test_rounds_that_there_was_no_time_for_are_left_out_again() -> None:
    whole = done(load_family("lightgbm"), BOOSTED)
    cut = done(load_family("lightgbm"), BOOSTED, lengths=(3, 5, 2))
    assert [len(curve) for curve in cut.curves] == [3, 5, 2]
    assert cut.rounds <= 5 and cut.is_short and cut.lengths == (3, 5, 2)
    np.testing.assert_array_equal(cut.curves[1], whole.curves[1][:5])
    assert cut.scores[2] == pytest.approx(whole.curves[2][1], rel=1e-6)


@pytest.mark.parametrize(
    ("family", "reason"),
    [
        (odd.Broken(), "ZeroDivisionError: the author forgot"),
        (odd.Refusing(), "no such thing"),
        (odd.Starved(), "there was not enough memory (MemoryError: no 3 GB)"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_goes_wrong_is_told_in_one_line(family: Family, reason: str) -> None:
    found = done(family)
    assert (found.number, found.status, found.reason) == (4, "failed", reason)


def test_a_fit_that_is_over_its_limit_is_late() -> None:
    found = done(odd.Slow(), limit_s=-1.0)
    assert found.status == "late" and found.reason


def test_a_graph_is_made_where_it_is_wanted_and_checked() -> None:
    found = done(load_family("linear"), wants_graph=True)
    assert found.cost is not None and found.cost.latency_ms_p50 > 0
    assert len(found.parity) == 2 and all(one.passed for one in found.parity)
    assert found.seen["log_loss"] > 0
    scored = LESSON.take("score 2")
    np.testing.assert_allclose(numbers_of(model.Graph(found.graph).predict(scored.feeds())), found.answers[2])


def test_an_order_without_folds_learns_from_everything() -> None:
    found = done(load_family("linear"), folds=())
    rows = checked_rows(LESSON.examples)
    assert found.checked is not None
    np.testing.assert_allclose(numbers_of(model.Graph(found.graph).predict(rows.feeds())), found.checked)


def test_the_rows_that_a_network_is_checked_on_are_fewer_and_among_those_of_all() -> None:
    class Taught:
        def under(self, teaching: Any) -> Any:
            return self

    examples = examples_of(TASKS["two classes"], n_rows=4_000)
    light, slow = [load_family("linear")], [load_family("linear"), Taught()]
    every, some = checked_rows(examples, light), checked_rows(examples, slow)  # type: ignore[arg-type]
    assert (len(every.target), len(some.target)) == (3_000, 1_000)
    np.testing.assert_array_equal(some.target, every.target[-1_000:])
    assert n_hard(slow) < n_hard(light)  # type: ignore[arg-type]


def test_a_metric_that_is_undefined_on_a_fold_has_no_score_there() -> None:
    found = done(load_family("linear"), metrics=("roc_auc", "f1_macro"), n_blocks=133)
    assert np.isnan(found.scores).any()  # blocks of one row hold one class
    assert found.status == "done"


def test_few_rows_of_many_are_evenly_spaced() -> None:
    assert thinned(10, 4).tolist() == [0, 3, 6, 9]
    assert thinned(3, 10).tolist() == [0, 1, 2]


def test_an_error_is_told_in_one_line() -> None:
    assert line_of(ValueError("first\nsecond")) == "ValueError: first"
    assert line_of(ValueError()) == "ValueError"
    assert line_of(InputError("what is wrong")) == "what is wrong"


def test_scores_are_those_of_the_metrics() -> None:
    task, truth = LESSON.examples.task, np.array([0, 1, 1])
    shares = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]])
    answers = measure.Answers(shares.argmax(axis=1), shares)
    assert score_numbers(task, truth, shares) == measure.score(task, truth, answers)
    said = np.array([1, 1, 1])
    assert score_numbers(task, truth, shares, said=said) == measure.score(task, truth, measure.Answers(said, shares))


def test_boxes_are_counted_from_where_that_is_best_while_no_threshold_is_chosen() -> None:
    task = Task(kind="detection", target="things", classes=("cat",))
    truth = measure.questions.of(task).truth(['[{"label":"cat","box":[0,0,9,9]}]'])
    numbers = np.array([[[0, 0, 9, 9, 0.8, 0], [30, 30, 40, 40, 0.02, 0]]], float)
    for names in (None, ("box_f1", "ap")):
        assert score_numbers(task, truth, numbers, names=names)["box_f1"] == 1.0
    low = msgspec.structs.replace(task, threshold=0.01)
    assert score_numbers(low, truth, numbers)["false_alarms"] == 1.0
