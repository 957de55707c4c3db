"""Many questions at once: keep the share of false alarms down."""

from __future__ import annotations

import math

import numpy as np

from palio.measure.sample import Array


def benjamini_hochberg(p: Array, *, rate: float = 0.05) -> Array:
    """Tell which of many tests hold when at most `rate` of the alarms may be false.

    Args:
        p: Shape (n_tests,), p-values.
        rate: Expected share of false alarms among the alarms.

    Returns:
        Shape (n_tests,), bool.

    Example:
        >>> benjamini_hochberg(np.array([0.001, 0.04, 0.9])).tolist()
        [True, False, False]

    Source: Benjamini & Hochberg 1995, JRSS B 57(1).
    """
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p)
    below = np.flatnonzero(p[order] <= rate * np.arange(1, len(p) + 1) / max(len(p), 1))
    holds = np.zeros(len(p), dtype=bool)
    if len(below):
        holds[order[: below[-1] + 1]] = True
    return holds


def two_sided_p(difference: float, standard_error: float) -> float:
    """Return the chance of a difference at least this large if there were none (normal approximation).

    Example:
        >>> round(two_sided_p(1.96, 1.0), 3)
        0.05
    """
    if standard_error <= 0:
        return 1.0 if difference == 0 else 0.0
    return math.erfc(abs(difference) / standard_error / math.sqrt(2))
