from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from palio.core.errors import InputError
from palio.core.monitoring import Alert, Estimate, Finding, KpiValue, Outcome, Review, WindowReview
from palio.core.records import Deployment, Metric, Promotion
from palio.core.renewal import Renewal, RetrainRequest
from palio.renew import FreshLabels, Planned, RenewalPolicy, RenewalStanding, next_due, plan
from palio.renew.planning import expected_gain

NOW = dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
CHAMPION = Promotion(
    sequence=9,
    model="bank",
    version=3,
    bundle="a" * 64,
    previous=2,
    kind="promote",
    decision="d",
    evidence="e",
    actor="ann",
    reason="",
    at=NOW - 20 * DAY,
)


def finding(kind: Any = "quality", **changed: Any) -> Finding:
    given: dict[str, Any] = {
        "id": f"{kind}-1",
        "model": "bank",
        "version": 3,
        "kind": kind,
        "subject": "accuracy",
        "severity": "page",
        "since": NOW - 3 * DAY,
        "until": NOW - DAY,
        "n_windows": 2,
        "n_rows": 4000,
        "effect": 0.05,
        "measure": "accuracy",
        "reason": f"A finding of kind {kind}.",
    }
    return Finding(**given | changed)


def window(**changed: Any) -> WindowReview:
    given: dict[str, Any] = {"since": NOW - 2 * DAY, "until": NOW - DAY, "version": 3, "bundle": "a" * 64}
    return WindowReview(**given | {"n_rows": 1000, "n_requests": 1000, "n_failed": 0} | changed)


def review(*findings: Finding, told: bool = False, windows: tuple[WindowReview, ...] = ()) -> Review:
    alerts = [
        Alert(id=f.id, finding=f, at=NOW, n_shown=1, n_looked=1, expected_false_per_month=0.1) for f in findings if told
    ]
    return Review(
        model="bank",
        version=3,
        bundle="a" * 64,
        at=NOW,
        window_s=86400,
        verdict="act",
        text="",
        task="classification",
        primary="roc_auc",
        windows=windows,
        findings=findings,
        alerts=tuple(alerts),
        false_alarm_rate=0.01,
    )


def policy(**changed: Any) -> RenewalPolicy:
    given: dict[str, Any] = {"on": ("quality", "estimated_quality", "concept_drift", "value", "classes")}
    return RenewalPolicy(**given | changed)


def earlier(status: Any = "released", ended: dt.timedelta = 5 * DAY) -> RenewalStanding:
    request = RetrainRequest(
        id="r1",
        model="bank",
        champion=Deployment(model="bank", version=2, bundle="b" * 64),
        at=NOW - ended - DAY,
        reasons=("x",),
        labels_until=NOW,
        n_labels=900,
        budget_s=60,
    )
    return RenewalStanding(request, Renewal(request="r1", status=status, since=NOW - ended), 12)


def planned(
    seen: Review | None = None, rules: RenewalPolicy | None = None, n_labels: int = 900, **more: Any
) -> Planned:
    given: dict[str, Any] = {"champion": CHAMPION, "last": None, "now": NOW}
    return plan(seen, rules or policy(), labels=FreshLabels(n_rows=n_labels, until=NOW), **given | more)


def test_a_finding_that_persists_leads_to_a_request_with_its_sentence() -> None:
    request = planned(review(finding())).request
    assert request is not None
    assert request.findings == ("quality-1",) and request.reasons[0] == "A finding of kind quality."
    assert (request.by, request.kind, request.n_labels, request.champion.version) == ("policy", "refresh", 900, 3)


def test_the_reason_of_a_segment_names_it() -> None:
    request = planned(review(finding(segment="job = student", reason="accuracy was 0.6, expected 0.8"))).request
    assert request is not None and request.reasons[0] == "Where job = student: accuracy was 0.6, expected 0.8."


def test_a_finding_of_one_window_leads_to_nothing_until_people_are_told_of_it() -> None:
    fresh = finding(n_windows=1)
    assert planned(review(fresh)).request is None
    assert planned(review(fresh, told=True)).request is not None


def test_nothing_is_learned_by_policy_while_an_input_looks_broken() -> None:
    broken = finding("unit", severity="warn", reason="`price` looks a thousand times what it was")
    found = planned(review(finding(), broken))
    assert found.request is None and "while an input looks broken" in found.reason and "`price`" in found.reason
    assert planned(review(finding(), broken), why="it is cents now").request is not None
    small = finding("unit", severity="note", reason="`price` looks like another unit")
    assert planned(review(finding(), small)).request is not None


