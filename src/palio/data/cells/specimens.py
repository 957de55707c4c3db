"""Choose some cells of a column to be shown as they are written and as they are read."""

from __future__ import annotations

import polars as pl

from palio.core.cells import kind_of
from palio.core.records import Column
from palio.data.cells.frame import Cells, read_frame


def specimens(read: Cells, column: Column) -> list[tuple[str, str]]:
    """Return some of the cells, and how each is read; those that are written in an unusual way come first."""
    kind = kind_of(column)
    different = read.raw.head(500).drop_nulls().unique(maintain_order=True).head(20)
    again = read_frame(different.to_frame("0"), [column])[0]
    values = again.values.to_physical() / 1e6 if isinstance(again.values.dtype, pl.Datetime) else again.values
    shown = [kind.show(value) if value is not None else None for value in values.to_list()]
    written = different.to_list() if read.raw.dtype == pl.String else shown  # a source that states types writes none
    found = [(cell, as_read) for cell, as_read in zip(written, shown, strict=True) if as_read is not None]
    return sorted(found, key=lambda one: one[0] == one[1])
