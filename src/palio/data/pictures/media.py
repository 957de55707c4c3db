"""Write down which pictures a snapshot cites, so that none of them is deleted while the snapshot is needed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from palio.core.ids import is_digest
from palio.core.records import Chunk, Schema
from palio.data.chunks import read_chunks

if TYPE_CHECKING:
    from palio.store import Store


def media(store: Store, schema: Schema, chunks: Sequence[Chunk]) -> str:
    """Store the identities of all pictures, one a line; empty if there is no column of them."""
    names = [column.name for column in schema.columns if column.type == "image"]
    if not names:
        return ""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="ascii") as file:
        for frame in read_chunks(store, chunks, names):
            for name in names:
                cited = frame[name].drop_nulls().unique(maintain_order=True).to_list()
                file.writelines(f"{digest}\n" for digest in cited if is_digest(digest))
        file.flush()
        return store.blobs.put_file(Path(file.name))
