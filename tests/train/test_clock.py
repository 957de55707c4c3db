"""What follows a search is foreseen by what an answer of the best candidate takes."""

from __future__ import annotations

import time

import pytest

from palio.core.records import Cost, Course
from palio.train.clock import MOST_AFTER, Clock
from palio.train.race import Candidate

COURSE = Course(epochs=(), n_epochs=1, n_steps=10, epoch_s=1.0)


def clock(**changes: float) -> Clock:
    asked = {"ends": time.monotonic() + 100, "n_workers": 1, "n_rows_a_fold": 800.0, "n_rows": 1_000, "sign": 1.0}
    return Clock(**asked | {"quiet_overhead_s": 0.0, "quiet_after_s": 5.0} | changes)  # type: ignore[arg-type]


def candidate(number: int, family: str, score: float, *, ms: float, course: Course | None = None) -> Candidate:
    cost = Cost(fit_s=1.0, latency_ms_p50=ms, latency_ms_p99=ms, size_mb=1.0)
    return Candidate(number, family, {}, 0, scores={0: (score,)}, cost=cost, course=course)


@pytest.mark.parametrize(("score", "after_s"), [(0.9, 5.0 + 2_000 * 0.010), (0.7, 5.0)])
def test_time_is_left_for_answers_of_a_network_that_is_the_best(score: float, after_s: float) -> None:
    made = clock(rows_after=2_000)
    dummy, light = candidate(0, "dummy", 0.95, ms=50.0), candidate(1, "linear", 0.8, ms=50.0)
    made.expect({0: dummy, 1: light, 2: candidate(2, "net", score, ms=10.0, course=COURSE)})
    assert made.ends - made.end == pytest.approx(after_s)


def test_no_more_than_a_part_of_the_budget_is_left_for_what_follows() -> None:
    made = clock(rows_after=1_000_000)
    made.expect({1: candidate(1, "net", 0.9, ms=10.0, course=COURSE)})
    assert made.ends - made.end == pytest.approx(MOST_AFTER * 100, rel=0.01)


def test_checks_of_a_network_may_take_more_of_the_budget_than_those_of_others() -> None:
    made = clock(rows_answered=8_000)
    light, slow = candidate(1, "neighbours", 0.8, ms=4.0), candidate(1, "net", 0.8, ms=4.0, course=COURSE)
    assert made.besides_s({1: light}) == pytest.approx(0.15 * 100, rel=0.01)
    assert made.besides_s({1: slow}) == pytest.approx(0.25 * 100, rel=0.01)


def test_where_nothing_was_scored_nothing_is_expected() -> None:
    made = clock(rows_after=1_000)
    made.expect({1: Candidate(1, "net", {}, 0, course=COURSE)})
    assert made.ends - made.end == pytest.approx(5.0)
