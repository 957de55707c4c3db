"""Say what a worker is asked to do, and what it says when it is done: ids, settings and numbers, no objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from palio.core.records import Cost, Course, Parity
from palio.train.examples import Array
from palio.train.family import Params


@dataclass(frozen=True, kw_only=True)
class Order:
    """Fit one candidate on some rows."""

    number: int
    """Tells apart what runs at the same time."""
    family: str
    params: Params
    seed: int
    folds: tuple[int, ...] = ()
    """Folds to fit and score; none: learn from everything."""
    rows: str = "learn"
    """Which rows of a fold are learned from: `learn`, `half` or `quarter`."""
    curves: Mapping[int, Array] = field(default_factory=dict)
    """Losses round by round of folds that were done before: the best round is sought over all of them."""
    lengths: tuple[int, ...] = ()
    """Of each fold: rounds that count, of those that are fitted; empty: all."""
    metrics: tuple[str, str] = ("", "")
    """The metric of the search, and the one that decides near-ties."""
    n_blocks: int = 1
    """Blocks that the rows of a fold are scored in."""
    limit_s: float | None = None
    """Seconds that it may take: settings are made cheaper before, and a fit in rounds ends then."""
    wants_graph: bool = False
    threads: int = 1
    keep: str = ""
    """Folder where the state of a network is kept while it learns; empty: nowhere."""
    kind: Literal["usual", "heat", "long"] = "usual"
    """Of networks: in a heat it is not checked whether they learn by heart."""


@dataclass(frozen=True, kw_only=True)
class Word:
    """How far the network of an order is."""

    number: int
    """Of the order."""
    epoch: int
    """Epochs that are done."""
    n_epochs: int
    step: int
    n_steps: int
    loss: float
    watched: float | None
    """Loss on rows that it does not learn from, after the last epoch."""
    score: float | None
    """What the metric says of these rows."""
    eta_s: float
    """Seconds that are left, by the pace so far."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of an order."""

    number: int
    status: Literal["done", "failed", "late", "killed"]
    reason: str = ""
    params: Params = field(default_factory=dict)
    """The settings that were used: those of the order, or cheaper ones."""
    rounds: int = 0
    """The number of rounds that is best over all folds so far; 0 if it does not learn in rounds."""
    scores: tuple[float, ...] = ()
    ties: tuple[float, ...] = ()
    answers: tuple[Array, ...] = ()
    """Per fold: probabilities (n_scored, n_classes), or values (n_scored, 1)."""
    curves: tuple[Array, ...] = ()
    lengths: tuple[int, ...] = ()
    """Rounds of each fold's fit, where not all were done for want of time."""
    is_short: bool = False
    """With more time it would have been another outcome."""
    n_parameters: int = 0
    seconds: float = 0.0
    besides_s: float = 0.0
    """Of those `seconds`, what export, checks and timing took; of a network, its answers to the scored rows, too."""
    cpu_s: float = 0.0
    """Of the process: where it is much less than `seconds`, others keep the machine busy."""
    graph: bytes = b""
    """Of the last fold's model, or of the one that learned from everything."""
    cost: Cost | None = None
    parity: tuple[Parity, ...] = ()
    """The graph against the library."""
    checked: Array | None = None
    """The library's answers on `work.checked_rows`, of a model that learned from everything."""
    notes: tuple[str, ...] = ()
    """What the last fold's fit found out, and a person should know."""
    course: Course | None = None
    """How the last fold's network learned."""
    seen: dict[str, float] = field(default_factory=dict)
    """Metrics on the rows that the last fold's model learned from."""
