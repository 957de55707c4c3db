"""Weigh quality against what it costs: the offers that nothing beats, and the step that counts in a metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from palio.measure.metrics import METRICS

SHARE_STEP = 0.001
"""The step that counts in a metric of shares, probabilities or ranks."""
STEPS_IN_SCORE = 100
"""Of metrics in the unit of the target: the step is the power of ten of which a score has at least so many."""


class Offer(NamedTuple):
    """What one has, and what one pays for it."""

    quality: float
    """More is better."""
    latency_ms: float
    """That one row takes; less is better."""
    size_mb: float
    """Less is better."""


def front(offers: Sequence[Offer]) -> list[int]:
    """Return the places of the offers that no other beats, the best quality first.

    An offer is beaten by one that is as good in all three and better in one. Equal offers do not beat each other; what
    has a number that is not finite is no offer.

    Example:
        >>> front([Offer(0.92, 0.2, 1.0), Offer(0.91, 0.1, 0.5), Offer(0.90, 0.15, 0.5)])
        [0, 1]

    Source: Pareto 1906, Manuale di economia politica.
    """
    known = [place for place, one in enumerate(offers) if all(map(math.isfinite, one))]
    unbeaten = [place for place in known if not any(_beats(offers[other], offers[place]) for other in known)]
    return sorted(unbeaten, key=lambda place: (-offers[place].quality, offers[place][1:], place))


def _beats(one: Offer, other: Offer) -> bool:
    as_good = one.quality >= other.quality and one.latency_ms <= other.latency_ms and one.size_mb <= other.size_mb
    return as_good and one != other


def step_of(metric: str, score: float) -> float:
    """Return the step that counts in a metric: .001, or in the unit of the target a power of ten below a hundredth.

    Example:
        >>> step_of("roc_auc", 0.92), step_of("rmse", 48578.0), step_of("log_loss", 0.31)
        (0.001, 100.0, 0.001)
    """
    spec = METRICS.get(metric)
    if spec is None or not spec.in_unit or score == 0 or not math.isfinite(score):
        return SHARE_STEP
    return float(10.0 ** math.floor(math.log10(abs(score) / STEPS_IN_SCORE)))
