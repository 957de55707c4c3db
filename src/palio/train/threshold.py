"""Choose from which probability on the second of two classes is said: for a metric of classes, or for what errors cost.

Source: Elkan 2001, IJCAI (the foundations of cost-sensitive learning).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from palio.core.records import Task
from palio.train.ensemble import Unseen
from palio.train.examples import Array

FEWEST_ROWS = 100
"""Fewer rows cannot tell one threshold from another."""


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
    n_second: int
    n_first: int


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
        said[here] = answers[here, 1] >= _best(answers[others, 1], unseen.truth[others] == 1, worth)
    return _best(answers[:, 1], unseen.truth == 1, worth), said


def _best(second: Array, is_second: Array, worth: Callable[[Counts], Array]) -> float:
    """Return the threshold of the greatest worth: midway between two probabilities; of equal ones that nearest 1/2."""
    order = np.argsort(-second, kind="stable")
    ranked, hit = second[order], is_second[order]
    last = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True])
    hits, n_called = np.cumsum(hit)[last], last + 1
    counts = Counts(hits, n_called - hits, int(is_second.sum()), int((~is_second).sum()))
    found = worth(counts)
    below = np.r_[ranked[last[1:]], 0.0] if len(last) > 1 else np.array([0.0])
    thresholds = (ranked[last] + below) / 2
    best = np.flatnonzero(found >= np.nanmax(found) - 1e-12)
    return float(thresholds[best[np.argmin(np.abs(thresholds[best] - 0.5))]])


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
