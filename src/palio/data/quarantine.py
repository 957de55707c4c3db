"""Set aside the rows that break the contract, with the reasons, so that somebody can look at them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec
import polars as pl

from palio.data.contract import Checked
from palio.data.source import Source

if TYPE_CHECKING:
    from palio.store import Store


class Quarantine:
    """Rows set aside, as JSON lines: `row` (counted from 1), `reasons`, and the cells as they were read.

    JSON and not CSV, because such cells end up in a spreadsheet, which would run a cell like `=cmd()`.
    """

    def __init__(self) -> None:
        self.n_rows = 0
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Quarantine:
        self._file = tempfile.NamedTemporaryFile(suffix=".jsonl")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, frame: pl.DataFrame, checked: Checked, *, first_row: int) -> None:
        """Set aside the rejected rows of a batch."""
        places = checked.rejected.arg_true()
        rows = frame[places].iter_rows(named=True)
        reasons = {name: mask[places].to_list() for name, mask in checked.reasons.items()}
        for i, (place, row) in enumerate(zip(places.to_list(), rows, strict=True)):
            why = [name for name, mask in reasons.items() if mask[i]]
            self._write({"row": first_row + place + 1, "reasons": why, "cells": row})

    def add_ragged(self, source: Source) -> None:
        """Set aside the rows that the source left out; the first 1,000 with their text."""
        for line, n_cells, text in source.skipped.rows:
            self._write({"line": line, "reasons": [f"{n_cells} cells"], "text": text})
        self.n_rows += source.skipped.n_rows - len(source.skipped.rows)

    def keep(self, store: Store) -> str | None:
        """Store the rows as a blob; None if there are none."""
        if not self.n_rows or self._file is None:
            return None
        self._file.flush()
        return store.blobs.put_file(Path(self._file.name))

    def _write(self, row: dict[str, object]) -> None:
        self.n_rows += 1
        if self._file is not None:
            self._file.write(msgspec.json.encode(row) + b"\n")
