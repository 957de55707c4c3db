"""Choose from which probability on the second of two classes is said: for a metric of classes, or for what errors cost.

Source: Elkan 2001, IJCAI (the foundations of cost-sensitive learning).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from palio import model
from palio.core.records import Task
from palio.train import calibration
from palio.train.ensemble import Unseen
from palio.train.examples import Array

FEWEST_ROWS = 100
"""Fewer rows cannot tell one threshold from another."""
DOUBT = 2.0
"""So many standard errors of a share of the rarer class may lie between what is expected and what was seen."""


class Costs(msgspec.Struct, frozen=True):
    """What each kind of error costs; 0: nothing is known of it."""

    miss: float = 0.0
    """A row of the positive class that is not found."""
    false_alarm: float = 0.0
    """A row of the other class that is called positive."""

    @property
    def known(self) -> bool:
        """Whether both are given."""
        return self.miss > 0 and self.false_alarm > 0


@dataclass(frozen=True)
class Counts:
    """Of rows that are called the second class from each threshold on, shape (n_thresholds,)."""

    hits: Array
    """Of the second class, and called so."""
    alarms: Array
    """Of the first class, and called the second."""
    n_second: float
    n_first: float


def choose(answers: Array, unseen: Unseen, *, task: Task, aim: str, costs: Costs) -> tuple[float, Array] | None:
    """Find the threshold that suits the aim best.

    Args:
        answers: Probabilities on rows that fits had not seen, shape (n, 2).
        unseen: Those rows.
        task: Two classes.
        aim: A metric of classes, or `cost`.
        costs: For the aim `cost`.

    Returns:
        The threshold on the probability of `task.classes[1]`, and the class of each row by thresholds that were found
        on other folds; None where there is nothing to choose.
    """
    worth = _worth(task, aim, costs)
    if worth is None or len(task.classes) != 2 or len(answers) < FEWEST_ROWS:
        return None
    said = np.zeros(len(answers), dtype=np.int64)
    for here, others in unseen.apart():
        if not others.any():
            return None
        said[here] = answers[here, 1] >= _best(answers[others], unseen.truth[others], worth)
    return _best(answers, unseen.truth, worth), said


def _best(answers: Array, truth: Array, worth: Callable[[Counts], Array]) -> float:
    """Return the threshold of the greatest worth: midway between two probabilities; of equal ones that nearest 1/2.

    The worth that is expected by the probabilities, corrected by a sigmoid, has its peak where the true one has it,
    with a fraction of the chance that is in the worth of the rows that happen to lie there. Where these clearly
    contradict it, they decide.
    """
    possible = np.clip(answers, 1 / (len(answers) + 2), 1.0)  # no row is certain
    possible /= possible.sum(axis=1, keepdims=True)
    chances = model.calibrated(possible, calibration.fitted("platt", possible, truth))[:, 1]
    order = np.argsort(-answers[:, 1], kind="stable")
    ranked = answers[order, 1]
    last = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True])
    below = np.r_[ranked[last[1:]], 0.0] if len(last) > 1 else np.array([0.0])
    thresholds = (ranked[last] + below) / 2
    expected, seen = (worth(_counts(which[order], last)) for which in (chances, (truth == 1).astype(np.float64)))
    best, most = _peak(expected, thresholds), _peak(seen, thresholds)
    rarer = max(1, min(int((truth == 1).sum()), int((truth != 1).sum())))
    return float(thresholds[most if seen[most] - seen[best] > DOUBT * _scale(seen) / np.sqrt(rarer) else best])


def _scale(worths: Array) -> float:
    """Return how large differences of a worth can be."""
    return float(np.nanmax(worths) - np.nanmin(worths))


def _peak(worths: Array, thresholds: Array) -> int:
    best = np.flatnonzero(worths >= np.nanmax(worths) - 1e-12)
    return int(best[np.argmin(np.abs(thresholds[best] - 0.5))])


def _counts(is_second: Array, last: Array) -> Counts:
    """Return what the rows hold down to each place, most likely first; a row may be of the second class in part."""
    hits, n_second = np.cumsum(is_second)[last], float(is_second.sum())
    return Counts(hits, last + 1 - hits, n_second, len(is_second) - n_second)


def _worth(task: Task, aim: str, costs: Costs) -> Callable[[Counts], Array] | None:
    positive_is_second = task.positive in (None, *task.classes[1:])
    if aim == "cost":
        miss, alarm = (costs.miss, costs.false_alarm) if positive_is_second else (costs.false_alarm, costs.miss)
        return (lambda c: -(miss * (c.n_second - c.hits) + alarm * c.alarms)) if costs.known else None
    if aim == "f1" and not positive_is_second:
        return lambda c: _f1(c.n_first - c.alarms, c.n_second - c.hits, c.alarms)
    return _WORTH.get(aim)


def _f1(hits: Array, alarms: Array, misses: Array) -> Array:
    found: Array = 2 * hits / np.maximum(1, 2 * hits + alarms + misses)
    return found


_WORTH: Mapping[str, Callable[[Counts], Array]] = {
    "accuracy": lambda c: (c.hits + c.n_first - c.alarms) / (c.n_first + c.n_second),
    "balanced_accuracy": lambda c: (c.hits / max(1, c.n_second) + 1 - c.alarms / max(1, c.n_first)) / 2,
    "f1": lambda c: _f1(c.hits, c.alarms, c.n_second - c.hits),
    "f1_macro": lambda c: (
        (_f1(c.hits, c.alarms, c.n_second - c.hits) + _f1(c.n_first - c.alarms, c.n_second - c.hits, c.alarms)) / 2
    ),
}
AIMS = tuple(_WORTH)
"""Metrics that a threshold can be chosen for."""
