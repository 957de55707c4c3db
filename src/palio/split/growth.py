"""Let a cut by time move on when the data grows: what was the future is the past one day, and is learned from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from palio.core.errors import InputError, NotFoundError
from palio.core.records import Parts, Snapshot, Task
from palio.split import strata
from palio.split.grouping import parts_of
from palio.split.hashing import Hashes
from palio.split.moments import Moments
from palio.split.scanning import Scan, keys_of
from palio.split.strata import ASIDE, PART_CODES, Assignment

if TYPE_CHECKING:
    from palio.store import Store


def bounds_in_time(
    when: Moments, labelled: npt.NDArray[np.bool_], shares: tuple[float, float], previous: Parts | None
) -> tuple[float, float]:
    """Find the first moments of validation and of test; where the data grows they move on, but never back."""
    known = when[labelled & ~np.isnan(when)]
    if not known.size:
        raise InputError("split by time: no labelled row has a moment", hint="check `time` in palio.toml [data]")
    known.sort()
    bounds = strata.time_cuts(known, shares)
    if previous is None or previous.time_bounds is None:
        return bounds
    before = previous.time_bounds
    return max(before[0], bounds[0]), max(before[1], bounds[1])


def moved_on(store: Store, previous: Parts | None, parts: Assignment, seen: Scan) -> dict[str, int]:
    """Count the rows that left the part they had in an earlier cut by time, if this snapshot begins with its rows."""
    if previous is None or previous.time_bounds is None or seen.moments is None:
        return {}
    before = np.frombuffer(store.blobs.get(previous.assignment), np.uint8)
    if before.size > parts.size:
        return {}
    placed, n_rows = before != ASIDE, before.size
    again = strata.place_in_time(seen.moments[:n_rows], previous.time_bounds, among=seen.labelled[:n_rows])
    if not (again[placed] == before[placed]).all():
        return {}
    names = {code: name for name, code in PART_CODES.items()} | {ASIDE: "aside"}
    moves = {
        f"{names[old]} to {names[new]}": int(((before == old) & (parts[:n_rows] == new)).sum())
        for old in names
        for new in names
        if old != new
    }
    return {move: n for move, n in moves.items() if n}


def known_groups(
    store: Store, previous: Parts | None, keys: Hashes, *, task: Task, others: Sequence[str]
) -> Assignment | None:
    """Look up the part that each group had in an earlier grouped cut; 255 for one that it had not.

    A group keeps its part whatever its new rows hold: points alone would not do, for a group that gets its first row of
    a rare class is in another stratum from then on.

    Args:
        store: Where the earlier snapshot lies; without it, nothing is known.
        previous: The earlier cut.
        keys: Of the groups.
        task: What is to be predicted.
        others: Columns that a row without a group is known by.
    """
    snapshot = None if previous is None else store.records.get(Snapshot, previous.snapshot)
    if previous is None or snapshot is None or not {c.name for c in snapshot.schema.columns} >= {*previous.key_columns}:
        return None
    before = np.frombuffer(store.blobs.get(previous.assignment), np.uint8)
    try:
        found = keys_of(store, snapshot, task=task, key_columns=previous.key_columns, others=others)
    except NotFoundError:  # its rows were cleared away
        return None
    ranked, first = np.unique(found[before != ASIDE], return_index=True)
    return parts_of(keys, ranked, before[before != ASIDE][first])


def told(moves: dict[str, int]) -> str:
    """Say which rows changed part.

    Example:
        >>> told({"validation to train": 400, "test to train": 1200})
        'rows changed part as time moved on: 400 from validation to train, 1,200 from test to train'
    """
    return "rows changed part as time moved on: " + ", ".join(f"{n:,} from {move}" for move, n in moves.items())
