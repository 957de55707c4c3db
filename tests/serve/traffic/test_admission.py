"""The door: what is let in, what is shed, and what is given back."""

from __future__ import annotations

import pytest

from palio.serve.protocols.wire import WireError
from palio.serve.traffic.admission import LEAST_IN_FLIGHT, MOST_IN_FLIGHT, Admission, AdmissionLimits


def test_more_than_the_limit_in_flight_is_shed_with_a_time_to_come_back() -> None:
    door = Admission(AdmissionLimits(max_in_flight=2))
    for _ in range(2):
        door.enter()
        door.begin()
    for knock in (door.enter, door.begin):
        with pytest.raises(WireError) as refused:
            knock()
        assert refused.value.status == 503
        assert dict(refused.value.headers) == {b"retry-after": b"1"}
    assert (door.in_flight, door.shed["in_flight"]) == (2, 2)
    door.end()
    door.enter()
    door.begin()


def test_those_who_are_still_sending_keep_nobody_out() -> None:
    door = Admission(AdmissionLimits(max_in_flight=1))
    for _ in range(100):
        door.enter()
    door.begin()


def test_bytes_of_bodies_are_bounded_and_given_back() -> None:
    door = Admission(AdmissionLimits(max_held_bytes=100))
    door.hold(60)
    with pytest.raises(WireError):
        door.hold(41)
    door.hold(40)
    with pytest.raises(WireError):
        door.enter()
    door.release(40)
    door.enter()
    door.begin()
    door.end(60)
    assert (door.held_bytes, door.in_flight, door.shed["held_bytes"]) == (0, 0, 2)


@pytest.mark.parametrize(
    ("latency_s", "n_threads", "limit"),
    [(0.00005, 1, MOST_IN_FLIGHT), (0.005, 2, 400), (0.01, 1, 100), (2.0, 2, LEAST_IN_FLIGHT)],
)
def test_the_limit_follows_what_is_answered_within_a_second(latency_s: float, n_threads: int, limit: int) -> None:
    door = Admission()
    door.adapt(latency_s, n_threads)
    assert door.max_in_flight == limit


def test_a_limit_that_was_set_stays() -> None:
    door = Admission(AdmissionLimits(max_in_flight=7))
    door.adapt(0.00005, 2)
    assert door.max_in_flight == 7
