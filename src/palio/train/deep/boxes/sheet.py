"""Show how pictures and what is where in them are changed while a detector learns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from palio.train.deep.augment import beside
from palio.train.deep.boxes.augment import GREY, Changes, Scene
from palio.train.deep.boxes.scenes import Scenes
from palio.train.examples import Array

SHADE, IGNORED = (11, 107, 115), (170, 170, 170)
"""Colours of boxes, and of those that nobody is held to: crowds, what is difficult or hardly seen."""


def box_sheet(scenes: Sequence[Scene], *, mosaic: float, mirror: bool, seed: int, n_epochs: int = 6) -> Array:
    """Return one picture, uint8 (h, w, 3): each scene as it is, and beside it what a network saw in some epochs.

    In the last of them pictures are shown alone, as in the last of a training.

    Args:
        scenes: Pictures of one longer side, and their boxes; at least one.
        mosaic: How often four pictures become one.
        mirror: Whether left and right are exchanged.
        seed: Of chance.
        n_epochs: Columns behind the first.
    """
    size = max(max(one.pixels.shape[:2]) for one in scenes)
    squares = np.full((len(scenes), size, size, 3), GREY, np.uint8)
    for square, one in zip(squares, scenes, strict=True):
        square[: one.pixels.shape[0], : one.pixels.shape[1]] = one.pixels
    taught = Scenes(
        pixels=squares,
        sides=np.array([one.pixels.shape[1::-1] for one in scenes]),
        corners=[one.corners for one in scenes],
        kinds=[one.kinds for one in scenes],
        target=np.zeros(len(scenes)),
        size=size,
        n_epochs=n_epochs,
        how=Changes(mosaic=mosaic, mirror=mirror),
        seed=seed,
    )
    first = [_drawn(Scene(square, one.corners, one.kinds)) for square, one in zip(squares, scenes, strict=True)]
    changed = [[_drawn(taught.changed(row, epoch, size)) for row in range(len(scenes))] for epoch in range(n_epochs)]
    return beside([np.stack(column) for column in (first, *changed)])


def _drawn(scene: Scene) -> Array:
    """Return a square with a line around each box."""
    square = scene.pixels.copy()
    high, wide = square.shape[:2]
    for box, is_ignored in zip(scene.corners.tolist(), scene.kinds[:, 1].tolist(), strict=True):
        shade = IGNORED if is_ignored else SHADE
        left, top = (max(0, round(side)) for side in box[:2])
        right, bottom = min(wide, max(left + 1, round(box[2]))), min(high, max(top + 1, round(box[3])))
        line = 2 if min(right - left, bottom - top) > 8 else 1
        square[top:bottom, left : left + line] = square[top:bottom, max(left, right - line) : right] = shade
        square[top : top + line, left:right] = square[max(top, bottom - line) : bottom, left:right] = shade
    return square
