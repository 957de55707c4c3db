from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio.core.records import Deployment
from palio.core.serving import HeaderRoute, Plan
from palio.serve.traffic.routing import compile_route

CHAMPION, RIVAL = Deployment(model="m", version=3, bundle="a"), Deployment(model="m", version=0, bundle="b")

TESTER = (HeaderRoute(header="X-Tester", value="yes"),)
VIP = (HeaderRoute(header="vip", value="1", target="champion"),)


def plan(**given: Any) -> Plan:
    return Plan(**{"champion": CHAMPION, "challenger": RIVAL, "mode": "canary", "rollout": "r1"} | given)


@pytest.mark.parametrize(
    ("given", "headers", "asked", "expected"),
    [
        ({"weight": 1.0}, {}, "", "challenger"),
        ({"weight": 0.0}, {}, "", "champion"),
        ({"weight": 1.0, "mode": "shadow"}, {}, "", "champion"),
        ({"weight": 1.0, "mode": "off"}, {}, "", "champion"),
        ({"weight": 1.0, "challenger": None}, {}, "", "champion"),
        ({"weight": 1.0}, {}, "3", "champion"),
        ({"weight": 1.0}, {}, "champion", "champion"),
        ({"weight": 0.0}, {}, "challenger", "challenger"),
        ({"weight": 0.0, "mode": "off"}, {}, "challenger", None),
        ({"weight": 0.0}, {}, "0", None),
        ({"weight": 0.0}, {}, "2", None),
        ({"weight": 1.0}, {b"x-model-version": b"3"}, "", "champion"),
        ({"weight": 0.0}, {b"x-model-version": b"challenger"}, "", "challenger"),
        ({"weight": 0.0}, {b"x-model-version": b"challenger"}, "3", "champion"),
        ({"weight": 0.0}, {b"x-model-version": b"99"}, "", None),
        ({"weight": 0.0, "headers": TESTER}, {b"x-tester": b"yes"}, "", "challenger"),
        ({"weight": 0.0, "headers": TESTER}, {b"x-tester": b"no"}, "", "champion"),
        ({"weight": 1.0, "headers": VIP}, {b"vip": b"1"}, "", "champion"),
        ({"mode": "off", "headers": (HeaderRoute(header="vip", value="1"),)}, {b"vip": b"1"}, "", "champion"),
        ({"challenger": Deployment(model="m", version=2, bundle="b")}, {}, "2", "challenger"),
    ],
)  # fmt: skip
def test_who_answers(given: dict[str, Any], headers: dict[bytes, bytes], asked: str, expected: str | None) -> None:
    assert compile_route(plan(**given)).choose(headers, "ann", asked) == expected


@given(st.binary(min_size=1, max_size=40), st.floats(0, 1), st.floats(0, 1), st.text(max_size=8))
def test_who_got_the_challenger_keeps_it_while_the_weight_grows(key: bytes, a: float, b: float, rollout: str) -> None:
    low, high = sorted((a, b))
    answers = [
        compile_route(plan(weight=weight, sticky="request", rollout=rollout)).choose({b"x-palio-key": key}, "ann")
        for weight in (low, low, high)
    ]
    assert answers[0] == answers[1]
    assert answers[2] == "challenger" or answers[0] == "champion"


@given(
    st.floats(0.02, 0.98), st.sampled_from(["user-%d", "%d", "customer/%08x", "%d@example.org"]), st.integers(0, 999)
)
def test_the_share_is_the_weight(weight: float, form: str, salt: int) -> None:
    n_keys = 4000
    route = compile_route(plan(weight=weight, sticky="request", rollout=f"rollout {salt}"))
    hits = sum(route.choose({b"x-palio-key": (form % n).encode()}, "anonymous") == "challenger" for n in range(n_keys))
    error = (weight * (1 - weight) / n_keys) ** 0.5
    assert abs(hits / n_keys - weight) < 5 * error


def test_another_rollout_draws_other_callers() -> None:
    first, second = (compile_route(plan(weight=0.1, rollout=name)) for name in ("one", "two"))
    names = [f"caller-{n}" for n in range(5000)]
    both = sum(first.choose({}, n) == second.choose({}, n) == "challenger" for n in names)
    assert 20 < both < 85, "one in a hundred, as if drawn independently"


def test_callers_without_a_name_are_told_apart_by_key_or_chance() -> None:
    route = compile_route(plan(weight=0.5, sticky="caller"))
    assert {route.choose({}, "anonymous") for _ in range(100)} == {"champion", "challenger"}
    assert len({route.choose({b"x-palio-key": b"visitor 7"}, "anonymous") for _ in range(100)}) == 1
    assert len({route.choose({}, "ann") for _ in range(100)}) == 1


def test_by_chance_nothing_sticks() -> None:
    route = compile_route(plan(weight=0.5, sticky="none"))
    assert {route.choose({b"x-palio-key": b"a"}, "ann") for _ in range(100)} == {"champion", "challenger"}


def test_a_request_that_names_no_version_may_be_answered_by_either() -> None:
    route = compile_route(plan(weight=1.0))
    assert route.is_open({}) and route.is_open({b"x-palio-key": b"a"})
    assert not route.is_open({}, "challenger") and not route.is_open({b"x-model-version": b"challenger"})
