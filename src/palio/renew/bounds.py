"""Bounds that hold at every look: whoever looks again and again, and stops when it suits, is not fooled.

An ordinary 95 % interval holds for one look. A rollout is looked at every minute, and one that is sound would fail one
of them by chance soon enough. The bounds here are confidence sequences: with 95 % probability they hold the truth at
all looks together. They are wider; that is the price.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

ALPHA = 0.05
_PLANNED = 1000
"""Rows for which the bounds of a mean are narrowest; others pay a little."""
_BISECTIONS = 60


def proportion_bounds(hits: int, n: int, alpha: float = ALPHA) -> tuple[float, float]:
    """Bound a proportion so that the bounds hold at every n, with probability 1 - `alpha`.

    With a Beta(½, ½) mixture, M(p) = B(½ + hits, ½ + misses) / B(½, ½) / (p^hits (1 - p)^misses) is a martingale if p
    is the truth, and exceeds 1 / alpha at some n with probability alpha at most (Ville's inequality). All p that it
    does not exclude are kept.

    Example:
        >>> [tuple(round(x, 4) for x in proportion_bounds(0, n)) for n in (0, 100, 1000)]
        [(0.0, 1.0), (0.0, 0.057), (0.0, 0.007)]

    Source: Robbins 1970, Annals of Mathematical Statistics 41(5); Ville 1939.
    """
    if n <= 0:
        return 0.0, 1.0
    misses = n - hits
    constant = _log_beta(0.5 + hits, 0.5 + misses) - _log_beta(0.5, 0.5) + math.log(alpha)

    def is_kept(p: float) -> bool:
        return constant - hits * math.log(p) - misses * math.log1p(-p) < 0

    centre = hits / n
    low = 0.0 if hits == 0 else _edge(is_kept, kept=centre if misses else 1 - 1e-12, dropped=1e-15)
    high = 1.0 if misses == 0 else _edge(is_kept, kept=centre if hits else 1e-12, dropped=1 - 1e-15)
    return low, high


def mean_bounds(mean: float, deviation: float, n: int, alpha: float = ALPHA) -> tuple[float, float]:
    """Bound a mean so that the bounds hold at every n from some tens on, with probability 1 - `alpha`.

    mean ± deviation · √(2 (nρ² + 1) / (n²ρ²) · ln(√(nρ² + 1) / alpha)).

    Args:
        mean: Of n independent values.
        deviation: Their standard deviation.
        n: How many.
        alpha: Probability of a miss at any look.

    Source: Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024, Annals of Statistics 52(6), theorem 2.2; ρ after
    Howard et al. 2021, Annals of Statistics 49(2), section 3.5.
    """
    if n < 2:
        return -math.inf, math.inf
    square = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / _PLANNED
    grown = n * square + 1
    half = deviation * math.sqrt(2 * grown / (n * n * square) * math.log(math.sqrt(grown) / alpha))
    return mean - half, mean + half


def stability_index(expected: Sequence[int], found: Sequence[int]) -> tuple[float, float]:
    """Measure how far two histograms over the same bins are apart, and how far chance alone would carry them.

    PSI = Σ (qᵢ - pᵢ) ln(qᵢ / pᵢ). Between samples of n and m rows of one distribution, PSI · nm / (n + m) is close to a
    chi-square with bins - 1 degrees of freedom; its 99.9 % quantile (Wilson & Hilferty) is the noise. 99.9 and not 95,
    because it is looked at often.

    Returns:
        PSI, and the noise; infinite if a histogram is empty.

    Example:
        >>> stability_index([500, 500], [480, 520])[0] < 0.01
        True

    Source: Yurdakul & Naranjo 2020, Journal of Risk Model Validation 14(4); Wilson & Hilferty 1931, PNAS 17(12).
    """
    p, q = np.asarray(expected, float), np.asarray(found, float)
    n, m = float(p.sum()), float(q.sum())
    bins = int(((p + q) > 0).sum())
    if n == 0 or m == 0:
        return 0.0, math.inf
    if bins < 2:
        return 0.0, 0.0
    used = (p + q) > 0
    p = (p[used] + 0.5) / (n + 0.5 * bins)  # half a row in each bin, so that an empty one is no infinity
    q = (q[used] + 0.5) / (m + 0.5 * bins)
    index = float(((q - p) * np.log(q / p)).sum())
    freedom, z = bins - 1, 3.0902
    quantile = freedom * (1 - 2 / (9 * freedom) + z * math.sqrt(2 / (9 * freedom))) ** 3
    return index, quantile * (1 / n + 1 / m)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _edge(is_kept: Callable[[float], bool], *, kept: float, dropped: float) -> float:
    """Bisect for the place where a proportion stops being kept."""
    for _ in range(_BISECTIONS):
        middle = (kept + dropped) / 2
        if is_kept(middle):
            kept = middle
        else:
            dropped = middle
    return dropped
