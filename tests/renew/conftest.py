"""What a step may have shown, and rollouts to judge by it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np

from palio.core.records import Deployment
from palio.core.serving import Analysis, Observations, Pairs, Rollout, RolloutState, Seen, Step
from palio.measure import bin_latencies

BEGIN = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
CHAMPION = Deployment(model="bank", version=3, bundle="a" * 64)
CHALLENGER = Deployment(model="bank", version=0, bundle="b" * 64)


def at(seconds: float) -> dt.datetime:
    return BEGIN + dt.timedelta(seconds=seconds)


def seen_role(n: int, *, n_errors: int = 0, latency_ms: float = 2.0, share: float = 0.3) -> Seen:
    rng = np.random.default_rng(n)
    seconds = rng.gamma(8.0, latency_ms / 8000.0, n - n_errors)
    yes = round(share * n)
    return Seen(
        n_requests=n,
        n_errors=n_errors,
        latencies=tuple(bin_latencies(seconds).tolist()),
        predictions=(n - yes, yes),
    )


def observations(n: int = 3000, n_champion: int = 20_000, **changed: Any) -> Observations:
    """A healthy challenger, but for what is `changed`."""
    given = {"since": BEGIN, "until": at(600), "champion": seen_role(n_champion), "challenger": seen_role(n)}
    given["pairs"] = Pairs(n_rows=n, n_differ=round(0.01 * n))
    return Observations(**given | changed)


def rollout(*steps: Step, **analysis: Any) -> Rollout:
    default = (Step(kind="shadow"), Step(kind="analysis", analysis=Analysis(**analysis)), Step(kind="promote"))
    return Rollout(
        id="r1", model="bank", champion=CHAMPION, challenger=CHALLENGER, decision="d", steps=steps or default
    )


def state(step: int = 1, **changed: Any) -> RolloutState:
    given: dict[str, Any] = {"rollout": "r1", "step": step, "status": "running", "mode": "shadow", "since": BEGIN}
    return RolloutState(**given | changed)
