"""Judge how much was asked: against windows of the same weekday and hour, and of what has passed before.

Only windows of the life of a model count: days before its first answer are not what is usual. Each window has a usual
rate, that of its own kind (weekday and hour; weekend or not while few weeks are known), so that weekends neither alarm
nor hide a fall on a Wednesday. A fall that has been seen before, as long, and that passed, such as a holiday, explains
but alarms nobody.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from palio.core.monitoring import Finding, Window
from palio.monitor.findings import finding

Array = np.ndarray[Any, np.dtype[Any]]
FEWEST_EARLIER = 4
"""Windows of the life of a model before the one that is judged, at least."""
FACTOR = 2.0
"""Volume must be this many times higher or lower …"""
DEVIATIONS = 4.0
"""… and this many robust deviations away (median absolute deviation of logarithms, and the noise of counting)."""
FEWEST_REQUESTS = 50
FEWEST_FOR_ROWS = 14
"""Windows before the one that is judged by its rows: only they tell how much the rows of a few requests vary."""
_FEWEST_ALIKE = 2
_DAY = dt.timedelta(days=1)
_WEEK = 7 * _DAY
_SATURDAY = 5
_ALL = 1e9


def rate(window: Window) -> float:
    """Return requests per hour, the refused, the wrong and the failed ones too."""
    hours = (window.until - window.since).total_seconds() / 3_600
    return _n_asked(window) / hours if hours > 0 else 0.0


def _n_asked(window: Window) -> int:
    return window.n_requests + window.n_failed + window.n_refused + sum(window.violations.values())


def in_rows(window: Window, n_rows: int) -> Window:
    """Count rows in place of requests."""
    return msgspec.structs.replace(
        window, n_rows=n_rows, n_distinct=n_rows, n_requests=n_rows, n_failed=0, n_refused=0, violations={}
    )


def of_its_life(window: Window, earlier: Sequence[Window]) -> list[Window]:
    """Return the windows before one, from the first in which anything was asked; those cut off are left out."""
    whole = [one for one in earlier if one.until <= window.since]
    first = next((place for place, one in enumerate(whole) if _n_asked(one)), len(whole))
    return [one for one in whole[first:] if (one.until - one.since) * 2 > window.until - window.since]


def usual_rate(
    window: Window, others: Sequence[Window], *, fewest_alike: int = _FEWEST_ALIKE, zone: dt.tzinfo = dt.UTC
) -> tuple[float, int] | None:
    """Return the median rate of windows of its kind, and how many there are; None: no such window is known.

    Its kind is that of its weekday, or, with fewer than `fewest_alike` of these, of weekends or other days; by the
    clocks of `zone`.
    """
    kinds = _Kinds(others, zone)
    return kinds.usual(window.until - window.since, _place(window, zone), rate(window), fewest_alike)


class _Kinds:
    """How much was asked in each of some windows, found by when in the day they begin."""

    def __init__(self, windows: Sequence[Window], zone: dt.tzinfo) -> None:
        self.lengths = [one.until - one.since for one in windows]
        self.rates = [rate(one) for one in windows]
        self.places = [_place(one, zone) for one in windows]
        self._alike: dict[dt.timedelta, list[int]] = {}
        for number, (_, begin) in enumerate(self.places):
            self._alike.setdefault(begin, []).append(number)

    def usual(
        self, length: dt.timedelta, place: tuple[int, dt.timedelta], now: float, fewest: int, *, but: int = -1
    ) -> tuple[float, int] | None:
        """Return what `usual_rate` does, of a window of this length, place and rate; `but` one of the windows."""
        day, hour = place
        if length >= _WEEK:
            rates = [value for number, value in enumerate(self.rates) if number != but]
            return (float(np.median(rates)), len(rates)) if rates else None
        # when clocks are set, long windows begin an hour beside the earlier ones: the one that explains more is usual
        begins = [hour]
        if not self._of(hour, but):
            begins = [begin for begin in self._alike if 2 * _apart(begin, hour) <= length]
        known = [_median_alike(self._of(begin, but), day, fewest) for begin in begins]
        return min((one for one in known if one), key=lambda one: abs(one[0] - now), default=None)

    def _of(self, begin: dt.timedelta, but: int) -> list[tuple[int, float]]:
        return [(self.places[at][0], self.rates[at]) for at in self._alike.get(begin, ()) if at != but]


def _median_alike(rates: Sequence[tuple[int, float]], day: int, fewest: int) -> tuple[float, int] | None:
    same = [value for other, value in rates if other == day]
    if len(same) < fewest:
        same = [value for other, value in rates if (other >= _SATURDAY) == (day >= _SATURDAY)]
    return (float(np.median(same)), len(same)) if same else None


def _place(window: Window, zone: dt.tzinfo) -> tuple[int, dt.timedelta]:
    """Return the weekday, and when in the day a window that is shorter than one begins."""
    length = window.until - window.since
    middle, begin = (window.since + length / 2).astimezone(zone), window.since.astimezone(zone)
    of_day = dt.timedelta(hours=begin.hour, minutes=begin.minute, seconds=begin.second)
    return middle.weekday(), of_day if length < _DAY else dt.timedelta()


def _apart(one: dt.timedelta, other: dt.timedelta) -> dt.timedelta:
    """Return how far two times of day are apart, the short way round."""
    away = abs(one - other)
    return min(away, _DAY - away)


def volume_finding(
    window: Window, earlier: Sequence[Window], *, what: str = "requests", zone: dt.tzinfo = dt.UTC
) -> Finding | None:
    """Tell of a window in which far more or less was asked than is usual for its kind.

    Where requests are few, as those of a job that sends a day's rows at once, rows are judged in their place.

    Args:
        window: That is over.
        earlier: Windows before it, oldest first.
        what: Was counted.
        zone: Whose weekdays and hours make windows alike.
    """
    life = of_its_life(window, earlier)
    known = usual_rate(window, life, zone=zone)
    if len(life) < FEWEST_EARLIER or known is None or known[0] <= 0:
        return None
    usual, n_alike = known
    hours = (window.until - window.since).total_seconds() / 3_600
    now = rate(window)
    if max(now, usual) * hours < FEWEST_REQUESTS:
        if what != "requests" or len(life) < FEWEST_FOR_ROWS:
            return None
        counted = [in_rows(one, one.n_rows) for one in life]
        return volume_finding(in_rows(window, window.n_rows), counted, what="rows", zone=zone)
    moves = _moves(life, zone)
    noise = np.sqrt(1 / max(now * hours, 1.0) + 1 / (usual * hours))
    away = _away(now, usual)
    if abs(away) <= max(np.log(FACTOR), DEVIATIONS * float(np.hypot(_spread(moves), noise))):
        return None
    seen = away < 0 and _has_passed(moves, away)
    times = min(float(np.exp(away)), _ALL)
    said = f"Nothing was asked: no {what}" if now == 0 else f"{now:,.3g} {what} an hour came in"
    like = "windows like it" if n_alike > 1 else "the one window like it"
    passed = "; it was as low before for as long, and that passed" if seen else ""
    return finding(
        window, "volume", what, severity="note" if seen else "warn", effect=times, measure="times the usual",
        limit=FACTOR if times > 1 else 1 / FACTOR,
        reason=f"{said}; {usual:,.3g} are usual in {like} before (same weekday and hour){passed}",
    )  # fmt: skip


def volume_findings(window: Window, earlier: Sequence[Window], *, zone: dt.tzinfo = dt.UTC) -> tuple[Finding, ...]:
    """Tell of unusual numbers of requests, and of different rows: copies hide a fall, and are no rise of what is asked.

    Where most requests were refused or failed, the rows that were answered say nothing of what was asked.

    Args:
        window: That is over.
        earlier: Windows before it, oldest first.
        zone: Whose weekdays and hours make windows alike.
    """
    asked = volume_finding(window, earlier, zone=zone)
    alone = () if asked is None else (asked,)
    if window.n_distinct is None or any(one.n_distinct is None for one in earlier):
        return alone
    if 2 * window.n_requests < _n_asked(window) or _are_too_few(window, of_its_life(window, earlier), zone):
        return alone
    different = volume_finding(*_of_different_rows(window, earlier), what="different rows", zone=zone)
    if asked is None:
        return () if different is None else (different,)
    is_same = different is not None and (different.effect > 1) == (asked.effect > 1)
    n_copies = window.n_rows - window.n_distinct
    if asked.effect > 1 and not is_same and n_copies > 0:
        reason = f"{asked.reason}; {n_copies:,} of its {window.n_rows:,} rows are copies of others in it"
        asked = msgspec.structs.replace(asked, severity="note", reason=reason)
    return (asked,) if different is None or is_same else (asked, different)


def _are_too_few(window: Window, life: Sequence[Window], zone: dt.tzinfo) -> bool:
    """Tell whether requests are so few, and windows before, that nobody knows how much their rows vary."""
    known = usual_rate(window, life, zone=zone)
    hours = (window.until - window.since).total_seconds() / 3_600
    usual = 0.0 if known is None else known[0]
    return len(life) < FEWEST_FOR_ROWS and max(rate(window), usual) * hours < FEWEST_REQUESTS


def _of_different_rows(window: Window, earlier: Sequence[Window]) -> tuple[Window, list[Window]]:
    return in_rows(window, window.n_judged), [in_rows(one, one.n_judged) for one in earlier]


def _away(now: float, usual: float) -> float:
    return float(np.log(max(now, 1e-9)) - np.log(max(usual, 1e-9)))


def _moves(life: Sequence[Window], zone: dt.tzinfo) -> Array:
    """Return how far each window was from what is usual for its kind, the others taken, in logarithms.

    One other window of its weekday is enough: among Saturdays each Sunday of two weeks would be a fall that passed.
    """
    kinds, found = _Kinds(life, zone), []
    for number, now in enumerate(kinds.rates):
        known = kinds.usual(kinds.lengths[number], kinds.places[number], now, 1, but=number)
        found.append(0.0 if known is None or known[0] <= 0 else _away(now, known[0]))
    return np.array(found)


def _spread(moves: Array) -> float:
    return 1.4826 * float(np.median(np.abs(moves - np.median(moves)))) if len(moves) else 0.0


def _has_passed(moves: Array, away: float) -> bool:
    """Say whether it was as low before (to a factor of two), for at least as long, and rose again."""
    low = moves <= min(away + np.log(FACTOR), away / 2)
    lengths, length = [], 0
    for one in low.tolist():
        if not one and length:
            lengths.append(length)
        length = length + 1 if one else 0
    return bool(lengths) and length + 1 <= max(lengths)  # the run that lasts, and the newest window
