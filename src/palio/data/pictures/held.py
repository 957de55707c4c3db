"""Set rows aside whose bytes are no picture, with the reason in words, whatever else is done with the source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import polars as pl

from palio.core.records import Schema, Violation
from palio.data.contract import MAX_EXAMPLES, Checked
from palio.data.pictures.columns import PROBLEM

if TYPE_CHECKING:
    import pyarrow as pa

RULE = "picture"
"""How a violation of this kind is called. A source is not refused for it."""


def held_to_pictures(checked: Checked, batch: pa.RecordBatch, schema: Schema, *, first_row: int) -> Checked:
    """Reject the rows of which the batch says that their bytes are no picture, or why their boxes cannot be used."""
    for column in schema.columns:
        said = f"{column.name}.{PROBLEM}"
        if column.type in ("image", "boxes") and said in batch.schema.names:
            checked = _held(checked, pl.Series(batch.column(said).to_pylist(), dtype=pl.String), column.name, first_row)
    return checked


def _held(checked: Checked, said: pl.Series, column: str, first_row: int) -> Checked:
    mask = said.is_not_null()
    if not mask.any():
        return checked
    different = said.drop_nulls().head(200).unique(maintain_order=True).to_list()
    examples = [different[0] + f" (row {mask.arg_true()[0] + first_row + 1:,})", *different[1:MAX_EXAMPLES]]
    found = Violation(column=column, rule=RULE, n_rows=int(mask.sum()), examples=tuple(examples))
    missing = f"{column}: missing"
    reasons = {name: rows for name, rows in checked.reasons.items() if name != missing}
    others = [one for one in checked.violations if (one.column, one.rule) != (column, "missing")]
    still = checked.reasons[missing] & ~mask if missing in checked.reasons else mask & ~mask
    if still.any():
        reasons[missing] = still
        kept = next(one for one in checked.violations if (one.column, one.rule) == (column, "missing"))
        others.append(msgspec.structs.replace(kept, n_rows=int(still.sum())))
    for why in said.drop_nulls().unique(maintain_order=True):
        reasons[f"{column}: {why}"] = (said == why).fill_null(value=False)
    return msgspec.structs.replace(
        checked, rejected=checked.rejected | mask, reasons=reasons, violations=(*others, found)
    )
