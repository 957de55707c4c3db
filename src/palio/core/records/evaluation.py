"""How good a model is, how sure that is, and where it is not."""

from __future__ import annotations

from typing import Literal

import msgspec

from palio.core.records.base import Part, Record
from palio.core.records.data import Task
from palio.core.records.looking import Gallery, Sight


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
    """Of a picture: the identity of its bytes."""


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
    baseline: dict[str, Metric] = msgspec.field(default_factory=dict)
    """The same metrics for the dummy that always answers the most common class, or the mean."""
    gains: dict[str, Metric] = msgspec.field(default_factory=dict)
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
    sight: Sight | None = None
    """What was seen of pictures; None of a model that reads none."""


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
    galleries: tuple[Gallery, ...] = ()
    """Pictures that are answered rightly now and were not before, and the other way round."""