def test_nothing_is_learned_by_policy_from_a_time_in_which_an_input_was_broken() -> None:
    broken = finding("unit", severity="warn", reason="`price` looks a thousand times what it was")
    seen = msgspec.structs.replace(review(finding()), earlier=(broken,))
    found = planned(seen)
    assert found.request is None and "in which an input was broken" in found.reason and "`price`" in found.reason
    assert planned(seen, why="it was cents").request is not None
    before = msgspec.structs.replace(broken, since=broken.since - 9 * DAY, until=broken.since - 8 * DAY)
    assert planned(msgspec.structs.replace(seen, earlier=(before,))).request is not None


@pytest.mark.parametrize("other", [finding("drift"), finding(version=2)])
def test_findings_that_explain_or_are_about_another_version_lead_to_nothing(other: Finding) -> None:
    found = planned(review(other))
    assert found.request is None and "Nothing asks for a renewal" in found.reason


@pytest.mark.parametrize(
    ("schedule", "days", "is_due"),
    [("never", 900, False), ("daily", 2, True), ("weekly", 6, False), ("weekly", 8, True), ("10d", 11, True)],
)
def test_the_schedule_counts_from_the_newest_model_or_plan(schedule: str, days: float, is_due: bool) -> None:
    champion = Promotion(**{f: getattr(CHAMPION, f) for f in CHAMPION.__struct_fields__} | {"at": NOW - days * DAY})
    assert (planned(None, policy(schedule=schedule), champion=champion).request is not None) is is_due
    late = earlier(ended=dt.timedelta(hours=25))
    assert planned(None, policy(schedule="weekly"), champion=champion, last=late).request is None


@pytest.mark.parametrize(
    ("since", "due"),
    [("2026-01-31", "2026-02-28"), ("2024-01-31", "2024-02-29"), ("2026-12-05", "2027-01-05")],
)
def test_a_month_is_a_month_of_the_calendar(since: str, due: str) -> None:
    assert next_due("monthly", dt.datetime.fromisoformat(since)) == dt.datetime.fromisoformat(due)


def test_a_schedule_that_is_none_is_named() -> None:
    with pytest.raises(InputError, match="got `fortnightly`, allowed are daily"):
        next_due("fortnightly", NOW)


def test_enough_new_labels_lead_to_a_request() -> None:
    rules = policy(new_labels=1000)
    assert planned(None, rules, n_labels=999).request is None
    assert planned(None, rules, n_labels=1000).request is not None


def test_with_too_few_labels_nothing_is_planned_and_the_reason_says_how_many() -> None:
    found = planned(review(finding()), n_labels=499)
    assert found.request is None and "Only 499" in found.reason and "500 are needed" in found.reason
    assert planned(review(finding()), n_labels=500).request is not None


def test_one_at_a_time_and_never_within_the_cooldown() -> None:
    seen = review(finding())
    found = planned(seen, last=earlier("trained"))
    assert found.request is None and "under way (trained)" in found.reason
    assert "cooldown" in planned(seen, last=earlier(ended=dt.timedelta(hours=23))).reason
    assert planned(seen, last=earlier(ended=dt.timedelta(hours=25))).request is not None


def test_a_clock_that_was_far_ahead_holds_no_renewal_up_for_longer_than_a_cooldown() -> None:
    seen = review(finding())
    assert planned(seen, last=earlier(ended=-400 * DAY)).request is not None
    assert "cooldown" in planned(seen, last=earlier(ended=-dt.timedelta(hours=1))).reason
    ahead = msgspec.structs.replace(CHAMPION, at=NOW + 400 * DAY)
    found = planned(rules=policy(schedule="weekly"), champion=ahead).request
    assert found is not None and "The schedule (weekly)" in found.reasons[0]


def test_truths_of_one_class_alone_teach_nothing_unless_a_person_asks() -> None:
    one = FreshLabels(n_rows=900, until=NOW, only="paid")
    found = plan(review(finding()), policy(), champion=CHAMPION, labels=one, last=None, now=NOW)
    assert found.request is None and "All 900 new truths say `paid`" in found.reason
    assert plan(None, policy(), champion=CHAMPION, labels=one, last=None, now=NOW, why="so it is").request is not None


def test_a_person_needs_no_finding_but_something_to_learn_from() -> None:
    recent = earlier(ended=dt.timedelta(hours=1))
    request = planned(n_labels=1, last=recent, why="new campaign").request
    assert request is not None and request.by == "person"
    assert request.reasons[0] == "A person asked for it: new campaign."
    assert "nothing new to learn" in planned(n_labels=0, why="please").reason
    assert planned(n_labels=900, last=earlier("judged"), why="please").request is None
    assert planned(champion=None, why="please").request is None


def test_other_classes_ask_for_a_person_whatever_else_led_to_the_plan() -> None:
    seen = review(finding(), finding("classes", n_windows=1))
    request = planned(seen).request
    assert request is not None and request.kind == "classes" and request.findings == ("quality-1",)
    assert planned(review(finding("classes"))).request is not None


