"""What goes live, why, and what the ledger says of it."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from palio.core.records.base import Record
from palio.core.records.evaluation import Comparison, Metric
from palio.core.records.model import Parity


class Gate(Record, frozen=True, kw_only=True):
    """What a challenger must show, as data."""

    non_inferiority: float = 0.0
    """How much of the primary metric may be lost at the lower end of the interval's centre; 0: must not be worse."""
    approval: Literal["auto", "human"] = "auto"
    beat_baseline: bool = True
    max_latency_ms_p99: float | None = None
    max_size_mb: float | None = None
    parity_tolerance: float = 1e-6
    allow_worse_slices: bool = False
    max_calibration_error: float | None = None


class Check(Record, frozen=True, kw_only=True):
    """One question of the gate, and its answer."""

    name: str
    passed: bool
    observed: str
    required: str
    reason: str
    """One sentence for people."""


class Value(Record, frozen=True, kw_only=True):
    """What an improvement is worth, in the project's currency."""

    currency: str
    per_day: Metric
    per_point: float
    """Worth per day of one more percentage point (classification) or one more unit of error (regression)."""
    text: str


class Decision(Record, frozen=True, kw_only=True):
    """Whether a challenger goes live, and why."""

    id: str
    verdict: Literal["yes", "no", "needs_approval"]
    challenger: str
    champion: str | None
    evaluation: str
    comparison: Comparison | None
    parity: Parity | None
    checks: tuple[Check, ...]
    reasons: tuple[str, ...]
    """One sentence each, failed checks first."""
    gate: Gate
    value: Value | None = None
    newest: Comparison | None = None
    """Of a renewal: the same two on the test rows that it brought; they decide."""
    earlier: Comparison | None = None
    """Of a renewal: on the test rows that were there before."""


class Promotion(Record, frozen=True, kw_only=True):
    """A line of the promotion ledger: from now on `bundle` is the champion of `model`."""

    sequence: int
    model: str
    version: int
    bundle: str
    previous: int | None
    """Version that was champion until now."""
    kind: Literal["promote", "rollback", "import"]
    decision: str | None
    evidence: str
    """SHA-256 of the decision and everything it cites."""
    actor: str
    reason: str
    at: dt.datetime


class Event(Record, frozen=True, kw_only=True):
    """A line of the ledger. `hash` covers the line and the hash before it."""

    sequence: int
    at: dt.datetime
    actor: str
    kind: str
    """Room and verb, e.g. `data.ingest`, `evaluate.look`, `promote.decide`."""
    subject: str
    """Identity of what the line is about."""
    text: str
    """One sentence for people."""
    payload: dict[str, Any]
    previous_hash: str
    hash: str
