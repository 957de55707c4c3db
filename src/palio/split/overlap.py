"""Weigh the looks at test parts by the rows that they showed, whichever cut they were made under.

A look is not about a name but about rows. So what a look has used up of today's test part is the share of today's rows
that it showed: a row more renews nothing, and neither does another seed, another policy or another order of the rows.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from palio import data
from palio.core.errors import NotFoundError
from palio.core.ids import digest_of
from palio.core.records import Parts, Schema, Snapshot
from palio.split.hashing import Hashes, is_in, occurrence_hashes, row_hashes
from palio.split.strata import TEST

if TYPE_CHECKING:
    from palio.store import Store

LOOK = "evaluate.look"
"""Kind of the ledger line that every look at a test part leaves."""
_STEP = "split.seen"
_ROUNDING = 1e-9  # sums of shares are not exact


def looks(store: Store, parts: Parts, *, before: int | None = None) -> int:
    """Count the looks that were spent on the rows of this test part, rounded up.

    Every look in the ledger weighs the share of the rows of this test part that it showed, also one that was made under
    another cut. Rows are known by the id if the schemas name the same one, else by the columns that they share (name
    and type, without the target); of equal rows as many count as stand in both parts. A look whose cut or rows are no
    longer in the store counts in full; one at another target asked another question and does not count.

    Args:
        store: Where the ledger, the cuts and the rows are.
        parts: The cut whose test part is meant.
        before: Only looks whose line stands before this one in the ledger.

    Cost: one pass over the rows for each cut that was ever opened, once; what it gives (8 bytes a test row) is kept.
    """
    seen = Counter(
        str(look.payload.get("parts", ""))
        for look in store.ledger.events(kind=LOOK)
        if look.kind == LOOK and (before is None or look.sequence < before)
    )
    used = math.fsum(n_looks * _share(store, parts, identity) for identity, n_looks in seen.items())
    return math.ceil(used - _ROUNDING)


def looks_left(store: Store, parts: Parts) -> int:
    """Say how often this test part may still be opened."""
    return max(parts.look_budget - looks(store, parts), 0)


def _share(store: Store, parts: Parts, opened: str) -> float:
    """Return the share of today's test rows that stood in the test part of the cut that was opened."""
    earlier = parts if opened == parts.id else store.records.get(Parts, opened)
    if earlier is None or earlier.test_id == parts.test_id:
        return 1.0
    now = store.records.require(Snapshot, parts.snapshot)
    then = store.records.get(Snapshot, earlier.snapshot)
    if then is None:
        return 1.0
    if then.schema.target != now.schema.target:
        return 0.0
    columns = _known_by(now.schema, then.schema)
    if not columns:
        return 0.0
    today = _test_keys(store, now, parts, columns)
    try:
        before = _test_keys(store, then, earlier, columns)
    except NotFoundError:
        return 1.0
    return float(is_in(today, before).sum()) / max(today.size, 1)


def _known_by(now: Schema, then: Schema) -> tuple[str, ...]:
    """Name the columns by which rows of two snapshots are told apart."""
    types = {column.name: column.type for column in then.columns}
    shared = sorted(c.name for c in now.columns if types.get(c.name) == c.type and c.name != now.target)
    return (now.id,) if now.id is not None and now.id == then.id and now.id in shared else tuple(shared)


def _test_keys(store: Store, snapshot: Snapshot, parts: Parts, columns: tuple[str, ...]) -> Hashes:
    """Return one key per test row, ascending, all different: equal rows are told apart by counting them."""
    name = digest_of({"parts": parts.id, "columns": columns})
    known = store.steps.get(_STEP, name)
    if known is not None:
        try:
            return np.frombuffer(store.blobs.get(known), "<u8")
        except NotFoundError:
            pass  # it was cleared away; the rows still tell
    is_test = np.frombuffer(store.blobs.get(parts.assignment), np.uint8) == TEST
    found, start = [np.empty(0, np.uint64)], 0
    for batch in data.batches(store, snapshot, columns=columns):
        here = is_test[start : start + batch.num_rows]
        found.append(row_hashes(batch, columns)[here])
        start += batch.num_rows
    keys = np.sort(occurrence_hashes(np.concatenate(found))).astype("<u8")
    store.steps.put(_STEP, name, store.blobs.put(keys.tobytes()))
    return keys
