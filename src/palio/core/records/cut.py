"""Rows are cut: where the parts begin, and which rows are sealed."""

from __future__ import annotations

from typing import Literal

import msgspec

from palio.core.records.base import Record


class Stratum(Record, frozen=True, kw_only=True):
    """Where the hash of a row id is cut, for the rows of one stratum.

    Below `train` → train, below `validation` → validation, else test. Kept, so that rows keep their part when the data
    grows.
    """

    key: str
    train: float
    validation: float
    upper: float | None = None
    """Largest target value of the stratum (regression); `None` for the last, and for classes."""


class Parts(Record, frozen=True, kw_only=True):
    """A versioned cut of a snapshot into train, validation and the sealed test part."""

    id: str
    snapshot: str
    policy: str
    """`60-20-20`, `80-10-10`, `cv` (80-0-20, cross-validated), or `given`: the parts came with the data."""
    method: Literal["random", "grouped", "time", "given"]
    seed: int
    n_folds: int
    row_key: Literal["columns", "occurrence"] = "columns"
    """What a row is known by: the hash of `key_columns`, or that and how many equal rows stand before it."""
    key_columns: tuple[str, ...] = ()
    """The id, the group, or every column but the target; kept, so that rows keep their part when the schema changes."""
    strata: tuple[Stratum, ...] = ()
    draw: int = 0
    """Draw of the hashes of groups that was taken: the first that leaves no class out of a part."""
    time_bounds: tuple[float, float] | None = None
    """First moment of validation and of test, for a cut by time (seconds, or the rank of composite time columns)."""
    counts: dict[str, int]
    """Rows per part: `train`, `validation`, `test`."""
    class_counts: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    """Part → class → rows (classification)."""
    assignment: str
    """Blob: one byte per row of the snapshot; 0 train, 1 validation, 2 test, 255 in no part."""
    test_id: str
    """Identity of the sealed test rows, in any order."""
    look_budget: int
    """Looks that the test rows may bear; each look weighs the share of them that it showed (`split.looks`)."""
    n_duplicates_across: int = 0
    """Rows equal in every feature to a row of another part (after the cut's own repair)."""
    n_duplicates_moved: int = 0
    """Rows set aside because a copy of them is in another part."""
    moved_on: dict[str, int] = msgspec.field(default_factory=dict)
    """`test to train` → rows: what changed part because the bounds of a cut by time moved on with the newest rows."""
    warnings: tuple[str, ...] = ()
    first_row: int | None = None
    """Rows of train and validation before this one of the snapshot were set aside: only the newest are learned from."""
