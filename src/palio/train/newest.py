"""Choose between a candidate of all rows and one of the newest alone, on newest rows that neither had seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from palio import data, measure, split
from palio.core.records import Parts, Search, Snapshot, Task
from palio.train.unseen import score_unseen

if TYPE_CHECKING:
    from palio.store import Store

FEWEST_ROWS = 300
"""Training rows below which no model is made of the newest alone …"""
FEWEST_OF_A_CLASS = 10
"""… and rows of each class."""


class Preferred(NamedTuple):
    """Which of two candidates is better on the newest rows."""

    is_newest: bool
    """Whether it is the one that learned from them alone."""
    reason: str
    """One sentence."""


def is_enough(store: Store, snapshot: Snapshot, parts: Parts, task: Task) -> bool:
    """Tell whether the training rows of a cut are enough to learn from them alone."""
    if parts.counts["train"] < FEWEST_ROWS:
        return False
    if task.kind != "classification":
        return True
    frame = split.read(store, snapshot, parts, "train", columns=[task.target])
    counts = np.bincount(data.target_array(frame, task), minlength=len(task.classes))
    return bool((counts >= FEWEST_OF_A_CLASS).all())


def prefer(
    store: Store,
    snapshot: Snapshot,
    *,
    whole: tuple[Parts, Search],
    newest: tuple[Parts, Search],
    task: Task,
    first_row: int,
) -> Preferred:
    """Compare two candidates on rows of train and validation that the fits behind the figures had not seen.

    The test part is not read. What chance may do goes to all rows: the gain of the newest alone must be more than half
    of a 95 % interval.

    Args:
        store: Holds the answers that were kept.
        snapshot: The data.
        whole: The cut, and what was found on it.
        newest: The cut without what stands before the newest rows, and what was found on that.
        task: What is predicted.
        first_row: The newest rows begin here in the snapshot.
    """
    ours, theirs = (
        score_unseen(store, snapshot, parts, search, task=task, first_row=first_row)
        for parts, search in (whole, newest)
    )
    if ours is None or theirs is None:
        return Preferred(False, "Too few newest rows can tell whether learning from them alone helps.")
    metric = whole[1].metric
    sign = 1 if measure.higher_is_better(metric) else -1
    is_newest = sign * (theirs.value - ours.value) > (ours.high - ours.low) / 2
    figures = " against ".join(measure.figure(one.value) for one in (theirs, ours))
    who = "It learned from the newest rows alone" if is_newest else "It learned from all rows"
    told = f"{who}: newest alone against all rows, {metric} {figures} on {theirs.n_rows:,} newest rows unseen."
    return Preferred(is_newest, told)
