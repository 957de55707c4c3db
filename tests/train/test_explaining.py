from __future__ import annotations

import math

import msgspec
import pytest

from palio.core import records
from palio.core.records import Gain, LearningCurve, LearningPoint, Run
from palio.train.explaining import Course, course_told, criteria_of, fit_told, next_gain

RUN = Run(
    id="r",
    parts="p",
    family="linear",
    trial=1,
    params={},
    seed=0,
    metric="roc_auc",
    status="done",
    cv_score=0.80,
    n_parameters=10,
    train={"roc_auc": 0.81, "log_loss": 0.4},
)
NETWORK = records.Course(epochs=(), n_epochs=9, n_steps=90, epoch_s=1.0)
NOTHING = (math.nan, math.nan)
RISES = LearningCurve(
    points=tuple(LearningPoint(n_rows=n, score=0.7) for n in (100, 200, 400)),
    gain=0.02,
    error=0.001,
    verdict="rises",
    next_gain=0.01,
)


def course(*gains: tuple[float, float], seconds: float = 60.0, sign: float = 1.0) -> Course:
    return Course(tuple(Gain(seconds=at, score=score, family="f") for at, score in gains), seconds, sign)


def gains(known: Course) -> tuple[float, float]:
    found = known.last_gains()
    assert found is not None
    return found


def test_what_twice_the_time_may_bring_follows_from_what_the_last_doublings_brought() -> None:
    low, high = next_gain(*gains(course((5.0, 0.80), (20.0, 0.84), (50.0, 0.86)))) or NOTHING
    assert 0 < low < high == pytest.approx(0.02)


def test_gains_that_grow_say_nothing_of_where_they_end() -> None:
    (told,) = course_told(course((5.0, 0.0001), (12.0, 0.0002), (50.0, 0.55)), "ap", simplest=0.0)
    assert told.endswith("after 50 of 60 s, and gains were growing: more time is likely to bring more of ap.")
    (told,) = course_told(course((5.0, 0.8), (12.0, 0.8001), (50.0, 0.8003)), "roc_auc", simplest=0.5)
    assert "hardly" in told


def test_an_error_that_falls_is_a_gain() -> None:
    low, high = next_gain(*gains(course((5.0, 1.2), (20.0, 1.1), (50.0, 1.05), sign=-1.0))) or NOTHING
    assert 0 < low < high == pytest.approx(0.05)


def test_a_search_that_stopped_gaining_long_ago_says_so() -> None:
    (told,) = course_told(course((1.0, 0.80), (2.0, 0.90)), "roc_auc", simplest=0.5)
    assert told == (
        "The best single candidate stood after 2 of 60 s; a longer budget would hardly bring more of roc_auc."
    )


def test_one_candidate_tells_nothing_of_the_course() -> None:
    assert course_told(course((1.0, 0.8)), "roc_auc", simplest=0.5) == []


def test_a_model_that_knows_its_rows_by_heart_is_told_apart_from_one_that_knows_too_little() -> None:
    by_heart = msgspec.structs.replace(RUN, train={"roc_auc": 1.0})
    (told,) = fit_told(by_heart, simplest=0.5, curve=RISES, sign=1.0)
    assert "by heart" in told and "more rows would help" in told
    some = msgspec.structs.replace(RUN, train={"roc_auc": 0.9})
    (told,) = fit_told(some, simplest=0.5, curve=None, sign=1.0)
    assert "keeps 75 % of its lead" in told and "some was learned by heart." in told
    assert "more rows would help" in fit_told(some, simplest=0.5, curve=RISES, sign=1.0)[0]
    (told,) = fit_told(msgspec.structs.replace(RUN, train={"roc_auc": 0.82}), simplest=0.5, curve=None, sign=1.0)
    assert "keeps 94 % of its lead" in told and "little by heart" in told
    alike = msgspec.structs.replace(RUN, train={"roc_auc": 0.801})
    (told,) = fit_told(alike, simplest=0.5, curve=None, sign=1.0)
    assert "knows seen and unseen rows alike" in told
    assert "alike" not in fit_told(alike, simplest=0.5, curve=RISES, sign=1.0)[0]
    network = msgspec.structs.replace(alike, course=NETWORK)
    assert "longer training" in fit_told(network, simplest=0.5, curve=None, sign=1.0)[0]


def test_where_little_is_lacking_and_most_of_it_on_unseen_rows_they_are_not_known_alike() -> None:
    near = msgspec.structs.replace(RUN, metric="log_loss", cv_score=0.057, train={"log_loss": 0.012})
    (told,) = fit_told(near, simplest=2.3, curve=None, sign=-1.0)
    assert "alike" not in told and "keeps 98 % of its lead" in told


def test_of_the_constant_answer_nothing_is_told_that_it_learned() -> None:
    dummy = msgspec.structs.replace(RUN, family="dummy", cv_score=0.5, train={"roc_auc": 0.5001})
    assert fit_told(dummy, simplest=0.5, curve=None, sign=1.0) == []


def test_criteria_are_those_of_the_likelihood() -> None:
    found = criteria_of(RUN, 1_000)
    assert found is not None
    assert found.aic == pytest.approx(2 * 1_000 * 0.4 + 2 * 10)
    assert found.bic == pytest.approx(2 * 1_000 * 0.4 + 10 * math.log(1_000))
    values = msgspec.structs.replace(RUN, train={"rmse": 2.0})
    normal = criteria_of(values, 100)
    assert normal is not None and normal.aic == pytest.approx(100 * (math.log(2 * math.pi * 4.0) + 1) + 2 * 11)


def test_what_has_no_likelihood_has_no_criteria() -> None:
    assert criteria_of(msgspec.structs.replace(RUN, family="forest"), 1_000) is None
    assert criteria_of(msgspec.structs.replace(RUN, train={}), 1_000) is None
