from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from palio.core.errors import InputError
from palio.core.monitoring import Alert, Estimate, Finding
from palio.monitor import AlertRules, parse_persistence, review_standing
from palio.monitor.alerts.alerting import Look, Persistence, Standing, expected_false_alarms, looks_of, standing
from tests.monitor.alert_worlds import DAY, NOW, OUTCOME, alert, finding, review


def stand(findings: list[Finding], shown: list[set[str]], **facts: Any) -> Standing:
    looks = [Look(shown=frozenset(one)) for one in shown]
    before: list[Alert] = facts.pop("before", [])
    return standing(findings, looks, AlertRules(**facts), now=NOW, expected_false_per_month=0.1, before=before)


@pytest.mark.parametrize(("text", "k", "m"), [("2 of 3", 2, 3), (" 1 of 1 ", 1, 1), ("100  of 100", 100, 100)])
def test_a_persistence_is_read(text: str, k: int, m: int) -> None:
    assert parse_persistence(text) == Persistence(k, m)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("3 of 2", "2 of 3"),
        ("0 of 3", "1 of 3"),
        ("0 of 0", "1 of 1"),
        ("1 of 101", "fewer windows"),
        ("2/3", "2 of 3"),
        ("", "2 of 3"),
        ("two of three", "2 of 3"),
        ("-1 of 3", "2 of 3"),
        ("2 of 3 windows", "2 of 3"),
        ("٢ of ٣", "2 of 3"),
        ("2 of 99999999999999", "2 of 3"),
    ],
)
def test_a_wrong_persistence_says_where_and_what_is_allowed(text: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_persistence(text, where="palio.toml [alert]: `persistence`")
    assert caught.value.message.startswith("palio.toml [alert]: `persistence`: got ")
    assert "allowed is `k of m`" in caught.value.message
    assert hint in caught.value.hint


def test_a_finding_opens_an_alert_when_it_shows_often_enough() -> None:
    assert not stand([finding()], [{"f1"}, set(), set()]).open
    (opened,) = stand([finding()], [{"f1"}, set(), {"f1"}]).open
    assert (opened.id, opened.n_shown, opened.n_looked, opened.at) == ("f1", 2, 3, NOW)


def test_a_finding_that_the_newest_window_does_not_show_opens_nothing() -> None:
    assert not stand([finding()], [set(), {"f1"}, {"f1"}]).open
    assert stand([finding()], [set(), {"f1"}, {"f1"}], before=[alert()]).open


def test_an_alert_is_over_when_the_newest_windows_can_no_longer_show_it_often_enough() -> None:
    assert stand([], [set(), set(), {"f1"}], before=[alert()]).over == {"f1"}
    assert not stand([], [set(), {"f1"}, {"f1"}], before=[alert()]).over


def test_without_windows_nothing_opens_and_nothing_is_over() -> None:
    assert stand([], [], before=[alert()]) == Standing(open=(), over=frozenset())
    assert stand([], [set()], before=[alert()]).over == frozenset()  # one window of three, and two may still show it


def test_drift_alone_never_opens_an_alert_unless_its_severity_is_asked_for() -> None:
    moved = finding("d1", kind="drift", subject="age", severity="warn")
    shown = [{"d1"}] * 3
    assert not stand([moved], shown).open
    (opened,) = stand([moved], shown, on=("page", "warn")).open
    assert opened.id == "d1" and not opened.explained_by


def test_a_consequence_stands_before_movement_and_names_what_may_explain_it() -> None:
    hurt = finding("q1", severity="warn", effect=-0.03)
    moved = finding("d1", kind="drift", subject="age", severity="warn", effect=9.0, limit=0.1)
    long_ago = finding("d2", kind="drift", subject="job", since=NOW - 9 * DAY, until=NOW - 5 * DAY, severity="note")
    slow = finding("l1", kind="latency", subject="p99", severity="warn")
    elsewhere = finding("d3", kind="drift", segment="region = north", severity="note")
    found = [moved, slow, hurt, long_ago, elsewhere]
    first, *others = stand(found, [{"q1", "d1", "d2", "l1"}] * 3, on=("warn",)).open
    assert first.id == "q1" and {one.id for one in others} == {"d1", "l1"}
    assert [one.id for one in first.explained_by] == ["d1"]


def test_there_is_one_alert_for_a_finding_and_each_segment_counts_its_own_windows() -> None:
    north = finding("n1", segment="region = north")
    looks = [Look(segment=segment, shown=frozenset({"f1", "n1"})) for segment in ("", "region = north") for _ in "ab"]
    looks[3] = Look(segment="region = north", shown=frozenset())
    opened = standing([finding(), finding(), north], looks, AlertRules(), now=NOW, expected_false_per_month=0.0).open
    assert [one.id for one in opened] == ["f1"]


def test_what_all_rows_show_is_not_told_again_of_each_segment() -> None:
    rules = AlertRules(persistence=Persistence(1, 1))
    whole, part, other = finding("f1"), finding("f2", segment="job = a"), finding("f3", segment="job = a", kind="value")
    looks = [Look(shown=frozenset({"f1"})), Look(segment="job = a", shown=frozenset({"f2", "f3"}))]
    opened = standing([part, other, whole], looks, rules, now=NOW, expected_false_per_month=0.1).open
    assert {one.id for one in opened} == {"f1", "f3"}
    told = standing([part], looks[1:], rules, now=NOW, expected_false_per_month=0.1).open
    assert [one.id for one in told] == ["f2"]
    both = standing([part, other, whole], looks, rules, now=NOW, expected_false_per_month=0.1, before=told).open
    assert {one.id for one in both} == {"f1", "f2", "f3"}  # what people know as open is not dropped silently


def test_windows_that_could_not_show_a_finding_are_passed_over() -> None:
    blind = Look(shown=frozenset(), judged=frozenset({"drift"}))
    seeing = Look(shown=frozenset({"f1"}), judged=frozenset({"quality"}))
    looks = [blind, blind, seeing, blind, seeing]
    (opened,) = standing([finding()], looks, AlertRules(), now=NOW, expected_false_per_month=0.0).open
    assert (opened.n_shown, opened.n_looked) == (2, 2)


def test_an_alert_that_people_know_stays_open_when_it_only_becomes_milder() -> None:
    milder = finding(severity="note")
    assert stand([milder], [{"f1"}] * 3, before=[alert()]).open[0].finding.severity == "note"
    assert not stand([milder], [{"f1"}] * 3).open


def test_a_review_tells_which_windows_could_show_what() -> None:
    given = review([[], [finding()], [], []])
    estimate = Estimate(metric="roc_auc", value=OUTCOME.value, reference=0.8, method="cbpe")
    *_, third, second, first = given.windows
    third = msgspec.structs.replace(third, estimates=(estimate,))
    second = msgspec.structs.replace(second, outcomes=())
    first = msgspec.structs.replace(first, is_ripe=False)
    looks = looks_of(msgspec.structs.replace(given, windows=(third, second, first)))
    assert ["quality" in (one.judged or ()) for one in looks] == [False, True, True]  # labels, a finding, labels
    assert ["estimated_quality" in (one.judged or ()) for one in looks] == [False, False, True]
    assert all("volume" in (one.judged or ()) for one in looks)


def test_a_window_that_was_too_small_to_be_judged_clears_nothing() -> None:
    small = review([[], [], [finding()], [finding()]], min_rows=2000)
    known = alert()
    assert review_standing(small, AlertRules(), now=NOW, before=[known]).open[0].n_shown == 2
    large = review([[], [], [finding()], [finding()]], min_rows=1000)
    assert review_standing(large, AlertRules(), now=NOW, before=[known]).over == {"f1"}


def test_a_review_opens_the_alerts_of_its_own_version_with_its_own_false_alarms() -> None:
    (opened,) = review_standing(review([[finding()]] * 3), AlertRules(), now=NOW).open
    assert opened.expected_false_per_month == pytest.approx(0.135375)
    assert not review_standing(review([[finding()]] * 3, version=4), AlertRules(), now=NOW).open


@pytest.mark.parametrize("rule", [(1, 1), (1, 3), (2, 2), (2, 3), (3, 5), (5, 5)])
@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
def test_the_expected_false_alarms_are_those_of_a_simulation(rule: tuple[int, int], rate: float) -> None:
    n_findings, n_windows, n_watched = 200, 5000, 7
    k, m = rule
    shown = np.random.default_rng(7).random((n_findings, n_windows + m)) < rate
    counts = np.lib.stride_tricks.sliding_window_view(shown, m, axis=1).sum(axis=2)
    is_open = counts >= k
    n_opened = int((is_open[:, 1:] & ~is_open[:, :-1]).sum())
    per_month = n_opened / (n_findings * n_windows) * n_watched * 30 * 24
    expected = expected_false_alarms(rate, Persistence(k, m), window_s=3600, n_watched=n_watched)
    assert abs(n_opened - expected / (n_watched * 720) * n_findings * n_windows) <= 5 * max(1, n_opened) ** 0.5
    assert per_month == pytest.approx(expected, rel=5 / max(1, n_opened) ** 0.5, abs=0.05)


def test_the_rule_that_is_simulated_is_the_rule_that_is_used() -> None:
    shown = (np.random.default_rng(3).random(3000) < 0.3).tolist()
    n_opened, known = 0, []
    for end in range(3, len(shown) + 1):
        looks = [Look(shown=frozenset({"f1"} if one else ())) for one in reversed(shown[end - 3 : end])]
        now = standing([finding()], looks, AlertRules(), now=NOW, expected_false_per_month=0.0, before=known)
        n_opened += bool(now.open) and not known
        known = list(now.open)
    expected = expected_false_alarms(0.3, Persistence(2, 3), window_s=2_592_000 / 3000)
    assert n_opened == pytest.approx(expected, rel=0.15)


def test_false_alarms_that_cannot_be_counted_are_refused() -> None:
    for rate, window_s in ((1.5, 1.0), (-0.1, 1.0), (0.1, 0.0), (float("nan"), 1.0)):
        with pytest.raises(InputError):
            expected_false_alarms(rate, Persistence(1, 1), window_s=window_s)


def test_a_window_that_is_still_filling_is_not_counted() -> None:
    given = review([[finding()], [finding()], []])
    assert review_standing(given, AlertRules(), now=NOW).open, "it ends now, and is whole"
    *whole, newest = given.windows
    filling = msgspec.structs.replace(newest, until=newest.until - DAY / 2)
    early = msgspec.structs.replace(given, at=filling.until, windows=(*whole, filling))
    assert not review_standing(early, AlertRules(), now=NOW).open
    joined = msgspec.structs.replace(whole[-1], until=filling.until)
    assert not looks_of(msgspec.structs.replace(early, windows=(joined,)))


def test_what_the_filling_window_no_longer_shows_still_opens_by_the_windows_that_are_over() -> None:
    given = review([[], [finding()], [finding()], []])
    filling = msgspec.structs.replace(given.windows[-1], until=NOW - DAY / 2)
    facts = {"at": filling.until, "windows": (*given.windows[:-1], filling)}
    told = msgspec.structs.replace(given, **facts, findings=(), earlier=(finding(),))
    (opened,) = review_standing(told, AlertRules(), now=NOW).open
    assert (opened.n_shown, opened.n_looked) == (2, 3)


def test_looks_at_windows_that_are_over_give_the_false_alarms_that_are_expected() -> None:
    """Hourly reviews of daily windows, whose finding comes and goes by chance while a window fills."""
    rng, rate, n_days, n_looks = np.random.default_rng(5), 0.15, 1500, 6
    levels = np.abs(rng.standard_normal((n_days, n_looks)).cumsum(axis=1)) / np.sqrt(np.arange(1, n_looks + 1))
    shown = levels > 1.4395  # two-sided at 15 %
    n_opened, known = 0, list[Alert]()
    for day in range(4, n_days):
        past = [[finding()] if shown[day - age, -1] else [] for age in range(1, 4)]
        for turn in range(n_looks):
            at = NOW + (turn + 1) / (n_looks + 1) * DAY
            given = review([[finding()] if shown[day, turn] else [], *past], now=NOW + DAY)
            filling = msgspec.structs.replace(given.windows[-1], until=at)
            given = msgspec.structs.replace(given, at=at, windows=(*given.windows[:-1], filling))
            now = review_standing(given, AlertRules(), now=at, before=known)
            n_opened += bool(now.open) and not known
            known = list(now.open)
    expected = expected_false_alarms(rate, Persistence(2, 3), window_s=86_400) * n_days / 30
    assert n_opened == pytest.approx(expected, rel=4 / expected**0.5)
