"""Let a challenger of the newest rows compete with one of all rows."""

from __future__ import annotations

from typing import NamedTuple

from palio import split, train
from palio.core.errors import PalioError
from palio.core.records import Parts, Search, Snapshot
from palio.flow import steps
from palio.flow.opened import Opened


class Rival(NamedTuple):
    """The search whose candidate is the challenger, and why."""

    search: Search
    reason: str
    """One sentence."""
    n_tried: int = 0
    """Candidates of the newest rows."""
    seconds: float = 0.0


def challenger(opened: Opened, snapshot: Snapshot, parts: Parts, search: Search, *, first_row: int) -> Rival:
    """Search on the newest rows alone, and choose between its candidate and that of all rows.

    Args:
        opened: Its budget is what this search may take.
        snapshot: The data.
        parts: Its cut.
        search: On all rows.
        first_row: The newest rows begin here in the snapshot.
    """
    task = steps.task_of(opened, snapshot)
    few = split.newest_only(opened.store, parts, first_row)
    if not train.is_enough(opened.store, snapshot, few, task):
        return Rival(search, "The newest rows are too few to learn from alone.")
    try:
        rival, _ = steps.search_on(opened, few)
    except PalioError as error:
        return Rival(search, f"No model could be made of the newest rows alone: {error.message}.")
    preferred = train.prefer(
        opened.store, snapshot, whole=(parts, search), newest=(few, rival), task=task, first_row=first_row
    )
    winner = rival if preferred.is_newest else search
    return Rival(winner, preferred.reason, len(rival.runs), rival.seconds)
