"""Records of serving: who may ask, who answers, what was answered, and how a challenger takes over.

They are data: written to the ledger or the prediction log by one room, read by another. `serve` obeys a `Plan`;
`renew` moves a `Rollout` forward or back; neither knows the other.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

from palio.core.records import Deployment, Metric, Record

# ── who may ask ─────────────────────────────────────────────────────────────────────────────────────────────────────


class Rule(Record, frozen=True, kw_only=True):
    """One line of the access policy: whom it is about, what it says. The first rule that fits decides."""

    allow: bool = True
    caller: str = "*"
    """Name of an API key; `*` is everyone, `anonymous` who sends none."""
    role: str = "*"
    model: str = "*"
    version: str = "*"
    """A version (`3`), an alias (`champion`, `challenger`), or `*`."""
    purpose: str = "*"
    """What the caller says it asks for (header `x-palio-purpose`)."""
    days: str = "*"
    """Days of the week, UTC: `mon-fri`, `sat,sun`, or `*`."""
    hours: str = "*"
    """Hours of the day, UTC: `08:00-18:00`, or `*`; may pass midnight."""
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    quota: int | None = None
    """Rows that each caller may ask for per `per`; None is no limit."""
    per: Literal["second", "minute", "hour", "day"] = "minute"
    reason: str = ""
    """Told to a caller that is denied."""


class ApiKey(Record, frozen=True, kw_only=True):
    """A key that a caller shows; only its hash is kept."""

    caller: str
    role: str = "caller"
    hash: str
    """SHA-256 of the key, in hex."""
    created_at: dt.datetime
    expires_at: dt.datetime | None = None
    admin: bool = False
    """Opens the admin port, and nothing on the others."""


class Policy(Record, frozen=True, kw_only=True):
    """Who may ask for what. Without keys everyone may; once a key exists, what no rule allows is denied."""

    rules: tuple[Rule, ...] = ()
    keys: tuple[ApiKey, ...] = ()


# ── who answers ─────────────────────────────────────────────────────────────────────────────────────────────────────


class HeaderRoute(Record, frozen=True, kw_only=True):
    """Send requests with this header to one version, whatever the weights say."""

    header: str
    value: str
    target: Literal["champion", "challenger"] = "challenger"


class Plan(Record, frozen=True, kw_only=True):
    """What a server does at one moment: the models it holds, and who is answered by which of them."""

    champion: Deployment | None = None
    challenger: Deployment | None = None
    """`version` 0 until it is promoted."""
    mode: Literal["off", "shadow", "canary"] = "off"
    """`shadow`: the challenger computes too, and its answer is only logged; `canary`: it answers `weight` of all."""
    weight: float = 0.0
    sticky: Literal["caller", "request", "none"] = "caller"
    """What is hashed to choose: the caller's name, the header `x-palio-key`, or nothing (by chance)."""
    headers: tuple[HeaderRoute, ...] = ()
    rollout: str = ""
    """Identity of the rollout that set this; empty if there is none."""
    policy: Policy = Policy()


# ── how a challenger takes over ─────────────────────────────────────────────────────────────────────────────────────


ANY_SPREAD = 1e6
"""Limit of a stability index that none reaches."""


class Analysis(Record, frozen=True, kw_only=True):
    """What a rollout step must see before it goes on; vocabulary as in Argo Rollouts."""

    interval_s: float = 60.0
    failure_limit: int = 0
    """More failed looks than this roll back."""
    consecutive_successes: int = 1
    """So many good looks in a row go on."""
    inconclusive_limit: int = 60
    """More looks than this that could not tell pause the rollout for a person."""
    min_requests: int = 100
    """Of the challenger, within the step; with fewer a look is inconclusive."""
    max_error_rate: float = 0.01
    """Of the challenger, beyond the champion's."""
    max_latency_ratio: float = 2.0
    """p99 of the challenger over p99 of the champion."""
    max_disagreement: float | None = None
    """Shadow: share of rows where the two answer differently (classification), or mean distance in standard
    deviations of the champion's answers (regression)."""
    max_prediction_drift: float = 0.25
    """Population stability index of the challenger's predictions against the champion's."""
    min_quality: float | None = None
    """Challenger minus champion on rows whose truth is known: the lower end of the 95 % interval must not be below
    the negative of this once there are enough labels; None does not look."""
    dry_run: bool = False
    """Look and say, but never fail."""


