"""Some pictures of a slice, on one sheet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from palio.core.records import Sheet, Slice
from palio.core.seeds import derive
from palio.evaluate.pictures.asking import Asked
from palio.evaluate.pictures.likeness import COLUMN
from palio.evaluate.segmenting import Segment

N_SHEETS = 6
N_SHOWN = 8


def sheets(asked: Asked, slices: Sequence[Slice], segments: Sequence[Segment], *, seed: int = 0) -> tuple[Sheet, ...]:
    """Choose pictures of slices: of those that are worse, and of groups that look alike; half of them wrong answers."""
    rows_of = {(one.column, one.condition): one.rows for one in segments}
    found: list[Sheet] = []
    for one in (s for s in slices if s.worse or s.column == COLUMN):
        rows = rows_of.get((one.column, one.condition))
        if rows is None or len(found) >= N_SHEETS:
            continue
        inside = np.random.default_rng(derive(seed, "sheets", one.column, one.condition)).permutation(
            np.flatnonzero(rows)
        )
        order = np.argsort(asked.is_right[inside], kind="stable")
        chosen = [*inside[order][: N_SHOWN // 2], *inside[order][::-1][: N_SHOWN // 2]]
        pictures = tuple(dict.fromkeys(asked.picture(int(row)) for row in chosen))
        found.append(Sheet(column=one.column, condition=one.condition, pictures=pictures))
    return tuple(found)
