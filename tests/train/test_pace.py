from __future__ import annotations

import time
from typing import Any

import pytest

from palio.testing.family import TASKS, examples_of
from palio.train.families.linear import Linear
from palio.train.family import OutOfTime
from palio.train.pace import LEAST_SHARE, SHORTEST_S, Pace
from palio.train.table import load_family
from tests.train.small_parts import lesson_of

LESSON = lesson_of(examples_of(TASKS["two classes"]))
ROWS = LESSON.take("learn 0")


class Counting(Linear):
    """Notes its fits."""

    name = "counting"

    def __init__(self) -> None:
        self.n_rows: list[int] = []

    def fit(self, examples: Any, **settings: Any) -> Any:
        self.n_rows.append(len(examples.target))
        return super().fit(examples, **settings)


def test_what_a_fit_took_is_the_pace() -> None:
    pace, family = Pace(), Linear()
    assert pace.of("linear") is None
    pace.learn(family, 2.0, 6.0)
    assert pace.of("linear") == 3.0
    pace.learn(family, 0.0, 6.0)  # nothing expected says nothing
    assert pace.of("linear") == 3.0


def test_settings_that_fit_are_left_alone() -> None:
    pace, family = Pace(), load_family("lightgbm")
    params = dict(family.defaults(ROWS.shape, ROWS.task)[0])
    pace.learn(family, family.seconds(ROWS.shape, params), 0.1)
    assert pace.fit_into(family, params, ROWS, 10.0, seed=0) == params
    assert pace.fit_into(family, params, ROWS, 1e-3, seed=0) == params  # a short fit is never held against a limit


def test_a_family_in_rounds_is_given_fewer() -> None:
    pace, family = Pace(), load_family("lightgbm")
    params = dict(family.defaults(ROWS.shape, ROWS.task)[0])
    pace.learn(family, family.seconds(ROWS.shape, params), 20.0)
    cheaper = pace.fit_into(family, params, ROWS, 10.0, seed=0)
    assert family.seconds(ROWS.shape, cheaper) < 0.75 * family.seconds(ROWS.shape, params)
    assert cheaper["learning_rate"] >= params["learning_rate"]


@pytest.mark.parametrize(("name", "limit_s"), [("linear", 10.0), ("lightgbm", 20.0 * LEAST_SHARE / 2)])
def test_what_cannot_be_made_cheap_enough_is_not_begun(name: str, limit_s: float) -> None:
    pace, family = Pace(), load_family(name)
    params = dict(family.defaults(ROWS.shape, ROWS.task)[0])
    pace.learn(family, family.seconds(ROWS.shape, params), 20.0)
    assert limit_s > SHORTEST_S or family.rounds
    with pytest.raises(OutOfTime, match=r"a fit takes some 20 s here"):
        pace.fit_into(family, params, ROWS, limit_s, seed=0)


def test_a_family_is_warmed_up_once_on_a_few_rows() -> None:
    pace, family = Pace(), Counting()
    pace.warm_up(family, LESSON)
    pace.warm_up(family, LESSON)
    assert family.n_rows == [60]


def test_a_fault_in_the_warm_up_is_told_by_the_fit_that_was_asked_for() -> None:
    class Broken(Linear):
        name = "broken"

        def fit(self, examples: Any, **settings: Any) -> Any:
            raise ZeroDivisionError

    Pace().warm_up(Broken(), LESSON)


def test_the_pace_of_what_is_not_known_is_measured_by_a_small_fit() -> None:
    pace, family = Pace(), load_family("lightgbm")
    params = dict(family.defaults(ROWS.shape, ROWS.task)[0])
    pace.fit_into(family, params, ROWS, 1000.0, seed=0)
    assert (pace.of("lightgbm") or 0.0) > 0


class Dear(Counting):
    """Learns in rounds that take a while, and costs something whatever its rows."""

    name = "dear"
    rounds = "epochs"
    tried_rows = 50

    def seconds(self, shape: Any, params: Any) -> float:
        return 1.0 + 0.01 * shape.n_rows * int(params["epochs"])

    def hurry(self, params: Any, share: float) -> Any:
        return params | {"epochs": max(1, int(params["epochs"] * share))}

    def fit(self, examples: Any, **settings: Any) -> Any:
        self.n_rows.append(len(examples.target) * int(settings["params"]["epochs"]))
        moments.append(0.5 + 0.002 * len(examples.target))


moments: list[float] = []


def test_a_family_whose_rounds_are_dear_is_tried_on_a_few_rows_for_one_round(monkeypatch: pytest.MonkeyPatch) -> None:
    moments.clear()
    monkeypatch.setattr(time, "perf_counter", lambda: sum(moments))
    pace, family = Pace(), Dear()
    params = pace.fit_into(family, {"epochs": 100}, ROWS, 10.0, seed=0)
    assert family.n_rows == [50, 100]
    assert pace.of("dear") == pytest.approx(0.2)  # not what it costs whatever its rows
    assert pace.of("dear") * family.seconds(ROWS.shape, params) == pytest.approx(10.0, rel=0.1)
