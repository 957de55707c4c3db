"""Gather what describes the pictures that a model was trained on, so that a change of the camera shows later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from palio.core.cells import PICTURE_STATISTICS
from palio.core.errors import PalioError
from palio.core.records import Column, Schema
from palio.measure import thin_rows
from palio.model.cells.names import input_name
from palio.model.cells.pictures import bytes_of

if TYPE_CHECKING:
    import polars as pl

Array = npt.NDArray[Any]

MAX_PICTURES = 1_000
"""Pictures that are decoded, where nobody has described them yet."""


def statistics_of(column: Column, schema: Schema) -> tuple[str, ...]:
    """Name the statistics of a picture column that are watched beside it: those that are no columns of the model."""
    taken = {one.name for one in schema.features}
    if column.type != "image":
        return ()
    return tuple(name for name in PICTURE_STATISTICS if f"{column.name}.{name}" not in taken)


def picture_statistics(frame: pl.DataFrame, feeds: Mapping[str, Array], schema: Schema) -> dict[str, Array]:
    """Return `<picture>.<statistic>` of all rows, shape (n_rows,) float64 each: from the frame, else from the pictures.

    Args:
        frame: The rows; ingest has described their pictures in columns of these names.
        feeds: The same rows, of which `MAX_PICTURES` are decoded if it has not; the others are NaN.
        schema: Of the rows.
    """
    found: dict[str, Array] = {}
    for column in schema.features:
        names = [f"{column.name}.{name}" for name in statistics_of(column, schema)]
        if names and all(name in frame.columns for name in names):
            found |= {name: frame[name].cast(float).to_numpy().astype(np.float64) for name in names}
        elif names:
            computed = _computed(feeds[input_name(column.name)])
            found |= {f"{column.name}.{name}": values for name, values in computed.items()}
    return found


def _computed(cells: Array) -> dict[str, Array]:
    from palio import pixels

    found = np.full((len(cells), len(PICTURE_STATISTICS)), np.nan)
    for row in range(len(cells))[thin_rows(len(cells), MAX_PICTURES)]:
        try:
            numbers = pixels.statistics(pixels.decoded(bytes_of(cells[row, 0])))
        except PalioError:
            continue
        found[row] = [numbers[name] for name in PICTURE_STATISTICS]
    return dict(zip(PICTURE_STATISTICS, found.T.copy(), strict=True))
