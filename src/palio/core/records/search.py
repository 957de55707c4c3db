"""Candidates are made: runs, the search that made them, and what more rows would bring."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from palio.core.records.base import Record
from palio.core.records.model import Cost


class Member(Record, frozen=True, kw_only=True):
    """One candidate in an ensemble."""

    run: str
    """Its identity among the runs of the search."""
    family: str
    weight: float


class Calibration(Record, frozen=True, kw_only=True):
    """How probabilities are corrected, so that they mean what they say."""

    kind: Literal["none", "temperature", "platt", "isotonic"]
    numbers: tuple[float, ...]
    """`temperature`: the factor on log probabilities; `platt`: slope and offset of the log odds; `isotonic`: place and
    value of each knot."""


class Layer(Record, frozen=True, kw_only=True):
    """How an ensemble tells classes where it does not average: by a linear layer over logarithms of probabilities.

    Those of each member times its weight, and the offset of each class, are made probabilities again.
    """

    offsets: tuple[float, ...]
    """One for each class."""


class Criteria(Record, frozen=True, kw_only=True):
    """What a likelihood says of a model and its number of parameters: less is better, among models of the same rows."""

    aic: float
    bic: float
    n_rows: int


class Gain(Record, frozen=True, kw_only=True):
    """A candidate that was better than all before it."""

    seconds: float
    """Since the search began."""
    score: float
    family: str


class Epoch(Record, frozen=True, kw_only=True):
    """What a network gained in one pass through its rows; None where it was not asked, or is no number."""

    learned: float | None
    """Mean loss of its steps."""
    watched: float | None = None
    """Loss on rows that it does not learn from, at the end."""
    score: float | None = None
    """What the metric says of these rows."""


class Course(Record, frozen=True, kw_only=True):
    """How a network learned."""

    epochs: tuple[Epoch, ...]
    """Those that were done."""
    n_epochs: int
    """Those that were planned; the last may be a part of one."""
    n_steps: int
    epoch_s: float
    """Seconds of an epoch, as measured."""
    notes: tuple[str, ...] = ()
    """What a person should know: a rate that was changed, steps that were taken back."""


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
    """Mean of `fold_scores`, in the metric's own direction; of the chosen one, what rows say that did not choose it."""
    cv_error: float | None = None
    """Standard error of `cv_score`."""
    optimism: float = 0.0
    """How much better the mean of `fold_scores` looks than `cv_score` says: the best of many is flattered by the rows
    that chose it."""
    tie_break: float | None = None
    """Score that decides near-ties: macro F1 (classification) or R² (regression)."""
    n_parameters: int | None = None
    fit_s: float = 0.0
    train: dict[str, float] = msgspec.field(default_factory=dict)
    """Metrics on the training part, for finalists."""
    validation: dict[str, float] = msgspec.field(default_factory=dict)
    """Metrics on the validation part, for finalists; from a fit that did not see it."""
    cost: Cost | None = None
    """Measured on the exported bundle, for finalists."""
    answers: str | None = None
    """Blob of answers on rows that the fit had not seen, for runs that may be chosen; the bundle's reference."""
    bundle: str | None = None
    chosen: bool = False
    members: tuple[Member, ...] = ()
    """Of an ensemble: whose answers it averages, or stacks."""
    layer: Layer | None = None
    """Of an ensemble that stacks the classes of its members; None for one that averages."""
    calibration: Calibration | None = None
    """How its probabilities are corrected; None where they are not."""
    threshold: float | None = None
    """From which probability on the second of two classes is said; None: the likelier one."""
    criteria: Criteria | None = None
    """AIC and BIC, where a likelihood exists."""
    course: Course | None = None
    """Of a network: how it learned, on the last of the folds."""

    @property
    def compared(self) -> float | None:
        """Score on the rows that all candidates were compared on: what the choice flatters stays in it."""
        return sum(self.fold_scores) / len(self.fold_scores) if self.fold_scores else self.cv_score


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


class Step(Record, frozen=True, kw_only=True):
    """One step of a plan: which settings were fitted on which folds."""

    number: int
    candidate: int
    """Number of the step that first tried these settings."""
    family: str
    params: dict[str, Any]
    """As used: where time was short, cheaper than proposed."""
    folds: tuple[int, ...]
    skipped: bool = False
    """Nothing came of it for want of time or memory."""
    lengths: tuple[int, ...] = ()
    """Rounds of each fold's fit, where the clock ended one of them."""
    threads: int = 1
    """That its fits used: networks of other numbers of threads differ in their last bits."""
    latency_ms: tuple[float, float] | None = None
    """What one row took, half and 99 of 100 times: the price of a candidate decides whether a mix can afford it."""


class SearchPlan(Record, frozen=True, kw_only=True):
    """The steps that a search took, as the costs that it measured allowed; a rerun follows them and ends the same."""

    id: str
    """Made of the inputs and the budget, so that a rerun finds it."""
    steps: tuple[Step, ...]
    """In the order of their numbers."""
    n_folds: int
    """Folds that candidates were compared on in the end."""
    chosen: str
    """Identity of the run that was packed."""
    kept: tuple[int, ...] = ()
    """Members that stayed as a fold's rows taught them."""
    earlier: tuple[str, ...] = ()
    """Searches on other snapshots whose settings were tried again."""
    seconds: float


class Search(Record, frozen=True, kw_only=True):
    """The outcome of a search: every run, and the one chosen."""

    id: str
    parts: str
    metric: str
    runs: tuple[Run, ...]
    """In the order of trials; those that may be chosen carry `validation` and `cost`, the chosen one `bundle`."""
    chosen: str
    bundle: str
    reasons: tuple[str, ...]
    n_trials_planned: int
    stopped_by: Literal["plan", "time", "interrupt"]
    seconds: float
    learning: LearningCurve | None = None
    """Of the chosen candidate; None where the budget left no time for it. No part of any identity."""
    plan: str = ""
    """Identity of the `SearchPlan` that was followed."""
    front: tuple[str, ...] = ()
    """Identities of the runs that no other beats on quality, one-row latency and size, the best first; without the
    constant answer."""
    prices: tuple[str, ...] = ()
    """What the chosen run wins over the next cheaper one of those, and what the next better one would cost."""
    gains: tuple[Gain, ...] = ()
    """The single candidates that were each the best so far, in the order of time."""
