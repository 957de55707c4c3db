"""Reckon how often rows can be gone through: folds that there is time for."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from palio.train.race import Candidate


def mean_fit_s(candidates: Iterable[Candidate]) -> float:
    """Return the seconds that a fold takes a family that learns, in the mean; infinite where none is known."""
    known = [one.fit_s for one in candidates if one.scores and one.family != "dummy"]
    return float(np.mean(known)) if known else math.inf


def repetitions(n_folds: int, n_distinct: int, seconds: float, a_fold: float) -> int:
    """Return the folds that there is time for; of repeated folds, whole repetitions.

    Args:
        n_folds: How many there are, at most.
        n_distinct: Folds of one repetition.
        seconds: How much time there is.
        a_fold: Seconds that one takes.

    Example:
        >>> repetitions(20, 5, 13.0, 1.0), repetitions(20, 5, 3.0, 1.0)
        (10, 3)
    """
    most = min(n_folds, int(max(0.0, seconds) / max(a_fold, 1e-9)))
    return most - most % n_distinct if most >= n_distinct else most
