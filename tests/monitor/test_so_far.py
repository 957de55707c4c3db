"""A window that is not over is no finding, unless it is unlike the same part of those before it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest

from palio.core.monitoring import Review
from palio.monitor import Subject, Watching, review
from palio.truth import Truths
from tests.monitor.test_reviewing import DAY, NOW, Served, kinds, subject

MORNING = NOW + dt.timedelta(hours=9)


@pytest.fixture(scope="module")
def champion() -> Subject:
    return subject()


class Rhythm(Served):
    """Rows whose `x` rises and falls with the hour."""

    def hours(self, number: int, *, until: float = 1.0, shift: float = 0.0, n_rows: int = 1500) -> None:
        self.day(number, n_rows)
        batch = self.batches[-1]
        part = np.arange(n_rows) / n_rows
        ranked = np.sort(batch["input.x"])[np.argsort(np.argsort(np.sin(2 * np.pi * part) + 0.1 * batch["input.x"]))]
        batch["input.x"] = ranked + shift
        p = 1 / (1 + np.exp(-2 * batch["input.x"]))
        batch |= {"probability_yes": p, "probability_no": 1 - p}
        batch["prediction"] = np.where(p > 0.5, "yes", "no").astype(object)
        self.batches[-1] = {name: values[part < until] for name, values in batch.items()}


def at_nine(log: Served, champion: Subject, **settings: Any) -> Review:
    watching = Watching(**({"window": DAY, "since": NOW - 10 * DAY, "min_rows": 200} | settings))
    return review(log, Truths(log.labels), [champion], watching, now=MORNING)


def test_a_morning_is_no_drift(champion: Subject) -> None:
    log = Rhythm()
    for number in range(10):
        log.hours(number)
    log.hours(10, until=9 / 24)
    found = at_nine(log, champion)
    assert found.windows[-1].so_far and found.windows[-1].n_rows < 600
    assert found.windows[-1].drift and not any(one.drifted for one in found.windows[-1].drift)
    assert (found.verdict, found.findings) == ("good", ())


def test_a_morning_that_is_unlike_mornings_is_told_at_once(champion: Subject) -> None:
    log = Rhythm()
    for number in range(10):
        log.hours(number)
    log.hours(10, until=9 / 24, shift=1.5)
    assert "drift" in kinds(at_nine(log, champion).findings)


def test_what_was_found_yesterday_still_stands_in_the_morning(champion: Subject) -> None:
    log = Rhythm()
    for number in range(10):
        log.hours(number, shift=1.5 if number > 6 else 0.0)
    log.hours(10, until=9 / 24, shift=1.5)
    drift = next(one for one in at_nine(log, champion).findings if one.kind == "drift" and one.subject == "x")
    assert drift.since == NOW - 3 * DAY


def test_a_morning_with_nothing_to_compare_is_not_judged(champion: Subject) -> None:
    log = Rhythm()
    for number in range(10):
        log.hours(number)
        late = log.batches[-1]["at"] >= np.datetime64((NOW - (10 - number) * DAY).replace(tzinfo=None)) + 43_200_000_000
        log.batches[-1] = {name: values[late] for name, values in log.batches[-1].items()}
    log.hours(10, until=9 / 24)
    newest = at_nine(log, champion).windows[-1]
    assert newest.so_far and newest.drift == () and newest.findings == ()


def test_the_first_day_is_all_there_is_and_is_judged(champion: Subject) -> None:
    log = Rhythm()
    log.hours(10, until=9 / 24, shift=2.0)
    found = at_nine(log, champion)
    assert not found.windows[-1].so_far and "drift" in kinds(found.findings)
