"""Let a cut by time move on when the data grows: what was the future is the past one day, and is learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from palio.core.errors import InputError
from palio.core.records import Parts
from palio.split import strata
from palio.split.moments import Moments
from palio.split.scanning import Scan
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


def told(moves: dict[str, int]) -> str:
    """Say which rows changed part.

    Example:
        >>> told({"validation to train": 400, "test to train": 1200})
        'rows changed part as time moved on: 400 from validation to train, 1,200 from test to train'
    """
    return "rows changed part as time moved on: " + ", ".join(f"{n:,} from {move}" for move, n in moves.items())
