"""How a model is renewed, and how a challenger takes over, step by step.

`plan` is pure: what was seen and a policy in, a request to train or the reason for none out; `write_plan` and
`write_renewal` keep it in the ledger, and `palio.flow` carries it out.

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
    from palio.renew.planning import FreshLabels, Planned, RenewalPolicy, expected_gain, next_due, occasion, plan
    from palio.renew.renewals import (
        RENEWAL,
        RenewalStanding,
        StepKind,
        renewal_standing,
        withdraw,
        write_plan,
        write_renewal,
    )
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
    from palio.renew.telling import loop_events, loop_story
    from palio.renew.watching import Watched, watch_once

__all__ = [
    "DEFAULT_STEPS",
    "RENEWAL",
    "FreshLabels",
    "LogReader",
    "Planned",
    "RenewalPolicy",
    "RenewalStanding",
    "RolloutControl",
    "RolloutPlan",
    "Standing",
    "StepKind",
    "StoredLog",
    "Watched",
    "act",
    "approved_decision",
    "expected_gain",
    "judge",
    "look",
    "loop_events",
    "loop_story",
    "mean_bounds",
    "next_due",
    "observe",
    "occasion",
    "plan",
    "proportion_bounds",
    "read_rollout",
    "renewal_standing",
    "standing",
    "start",
    "watch_once",
    "withdraw",
    "write_plan",
    "write_renewal",
]

_HOMES = {
    "DEFAULT_STEPS": "rollouts",
    "RENEWAL": "renewals",
    "FreshLabels": "planning",
    "LogReader": "observing",
    "Planned": "planning",
    "RenewalPolicy": "planning",
    "RenewalStanding": "renewals",
    "RolloutControl": "rollouts",
    "RolloutPlan": "rollouts",
    "Standing": "rollouts",
    "StepKind": "renewals",
    "StoredLog": "observing",
    "Watched": "watching",
    "act": "rollouts",
    "approved_decision": "rollouts",
    "expected_gain": "planning",
    "judge": "judging",
    "look": "looks",
    "loop_events": "telling",
    "loop_story": "telling",
    "mean_bounds": "bounds",
    "next_due": "planning",
    "observe": "observing",
    "occasion": "planning",
    "plan": "planning",
    "proportion_bounds": "bounds",
    "read_rollout": "rollouts",
    "renewal_standing": "renewals",
    "standing": "rollouts",
    "start": "rollouts",
    "watch_once": "watching",
    "withdraw": "renewals",
    "write_plan": "renewals",
    "write_renewal": "renewals",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
