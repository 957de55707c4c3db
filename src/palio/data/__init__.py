"""Rows come in: sources become a `Snapshot` (immutable, content-addressed) with its contract and its description.

`open_source` names where rows come from, `survey` finds out what the columns are, `ingest` stores them. Everything
streams: memory does not grow with the number of rows. Heavy libraries load on the first use of a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from palio.core.doors import door

if TYPE_CHECKING:
    from palio.data.arrivals import scan as scan
    from palio.data.boxes.results import Coco as Coco
    from palio.data.boxes.results import Found as Found
    from palio.data.boxes.results import box_rows as box_rows
    from palio.data.cells.frame import read_cells as read_cells
    from palio.data.describing import description as description
    from palio.data.inference import Survey as Survey
    from palio.data.inference import survey as survey
    from palio.data.mixing import mix as mix
    from palio.data.opening import open_source as open_source
    from palio.data.pictures.asking import Asking as Asking
    from palio.data.pictures.asking import PicturesAsking as PicturesAsking
    from palio.data.pictures.asking import TableAsking as TableAsking
    from palio.data.pictures.asking import holds_pictures as holds_pictures
    from palio.data.pictures.columns import likenesses as likenesses
    from palio.data.pictures.columns import picture_cells as picture_cells
    from palio.data.pictures.layout import PART_WORDS as PART_WORDS
    from palio.data.row_ids import RowIds as RowIds
    from palio.data.schema_file import read_schema as read_schema
    from palio.data.schema_file import write_schema as write_schema
    from palio.data.snapshot import batches as batches
    from palio.data.snapshot import frames as frames
    from palio.data.snapshot import ingest as ingest
    from palio.data.snapshot import read as read
    from palio.data.snapshot import target_array as target_array
    from palio.data.source import Pictured as Pictured
    from palio.data.source import Source as Source
    from palio.data.source import SourceOptions as SourceOptions
    from palio.data.source import stated as stated
    from palio.data.stored import StoredRows as StoredRows
    from palio.data.stored import holds as holds
    from palio.data.stored import known_ids as known_ids
    from palio.data.stored import obstacle as obstacle
    from palio.data.table import EXCLUDED as EXCLUDED
    from palio.data.task import infer_task as infer_task
else:
    __getattr__, __dir__, __all__ = door(
        __name__,
        {
            "arrivals": "scan",
            "cells.frame": "read_cells",
            "describing": "description",
            "inference": "Survey survey",
            "mixing": "mix",
            "opening": "open_source",
            "boxes.results": "Coco Found box_rows",
            "pictures.asking": "Asking PicturesAsking TableAsking holds_pictures",
            "pictures.columns": "likenesses picture_cells",
            "pictures.layout": "PART_WORDS",
            "row_ids": "RowIds",
            "schema_file": "read_schema write_schema",
            "snapshot": "batches frames ingest read target_array",
            "source": "Pictured Source SourceOptions stated",
            "stored": "StoredRows holds known_ids obstacle",
            "table": "EXCLUDED",
            "task": "infer_task",
        },
    )
