"""Bring a message to people over a channel, and say what came of it; tries and their time are bounded."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol, cast

from palio.core.clock import Clock, utc_now
from palio.core.errors import PalioError, UnavailableError
from palio.core.monitoring import Delivery
from palio.monitor.alerts.messages import Message
from palio.monitor.alerts.payload import Payload, plain, render

ChannelName = Literal["webhook", "email", "command"]


class Sent(NamedTuple):
    """What came of sending."""

    ok: bool
    attempts: int
    reason: str


class Channel(Protocol):
    """A way to people. `send` raises nothing for what the other side does; it says so."""

    @property
    def name(self) -> str:
        """`webhook`, `email` or `command`."""
        ...

    @property
    def shown(self) -> str:
        """Where it leads, for people; without secrets."""
        ...

    def send(self, payload: Payload) -> Sent:
        """Send, within a bounded time."""
        ...


def deliver(message: Message, channel: Channel, *, clock: Clock = utc_now) -> Delivery:
    """Send a message over a channel."""
    sent = channel.send(render(message))
    return Delivery(
        alert=message.alert.id,
        message=message.id,
        channel=cast("ChannelName", channel.name),
        at=clock(),
        ok=sent.ok,
        attempts=sent.attempts,
        reason=plain(sent.reason, 300),
    )


def attempt(
    once: Callable[[], str], *, backoff_s: Sequence[float] = (), wait: Callable[[float], None] = time.sleep
) -> Sent:
    """Try, and again after each pause of `backoff_s` while the other side is unavailable.

    Args:
        once: Returns what to say of a success; raises `UnavailableError` for what may pass, another `PalioError` for
            what will not.
        backoff_s: Pauses in seconds; their number bounds the tries.
        wait: How to pause.
    """
    n_tries = 0
    while True:
        n_tries += 1
        try:
            return Sent(True, n_tries, once())
        except UnavailableError as error:
            if n_tries > len(backoff_s):
                return Sent(False, n_tries, error.message)
        except PalioError as error:
            return Sent(False, n_tries, f"{error.message}; {error.hint}" if error.hint else error.message)
        wait(backoff_s[n_tries - 1])
