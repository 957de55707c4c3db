"""What one room hands to the next: frozen records, JSON-safe, in the order of the life cycle.

Units live in the names; times are UTC; rates and probabilities are in [0, 1]. A record that has an `id` is named by
the SHA-256 of its content, so equal content means equal id. Optional fields are `None`, never a magic value.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import msgspec

ColumnType = Literal["number", "integer", "boolean", "category", "text", "datetime", "image", "boxes"]
"""How a cell is to be read. `datetime` travels as seconds since 1970 (UTC) into a graph; `image` is the identity of
the image's bytes in the blob store; `boxes` is a JSON list of `[class, cx, cy, w, h]`, relative to the image."""
TaskKind = Literal["classification", "regression", "detection"]
Modality = Literal["tabular", "text", "image"]
Part = Literal["train", "validation", "test"]
OnViolation = Literal["accept", "flag", "reject"]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all records: immutable, keyword-only, encodable to JSON."""


# ── data ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Column(Record, frozen=True, kw_only=True):
    """One column of the contract."""

    name: str
    type: ColumnType
    feature: bool = True
    missing_allowed: bool = True
    """False and `on_missing = "reject"` are the same; either sets the other."""
    on_missing: OnViolation = "accept"
    """What a missing value is: usual, answered with a flag (no row so far had one), or refused."""
    low: float | None = None
    """Smallest value seen (number, integer; datetime: seconds since 1970)."""
    high: float | None = None
    categories: tuple[str, ...] | None = None
    """Known values of a category or boolean column, most frequent first."""
    on_unknown: OnViolation = "flag"
    on_out_of_range: OnViolation = "flag"
    format: str | None = None
    """How a moment is written (strptime, or a word of `palio.core.cells.moments`), or `WIDTHxHEIGHT` of images that
    share one size."""
    decimal: Literal[".", ","] = "."
    """What stands before the decimals of a number that is written as text; the other one may part thousands."""
    unit: str = ""
    """What stands beside every number: `kg`, `%`, `€`; no part of the value."""
    missing: tuple[str, ...] | None = None
    """Cells that mean "not known", after blanks around them are cut; the empty cell always does. None: the usual
    ones, `palio.core.cells.MISSING`."""
    fold: bool = False
    """Whether values of a category that differ only in case or blanks are one."""
    note: str = ""
    """Why the column has this type and use, in a few words."""

    def __post_init__(self) -> None:
        """Make the two words for "none may be missing" one."""
        if self.on_missing == "reject":
            msgspec.structs.force_setattr(self, "missing_allowed", False)
        elif not self.missing_allowed:
            msgspec.structs.force_setattr(self, "on_missing", "reject")


MANY = "many different"
"""Values of a column of words that are too many to be counted."""


class ColumnReading(Record, frozen=True, kw_only=True):
    """How a column is read, for a person to check in a glance."""

    name: str
    reading: str
    """In a few words: `whole number`, `number, decimal comma, in €`, `moment, day first`."""
    role: str
    """`target`, `feature`, `id`, `group`, `time`, `time, feature`, or `not read`."""
    examples: tuple[tuple[str, str], ...] = ()
    """Some cells, as they are written and as they are read."""
    n_missing: int = 0
    n_unread: int = 0
    """Cells that cannot be read and count as missing."""
    values: str = ""
    """Range, or the most frequent values."""
    n_values: int | None = None
    """Different values of a column of words; None: too many to count, or a range."""
    why: str = ""
    """Why it plays this part, or why no model reads it."""
    doubts: tuple[str, ...] = ()
    """What a person should look at, one sentence each."""


class Form(Record, frozen=True, kw_only=True):
    """How the files of a source are written: found out once, and held against every later file."""

    kind: Literal["delimited", "lines", "parquet", "sheet", "query", "rows"]
    separator: str = ""
    quote: str = ""
    """The character that encloses cells; empty: none does."""
    header: bool = True
    encoding: str = ""
    n_before: int = 0
    """Lines before the header or the first row: titles, comments, `sep=`."""
    comment: str = ""
    """What begins a line that is passed over."""
    sheet: str = ""
    """Sheet of a spreadsheet."""
    range: str = ""
    """Cells of the sheet, as `B3:F200`."""


class Schema(Record, frozen=True, kw_only=True):
    """The contract of the data: what each column holds, and which columns play a special part."""

    columns: tuple[Column, ...]
    target: str | None = None
    id: str | None = None
    group: str | None = None
    time: tuple[str, ...] = ()
    """Columns that order the rows in time, coarsest first (one datetime, or year, month, day, hour)."""

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns that a model may read, in file order."""
        return tuple(c for c in self.columns if c.feature)

    def column(self, name: str) -> Column:
        """Return the column called `name`; `KeyError` if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def modality(self) -> Modality:
        """What the features are: images win over text, text over tables."""
        types = {c.type for c in self.features}
        return "image" if "image" in types else "text" if types == {"text"} else "tabular"


class Task(Record, frozen=True, kw_only=True):
    """What is to be predicted."""

    kind: TaskKind
    target: str
    classes: tuple[str, ...] = ()
    """Class labels, sorted; empty for regression."""
    positive: str | None = None
    """The class of interest of a two-class task."""
    metric: str = "auto"
    """Name of the metric that selects models (see `palio.measure`)."""


class Violation(Record, frozen=True, kw_only=True):
    """One way in which a column breaks its contract."""

    column: str
    rule: str
    """`type`, `missing`, `range`, `category`, `id`, `cells`, `absent` or `surplus`."""
    n_rows: int
    examples: tuple[str, ...] = ()
    action: OnViolation = "reject"


class Chunk(Record, frozen=True, kw_only=True):
    """A run of consecutive rows of a snapshot, stored as one Parquet blob."""

    blob: str
    n_rows: int
    size_bytes: int


class Snapshot(Record, frozen=True, kw_only=True):
    """An immutable version of the data. `id` covers schema and every cell, in order, not how they are stored."""

    id: str
    version: int
    parent: str | None
    source: str
    """Where the rows came from, without credentials."""
    schema: Schema
    n_rows: int
    n_unlabelled: int
    """Rows whose target is missing: kept, but no part of any split."""
    n_quarantined: int
    column_digests: dict[str, str]
    chunks: tuple[Chunk, ...]
    profile: str
    """Blob of the `Description`."""
    violations: tuple[Violation, ...] = ()
    form: Form | None = None
    """How the source is written, where it is a file."""


class ColumnShape(Record, frozen=True, kw_only=True):
    """What a column looks like: the bins that its cells are counted into, and how full they are.

    One record from the rows that come in to what is served: a snapshot describes all its rows by it, a bundle the rows
    that a model was trained on, and what is served is counted into the same bins. Cells are read as the graph takes
    them: numbers and moments as float64 with NaN for missing, all else as text with the empty text for missing.
    """

    name: str
    """`age`; a statistic of a text is `message.length`; the answers are `prediction` and `probability_<class>`."""
    role: Literal["feature", "answer"] = "feature"
    source: str
    """Column that it is computed from."""
    statistic: str = ""
    """What is computed of its cells (`length`, `unseen_tokens`, …); empty for the cells themselves."""
    kind: Literal["number", "category", "text"]
    """How it is counted. Cells of a text (an image, boxes) say little as values: statistics of them are watched."""
    edges: tuple[float, ...] = ()
    """Inner edges, increasing, at quantiles of the rows; a value on an edge belongs to the bin above it."""
    values: tuple[str, ...] = ()
    """Of a category or text: the most frequent ones, most frequent first; the bin behind them holds the rest. Of a
    number: the only value in each bin, increasing, where every bin holds just one; else empty."""
    counts: tuple[int, ...]
    """Rows per bin: `len(edges) + 1` of a number, else `len(values) + 1`; and one more for missing."""
    blocks: tuple[tuple[int, ...], ...] = ()
    """`counts` of runs of the rows, in the order of time where the data has one: how much the world moves by itself."""
    own: tuple[int, ...] = ()
    """Of an answer: `counts` of what the model itself answers on some of these rows, which it has learned from. It is
    another fit than the ones that had not seen them, and answers a little otherwise."""
    n_distinct: int | None = None
    """Different values; exact up to 10,000, `None` above or where nobody counted."""
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    standard_deviation: float | None = None
    decimals: tuple[int, ...] = ()
    """Of a number: values by digits behind the point, 0 to 6 and more, in a thinned sample."""
    is_moment: bool = False
    """Of a number: seconds since 1970 (UTC)."""
    vocabulary: bytes = b""
    """Of `unseen_tokens`: sorted 32-bit hashes of the tokens that were seen, little endian."""

    @property
    def n_rows(self) -> int:
        """Rows that were counted."""
        return sum(self.counts)

    @property
    def n_missing(self) -> int:
        """Rows without a value."""
        return self.counts[-1]

    @property
    def n_other(self) -> int:
        """Rows with a value that is not among `values`."""
        return self.n_rows - self.n_missing - (sum(self.counts[: len(self.values)]))

    @property
    def top(self) -> tuple[tuple[str, int], ...]:
        """`values` that some row holds, with their rows; the most frequent first."""
        held = [(value, count) for value, count in zip(self.values, self.counts, strict=False) if count]
        return tuple(sorted(held, key=lambda pair: -pair[1]))


class Description(Record, frozen=True, kw_only=True):
    """What rows look like, column by column."""

    n_rows: int
    columns: tuple[ColumnShape, ...]


# ── split ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Stratum(Record, frozen=True, kw_only=True):
    """Where the hash of a row id is cut, for the rows of one stratum.

    Below `train` → train, below `validation` → validation, else test. Kept, so that rows keep their part when the data
    grows.
    """

    key: str
    train: float
    validation: float
    upper: float | None = None
    """Largest target value of the stratum (regression); `None` for the last, and for classes."""


class Parts(Record, frozen=True, kw_only=True):
    """A versioned cut of a snapshot into train, validation and the sealed test part."""

    id: str
    snapshot: str
    policy: str
    """`60-20-20`, `80-10-10`, `cv` (80-0-20, cross-validated)."""
    method: Literal["random", "grouped", "time"]
    seed: int
    n_folds: int
    row_key: Literal["columns", "occurrence"] = "columns"
    """What a row is known by: the hash of `key_columns`, or that and how many equal rows stand before it."""
    key_columns: tuple[str, ...] = ()
    """The id, the group, or every column but the target; kept, so that rows keep their part when the schema changes."""
    strata: tuple[Stratum, ...] = ()
    draw: int = 0
    """Draw of the hashes of groups that was taken: the first that leaves no class out of a part."""
    time_bounds: tuple[float, float] | None = None
    """First moment of validation and of test, for a cut by time (seconds, or the rank of composite time columns)."""
    counts: dict[str, int]
    """Rows per part: `train`, `validation`, `test`."""
    class_counts: dict[str, dict[str, int]] = {}
    """Part → class → rows (classification)."""
    assignment: str
    """Blob: one byte per row of the snapshot; 0 train, 1 validation, 2 test, 255 in no part."""
    test_id: str
    """Identity of the sealed test rows, in any order."""
    look_budget: int
    """Looks that the test rows may bear; each look weighs the share of them that it showed (`split.looks`)."""
    n_duplicates_across: int = 0
    """Rows equal in every feature to a row of another part (after the cut's own repair)."""
    n_duplicates_moved: int = 0
    """Rows set aside because a copy of them is in another part."""
    moved_on: dict[str, int] = {}
    """`test to train` → rows: what changed part because the bounds of a cut by time moved on with the newest rows."""
    warnings: tuple[str, ...] = ()
    first_row: int | None = None
    """Rows of train and validation before this one of the snapshot were set aside: only the newest are learned from."""


# ── model ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class TensorSpec(Record, frozen=True, kw_only=True):
    """One input or output of a graph, in the words of the Open Inference Protocol; -1 is a free dimension."""

    name: str
    datatype: str
    shape: tuple[int, ...]


class Cost(Record, frozen=True, kw_only=True):
    """What a candidate costs, measured on the exported bundle: one row at a time, one thread."""

    fit_s: float
    latency_ms_p50: float
    latency_ms_p99: float
    size_mb: float
    n_timings: int = 1
    """How often the latency was measured: again, up to five times, while it is over the limit; the least counts."""


class Parity(Record, frozen=True, kw_only=True):
    """How far two ways of predicting the same rows are apart."""

    path: str
    """What was compared, e.g. `library and graph`, `graph and server`."""
    rows: int
    max_abs_diff: float
    n_label_diffs: int
    tolerance: float
    passed: bool


class Manifest(Record, frozen=True, kw_only=True):
    """What a bundle is. Holds nothing that changes between two equal trainings: no times, no durations, no paths."""

    format: int
    task: Task
    schema: Schema
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    family: str
    params: dict[str, Any]
    seed: int
    n_parameters: int
    snapshot: str
    parts: str
    trained_on: tuple[str, ...]
    """Parts whose rows the final fit saw."""
    metrics: dict[str, dict[str, float]]
    """`cross_validation`, `train`, `validation` → metric → value."""
    parity: tuple[Parity, ...]
    versions: dict[str, str]
    files: dict[str, str]
    """Member name → SHA-256: `model.onnx`, `golden.json`, `card.md`, `reference.json` and, if the model can be watched,
    `reference.arrows`; up to format 2 `profile.json`, too, and in format 1 no reference."""


class Signature(Record, frozen=True, kw_only=True):
    """One key's word for one bundle."""

    bundle: str
    key: str
    """SHA-256 of the public key: says which key to check it with, and proves nothing."""
    signature: str
    """Base64 of the 64 bytes of ed25519."""


# ── train ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Run(Record, frozen=True, kw_only=True):
    """One candidate that was tried."""

    id: str
    parts: str
    family: str
    trial: int
    params: dict[str, Any]
    seed: int
    metric: str
    status: Literal["done", "pruned", "failed"]
    reason: str = ""
    fold_scores: tuple[float, ...] = ()
    cv_score: float | None = None
    """Mean of `fold_scores`, in the metric's own direction."""
    cv_error: float | None = None
    """Standard error of `cv_score`."""
    tie_break: float | None = None
    """Score that decides near-ties: macro F1 (classification) or R² (regression)."""
    n_parameters: int | None = None
    fit_s: float = 0.0
    train: dict[str, float] = {}
    """Metrics on the training part, for finalists."""
    validation: dict[str, float] = {}
    """Metrics on the validation part, for finalists; from a fit that did not see it."""
    cost: Cost | None = None
    """Measured on the exported bundle, for finalists."""
    answers: str | None = None
    """Blob of answers on rows that the fit had not seen, for runs that may be chosen; the bundle's reference."""
    bundle: str | None = None
    chosen: bool = False


class LearningPoint(Record, frozen=True, kw_only=True):
    """How well a candidate does when it learns from so many rows."""

    n_rows: int
    score: float
    error: float | None = None
    """Standard error of `score`."""


class LearningCurve(Record, frozen=True, kw_only=True):
    """What more rows to learn from have brought so far, and what twice as many may bring."""

    points: tuple[LearningPoint, ...]
    """A quarter, half and all of the rows that the fits of the search learned from; scored on the same rows."""
    gain: float
    """Improvement by the last doubling, so that positive is better whatever the metric."""
    error: float
    """Standard error of `gain`, paired by fold."""
    verdict: Literal["rises", "flat", "unclear"]
    """Whether the last doubling helped beyond chance, and by more than a trifle; `unclear`: chance could hide that."""
    next_gain: float
    """What one more doubling would bring if the curve goes on as a power law; 0 unless it rises."""


class Search(Record, frozen=True, kw_only=True):
    """The outcome of a search: every run, and the one chosen."""

    id: str
    parts: str
    metric: str
    runs: tuple[Run, ...]
    """In the order of trials; the best of each family carries `validation`, `cost` and `bundle`."""
    chosen: str
    bundle: str
    reasons: tuple[str, ...]
    n_trials_planned: int
    stopped_by: Literal["plan", "time", "interrupt"]
    seconds: float
    learning: LearningCurve | None = None
    """Of the chosen candidate; None where the budget left no time for it. No part of any identity."""


# ── evaluate ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Metric(Record, frozen=True, kw_only=True):
    """A number and how sure it is: `low` and `high` bound the 95 % interval."""

    value: float
    low: float
    high: float
    n_rows: int


class ClassScore(Record, frozen=True, kw_only=True):
    """How one class fares."""

    label: str
    n_rows: int
    accuracy: Metric
    """Share of the rows of this class that are recognised (recall)."""
    precision: float
    f1: float


class CalibrationBin(Record, frozen=True, kw_only=True):
    """Rows with similar forecasts: what was said and what came."""

    predicted: float
    observed: float
    low: float
    high: float
    n_rows: int


class Curve(Record, frozen=True, kw_only=True):
    """Points of a curve, thinned to at most 200. `name`: `roc`, `precision_recall`, `predicted_actual`, `residuals`."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


class Slice(Record, frozen=True, kw_only=True):
    """The rows that share a value or range of one column."""

    column: str
    condition: str
    n_rows: int
    metric: str
    score: Metric
    difference: Metric
    """Score here minus score on all other rows."""
    worse: bool
    """Worse than the rest beyond chance, after Benjamini–Hochberg over all slices."""


class WorstRow(Record, frozen=True, kw_only=True):
    """A row on which the model is most wrong."""

    row_id: str
    truth: str
    prediction: str
    loss: float
    values: dict[str, str]


class Importance(Record, frozen=True, kw_only=True):
    """How much the primary metric loses when a column is shuffled, on rows that were not trained on."""

    column: str
    loss: Metric


class Reach(Record, frozen=True, kw_only=True):
    """How far the measurement of importance went: of many columns only the most promising are measured closely."""

    n_read: int
    """Columns that the model reads; shuffling another one changes no answer."""
    n_seen: int
    """Of these, columns that were shuffled at least once."""
    n_measured: int
    """Of these, columns that were measured closely: those that lost most at the first look."""
    stopped_by: Literal["plan", "time"] = "plan"
    """`time`: the budget of the evaluation was over before the plan was done."""


class Gap(Record, frozen=True, kw_only=True):
    """Train against validation against test on the primary metric."""

    train: float | None
    validation: float | None
    test: float | None
    verdict: Literal["sound", "overfitted", "underfitted", "shifted", "unknown"]
    text: str


class Evaluation(Record, frozen=True, kw_only=True):
    """A bundle scored on a part."""

    id: str
    bundle: str
    snapshot: str
    parts: str
    part: Part
    task: Task
    primary: str
    n_rows: int
    metrics: dict[str, Metric]
    baseline: dict[str, Metric] = {}
    """The same metrics for the dummy that always answers the most common class, or the mean."""
    gains: dict[str, Metric] = {}
    """Improvement over the dummy, so that positive is better whatever the metric; paired bootstrap on the same rows.

    Of the primary metric, and of the one that errors are counted by: accuracy, or mae.
    """
    per_class: tuple[ClassScore, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    """Rows: truth; columns: prediction; both in the order of `task.classes`."""
    calibration: tuple[CalibrationBin, ...] = ()
    curves: tuple[Curve, ...] = ()
    slices: tuple[Slice, ...] = ()
    worst: tuple[WorstRow, ...] = ()
    importance: tuple[Importance, ...] = ()
    """Columns that were measured closely, and those that the model does not read, whose loss is zero."""
    reach: Reach | None = None
    """How far `importance` goes; None where it goes all the way."""
    gap: Gap | None = None


class Comparison(Record, frozen=True, kw_only=True):
    """Champion and challenger on the same rows."""

    champion: str
    challenger: str
    part: Part
    n_rows: int
    metric: str
    difference: Metric
    """Improvement of the challenger, so that positive is better whatever the metric; paired bootstrap."""
    p_better: float
    """Share of bootstrap replicates in which the challenger is better."""
    differences: dict[str, Metric]
    """The same for the other metrics."""
    slices: tuple[Slice, ...] = ()
    """Slices on which the challenger is worse than the champion beyond chance."""
    n_changed: int = 0
    """Rows that get another answer."""
    surely: float | None = None
    """Of rows in the order of time: the improvement is at least this, at one-sided 95 %; neighbours are taken for as
    alike as their errors are."""


# ── promote ─────────────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── serve ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Deployment(Record, frozen=True, kw_only=True):
    """What a server answers with."""

    model: str
    version: int
    bundle: str
