"""Findings, reviews and messages for the tests of alerts."""

from __future__ import annotations

import datetime as dt
from typing import Any

from palio.core.monitoring import Alert, Finding, Outcome, Review, WindowReview
from palio.core.records import Metric
from palio.monitor import Message

NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
OUTCOME = Outcome(metric="roc_auc", value=Metric(value=0.75, low=0.7, high=0.8, n_rows=900), reference=0.8)


def finding(identity: str = "f1", **facts: Any) -> Finding:
    given: dict[str, Any] = {
        "model": "bank",
        "version": 3,
        "kind": "quality",
        "subject": "roc_auc",
        "severity": "page",
        "since": NOW - 2 * DAY,
        "until": NOW,
        "n_rows": 1000,
        "effect": -0.05,
        "measure": "roc_auc",
        "limit": 0.02,
        "p": 0.001,
        "reason": "roc_auc fell from 0.80 to 0.75",
    }
    return Finding(id=identity, **(given | facts))


def alert(identity: str = "f1", **facts: Any) -> Alert:
    return Alert(
        id=identity, finding=finding(identity, **facts), at=NOW, n_shown=2, n_looked=3, expected_false_per_month=0.14
    )


def message(identity: str = "m1", **facts: Any) -> Message:
    return Message(id=identity, state="open", alert=alert(**facts), at=NOW)


def review(windows: list[list[Finding]], *, now: dt.datetime = NOW, **facts: Any) -> Review:
    """A review whose windows, newest first, show these findings; each a day long."""
    newest: dict[str, Finding] = {}
    for shown in reversed(windows):
        newest |= {one.id: one for one in shown}
    told = tuple(
        WindowReview(
            since=now - (age + 1) * DAY,
            until=now - age * DAY,
            version=3,
            bundle="b",
            n_rows=1000,
            n_requests=1000,
            n_failed=0,
            is_ripe=True,
            outcomes=(OUTCOME,),
            findings=tuple(one.id for one in shown),
        )
        for age, shown in enumerate(windows)
    )
    given: dict[str, Any] = {
        "model": "bank",
        "version": 3,
        "bundle": "b",
        "at": now,
        "window_s": 86_400.0,
        "verdict": "act",
        "text": "",
        "task": "classification",
        "primary": "roc_auc",
        "windows": told[::-1],
        "findings": tuple(newest.values()),
        "false_alarm_rate": 0.05,
    }
    return Review(**(given | facts))
