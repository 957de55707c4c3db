"""How sure an expected figure is: chance of the labels to come, and what the fits differ by."""

from __future__ import annotations

import math

import numpy as np

from palio.core.records import Metric
from palio.monitor.quality.features import Array


def interval(
    value: float, by_fit: Array, chance: float, n_rows: int, *, low: float = -math.inf, high: float = math.inf
) -> Metric:
    """Bound a figure with 95 % confidence: where the real one of these rows will be.

    Args:
        value: By the mean of the fits.
        by_fit: Shape (n_fits,), by fits that each left out one group of the reference.
        chance: Variance by the labels, given their chances.
        n_rows: Rows of the window.
        low: Least possible value.
        high: Greatest possible value.

    Source: Efron & Stein 1981 (jackknife of groups); Satterthwaite 1946, Biometrics Bulletin 2(6), for the degrees of
    freedom of a sum of variances.
    """
    from scipy.special import stdtrit

    groups = len(by_fit)
    learnt = (groups - 1) / groups * float(((by_fit - by_fit.mean()) ** 2).sum())
    total = chance + learnt
    degrees = min(1e6, (groups - 1) * (total / learnt) ** 2) if learnt > 0 else 1e6
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
