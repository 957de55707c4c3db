"""Watch what was served: count it into windows, judge them against what the model was trained on, tell people.

Pure but for the reader of the log that is passed in: records in, records out. What to do about a finding is decided in
`renew`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.monitor.alerting import (
        AlertRules,
        Look,
        Persistence,
        Standing,
        expected_false_alarms,
        looks_of,
        parse_persistence,
        review_standing,
        standing,
    )
    from palio.monitor.command import Command
    from palio.monitor.delivery import Channel, deliver
    from palio.monitor.mail import Mail
    from palio.monitor.messages import LEASE_S, AlertState, Arrived, Message, Owed, Told, claim, pending
    from palio.monitor.payload import render
    from palio.monitor.webhook import Webhook

__all__ = [
    "LEASE_S",
    "AlertRules",
    "AlertState",
    "Arrived",
    "Channel",
    "Command",
    "Look",
    "Mail",
    "Message",
    "Owed",
    "Persistence",
    "Standing",
    "Told",
    "Webhook",
    "claim",
    "deliver",
    "expected_false_alarms",
    "looks_of",
    "parse_persistence",
    "pending",
    "render",
    "review_standing",
    "standing",
]

_HOMES = {
    "LEASE_S": "messages",
    "AlertRules": "alerting",
    "AlertState": "messages",
    "Arrived": "messages",
    "Channel": "delivery",
    "Command": "command",
    "Look": "alerting",
    "Mail": "mail",
    "Message": "messages",
    "Owed": "messages",
    "Persistence": "alerting",
    "Standing": "alerting",
    "Told": "messages",
    "Webhook": "webhook",
    "claim": "messages",
    "deliver": "delivery",
    "expected_false_alarms": "alerting",
    "looks_of": "alerting",
    "parse_persistence": "alerting",
    "pending": "messages",
    "render": "payload",
    "review_standing": "alerting",
    "standing": "alerting",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
