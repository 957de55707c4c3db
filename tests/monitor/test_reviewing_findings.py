"""What a review says is shown now, and what only earlier windows show."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import msgspec

from palio.core.monitoring import Finding
from palio.monitor.reviewing import Judged, _shown
from tests.monitor.alert_worlds import DAY, NOW, finding, review

CHAMPION = SimpleNamespace(deployment=None)


def judged(windows: list[list[Finding]]) -> list[Judged]:
    """Windows, newest first, as a review judges them: oldest first."""
    reviews = review(windows).windows[::-1]
    found = []
    for age, (told, shown) in enumerate(zip(reviews, windows, strict=True)):
        own = [msgspec.structs.replace(one, since=NOW - (age + 1) * DAY, until=NOW - age * DAY) for one in shown]
        cell: Any = SimpleNamespace(subject=CHAMPION, segment="")
        found.append(Judged(cell=cell, window=cast("Any", None), review=told, findings=own))
    return found[::-1]


def test_what_the_newest_window_does_not_show_is_told_apart_and_followed() -> None:
    gone, there = finding("gone"), finding("there", subject="f1")
    newest, earlier = _shown(judged([[there], [gone, there], [gone], []]), cast("Any", CHAMPION), 100)
    assert [(one.id, one.n_windows, one.since) for one in newest] == [("there", 2, NOW - 2 * DAY)]
    assert [(one.id, one.n_windows, one.since) for one in earlier] == [("gone", 2, NOW - 3 * DAY)]


def test_each_finding_is_told_once_in_its_newest_form() -> None:
    newest, earlier = _shown(judged([[], [finding()], [], [finding()]]), cast("Any", CHAMPION), 100)
    assert newest == () and [(one.id, one.until, one.n_windows) for one in earlier] == [("f1", NOW - DAY, 1)]
