"""How good a model is, how sure that is, and where it is not."""

from __future__ import annotations

from typing import Literal

import msgspec

from palio.core.records.base import Part, Record
from palio.core.records.data import Task
from palio.core.records.looking import Gallery, Sight
from palio.core.records.wording import TextGallery, Wording


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
    n_boxes: int | None = None
    """Of a detection: boxes of the class. Then `accuracy` is the share of them that is found."""
    ap: Metric | None = None
    """Of a detection: average precision of the class; None where no box of it is there."""


class CalibrationBin(Record, frozen=True, kw_only=True):
    """Rows with similar forecasts: what was said and what came."""

    predicted: float
    observed: float
    low: float
    high: float
    n_rows: int


class Curve(Record, frozen=True, kw_only=True):
    """Points of a curve, thinned to at most 200.

    `name`: `roc`, `precision_recall`, `predicted_actual`, `residuals`; `alarms_found` of boxes: false alarms a picture
    against the share that is found.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


class Fault(Record, frozen=True, kw_only=True):
    """One kind of error that boxes have, at the threshold, half overlapping."""

    kind: Literal["place", "class", "both", "double", "background", "missed"]
    """Too far from a box of its class; another class there; both; said twice; nothing there; not found."""
    n: int
    n_pictures: int
    cost: float | None
    """By how much `ap50` would rise without it, at every threshold; None where that is not defined."""


class SizeScore(Record, frozen=True, kw_only=True):
    """How boxes of one size fare: `small` up to 32² pixels, `medium` up to 96², `large`."""

    size: Literal["small", "medium", "large"]
    n_boxes: int
    found: Metric


class Level(Record, frozen=True, kw_only=True):
    """What it would be from another score on."""

    threshold: float
    found: float
    """Share of the boxes."""
    false_alarms: float
    """A picture."""


class Finds(Record, frozen=True, kw_only=True):
    """What of the things in pictures is found, from the model's threshold on, half overlapping."""

    threshold: float
    n_boxes: int
    n_found: int
    n_false: int
    n_empty: int
    """Pictures in which there is nothing to be found."""
    n_empty_alarmed: int
    """Of these, pictures with a false alarm."""
    n_unsure: int
    """Boxes missed that are found by a box below the threshold."""
    found: Metric
    """Share of the boxes."""
    alarmed: Metric
    """Share of the pictures with a false alarm."""
    overlap: float | None
    """Of the boxes found, the middle one."""
    sizes: tuple[SizeScore, ...]
    faults: tuple[Fault, ...]
    """What costs most first."""
    levels: tuple[Level, ...] = ()
    """By rising threshold."""


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
    """Rows: truth; columns: prediction; both in the order of `task.classes`, and of boxes “nothing” behind them."""
    calibration: tuple[CalibrationBin, ...] = ()
    curves: tuple[Curve, ...] = ()
    slices: tuple[Slice, ...] = ()
    worst: tuple[WorstRow, ...] = ()
    importance: tuple[Importance, ...] = ()
    """Columns that were measured closely, and those that the model does not read, whose loss is zero."""
    reach: Reach | None = None
    """How far `importance` goes; None where it goes all the way."""
    gap: Gap | None = None
    finds: Finds | None = None
    """Of a detection."""
    sight: Sight | None = None
    """What was seen of pictures; None of a model that reads none."""
    wordings: tuple[Wording, ...] = ()
    """What was found of each column of texts, the longest first."""


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
    texts: tuple[TextGallery, ...] = ()
    """The same of texts."""
