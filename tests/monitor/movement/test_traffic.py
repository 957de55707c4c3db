"""Whether unusual traffic is told of, and usual traffic is not."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from palio.core.monitoring import Window
from palio.measure import bin_latencies
from palio.monitor.movement.traffic import comparable, traffic_findings
from tests.monitor.populations import SINCE

DAY = dt.timedelta(days=1)


def day(number: int, n_requests: int = 1_000, *, latency_s: float = 0.005, **facts) -> Window:
    since = SINCE + number * DAY
    latencies = bin_latencies(np.full(n_requests, latency_s)).tolist()
    known = {"busy_s": n_requests * latency_s, "latencies": tuple(latencies), **facts}
    return Window(
        model="m",
        bundle="b",
        version=1,
        since=since,
        until=since + DAY,
        n_requests=n_requests,
        n_rows=n_requests,
        **known,
    )


EARLIER = [day(k, 1_000 + 7 * k) for k in range(10)]


def kinds(window: Window, earlier=EARLIER, **facts) -> list[tuple[str, str]]:
    return [(one.kind, one.severity) for one in traffic_findings(window, earlier, **facts)]


def test_a_usual_day_shows_nothing() -> None:
    assert kinds(day(10), n_workers=2, latency_limit_ms=20) == []
    assert kinds(day(10), []) == []


def test_noise_of_quiet_days_shows_next_to_nothing() -> None:
    chance, shown = np.random.default_rng(1), 0
    for _ in range(200):
        days = [day(k, int(chance.poisson(300))) for k in range(15)]
        shown += bool(kinds(days[-1], days[:-1]))
    assert shown <= 2


@pytest.mark.parametrize("n_requests", [0, 300, 4_000])
def test_much_more_or_less_than_usual_is_told(n_requests: int) -> None:
    assert kinds(day(10, n_requests)) == [("volume", "warn")]


def test_days_of_the_week_are_compared_with_their_like() -> None:
    weeks = [day(k, 100 if (SINCE + k * DAY).weekday() == 6 else 1_000) for k in range(42)]
    sunday = next(k for k in range(42, 49) if (SINCE + k * DAY).weekday() == 6)
    assert len(comparable(day(sunday), weeks)) == 6
    assert kinds(day(sunday, 100), weeks) == []
    (one,) = traffic_findings(day(sunday, 1_000), weeks)
    assert "same weekday" in one.reason


def test_slow_answers_are_told_against_the_limit_or_the_usual() -> None:
    assert kinds(day(10, latency_s=0.05), latency_limit_ms=20) == [("latency", "warn")]
    assert kinds(day(10, latency_s=0.05)) == [("latency", "note")]
    assert kinds(day(10, latency_s=0.001)) == []


def test_failures_are_told_and_many_page() -> None:
    assert kinds(day(10, n_failed=3)) == []
    assert kinds(day(10, n_failed=30)) == [("failures", "warn")]
    (one,) = traffic_findings(day(10, n_failed=300), EARLIER)
    assert one.severity == "page"
    assert "300 of 1,300 requests failed (23.1%, 0.00% in the windows before)" in one.reason


def test_failures_as_before_are_not_told_again_as_new() -> None:
    before = [day(k, n_failed=20) for k in range(10)]
    assert kinds(day(10, n_failed=22), before) == []


def test_refused_requests_and_demand_near_capacity_are_told() -> None:
    assert kinds(day(10, n_refused=100)) == [("capacity", "warn")]
    assert kinds(day(10, busy_s=0.75 * 86_400), n_workers=1) == [("capacity", "warn")]
    (one,) = traffic_findings(day(10, busy_s=1.9 * 86_400), EARLIER, n_workers=2)
    assert (one.severity, one.subject) == ("page", "demand")
    assert "2 workers had (95%)" in one.reason
    assert kinds(day(10, busy_s=0.75 * 86_400)) == []
