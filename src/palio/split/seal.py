"""Hand out rows: train and validation freely, the test part only against a line in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from palio import data
from palio.core.errors import InputError, SealError
from palio.core.ids import short
from palio.core.records import Parts, Snapshot
from palio.core.words import counted
from palio.split.overlap import LOOK, looks
from palio.split.strata import PART_CODES

if TYPE_CHECKING:
    import polars as pl

    from palio.store import Store

Places = npt.NDArray[np.int64]
SCORE = "evaluate.score"
"""Kind of the ledger line that closes a look: it tells what was seen, and its payload names the look."""
RESUME = "evaluate.resume"
"""Kind of the ledger line that is left when a look that was interrupted is gone on with."""


class Look(NamedTuple):
    """The sealed test part, opened."""

    number: int
    """Of the look's line in the ledger."""
    rows: pl.DataFrame
    places: Places
    """Where each of them stands in the snapshot."""


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
    store: Store,
    snapshot: Snapshot,
    parts: Parts,
    *,
    candidate: str,
    why: str,
    actor: str | None = None,
    will_close: bool = False,
) -> Look:
    """Break the seal once: write the look into the ledger, then read the test rows.

    Every call counts, also a repeated one for the same candidate: what was seen cannot be unseen. Only a caller who
    tells in the end what was seen (`will_close`) may go on with a look that was interrupted.

    Args:
        store: Where the snapshot lies and the ledger is kept.
        snapshot: The rows.
        parts: Their cut.
        candidate: Identity of the bundle that is to be scored.
        why: The reason, for the ledger.
        actor: Who looks; the user of the process if None.
        will_close: The caller writes a line `evaluate.score` with the number of the look as `look` in its payload. A
            look at the same parts for the same candidate that was promised so and never closed is finished instead of
            a new one.

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
    number = _interrupted(store, parts, candidate) if will_close else None
    if number is None:
        number = _begin(store, parts, candidate, why=why, actor=actor, will_close=will_close)
    else:
        _check_budget(store, parts, before=number)  # a line that was refused is no look to go on with
        store.ledger.append(
            RESUME,
            parts.test_id,
            f"Went on with the look of line {number} for candidate {short(candidate)}, which was interrupted: {why}.",
            payload={"candidate": candidate, "why": why, "parts": parts.id, "look": number},
            actor=actor,
        )
    return Look(number, _rows(store, snapshot, parts, "test", None), part_places(store, parts, "test"))


def _begin(store: Store, parts: Parts, candidate: str, *, why: str, actor: str | None, will_close: bool) -> int:
    """Write the line of a new look and return its number."""
    _check_budget(store, parts)
    event = store.ledger.append(
        LOOK,
        parts.test_id,
        f"Opened the sealed test part {short(parts.test_id)} for candidate {short(candidate)}: {why}.",
        payload={
            "candidate": candidate,
            "why": why,
            "parts": parts.id,
            "rows": parts.counts["test"],
            "will_close": will_close,
        },
        actor=actor,
    )
    _check_budget(store, parts, before=event.sequence)  # others may have taken the last looks before our line
    return event.sequence


def _interrupted(store: Store, parts: Parts, candidate: str) -> int | None:
    """Find the oldest look at these parts for this candidate of which nobody told what was seen."""
    begun = [
        look.sequence
        for look in store.ledger.events(kind=LOOK, subject=parts.test_id)
        if look.payload.get("will_close")
        and (look.payload["candidate"], look.payload["parts"]) == (candidate, parts.id)
    ]
    told = {line.payload.get("look") for line in store.ledger.events(kind=SCORE)} if begun else set()
    return next((number for number in begun if number not in told), None)


def _check_budget(store: Store, parts: Parts, *, before: int | None = None) -> None:
    if looks(store, parts, before=before) >= parts.look_budget:
        raise _used_up(parts)


def _used_up(parts: Parts) -> SealError:
    return SealError(
        f"test part {short(parts.test_id)}: its budget of {counted(parts.look_budget, 'look')} is used up",
        hint="bring fresh labelled rows, as many as are in test to halve what is used; or raise `looks` in palio.toml "
        "[split]: the ledger will show it",
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
    frame: pl.DataFrame = data.read(store, snapshot, columns=columns, rows=part_places(store, parts, part))
    return frame


def part_places(store: Store, parts: Parts, part: str) -> Places:
    """Return the positions in the snapshot of the rows of a part: what they hold stays sealed."""
    return np.flatnonzero(np.frombuffer(store.blobs.get(parts.assignment), np.uint8) == PART_CODES[part])
