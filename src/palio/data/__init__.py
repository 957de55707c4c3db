"""Rows come in: sources become a `Snapshot` (immutable, content-addressed) with its contract and its description.

`open_source` names where rows come from, `survey` finds out what the columns are, `ingest` stores them. Everything
streams: memory does not grow with the number of rows. Heavy libraries load on the first use of a name.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.data.arrivals import Arrivals, scan
    from palio.data.cells.frame import Cells, read_cells
    from palio.data.describing import describe, description
    from palio.data.inference import Survey, survey
    from palio.data.opening import open_source
    from palio.data.row_ids import RowIds
    from palio.data.schema_file import read_schema, write_schema
    from palio.data.snapshot import batches, frames, ingest, read, target_array
    from palio.data.source import Skipped, Source, SourceOptions
    from palio.data.stored import StoredRows, holds, known_ids, obstacle
    from palio.data.table import EXCLUDED
    from palio.data.task import infer_task

_HOMES = {
    "EXCLUDED": "table",
    "Arrivals": "arrivals",
    "Cells": "cells.frame",
    "RowIds": "row_ids",
    "Skipped": "source",
    "Source": "source",
    "SourceOptions": "source",
    "StoredRows": "stored",
    "Survey": "inference",
    "batches": "snapshot",
    "describe": "describing",
    "description": "describing",
    "frames": "snapshot",
    "holds": "stored",
    "infer_task": "task",
    "ingest": "snapshot",
    "known_ids": "stored",
    "obstacle": "stored",
    "open_source": "opening",
    "read": "snapshot",
    "read_cells": "cells.frame",
    "read_schema": "schema_file",
    "scan": "arrivals",
    "survey": "inference",
    "target_array": "snapshot",
    "write_schema": "schema_file",
}

__all__ = [
    "EXCLUDED",
    "Arrivals",
    "Cells",
    "RowIds",
    "Skipped",
    "Source",
    "SourceOptions",
    "StoredRows",
    "Survey",
    "batches",
    "describe",
    "description",
    "frames",
    "holds",
    "infer_task",
    "ingest",
    "known_ids",
    "obstacle",
    "open_source",
    "read",
    "read_cells",
    "read_schema",
    "scan",
    "survey",
    "target_array",
    "write_schema",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
