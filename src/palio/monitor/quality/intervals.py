"""How sure an expected figure is: chance of the labels to come, and what the fits differ by."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from palio.core.records import Metric
from palio.monitor.quality.features import Array
from palio.monitor.quality.weighting import Overlap


class Doubt(NamedTuple):
    """What the reference cannot tell about a figure, as variances."""

    told: float = 0.0
    """By the rows of the reference that are like those of the window: they are few, and say what was missed."""
    unknown: float = 0.0
    """By the rows of the window of which the reference has hardly any, and by what two ways to estimate differ."""

    def and_more(self, variance: float) -> Doubt:
        """Add what the reference cannot decide."""
        return self._replace(unknown=self.unknown + variance)

    def times(self, factor: float) -> Doubt:
        """Return that of the figure times a factor."""
        return Doubt(self.told * factor**2, self.unknown * factor**2)


NO_DOUBT = Doubt()


def doubt_of(error: Array, spread: float, seen: Overlap, n_reference: int) -> Doubt:
    """Doubt the mean of what is expected of rows.

    What an estimate misses in a window is before all evidence as likely to be great as what inputs tell known rows
    apart by. The error of rows of the reference, weighted as such rows come now, is evidence: the better, the more of
    them there are. Of rows that nobody knows there is none.

    Args:
        error: Shape (n_rows,), of rows of the reference: what happened less what was expected by fits that had not
            seen them.
        spread: What inputs tell known rows apart by: a standard deviation.
        seen: Of these rows and the window.
        n_reference: Rows of the reference of which these are some.

    Source: Shimodaira 2000, J. Stat. Planning and Inference 90 (weights); Efron & Morris 1973, JASA 68 (shrinkage).
    """
    weights = seen.weights / seen.weights.sum()
    missed = float((weights * error).sum())
    chance = float((weights**2 * (error - missed) ** 2).sum()) * len(error) / max(n_reference, 1)
    believed = spread**2 / max(spread**2 + chance, 1e-300)
    told = (believed * missed) ** 2 + believed * chance
    return Doubt((1 - seen.unknown) ** 2 * told, (seen.unknown * spread) ** 2)


def interval(
    value: float,
    by_fit: Array,
    chance: float,
    n_rows: int,
    *,
    doubt: Doubt = NO_DOUBT,
    low: float = -math.inf,
    high: float = math.inf,
) -> Metric:
    """Bound a figure with 95 % confidence: where the real one of these rows will be.

    Args:
        value: By the mean of the fits.
        by_fit: Shape (n_fits,), by fits that each left out one group of the reference.
        chance: Variance by the labels, given their chances.
        n_rows: Rows of the window.
        doubt: What the reference cannot tell; of what it tells and what the fits differ by the greater counts.
        low: Least possible value.
        high: Greatest possible value.

    Source: Efron & Stein 1981 (jackknife of groups); Satterthwaite 1946, Biometrics Bulletin 2(6), for the degrees of
    freedom of a sum of variances.
    """
    from scipy.special import stdtrit

    groups = len(by_fit)
    learnt = (groups - 1) / groups * float(((by_fit - by_fit.mean()) ** 2).sum())
    total = chance + max(learnt, doubt.told) + doubt.unknown
    degrees = min(1e6, (groups - 1) * (total / learnt) ** 2) if learnt > doubt.told else 1e6
    half = float(stdtrit(degrees, 0.975)) * math.sqrt(total)
    return Metric(value=value, low=max(low, value - half), high=min(high, max(value, value + half)), n_rows=n_rows)


def label_variance(pulls: Array, chances: Array) -> float:
    """Return the mean over rows of the variance of `pulls` over the truths that a row may have.

    Args:
        pulls: Shape (n_rows, n_classes), or (n_classes,) for all rows alike.
        chances: Shape (n_rows, n_classes).
    """
    mean = (pulls * chances).sum(1)
    return float(np.maximum((pulls**2 * chances).sum(1) - mean**2, 0.0).mean()) if len(chances) else 0.0
