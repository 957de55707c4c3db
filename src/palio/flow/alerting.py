"""Tell people of alerts: decide, write it down, send, write down what came of it.

The line comes first, by compare-and-set: of several watchers one sends. One that is killed before it has sent is found
out when its claim runs out, and another sends: each message arrives at least once, always with the same identity.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from palio import monitor
from palio.core.clock import Clock, utc_now
from palio.core.config import AlertTable
from palio.core.durations import read_duration
from palio.core.errors import ConfigError, ConflictError, InputError
from palio.core.monitoring import Alert, Delivery, Finding, Review

if TYPE_CHECKING:
    from palio.core.records import Event
    from palio.flow.opened import Opened
    from palio.monitor import AlertRules, AlertState, Arrived, Channel, Claimed, Message, Owed

KIND = "monitor.alert"
DELIVERED = "monitor.deliver"
PASSWORD = "PALIO_ALERT_PASSWORD"  # noqa: S105 - the name of a variable
_SENDING_S = monitor.LEASE_S - 120.0
"""Nothing is begun after this: a delivery on all channels takes up to 106 s, and must end within the lease."""


def tell(project: Opened, review: Review, *, clock: Clock = utc_now) -> tuple[Delivery, ...]:
    """Tell people of the alerts that a review opens, of those that stay open, and of those that are over.

    Returns:
        What came of it; empty if there was nothing to tell, or another watcher tells it.

    Raises:
        InputError: `[alert]` cannot be understood.
    """
    table, ledger, now = project.config.alert, project.store.ledger, clock()
    rules, channels = read_rules(table), {one.name: one for one in open_channels(project)}
    line = ledger.newest(KIND, review.model)
    state, after = _state(line), 0 if line is None else line.sequence
    before = [one.alert for one in state.told if one.is_open]
    standing = monitor.review_standing(review, rules, now=now, before=before)
    told, messages = monitor.pending(
        state.told, standing.open, over=standing.over, now=now, cooldown_s=rules.cooldown_s, on=rules.on
    )
    arrived = _arrived(project, review.model, state.owed)
    claimed = monitor.claim(state, messages, arrived=arrived, channels=list(channels), now=now, after=after)
    if not (claimed.mine or claimed.given_up):
        return ()
    new = monitor.AlertState(told=told, owed=claimed.owed)
    try:
        ledger.append_after(
            KIND, review.model, _sentence(messages, claimed), family=KIND, after=after, payload={"state": new}
        )
    except ConflictError:
        return ()  # another watcher has just told people
    return _bring(project, claimed.mine, channels, clock)


def try_channels(project: Opened, *, clock: Clock = utc_now) -> tuple[Delivery, ...]:
    """Send a test alert over every channel that is set; nothing is written to the ledger.

    Raises:
        InputError: `[alert]` cannot be understood, or names no channel.
    """
    read_rules(project.config.alert)
    channels = open_channels(project)
    if not channels:
        raise ConfigError(
            "palio.toml [alert]: no channel is set", hint="set `webhook`, `email` with `smtp`, or `command`"
        )
    now = clock()
    finding = Finding(
        id="test",
        model=project.name,
        version=0,
        kind="quality",
        subject="test",
        severity="page",
        since=now,
        until=now,
        n_rows=0,
        effect=0.0,
        measure="test",
        reason="Somebody has run palio alert test.",
    )
    alert = Alert(id="test", finding=finding, at=now, n_shown=0, n_looked=0, expected_false_per_month=0.0)
    message = monitor.Message(id=f"test-{int(now.timestamp() * 1e6):x}", state="test", alert=alert, at=now)
    return tuple(monitor.deliver(message, channel, clock=clock) for channel in channels)


def open_alerts(project: Opened, review: Review, *, clock: Clock = utc_now) -> tuple[Alert, ...]:
    """Return the alerts that are open after a review, given what people were told before; for `Review.alerts`."""
    state = _state(project.store.ledger.newest(KIND, review.model))
    before = [one.alert for one in state.told if one.is_open]
    return monitor.review_standing(review, read_rules(project.config.alert), now=clock(), before=before).open


def read_rules(table: AlertTable) -> AlertRules:
    """Read when people are told.

    Raises:
        InputError: a rule cannot be understood; where, and what is allowed.
    """
    where = "palio.toml [alert]"
    try:
        cooldown_s = read_duration(table.cooldown).total_seconds()
    except InputError as error:
        raise ConfigError(f"{where}: `cooldown`: {error.message}", hint=error.hint) from None
    persistence = monitor.parse_persistence(table.persistence, where=f"{where}: `persistence`")
    return monitor.AlertRules(on=table.on, persistence=persistence, cooldown_s=cooldown_s)


def open_channels(project: Opened, *, env: Mapping[str, str] | None = None) -> tuple[Channel, ...]:
    """Make the channels that are set; nothing is connected yet.

    Raises:
        ConfigError: a channel cannot be understood; where, and what is allowed.
    """
    table, env = project.config.alert, os.environ if env is None else env
    channels: list[Channel] = []
    if table.webhook:
        channels.append(monitor.Webhook(table.webhook, allow_private=table.private_addresses == "allow"))
    if table.email:
        channels.append(
            monitor.Mail(table.smtp, to=table.email, sender=table.sender, password=env.get(PASSWORD, ""))
        )  # fmt: skip
    if table.command:
        channels.append(monitor.Command(table.command, folder=project.folder, env=env))
    return tuple(channels)


def _state(line: Event | None) -> AlertState:
    return monitor.AlertState() if line is None else msgspec.convert(line.payload["state"], monitor.AlertState)


def _arrived(project: Opened, model: str, owed: Sequence[Owed]) -> set[Arrived]:
    if not owed:
        return set()
    lines = project.store.ledger.events(kind=DELIVERED, subject=model, after=min(one.after for one in owed))
    deliveries = [msgspec.convert(line.payload["delivery"], Delivery) for line in lines]
    return {monitor.Arrived(one.message, one.channel) for one in deliveries if one.ok}


def _bring(
    project: Opened, mine: Iterable[Owed], channels: Mapping[str, Channel], clock: Clock
) -> tuple[Delivery, ...]:  # fmt: skip
    """Send what was claimed, and write down each delivery as it is made."""
    begin, down, deliveries = time.monotonic(), set(), []
    for owed in mine:
        for name in owed.channels:
            if name in down or time.monotonic() - begin > _SENDING_S:
                continue  # still owed: it is claimed again later
            delivery = monitor.deliver(owed.message, channels[name], clock=clock)
            deliveries.append(delivery)
            if not delivery.ok and delivery.attempts > 1:
                down.add(name)
            said = "Told people" if delivery.ok else "Could not tell people"
            text = f"{said} of alert {delivery.alert} by {name}: {delivery.reason}."
            model = owed.message.alert.finding.model
            project.store.ledger.append(DELIVERED, model, text, payload={"delivery": delivery})
    return tuple(deliveries)


def _sentence(messages: Sequence[Message], claimed: Claimed) -> str:
    titles = [monitor.render(one).title for one in messages]
    n_again = len(claimed.mine) - len(titles)
    more = f" and {len(titles) - 5} more" if len(titles) > 5 else ""
    told = f"Alert: {'; '.join(titles[:5])}{more}." if titles else ""
    again = f"Messages that did not arrive are sent again: {n_again}." if n_again else ""
    lost = [
        f"Gave up telling people of alert {one.message.alert.id} by {' and '.join(one.channels)}: it did not arrive in "
        f"{one.n_claims} attempts."
        for one in claimed.given_up
    ]
    return " ".join(part for part in (told, again, *lost) if part)
