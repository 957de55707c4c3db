from __future__ import annotations

from collections.abc import Iterator

from palio.core.records import Cost
from palio.train.champion import MAX_TIMINGS, timed


def costs(*latencies: float) -> Iterator[Cost]:
    for p99 in latencies:
        yield Cost(fit_s=1.0, latency_ms_p50=p99 / 2, latency_ms_p99=p99, size_mb=1.0)


def test_what_meets_the_limit_is_timed_once() -> None:
    found = timed(costs(20.5, 1.0).__next__, limit_ms=20.0)
    assert (found.latency_ms_p99, found.n_timings) == (20.5, 1)


def test_what_is_over_the_limit_is_timed_again_until_it_meets_it() -> None:
    found = timed(costs(90.0, 40.0, 15.0, 1.0).__next__, limit_ms=20.0)
    assert (found.latency_ms_p50, found.latency_ms_p99, found.n_timings) == (7.5, 15.0, 3)


def test_what_stays_over_the_limit_keeps_its_least_disturbed_time() -> None:
    found = timed(costs(50.0, 45.0, 60.0, 47.0, 70.0, 1.0).__next__, limit_ms=20.0)
    assert (found.latency_ms_p99, found.n_timings) == (45.0, MAX_TIMINGS)


def test_without_a_limit_one_timing_is_enough() -> None:
    assert timed(costs(1e9, 1.0).__next__, limit_ms=None).n_timings == 1
