"""What a metric is: the entries of the table in `metrics`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from palio.core.records.base import TaskKind
from palio.measure.sample import Array, Sample, View

Needs = Literal["probability", "label", "value", "boxes"]


@dataclass(frozen=True, kw_only=True)
class MetricSpec:
    """What a metric is. `function` gives one value per row of weights; NaN where it is not defined."""

    name: str
    kind: TaskKind
    higher_is_better: bool
    needs: Needs
    function: Callable[[View], Array]
    title: str
    """What it is called in reports …"""
    meaning: str
    """… and how it is explained, in half a sentence."""
    bounded: bool = False
    """Lies in [0, 1]."""
    in_unit: bool = False
    """Is in the unit of the target."""
    is_count: bool = False
    """Counts what happens a row: that none was seen does not mean that there is none."""
    always: bool = True
    """Is computed for every task of its kind; if not, only for one that names it."""
    interval: Literal["percentile", "basic"] = "percentile"
    """`basic` for a metric that is biased upward in small samples (calibration error, average precision of boxes)."""
    behind: Callable[[Sample], float] | None = None
    """What a share stands on, where that is not the rows: of few, resamples do not know how much could be otherwise."""
