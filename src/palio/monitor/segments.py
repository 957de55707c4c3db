"""Say what is usual in a segment: the rows of the reference that belong to it, counted into the same bins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from palio.core.monitoring import ColumnCounts, Reference
from palio.core.records import ColumnShape
from palio.measure import count_rows, log_column
from palio.monitor.timeline import rows_of

Array = np.ndarray[Any, np.dtype[Any]]
LEAST_ROWS = 100
"""Rows of the reference in a segment below which nothing is said about what is usual there."""


def rows_in(rows: Mapping[str, Array], segment: tuple[str, str]) -> dict[str, Array]:
    """Take the rows of the reference that belong to a segment."""
    mine = rows_of(rows, segment)
    return {name: values[mine] for name, values in rows.items()}


def reference_in(reference: Reference, rows: Mapping[str, Array], column: str) -> Reference:
    """Describe a segment as the reference describes all rows.

    The column that makes the segment is left out: it has one value there. Ranges stay those of all rows, since a sample
    of a segment knows its ends less well.

    Args:
        reference: Of the bundle.
        rows: Of its reference, of this segment (`rows_in`).
        column: That makes the segment, as the log names it.
    """
    kept = [one for one in reference.columns if log_column(one) != column and f"input.{one.source}" != column]
    counts = {one.name: one for one in count_rows(kept, rows)}
    block = np.asarray(rows["block"]) if "block" in rows else np.zeros(len(next(iter(rows.values()))), int)
    blocks = [
        {one.name: one.counts for one in count_rows(kept, {name: values[block == b] for name, values in rows.items()})}
        for b in np.unique(block)
    ]
    return msgspec.structs.replace(
        reference,
        n_rows=len(block),
        n_scored=len(block),
        columns=tuple(
            _narrowed(one, counts[one.name], tuple(each[one.name] for each in blocks if one.name in each), rows)
            for one in kept
            if one.name in counts
        ),
        quality={},
    )


def _narrowed(
    column: ColumnShape, counted: ColumnCounts, blocks: tuple[tuple[int, ...], ...], rows: Mapping[str, Array]
) -> ColumnShape:
    values = rows[log_column(column)]
    found: dict[str, Any] = {}
    if column.kind == "number" and not column.statistic and values.dtype.kind in "fiub":
        known = values[np.isfinite(values)]
        found = {"mean": float(known.mean()), "standard_deviation": float(known.std())} if len(known) > 1 else {}
    return msgspec.structs.replace(
        column,
        counts=counted.counts,
        blocks=blocks if len(blocks) > 1 else (),
        own=_own(column, counted.counts),
        decimals=counted.decimals,
        **found,
    )


def _own(column: ColumnShape, counts: tuple[int, ...]) -> tuple[int, ...]:
    """Guess what the model itself answers here: the other fits' answers, moved as the model's are over all rows."""
    if not column.own:
        return ()
    whole, own = np.asarray(column.counts, float), np.asarray(column.own, float)
    moved = np.asarray(counts, float) * (own / max(own.sum(), 1.0)) / np.maximum(whole / max(whole.sum(), 1.0), 1e-12)
    scaled = moved * sum(counts) / max(moved.sum(), 1e-12)
    return tuple(np.rint(scaled).astype(int).tolist())