@pytest.mark.parametrize(("kind", "may"), [("quality", True), ("concept_drift", True), ("estimated_quality", False)])
def test_rows_of_before_may_be_lost_only_if_the_world_is_known_to_have_changed(kind: Any, may: bool) -> None:
    request = planned(review(finding(kind))).request
    assert request is not None and request.may_lose_earlier is may


def lost(metric: str, now: float, reference: float, half: float = 0.01) -> dict[str, Any]:
    value = Metric(value=now, low=now - half, high=now + half, n_rows=1000)
    return {"metric": metric, "value": value, "reference": reference}


def test_the_gain_is_lost_quality_times_requests_times_cost() -> None:
    rules = policy(error_cost=2.0, requests_per_day=1000, horizon_days=10)
    seen = review(windows=(window(is_ripe=True, outcomes=(Outcome(**lost("accuracy", 0.85, 0.9)),)),))
    gain = expected_gain(seen, rules, version=3)
    assert gain is not None
    assert gain.value == pytest.approx(1000) and (gain.low, gain.high) == pytest.approx((800, 1200))
    assert expected_gain(seen, rules, version=4) is None
    assert expected_gain(seen, policy(requests_per_day=1000), version=3) is None


def test_what_really_came_counts_before_what_was_estimated_and_only_if_it_is_ripe() -> None:
    rules = policy(error_cost=1.0, requests_per_day=100, horizon_days=1)
    estimates = (Estimate(**lost("accuracy", 0.80, 0.9), method="cbpe"),)
    outcomes = (Outcome(**lost("accuracy", 0.88, 0.9)),)
    old = window(is_ripe=True, outcomes=outcomes, estimates=estimates)
    new = window(until=NOW, estimates=estimates, outcomes=outcomes)
    real, estimated = (expected_gain(review(windows=w), rules, version=3) for w in ((old, new), (new,)))
    assert real is not None and real.value == pytest.approx(2)
    assert estimated is not None and estimated.value == pytest.approx(10)


def test_an_error_of_a_number_is_a_unit_and_requests_are_counted_if_nobody_names_them() -> None:
    rules = policy(error_cost=1.0, horizon_days=1)
    seen = review(windows=(window(is_ripe=True, outcomes=(Outcome(**lost("mae", 3.0, 2.5)),)),))
    gain = expected_gain(seen, rules, version=3)
    assert gain is not None and gain.value == pytest.approx(500)


def test_business_figures_stand_in_for_the_cost_of_errors() -> None:
    short = Metric(value=80, low=70, high=90, n_rows=500)
    kpis = (
        KpiValue(name="margin", unit="EUR", realised=short, reference=100.0),
        KpiValue(name="hours", unit="h", realised=short, reference=900.0),
    )
    gain = expected_gain(review(windows=(window(kpis=kpis),)), policy(horizon_days=30), version=3)
    assert gain is not None and (gain.value, gain.low, gain.high) == (600, 300, 900)


def test_what_was_earned_counts_before_what_is_estimated_of_a_newer_window() -> None:
    def worth(**known: Metric) -> tuple[KpiValue, ...]:
        return (KpiValue(name="margin", unit="EUR", reference=100.0, **known),)

    fallen, hoped = (Metric(value=v, low=v - 10, high=v + 10, n_rows=500) for v in (40, 110))
    old = window(is_ripe=True, kpis=worth(realised=fallen))
    new = msgspec.structs.replace(window(kpis=worth(estimated=hoped)), since=old.until, until=old.until + DAY)
    gain = expected_gain(review(windows=(old, new)), policy(horizon_days=1), version=3)
    assert gain is not None and gain.value == 60


def test_what_costs_more_than_it_brings_is_not_planned_unless_a_person_asks() -> None:
    seen = review(finding(), windows=(window(is_ripe=True, outcomes=(Outcome(**lost("accuracy", 0.899, 0.9)),)),))
    rules = policy(error_cost=0.01, requests_per_day=100, cost_per_hour=60, budget_s=600)
    found = planned(seen, rules)
    assert found.request is None and "not worth it" in found.reason and "10.00 EUR" in found.reason
    asked = planned(seen, rules, why="try").request
    assert asked is not None and asked.cost == pytest.approx(10) and asked.expected_gain is not None
    assert planned(seen, policy(error_cost=10, requests_per_day=10_000, cost_per_hour=60)).request is not None


def test_without_a_value_gain_and_cost_are_not_compared_and_that_is_said() -> None:
    request = planned(review(finding()), policy(cost_per_hour=1e9)).request
    assert request is not None and request.expected_gain is None
    assert request.reasons[-1] == "No value of quality is named, so gain and cost were not compared."
