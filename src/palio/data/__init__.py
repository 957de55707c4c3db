"""Rows come in: sources become a `Snapshot` (immutable, content-addressed) with a schema (its contract) and a profile.

`open_source` names where rows come from, `survey` finds out what the columns are, `ingest` stores them. Everything
streams: memory does not grow with the number of rows. Heavy libraries load on the first use of a name.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.data.contract import scan, unusual
    from palio.data.inference import Survey, survey
    from palio.data.opening import open_source
    from palio.data.profiles import profile_of
    from palio.data.schema_file import read_schema, write_schema
    from palio.data.snapshot import batches, frames, ingest, profile, read, target_array
    from palio.data.source import Skipped, Source, SourceOptions
    from palio.data.stored import StoredRows, holds, obstacle
    from palio.data.task import infer_task
    from palio.data.values import label

_HOMES = {
    "Skipped": "source",
    "Source": "source",
    "SourceOptions": "source",
    "StoredRows": "stored",
    "Survey": "inference",
    "batches": "snapshot",
    "frames": "snapshot",
    "holds": "stored",
    "infer_task": "task",
    "ingest": "snapshot",
    "label": "values",
    "obstacle": "stored",
    "open_source": "opening",
    "profile": "snapshot",
    "profile_of": "profiles",
    "read": "snapshot",
    "read_schema": "schema_file",
    "scan": "contract",
    "survey": "inference",
    "target_array": "snapshot",
    "unusual": "contract",
    "write_schema": "schema_file",
}

__all__ = [
    "Skipped",
    "Source",
    "SourceOptions",
    "StoredRows",
    "Survey",
    "batches",
    "frames",
    "holds",
    "infer_task",
    "ingest",
    "label",
    "obstacle",
    "open_source",
    "profile",
    "profile_of",
    "read",
    "read_schema",
    "scan",
    "survey",
    "target_array",
    "unusual",
    "write_schema",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
