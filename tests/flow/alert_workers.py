"""What processes do in the tests of alerts; here, so that they find it."""

from __future__ import annotations

import datetime as dt
import os
import signal
from pathlib import Path
from typing import Any

from palio import flow, monitor
from palio.flow import alerting
from tests.monitor.alert_worlds import NOW, finding, review

SHOWN = [[finding()], [finding()], []]


def tell(folder: Path, seconds: float = 0.0) -> list[str]:
    """Tell people of one alert; return the identities of the messages that were sent."""
    now = NOW + dt.timedelta(seconds=seconds)
    with flow.Project.open(folder) as project:
        return [one.message for one in alerting.tell(project, review(SHOWN), clock=lambda: now)]


def tell_and_die(folder: Path, *, before: bool) -> None:
    """Be killed before the first message is sent, or after it was and before that is written down."""
    real = monitor.deliver

    def die(*args: Any, **kwargs: Any) -> Any:
        if not before:
            real(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    monitor.deliver = die  # type: ignore[assignment]
    tell(folder)


def tell_and_die_before(folder: Path) -> None:
    """Be killed when the line is written and nothing is sent."""
    tell_and_die(folder, before=True)


def tell_and_die_after(folder: Path) -> None:
    """Be killed when the message is sent and the ledger does not know it."""
    tell_and_die(folder, before=False)
