"""Hand out rows: train and validation freely, the test part only against a line in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from palio import data
from palio.core.errors import InputError, SealError
from palio.core.ids import short
from palio.core.records import Parts, Snapshot
from palio.split.strata import PART_CODES

if TYPE_CHECKING:
    import polars as pl

    from palio.store import Store

LOOK = "evaluate.look"
"""Kind of the ledger line that every look at a test part leaves."""


def read(
    store: Store, snapshot: Snapshot, parts: Parts, part: str, *, columns: list[str] | None = None
) -> pl.DataFrame:
    """Read the rows of `train` or `validation`, in the order of the snapshot.

    Raises:
        SealError: `part` is `test`; only `open_test` gives its rows.
        InputError: there is no such part, or `parts` is a cut of another snapshot.
    """
    if part == "test":
        raise SealError(
            f"test part {short(parts.test_id)}: it is sealed",
            hint="use palio evaluate, which writes who looked and why into the ledger first",
        )
    return _rows(store, snapshot, parts, part, columns)


def open_test(
    store: Store, snapshot: Snapshot, parts: Parts, *, candidate: str, why: str, actor: str | None = None
) -> pl.DataFrame:
    """Break the seal once: write the look into the ledger, then read the test rows.

    Every call counts, also a repeated one for the same candidate: what was seen cannot be unseen.

    Args:
        store: Where the snapshot lies and the ledger is kept.
        snapshot: The rows.
        parts: Their cut.
        candidate: Identity of the bundle that is to be scored.
        why: The reason, for the ledger.
        actor: Who looks; the user of the process if None.

    Raises:
        SealError: the budget of looks is used up, or candidate or reason is missing.
        InputError: `parts` is a cut of another snapshot.
    """
    if not candidate.strip() or not why.strip():
        raise SealError(
            f"test part {short(parts.test_id)}: a look needs a candidate and a reason",
            hint="say which candidate is to be scored and why: palio evaluate --why TEXT",
        )
    _check_belongs(snapshot, parts)
    if looks(store, parts) >= parts.look_budget:
        raise _used_up(parts)
    event = store.ledger.append(
        LOOK,
        parts.test_id,
        f"Opened the sealed test part {short(parts.test_id)} for candidate {short(candidate)}: {why}.",
        payload={"candidate": candidate, "why": why, "parts": parts.id, "rows": parts.counts["test"]},
        actor=actor,
    )
    earlier = sum(1 for look in store.ledger.events(kind=LOOK, subject=parts.test_id) if look.sequence < event.sequence)
    if earlier >= parts.look_budget:  # others took the last looks between the check and our line
        raise _used_up(parts)
    return _rows(store, snapshot, parts, "test", None)


def looks(store: Store, parts: Parts) -> int:
    """Count how often this test part was opened, under whichever cut it was part of."""
    return len(store.ledger.events(kind=LOOK, subject=parts.test_id))


def _used_up(parts: Parts) -> SealError:
    return SealError(
        f"test part {short(parts.test_id)}: its budget of {parts.look_budget} looks is used up",
        hint="bring fresh labelled rows, or raise `looks` in palio.toml [split]: the ledger will show it",
        facts={"test_id": parts.test_id, "look_budget": parts.look_budget},
    )


def _check_belongs(snapshot: Snapshot, parts: Parts) -> None:
    if parts.snapshot != snapshot.id:
        raise InputError(
            f"parts {short(parts.id)}: they cut snapshot {short(parts.snapshot)}, not {short(snapshot.id)}",
            hint="cut this snapshot first: palio split",
        )


def _rows(store: Store, snapshot: Snapshot, parts: Parts, part: str, columns: list[str] | None) -> pl.DataFrame:
    if part not in PART_CODES:
        raise InputError(f"part: got `{part}`, allowed are train and validation", hint="use train or validation")
    _check_belongs(snapshot, parts)
    assignment = np.frombuffer(store.blobs.get(parts.assignment), np.uint8)
    frame: pl.DataFrame = data.read(store, snapshot, columns=columns, rows=assignment == PART_CODES[part])
    return frame
