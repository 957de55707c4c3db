from __future__ import annotations

from typing import Any

import msgspec
import pytest

from palio.core.records import Metric
from palio.core.serving import ANY_SPREAD, Analysis, Pairs
from palio.renew.looks import look

from .conftest import observations, seen_role


def outcome(name: str, mode: str = "shadow", analysis: Analysis | None = None, **changed: Any) -> str:
    found = look(analysis or Analysis(), observations(**changed), mode=mode)
    return next((finding.outcome for finding in found.findings if finding.name == name), "not asked")


def test_a_healthy_challenger_gets_a_good_look() -> None:
    found = look(Analysis(max_disagreement=0.05), observations(), mode="shadow")
    assert found.outcome == "good", found.findings
    assert {finding.name for finding in found.findings} == {"errors", "latency", "drift", "disagreement"}


@pytest.mark.parametrize(
    ("n", "n_errors", "expected"),
    [
        (120, 0, "unsure"),
        (120, 3, "unsure"),
        (120, 30, "bad"),
        (3000, 0, "good"),
        (3000, 3, "good"),
        (3000, 200, "bad"),
    ],
)
def test_errors_are_judged_once_there_are_enough_to_tell(n: int, n_errors: int, expected: str) -> None:
    assert outcome("errors", challenger=seen_role(n, n_errors=n_errors)) == expected


@pytest.mark.parametrize(
    ("n", "n_errors", "expected"), [(6, 6, "bad"), (20, 18, "bad"), (6, 1, "unsure"), (0, 0, "unsure")]
)
def test_what_surely_fails_is_bad_before_there_is_traffic_enough(n: int, n_errors: int, expected: str) -> None:
    assert look(Analysis(), observations(challenger=seen_role(n, n_errors=n_errors)), mode="canary").outcome == expected


@pytest.mark.parametrize(
    ("n", "refused", "by_champion", "expected"),
    [(0, 8, 0, "bad"), (3000, 200, 0, "bad"), (3000, 0, 0, "good"), (3000, 150, 1000, "good"), (3000, 3, 0, "good")],
)
def test_rows_that_the_champion_takes_and_the_challenger_does_not_are_bad(
    n: int, refused: int, by_champion: int, expected: str
) -> None:
    both = {
        "champion": msgspec.structs.replace(seen_role(20_000), n_refused=by_champion),
        "challenger": msgspec.structs.replace(seen_role(n), n_refused=refused),
    }
    found = look(Analysis(), observations(**both), mode="canary")
    assert found.outcome == expected
    assert ("refused" in found.reason) == (refused > 0)


def test_little_traffic_tells_when_there_will_be_enough() -> None:
    found = look(Analysis(), observations(challenger=seen_role(10)), mode="canary")  # in ten minutes
    assert found.reason == (
        "only 10 of the 100 requests that the challenger must have answered (at this pace in 2 hours)"
    )


def test_errors_that_the_champion_makes_too_are_not_held_against_the_challenger() -> None:
    both = {"champion": seen_role(20_000, n_errors=1000), "challenger": seen_role(3000, n_errors=150)}
    assert outcome("errors", **both) != "bad"
    assert outcome("errors", challenger=seen_role(3000, n_errors=150)) == "bad"


@pytest.mark.parametrize(
    ("n", "latency_ms", "expected"),
    [(3000, 2.0, "good"), (3000, 2.2, "good"), (3000, 12.0, "bad"), (150, 2.0, "unsure"), (150, 12.0, "bad")],
)
def test_a_slow_challenger_is_found(n: int, latency_ms: float, expected: str) -> None:
    assert outcome("latency", challenger=seen_role(n, latency_ms=latency_ms)) == expected


def test_without_latencies_of_both_nothing_can_be_told() -> None:
    silent = msgspec.structs.replace(seen_role(3000), latencies=())
    assert outcome("latency", challenger=silent) == outcome("latency", champion=silent) == "unsure"


@pytest.mark.parametrize(("share", "expected"), [(0.3, "good"), (0.33, "good"), (0.75, "bad")])
def test_predictions_that_are_spread_otherwise_are_found(share: float, expected: str) -> None:
    assert outcome("drift", challenger=seen_role(3000, share=share)) == expected


def test_predictions_that_may_be_spread_otherwise_are_told_so() -> None:
    rival = seen_role(3000, share=0.9)
    found = look(Analysis(max_prediction_drift=ANY_SPREAD), observations(challenger=rival), mode="shadow")
    (drift,) = (one for one in found.findings if one.name == "drift")
    assert drift.outcome == "good"
    assert "which is allowed here" in drift.reason and "limit" not in drift.reason


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (Pairs(), "unsure"),
        (Pairs(n_rows=40), "unsure"),
        (Pairs(n_rows=40, n_differ=30), "bad"),
        (Pairs(n_rows=3000, n_differ=60), "good"),
        (Pairs(n_rows=3000, n_differ=600), "bad"),
        (Pairs(n_rows=3000, distance=0.02, spread=0.05), "good"),
        (Pairs(n_rows=3000, distance=0.5, spread=0.5), "bad"),
        (Pairs(n_rows=20, distance=0.0, spread=0.0), "unsure"),
        (Pairs(n_rows=40, distance=0.0, spread=0.0), "unsure"),
    ],
)
def test_disagreement_is_judged_by_bounds(pairs: Pairs, expected: str) -> None:
    analysis = Analysis(max_disagreement=0.05)
    assert outcome("disagreement", analysis=analysis, pairs=pairs) == expected
    assert outcome("disagreement", "canary", analysis=analysis, pairs=pairs) == "not asked"


@pytest.mark.parametrize(
    ("quality", "expected"),
    [
        (None, "unsure"),
        (Metric(value=0.01, low=-0.005, high=0.025, n_rows=500), "good"),
        (Metric(value=0.0, low=-0.05, high=0.05, n_rows=60), "unsure"),
        (Metric(value=-0.1, low=-0.15, high=-0.05, n_rows=500), "bad"),
    ],
)
def test_quality_must_surely_not_be_lost(quality: Metric | None, expected: str) -> None:
    assert outcome("quality", analysis=Analysis(min_quality=0.01), quality=quality) == expected
    assert outcome("quality", quality=quality) == "not asked"


def test_with_fewer_requests_than_wanted_nothing_is_said() -> None:
    found = look(Analysis(min_requests=100), observations(n=99), mode="shadow")
    assert found.outcome == "unsure" and "only 99 of the 100" in found.reason


def test_one_bad_answer_is_enough_and_is_what_is_told() -> None:
    found = look(Analysis(), observations(challenger=seen_role(3000, n_errors=300)), mode="canary")
    assert found.outcome == "bad"
    assert found.reason.startswith("300 of 3,000 requests failed")
