"""Decide what people are told now, given what they know: at once, once a cooldown, and once that it is over.

What did not arrive stays owed, and is claimed again after a while, less and less often, until it is given up.

Pure. The caller writes what `pending` returns by compare-and-set before it sends anything, so that of many watchers
one sends.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

import msgspec

from palio.core.ids import digest_of
from palio.core.monitoring import Alert
from palio.core.records import Record

LEASE_S = 600.0
"""For so long a message is left to the watcher that has claimed it; then that one is taken for dead."""
MAX_CLAIMS = 8
"""Each claim waits twice as long as the one before: what did not arrive within 21 hours is given up."""
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


class Owed(Record, frozen=True, kw_only=True):
    """A message that a watcher is bringing to people, or has failed to."""

    message: Message
    channels: tuple[str, ...]
    """On which it is not known to have arrived."""
    claimed_at: dt.datetime
    n_claims: int = 1
    after: int = 0
    """Ledger lines that tell of its deliveries come after this one."""


class AlertState(Record, frozen=True, kw_only=True):
    """What people know, and what is still to be brought to them; the newest ledger line holds."""

    told: tuple[Told, ...] = ()
    owed: tuple[Owed, ...] = ()


class Arrived(NamedTuple):
    """A message on a channel on which it has arrived."""

    message: str
    channel: str


class Claimed(NamedTuple):
    """What is owed once a watcher has claimed its share."""

    owed: tuple[Owed, ...]
    """All of it."""
    mine: tuple[Owed, ...]
    """What this watcher sends now."""
    given_up: tuple[Owed, ...]
    """What has been tried for the last time, and did not arrive."""


def claim(
    state: AlertState,
    messages: Sequence[Message],
    *,
    arrived: Collection[Arrived],
    channels: Sequence[str],
    now: dt.datetime,
    after: int,
) -> Claimed:
    """Say what this watcher is to bring to people now; nobody else does, once it is written.

    Of each alert the newest message alone is owed: who was away learns how it stands, not how it came to that.

    Args:
        state: Of the newest ledger line.
        messages: New ones.
        arrived: What has arrived of what was owed.
        channels: That there are now.
        now: The present moment.
        after: Number of the newest ledger line.
    """
    renewed = {one.alert.id for one in messages}
    kept, mine, given_up = [], [], []
    for owed in state.owed:
        left = tuple(
            name for name in owed.channels if name in channels and (owed.message.id, name) not in arrived
        )  # fmt: skip
        if not left or owed.message.alert.id in renewed:
            continue  # it has arrived, or a newer message tells how things stand
        owed = msgspec.structs.replace(owed, channels=left)
        if abs((now - owed.claimed_at).total_seconds()) < LEASE_S * 2 ** (owed.n_claims - 1):
            kept.append(owed)
        elif owed.n_claims < MAX_CLAIMS:
            mine.append(msgspec.structs.replace(owed, claimed_at=now, n_claims=owed.n_claims + 1))
        else:
            given_up.append(owed)
    fresh = [Owed(message=one, channels=tuple(channels), claimed_at=now, after=after) for one in messages]
    return Claimed((*kept, *mine, *fresh), (*fresh, *mine), tuple(given_up))


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
            kept[alert.id] = Told(alert=msgspec.structs.replace(alert, explained_by=()), at=now, is_open=True)
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
