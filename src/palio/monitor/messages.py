"""Decide what people are told now, given what they know: at once, once a cooldown, and once that it is over.

Pure. The caller writes what `pending` returns by compare-and-set before it sends anything, so that of many watchers
one sends.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Literal

import msgspec

from palio.core.ids import digest_of
from palio.core.monitoring import Alert
from palio.core.records import Record

_RANK = {"page": 0, "warn": 1, "note": 2}


class Message(Record, frozen=True, kw_only=True):
    """What people are told once. Said again, it has the same identity."""

    id: str
    state: Literal["open", "still_open", "recovered", "test"]
    alert: Alert
    at: dt.datetime


class Told(Record, frozen=True, kw_only=True):
    """An alert that people know."""

    alert: Alert
    """As they were told last."""
    at: dt.datetime
    """When they were last told that it is open."""
    is_open: bool


def pending(
    told: Sequence[Told],
    now_open: Sequence[Alert],
    *,
    over: Collection[str],
    now: dt.datetime,
    cooldown_s: float,
    on: Collection[str] = ("page",),
) -> tuple[tuple[Told, ...], tuple[Message, ...]]:
    """Say what must be sent now, and what people know then. Pure: the same in, the same out.

    That an alert is open is said at once, then not again within the cooldown, even if it has closed and opened
    meanwhile; only a higher severity is said at once. That it is over is said once, if people know it as open.

    Args:
        told: What people know; the newest ledger line of the alerts holds it.
        now_open: Alerts that are open.
        over: Identities of those that are surely over.
        now: The present moment.
        cooldown_s: Time in which no alert is said to be open twice.
        on: Severities of which people are reminded.
    """
    known, messages, kept = {one.alert.id: one for one in told}, [], {}
    for alert in now_open:
        before = known.get(alert.id)
        if before is None or _must_tell(before, alert, now=now, cooldown_s=cooldown_s, on=on):
            state: Literal["open", "still_open"] = "still_open" if before is not None and before.is_open else "open"
            messages.append(_message(alert, state, now))
            kept[alert.id] = Told(alert=alert, at=now, is_open=True)
    for identity, before in known.items():
        if identity in kept:
            continue
        if before.is_open and identity in over:
            messages.append(_message(before.alert, "recovered", now))
            before = msgspec.structs.replace(before, is_open=False)
        if before.is_open or _elapsed(before, now) < cooldown_s:
            kept[identity] = before
    return tuple(kept.values()), tuple(messages)


def _must_tell(before: Told, alert: Alert, *, now: dt.datetime, cooldown_s: float, on: Collection[str]) -> bool:
    if _RANK[alert.finding.severity] < _RANK[before.alert.finding.severity]:
        return True
    return alert.finding.severity in on and _elapsed(before, now) >= cooldown_s


def _elapsed(before: Told, now: dt.datetime) -> float:
    """Return the seconds since people were told; a clock that was far ahead silences nobody for longer than that."""
    return abs((now - before.at).total_seconds())


def _message(alert: Alert, state: Literal["open", "still_open", "recovered"], now: dt.datetime) -> Message:
    identity = digest_of([alert.finding.model, alert.id, state, now])[:16]
    return Message(id=identity, state=state, alert=alert, at=now)
