"""Bring examples of boxes as scenes: pictures decoded once at a little more than the size of the network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from palio import model, pixels
from palio.core.records import PictureReading
from palio.train.deep import pictured
from palio.train.deep.boxes.augment import Changes
from palio.train.deep.boxes.network import STEP
from palio.train.deep.boxes.scenes import Scenes
from palio.train.examples import Array, Examples

LARGER = 1.5
"""Pictures are held so much larger than the network sees them, since parts of them are shown enlarged."""


def scenes_of(
    examples: Examples,
    *,
    column: str,
    size: int,
    fronts: Mapping[int, model.Graph],
    how: Changes,
    seed: int,
    deadline: float | None,
) -> Scenes:
    """Return examples as a detector learns from them.

    Raises:
        OutOfTime: the deadline has come.
        InputError: a cell is no picture.
    """
    held = PictureReading(input=column, tensor="#", size=round(LARGER * size / STEP) * STEP, fit="letterbox")
    sides = sides_of(examples, column)
    corners, kinds = [], []
    inside = np.zeros((len(sides), 2), np.int64)
    for row, (one, (wide, high)) in enumerate(zip(examples.target, sides.tolist(), strict=True)):
        place = pixels.place_of(wide, high, size=held.size, fit="letterbox")
        inside[row] = round(wide * place.across), round(high * place.down)
        known = (one.classes >= 0) | one.ignored  # nobody is held to what lies in a region, be its class known or not
        corners.append(one.corners[known] * (place.across, place.down, place.across, place.down))
        kinds.append(np.column_stack([one.classes[known].clip(0), one.ignored[known]]).astype(np.float64))
    return Scenes(
        pixels=pictured.pixels_of(examples, held, deadline=deadline),
        sides=inside,
        corners=corners,
        kinds=kinds,
        target=examples.target,
        size=size,
        how=how,
        weights=examples.weights,
        seed=seed,
        fronts=fronts,
    )


def sides_of(examples: Examples, column: str) -> Array:
    """Return width and height of each picture, int64 (n_rows, 2); looked up once.

    Raises:
        InputError: a cell is no picture.
    """
    return pictured.kept(examples, f"sides {column}", lambda rows: _sides(rows, column))


def _sides(rows: Examples, column: str) -> Array:
    reader = model.PictureReader(PictureReading(input=column, tensor="#", size=STEP, fit="letterbox"))
    return np.array([reader.sides(cell) for cell in rows.feeds()[column][:, 0]], np.int64).reshape(-1, 2)
