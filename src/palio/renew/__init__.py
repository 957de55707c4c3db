"""How a challenger takes over, step by step: looks at what was served, judges it, goes on, waits or rolls back.

`judge` is pure: a rollout, its state and what was seen in, the next state and a sentence out. `watch_once` reads the
prediction log and the ledger, asks `judge`, and writes each step exactly once, however many watchers there are.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.renew.bounds import mean_bounds, proportion_bounds
    from palio.renew.judging import judge
    from palio.renew.looks import look
    from palio.renew.observing import LogReader, StoredLog, observe
    from palio.renew.rollouts import (
        DEFAULT_STEPS,
        RolloutControl,
        RolloutPlan,
        Standing,
        act,
        approved_decision,
        read_rollout,
        standing,
        start,
    )
    from palio.renew.watching import Watched, watch_once

__all__ = [
    "DEFAULT_STEPS",
    "LogReader",
    "RolloutControl",
    "RolloutPlan",
    "Standing",
    "StoredLog",
    "Watched",
    "act",
    "approved_decision",
    "judge",
    "look",
    "mean_bounds",
    "observe",
    "proportion_bounds",
    "read_rollout",
    "standing",
    "start",
    "watch_once",
]

_HOMES = {
    "DEFAULT_STEPS": "rollouts",
    "LogReader": "observing",
    "RolloutControl": "rollouts",
    "RolloutPlan": "rollouts",
    "Standing": "rollouts",
    "StoredLog": "observing",
    "Watched": "watching",
    "act": "rollouts",
    "approved_decision": "rollouts",
    "judge": "judging",
    "look": "looks",
    "mean_bounds": "bounds",
    "observe": "observing",
    "proportion_bounds": "bounds",
    "read_rollout": "rollouts",
    "standing": "rollouts",
    "start": "rollouts",
    "watch_once": "watching",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
