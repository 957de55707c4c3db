"""Let a challenger of the newest rows compete with one of all rows, on newest rows that neither had seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from palio import data, measure, split, train
from palio.core.errors import PalioError
from palio.core.records import Parts, Search, Snapshot
from palio.flow import steps
from palio.flow.opened import Opened

FEWEST_ROWS = 300
"""Newest training rows below which no model is made of them alone …"""
FEWEST_OF_A_CLASS = 10
"""… and rows of each class."""


class Rival(NamedTuple):
    """The search whose candidate is the challenger, and why."""

    search: Search
    reason: str
    """One sentence."""
    n_tried: int = 0
    """Candidates of the newest rows."""
    seconds: float = 0.0


def challenger(opened: Opened, search: Search, first_row: int) -> Rival:
    """Search on the newest rows alone, and choose between its candidate and that of all rows.

    The two are compared on newest rows of train and validation that the fits behind the figures had not seen; the test
    part is not read.

    Args:
        opened: Its budget is what this search may take.
        search: On all rows.
        first_row: The newest rows begin here in the snapshot.
    """
    parts = opened.store.records.require(Parts, search.parts)
    snapshot = opened.store.records.require(Snapshot, parts.snapshot)
    task = steps.task_of(opened, snapshot)
    few = split.newest_only(opened.store, parts, first_row)
    if not _is_enough(opened, snapshot, few):
        return Rival(search, "The newest rows are too few to learn from alone.")
    try:
        rival, _ = steps.search_on(opened, few)
    except PalioError as error:
        return Rival(search, f"No model could be made of the newest rows alone: {error.message}.")
    ours = train.score_unseen(opened.store, snapshot, parts, search, task=task, first_row=first_row)
    theirs = train.score_unseen(opened.store, snapshot, few, rival, task=task, first_row=first_row)
    n_tried, seconds = len(rival.runs), rival.seconds
    if ours is None or theirs is None:
        return Rival(search, "Too few newest rows can tell whether learning from them alone helps.", n_tried, seconds)
    sign = 1 if measure.higher_is_better(search.metric) else -1
    # What chance may do goes to all rows: the gain must be more than half of a 95 % interval.
    is_better = sign * (theirs.value - ours.value) > (ours.high - ours.low) / 2
    figures = " against ".join(measure.figure(one.value) for one in (theirs, ours))
    who = "It learned from the newest rows alone" if is_better else "It learned from all rows"
    reason = f"{who}: newest alone against all rows, {search.metric} {figures} on {theirs.n_rows:,} newest rows unseen."
    return Rival(rival if is_better else search, reason, n_tried, seconds)


def _is_enough(opened: Opened, snapshot: Snapshot, parts: Parts) -> bool:
    if parts.counts["train"] < FEWEST_ROWS:
        return False
    task = steps.task_of(opened, snapshot)
    if task.kind != "classification":
        return True
    frame = split.read(opened.store, snapshot, parts, "train", columns=[task.target])
    counts = np.bincount(data.target_array(frame, task), minlength=len(task.classes))
    return bool((counts >= FEWEST_OF_A_CLASS).all())
