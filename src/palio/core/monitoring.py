"""Records of watching: what a model was trained on, what was seen since, what follows from it.

`model` writes a `Reference` into the bundle; `monitor` counts what was served into a `Window`, judges it and gives a
`Review`; what `renew` makes of its findings stands in `palio.core.renewal`. None of them knows the others.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

from palio.core.records import ColumnShape, Metric, Record

# ── what the model was trained on ───────────────────────────────────────────────────────────────────────────────────


class Reference(Record, frozen=True, kw_only=True):
    """What a model was trained on, and how well it did on rows that it had not seen; a member of the bundle.

    Features are counted over all training rows, answers over the rows with out-of-sample answers.
    """

    n_rows: int
    n_scored: int
    """Rows with an answer of a fit that had not seen them: the validation part, or all rows out of fold."""
    in_time_order: bool
    """Whether blocks are runs of time; else they are runs of file order."""
    columns: tuple[ColumnShape, ...]
    quality: dict[str, Metric] = msgspec.field(default_factory=dict)
    """Metrics on the rows with out-of-sample answers."""


# ── what was seen ───────────────────────────────────────────────────────────────────────────────────────────────────


class ColumnCounts(Record, frozen=True, kw_only=True):
    """A column of a window, counted into the bins of its reference column; counts of windows add up."""

    name: str
    counts: tuple[int, ...]
    n_low: int = 0
    """Values below the smallest of the reference."""
    n_high: int = 0
    decimals: tuple[int, ...] = ()
    quantiles: tuple[float, ...] = ()
    """Of a number: of a thinned sample, 1 % to 99 % in 50 equal steps; of merged windows approximate."""


class Window(Record, frozen=True, kw_only=True):
    """What was served in a stretch of time by one bundle, to one segment. Windows add up (`palio.monitor.merge`)."""

    model: str
    bundle: str
    version: int
    segment: str = ""
    """`column = value`; empty is all rows."""
    since: dt.datetime
    until: dt.datetime
    n_rows: int = 0
    n_distinct: int | None = None
    """Rows that are no copies of others of the window, which alone are counted below; None: nobody looked."""
    n_requests: int = 0
    n_failed: int = 0
    """Requests answered with status 500 and above."""
    n_refused: int = 0
    """Requests refused with 429 or 503 because there was no room or no quota."""
    latencies: tuple[int, ...] = ()
    """Histogram of the good answers; edges as in `palio.measure.LATENCY_EDGES`."""
    busy_s: float = 0.0
    """Sum of all latencies: demand in seconds of work."""
    columns: tuple[ColumnCounts, ...] = ()
    flags: dict[str, int] = msgspec.field(default_factory=dict)
    """Flag that was raised (`column: rule`) → rows."""
    violations: dict[str, int] = msgspec.field(default_factory=dict)
    """Reason of a request that was refused as wrong → requests."""

    @property
    def n_judged(self) -> int:
        """Rows that are judged by: without copies."""
        return self.n_rows if self.n_distinct is None else self.n_distinct


class ColumnDrift(Record, frozen=True, kw_only=True):
    """How far a column of a window is from its reference."""

    column: str
    role: Literal["feature", "answer"] = "feature"
    n_rows: int
    p: float
    """Of the two-sample test, before the correction for many columns."""
    psi: float
    """Population stability index, less what chance alone gives."""
    js: float
    """Jensen–Shannon distance (base 2), in [0, 1], less what chance alone gives."""
    distance: float | None = None
    """Wasserstein-1 in standard deviations of the reference (numbers)."""
    limit: float
    """`psi` below this is no finding: a floor, or how far blocks of the reference are from each other."""
    drifted: bool
    labels: tuple[str, ...] = ()
    """Of the folded bins, for reports."""
    reference: tuple[float, ...] = ()
    """Share per folded bin."""
    current: tuple[float, ...] = ()


FindingKind = Literal[
    "drift",
    "answer_drift",
    "joint_drift",
    "skew",
    "unit",
    "contract",
    "missing",
    "volume",
    "latency",
    "failures",
    "capacity",
    "estimated_quality",
    "quality",
    "concept_drift",
    "estimate_off",
    "selective_labels",
    "classes",
    "value",
]
"""`quality`, `estimated_quality` and `value` are consequences; the drifts explain; `classes` is a label that the
model does not know, or one that no longer comes."""


class Finding(Record, frozen=True, kw_only=True):
    """Something seen in a window that somebody should know."""

    id: str
    """Of model, kind, subject and segment: the same finding in a later window has the same identity."""
    model: str
    version: int
    kind: FindingKind
    subject: str
    """A column, a metric, a KPI or a detector."""
    segment: str = ""
    severity: Literal["page", "warn", "note"]
    """`page`: quality or value are hurt, somebody must look; `warn`: may hurt soon; `note`: explains."""
    since: dt.datetime
    """Begin of the first window of the unbroken run of windows that show it."""
    until: dt.datetime
    n_windows: int = 1
    """Windows of that run."""
    n_rows: int
    effect: float
    """How far, in units of `measure`."""
    measure: str
    """`psi`, `share`, `roc_auc`, `EUR a day`, …"""
    limit: float | None = None
    p: float | None = None
    reason: str
    """One sentence for people: what, how far, since when."""
    consequence: str = ""
    """What it probably does to quality; empty if that cannot be told."""


class Estimate(Record, frozen=True, kw_only=True):
    """A metric of a window as it probably is, without labels."""

    metric: str
    value: Metric
    reference: float
    """The metric on the reference rows."""
    method: Literal["cbpe", "dle", "weighted"]
    """Calibrated probabilities; a model of the loss; errors of the reference weighted by density ratio."""
    error: float | None = None
    """Mean absolute error of earlier estimates against the real figure, where labels came."""
    outside: float = 0.0
    """Share of the rows with a number beyond all of the reference: there the estimate knows nothing."""


class Outcome(Record, frozen=True, kw_only=True):
    """A metric of a window as it really is, on the rows whose label came."""

    metric: str
    value: Metric
    reference: float


class Kpi(Record, frozen=True, kw_only=True):
    """A business figure, as `[[value.kpis]]` names it: exactly one of `cells`, `per_error` and `column`."""

    name: str
    unit: str = ""
    """Empty: the currency of `[value]`."""
    cells: dict[str, float] = msgspec.field(default_factory=dict)
    """`truth -> prediction` → value of one such row; a cell that is not named is 0."""
    per_error: float | None = None
    """Value of one wrong answer, or of one unit of absolute error; usually negative."""
    column: str = ""
    """Business figure that comes with the feedback, such as revenue; summed."""


class KpiValue(Record, frozen=True, kw_only=True):
    """A business figure in a window, per day."""

    name: str
    unit: str
    realised: Metric | None = None
    """From labels, scaled from the labelled rows to all rows of the window."""
    estimated: Metric | None = None
    """From calibrated probabilities or estimated errors; None for a figure of the feedback."""
    reference: float | None = None
    """What the same rows would be worth if the model did as on its reference."""


class WindowReview(Record, frozen=True, kw_only=True):
    """One window of one version in one segment, judged."""

    since: dt.datetime
    until: dt.datetime
    version: int
    bundle: str
    segment: str = ""
    so_far: bool = False
    """Whether now cuts it off, and others before it are over: then it is held against the same part of those only."""
    n_rows: int
    n_distinct: int | None = None
    """Rows that are no copies of others of the window: what is judged by; None: nobody looked."""
    n_requests: int
    n_failed: int
    latency_ms_p50: float | None = None
    latency_ms_p99: float | None = None
    n_labels: int = 0
    """Rows whose label has come."""
    coverage: float = 0.0
    """Share of the rows whose label has come, in [0, 1]."""
    is_ripe: bool = False
    """Whether labels of this window have had the time they usually take."""
    drift: tuple[ColumnDrift, ...] = ()
    """Empty below the minimum number of rows: nothing is said then."""
    estimates: tuple[Estimate, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    kpis: tuple[KpiValue, ...] = ()
    findings: tuple[str, ...] = ()
    """Identities of the findings that this window shows."""

    @property
    def n_judged(self) -> int:
        """Rows that are judged by: without copies."""
        return self.n_rows if self.n_distinct is None else self.n_distinct


class Change(Record, frozen=True, kw_only=True):
    """A suspicion that the rows after it confirmed."""

    kind: Literal["worse", "better"]
    detector: str
    """Whose suspicion parts the losses best."""
    row: int
    at: dt.datetime
    """When it was suspected."""
    confirmed_row: int
    confirmed_at: dt.datetime
    before: float
    """Mean loss from the change before this one up to the suspicion."""
    after: float
    """Mean loss of the fresh rows, those after the suspicion."""
    n_before: int
    n_after: int
    p: float
    """Bound on the probability of such fresh rows if nothing had changed, before the correction for many looks."""


class DetectorRecord(Record, frozen=True, kw_only=True):
    """How often a detector rang, and whether losses rose then more than at evenly spaced moments."""

    name: str
    n_alarms: int
    n_confirmed: int
    rise: float | None
    """Mean loss of 1,000 rows after an alarm less that of 1,000 rows before it, averaged; None without alarms."""
    periodic_rise: float | None
    """The same at as many evenly spaced moments."""


class StreamReview(Record, frozen=True, kw_only=True):
    """What the losses of one version say so far."""

    n_rows: int
    loss: float
    """Mean; the error rate for classes."""
    no_change_loss: float | None
    """Of the answer `as the last truth that came`; None if no truths were given."""
    unit: float
    """What a loss of 1 is: one wrong answer, or so much absolute error."""
    alpha: float
    detectors: tuple[DetectorRecord, ...]
    changes: tuple[Change, ...]
    """Confirmed, oldest first; the newest hundred."""
    lines: tuple[str, ...] = ()
    """The same for people: each detector beside as many evenly spaced alarms, and the answer that never changes."""

    @property
    def worse(self) -> Change | None:
        """The newest change, if it was for the worse."""
        return self.changes[-1] if self.changes and self.changes[-1].kind == "worse" else None


class Alert(Record, frozen=True, kw_only=True):
    """A finding that persists, and of which people are told."""

    id: str
    finding: Finding
    at: dt.datetime
    n_shown: int
    """Windows that show it …"""
    n_looked: int
    """… of so many looked at."""
    expected_false_per_month: float
    """False alarms of this rule a month, if nothing is wrong."""
    explained_by: tuple[Finding, ...] = ()
    """Drift in the same time, that may be why; the worst first."""


class Delivery(Record, frozen=True, kw_only=True):
    """One try to tell people of an alert on one channel; a line of the ledger."""

    alert: str
    message: str
    """Identity of what was said; the same when it is said again, so that receivers can leave out what they have."""
    channel: Literal["webhook", "email", "command"]
    at: dt.datetime
    ok: bool
    attempts: int
    reason: str
    """What came of it; never what the other side wrote."""


Unmet = Literal["unknown_id", "unknown_key", "before_answer", "outside", "after_retention", "twice", "corrected"]
"""Why a truth says nothing about an answer, or nothing new; in words: `palio.core.words.UNMET`."""


class TruthCount(Record, frozen=True, kw_only=True):
    """What became of truths: how many came, and why some of them say nothing (new) about an answer."""

    n_received: int
    n_met: int
    """Those that are the last word on an answer that went out."""
    reasons: dict[Unmet, int] = msgspec.field(default_factory=dict)
    """Why the others are not → how many."""
    examples: dict[Unmet, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """The same reasons → prediction ids or keys, three at most."""
    n_corrections: int = 0
    """Of those that met an answer: how many say otherwise than an earlier one."""


class Review(Record, frozen=True, kw_only=True):
    """What `monitor` has to say about a model at one moment."""

    model: str
    version: int
    bundle: str
    at: dt.datetime
    window_s: float
    verdict: Literal["good", "look", "act", "unknown"]
    """`act`: a page is open; `look`: a warning is; `unknown`: too little was served."""
    text: str
    """One sentence for people."""
    task: Literal["classification", "regression", "detection"]
    primary: str
    """Name of the metric that matters."""
    windows: tuple[WindowReview, ...]
    """Oldest first; all rows of every version, and segments of the newest windows."""
    findings: tuple[Finding, ...]
    """That the newest judged windows show, the worst first."""
    earlier: tuple[Finding, ...] = ()
    """That earlier windows show and the newest do not, in their newest form; alerts count windows that are over."""
    stream: StreamReview | None = None
    """What detectors of concept drift say of the champion's errors; None before labels have come."""
    alerts: tuple[Alert, ...] = ()
    """Open now."""
    false_alarm_rate: float
    """Share of reports whose newest windows would show any drift if nothing were wrong, at most: the sum over all rows,
    each segment and rows as wholes."""
    min_rows: int = 0
    """Windows with fewer rows are not judged."""
    has_reference: bool = True
    """Whether the bundle tells what the model was trained on; bundles of older versions of Palio do not."""
    n_scored: int = 0
    """Rows that the answers are compared with: those that the judged fits had not seen; 0: none, or not known."""
    ripe_before: dt.datetime | None = None
    """Rows answered before this have had the time in which labels usually come; None: no label has come."""
    unknown_segments: dict[str, int] = msgspec.field(default_factory=dict)
    """Segments of which the reference has too few rows to say what is usual there, and how many it has."""
    truths: TruthCount | None = None
    """What became of the truths that came in this time, late enough not to be about answers before it; None: none did,
    or nobody counted."""
    strangers: dict[str, int] = msgspec.field(default_factory=dict)
    """Bundles that are none of the versions looked at, and how many rows they answered: these rows are not judged."""
    n_ahead: int = 0
    """Rows whose moment is still to come: a clock is ahead. They are in none of the windows."""
