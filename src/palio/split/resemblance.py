"""Keep pictures that are copies of one another together: saved anew, scaled, brightened or mirrored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from palio import data, pixels
from palio.core.records import Schema, Snapshot
from palio.split.hashing import Hashes

if TYPE_CHECKING:
    import polars as pl

    from palio.store import Store

Rows = npt.NDArray[np.int64]


def first_of(store: Store, snapshot: Snapshot, warnings: list[str]) -> Rows | None:
    """Return for each row of a snapshot the first one that its picture resembles, or itself; say what was found.

    None if there are no pictures, or if so many resemble each other (those of a camera that stands still) that this
    tells no copies. Takes time that grows with the square of the number of pictures.
    """
    columns = data.likenesses(snapshot.schema)
    if not columns:
        return None
    frames = data.frames(store, snapshot, columns=[name for pair in columns for name in pair])
    codes: list[tuple[list[int], list[int]]] = [([], []) for _ in columns]
    for frame in frames:
        for pair, (likeness, mirrored) in zip(columns, codes, strict=True):
            likeness += _codes(frame, pair[0])
            mirrored += _codes(frame, pair[1])
    first = np.arange(snapshot.n_rows)
    for one in codes:
        first = np.minimum(first, _first(*one))
    if not _tells(first):
        warnings.append(
            "too many pictures resemble each other to tell copies (does the camera stand still?): only copies byte for "
            "byte are kept together; if several show one thing or one moment, name a [data] group"
        )
        return None
    warnings += _told(first)
    return first


def in_frame(frame: pl.DataFrame, schema: Schema) -> Rows | None:
    """Do the same for the rows of a frame, silently; None, too, if it lacks what pictures resemble each other by."""
    columns = [pair for pair in data.likenesses(schema) if set(pair) <= set(frame.columns)]
    if not columns:
        return None
    first = np.arange(frame.height)
    for pair in columns:
        first = np.minimum(first, _first(_codes(frame, pair[0]), _codes(frame, pair[1])))
    return first if _tells(first) else None


def joined(hashes: Hashes, first: Rows | None) -> Hashes:
    """Give rows that resemble each other the hash of the first of them."""
    return hashes if first is None else hashes[first]


def _tells(first: Rows) -> bool:
    return not first.size or pixels.tells_copies(int(np.bincount(first).max()), first.size)


def _told(first: Rows) -> list[str]:
    n_copies = int((first != np.arange(first.size)).sum())
    if not n_copies:
        return []
    shows = "picture shows" if n_copies == 1 else "pictures show"
    return [
        f"{n_copies:,} {shows} what an earlier one shows (copies, also saved anew, scaled or mirrored): kept together"
    ]


def _codes(frame: pl.DataFrame, column: str) -> list[int]:
    return [0 if code is None else int(code, 16) for code in frame[column].to_list()]


def _first(likeness: list[int], mirrored: list[int]) -> Rows:
    first = np.arange(len(likeness))
    for group in pixels.groups(likeness, mirrored):
        first[group] = group[0]
    return first
