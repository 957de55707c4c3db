"""Learn from the newest rows alone: the same cut, with the rows of before set aside. The test part stays what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from palio.core.ids import digest_of
from palio.core.records import Parts
from palio.split.strata import ASIDE, PART_CODES, TEST

if TYPE_CHECKING:
    from palio.store import Store


def newest_only(store: Store, parts: Parts, first_row: int) -> Parts:
    """Set the rows of train and validation aside that stand before `first_row` in the snapshot.

    Args:
        store: Holds the assignment, and takes the new one.
        parts: A cut.
        first_row: Of the snapshot; rows from there on keep their part.
    """
    assignment = np.frombuffer(store.blobs.get(parts.assignment), np.uint8).copy()
    before = assignment[:first_row]
    before[before != TEST] = ASIDE
    counts = {name: int((assignment == code).sum()) for name, code in PART_CODES.items()}
    found = msgspec.structs.replace(
        parts,
        id="",
        counts=counts,
        class_counts={name: classes for name, classes in parts.class_counts.items() if name == "test"},
        assignment=store.blobs.put(assignment.tobytes()),
        first_row=first_row,
    )
    found = msgspec.structs.replace(found, id=digest_of(found))
    store.records.put(found, key=found.id)
    return found
