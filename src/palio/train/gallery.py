"""Decode the pictures of a search once, for all of its workers: one array on disk for each way of reading them."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import numpy as np

from palio import model
from palio.core.ids import digest_of
from palio.core.records import PictureReading

Array = np.ndarray[Any, np.dtype[Any]]
AT_ONCE = 64
"""Pictures that are decoded before they are written down."""


def pictures_of(cells: Array, reading: PictureReading, folder: Path | None) -> Array:
    """Return pictures as a graph takes them, uint8 of shape (n, size, size, 3).

    Args:
        cells: Of a feed, shape (n, 1).
        reading: How they are read.
        folder: Where the array is kept for others; None: in memory alone.

    Raises:
        InputError: one is no picture that can be read.
    """
    if folder is None:
        found = np.empty(_shape(cells, reading), np.uint8)
        _decode(cells, reading, found)
        return found
    path = folder / f"pixels-{digest_of(reading)[:16]}.npy"
    if not path.exists():
        beside = folder / f".{uuid.uuid4().hex}.npy"
        made = np.lib.format.open_memmap(beside, mode="w+", dtype=np.uint8, shape=_shape(cells, reading))
        _decode(cells, reading, made)
        made.flush()
        beside.replace(path)  # whoever else decoded them meanwhile has the same
    mapped: Array = np.load(path, mmap_mode="r")
    return mapped


def _shape(cells: Array, reading: PictureReading) -> tuple[int, ...]:
    return (len(cells), reading.size, reading.size, 3)


def _decode(cells: Array, reading: PictureReading, into: Array) -> None:
    reader = model.reader_of(reading)
    rows = cells.ravel().tolist()
    for start in range(0, len(rows), AT_ONCE):
        (pixels,) = reader.feeds(rows[start : start + AT_ONCE]).values()
        into[start : start + AT_ONCE] = pixels
