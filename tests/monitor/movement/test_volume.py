"""How much is asked: weekends and holidays are no news, a fall is, and days before the first answer are nothing."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import msgspec
import numpy as np
import pytest

from palio.core.monitoring import Window
from palio.monitor.movement.volume import volume_finding, volume_findings

DAY = dt.timedelta(days=1)
MONDAY = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)


def days(rates: list[float], *, length: dt.timedelta = DAY, seed: int = 0) -> list[Window]:
    chance = np.random.default_rng(seed)
    return [
        Window(
            model="m", bundle="b", version=1, since=MONDAY + turn * length, until=MONDAY + (turn + 1) * length,
            n_requests=int(chance.poisson(rate)),
        )
        for turn, rate in enumerate(rates)
    ]  # fmt: skip


def weeks(number: int, *, weekday: float = 1_000.0, weekend: float = 150.0) -> list[float]:
    return ([weekday] * 5 + [weekend] * 2) * number


def said(rates: list[float], **how: dt.timedelta) -> str:
    *earlier, newest = days(rates, **how)
    found = volume_finding(newest, earlier)
    return "" if found is None else found.severity


@pytest.mark.parametrize("day", range(7))
def test_no_day_of_a_calm_week_is_news_after_the_first_week(day: int) -> None:
    for n_weeks in (1, 2, 3, 6):
        assert said(weeks(n_weeks) + weeks(1)[: day + 1]) == ""


@pytest.mark.parametrize("day", range(7))
def test_a_fall_by_nine_tenths_is_found_after_two_weeks(day: int) -> None:
    usual = weeks(3)[: 14 + day + 1]
    assert said([*usual[:-1], usual[-1] * 0.1]) == "warn"


def test_days_before_the_first_answer_are_not_usual() -> None:
    born = [0.0] * 16 + weeks(2)
    assert said([*born, 1_000.0]) == ""
    assert said([*born, 100.0]) == "warn"


def test_a_holiday_is_news_once_and_then_explains_itself() -> None:
    holiday = weeks(5)
    holiday[16] = 120.0  # a Wednesday
    assert said(holiday[:17]) == "warn"
    assert said([*holiday[:29], 120.0]) == "note", "as low as on the holiday, for no longer"
    assert said([*holiday[:28], 120.0, 120.0]) == "warn", "longer than the holiday"


def test_a_silent_day_is_news_and_a_silent_weekend_that_was_always_silent_is_not() -> None:
    assert said([*weeks(2, weekend=0.0), 0.0]) == "warn"
    assert said([*weeks(2, weekend=0.0), *[1_000.0] * 5, 0.0]) == ""


def test_nights_are_held_against_nights_where_windows_are_hours() -> None:
    hour, nights = dt.timedelta(hours=1), ([20.0] * 7 + [800.0] * 17) * 9
    assert said(nights[: 24 * 8 + 3], length=hour) == ""
    assert said([*nights[: 24 * 8 + 11], 60.0], length=hour) == "warn"


def test_calm_traffic_of_many_sizes_hardly_ever_alarms() -> None:
    shown = 0
    for seed in range(200):
        chance = np.random.default_rng(seed)
        level = chance.lognormal(0, 0.15, 29) * float(chance.choice([80.0, 400.0, 5_000.0]))
        *earlier, newest = days((np.array(weeks(5)[:29]) / 1_000 * level).tolist(), seed=seed)
        shown += volume_finding(newest, earlier) is not None
    assert shown <= 4


def asked(n_requests: list[int], n_different: list[int]) -> list[tuple[str, str, bool]]:
    """Say what is found of the newest of these days: subject, severity, and whether it is more than usual."""
    *earlier, newest = (
        msgspec.structs.replace(one, n_requests=n, n_rows=n, n_distinct=d)
        for one, n, d in zip(days([1.0] * len(n_requests)), n_requests, n_different, strict=True)
    )
    return [(one.subject, one.severity, one.effect > 1) for one in volume_findings(newest, earlier)]


def test_copies_are_told_and_alarm_nobody() -> None:
    usual = [1_000] * 14
    assert asked([*usual, 1_000], [*usual, 1_000]) == []
    assert asked([*usual, 5_000], [*usual, 1_000]) == [("requests", "note", True)]
    assert asked([*usual, 5_000], [*usual, 5_000]) == [("requests", "warn", True)]


def test_a_fall_is_found_behind_copies() -> None:
    usual = [1_000] * 14
    assert asked([*usual, 1_000], [*usual, 90]) == [("different rows", "warn", False)]
    assert asked([*usual, 5_000], [*usual, 90]) == [("requests", "note", True), ("different rows", "warn", False)]
    assert asked([*usual, 90], [*usual, 90]) == [("requests", "warn", False)]


def batches(rows: list[float], *, seed: int = 0) -> list[Window]:
    """Make days in which a job sends all rows in one request."""
    chance = np.random.default_rng(seed)
    sent = (chance.lognormal(0, 0.1) * number for number in rows)
    return [
        msgspec.structs.replace(day, n_requests=int(n > 0), n_rows=round(n))
        for day, n in zip(days(rows), sent, strict=True)
    ]


def test_rows_are_judged_where_a_job_sends_a_day_in_one_request() -> None:
    usual = weeks(3, weekday=9_000.0, weekend=2_000.0)[:18]
    found = [volume_finding(newest, earlier) for *earlier, newest in (batches(usual), batches([*usual[:-1], 500.0]))]
    assert found[0] is None
    assert found[1] is not None and (found[1].subject, found[1].severity) == ("rows", "warn")


def test_rows_of_a_young_job_are_not_judged() -> None:
    *earlier, newest = batches([9_000.0] * 8 + [500.0])
    assert volume_finding(newest, earlier) is None


def test_different_rows_of_a_young_job_are_not_judged_either() -> None:
    sent = batches([9_000.0] * 8 + [500.0])
    *earlier, newest = (msgspec.structs.replace(one, n_distinct=one.n_rows) for one in sent)
    assert volume_findings(newest, earlier) == ()


def test_an_outage_is_no_fall_of_what_is_asked() -> None:
    *earlier, newest = (msgspec.structs.replace(one, n_distinct=one.n_rows) for one in days([1_000.0] * 15))
    failed = msgspec.structs.replace(newest, n_requests=0, n_rows=0, n_distinct=0, n_failed=1_000)
    assert volume_findings(failed, earlier) == ()


def test_rows_of_few_requests_hardly_ever_alarm() -> None:
    shown = 0
    for seed in range(200):
        chance = np.random.default_rng(seed)
        *earlier, newest = batches((1_000.0 * chance.lognormal(0, 0.3, 30)).tolist(), seed=seed)
        shown += volume_finding(newest, earlier) is not None
    assert shown <= 4


def test_requests_that_were_refused_as_wrong_were_asked() -> None:
    *earlier, newest = days([1_000.0] * 15)
    wrong = msgspec.structs.replace(newest, n_requests=0, violations={"`age` is missing": newest.n_requests})
    assert volume_finding(wrong, earlier) is None


def test_quiet_sundays_are_no_falls_that_passed() -> None:
    week = [1_000.0] * 5 + [800.0, 350.0]
    *earlier, newest = days([*week, *week, 1_000.0, 400.0])
    told = volume_finding(newest, earlier)
    assert told is not None and told.severity == "warn" and "as low before" not in told.reason


def hours_of_an_office(n_days: int, zone: dt.tzinfo, *, length_h: int = 1) -> list[Window]:
    """Hours around the last Sunday of March, when clocks are set: much is asked from eight to six, by these clocks."""
    begin, chance, found = dt.datetime(2026, 3, 9, tzinfo=dt.UTC), np.random.default_rng(0), []
    for turn in range(0, 24 * n_days, length_h):
        hours = [begin + dt.timedelta(hours=turn + more) for more in range(length_h)]
        busy = [8 <= at.astimezone(zone).hour < 18 for at in hours]
        n_requests = int(chance.poisson(sum(2_000 if one else 80 for one in busy)))
        until = hours[-1] + dt.timedelta(hours=1)
        found.append(Window(model="m", bundle="b", version=1, since=hours[0], until=until, n_requests=n_requests))
    return found


@pytest.mark.parametrize("length_h", [1, 2, 6])
def test_hours_stay_the_same_when_clocks_are_set(length_h: int) -> None:
    zone = zoneinfo.ZoneInfo("Europe/Berlin")
    windows = hours_of_an_office(24, zone, length_h=length_h)
    changed = dt.datetime(2026, 3, 29, 1, tzinfo=dt.UTC)
    after = [place for place, one in enumerate(windows) if one.since >= changed]
    found = [volume_finding(windows[place], windows[:place], zone=zone) for place in after]
    assert not [one for one in found if one is not None]
    if length_h == 1:
        assert any(volume_finding(windows[place], windows[:place]) for place in after), "by other clocks they move"


def test_a_fall_after_clocks_were_set_is_found() -> None:
    zone = zoneinfo.ZoneInfo("Europe/Berlin")
    *earlier, newest = hours_of_an_office(24, zone, length_h=6)[:-1]
    fallen = msgspec.structs.replace(newest, n_requests=newest.n_requests // 20)
    found = volume_finding(fallen, earlier, zone=zone)
    assert found is not None and found.severity == "warn"


def test_each_window_is_placed_by_the_clocks_once_however_many_there_are() -> None:
    class Counted(dt.tzinfo):
        asked = 0

        def utcoffset(self, _: dt.datetime | None) -> dt.timedelta:
            Counted.asked += 1
            return dt.timedelta(hours=1)

        dst = utcoffset

    *earlier, newest = hours_of_an_office(24, dt.UTC)
    assert volume_finding(newest, earlier, zone=Counted()) is None
    assert len(earlier) <= Counted.asked <= 20 * len(earlier)