class Step(Record, frozen=True, kw_only=True):
    """One step of a rollout."""

    kind: Literal["shadow", "set_weight", "pause", "analysis", "promote"]
    weight: float = 0.0
    duration_s: float | None = None
    """Of a `pause`; None waits for a person."""
    analysis: Analysis | None = None


class Rollout(Record, frozen=True, kw_only=True):
    """The plan to let `challenger` take over from `champion`, step by step."""

    id: str
    model: str
    champion: Deployment
    challenger: Deployment
    decision: str = ""
    """Identity of the gate's decision that allows it; a rollout never goes past the gate."""
    steps: tuple[Step, ...]
    sticky: Literal["caller", "request", "none"] = "caller"
    headers: tuple[HeaderRoute, ...] = ()


class RolloutState(Record, frozen=True, kw_only=True):
    """Where a rollout stands; the newest one in the ledger holds."""

    rollout: str
    step: int
    """Index of the step that is under way; `len(steps)` when it is over."""
    status: Literal["running", "paused", "promoted", "rolled back", "aborted"]
    mode: Literal["off", "shadow", "canary"] = "off"
    weight: float = 0.0
    since: dt.datetime
    """Begin of the step."""
    looked_at: dt.datetime | None = None
    """The newest look of the analysis that is under way."""
    successes: int = 0
    """Good looks in a row."""
    failures: int = 0
    inconclusive: int = 0
    reason: str = ""


class Seen(Record, frozen=True, kw_only=True):
    """What was seen of one role since a step began."""

    n_requests: int = 0
    """Answers, failed ones included."""
    n_errors: int = 0
    """Answers with status 500 and above: what the caller does wrong is not the model's fault."""
    n_refused: int = 0
    """Requests that it refused as wrong (400, 422); none of the requests above. A caller may be at fault, or not."""
    latencies: tuple[int, ...] = ()
    """Histogram of the good answers' latencies; the edges are those of `palio.measure.LATENCY_EDGES`."""
    predictions: tuple[int, ...] = ()
    """Histogram of the predictions: by class, or by the deciles of the champion's answers."""


class Pairs(Record, frozen=True, kw_only=True):
    """Rows that champion and challenger both answered, in a shadow step."""

    n_rows: int = 0
    n_differ: int = 0
    """Rows with another class."""
    distance: float | None = None
    """Regression: mean distance of the two answers, in standard deviations of the champion's."""
    spread: float = 0.0
    """Standard deviation of that distance over rows."""


class Observations(Record, frozen=True, kw_only=True):
    """What a rollout's step has shown so far."""

    since: dt.datetime
    until: dt.datetime
    champion: Seen = Seen()
    challenger: Seen = Seen()
    pairs: Pairs = Pairs()
    quality: Metric | None = None
    """Challenger minus champion on rows whose truth is known, positive is better; bounds hold at every look."""


# ── what was answered ───────────────────────────────────────────────────────────────────────────────────────────────


class Feedback(Record, frozen=True, kw_only=True):
    """The truth about one answered row, as it arrives later."""

    prediction_id: str = ""
    """`<request>.<row>`; or empty, and `key` says which row."""
    key: str = ""
    """Row key: the value of the id column."""
    label: str | float | bool | None = None
    at: dt.datetime
    """When the truth was known; when it was received if the sender does not say."""
    values: dict[str, float] = msgspec.field(default_factory=dict)
    """Business figures that came with it, e.g. revenue."""
