"""Put things onto another ground: what lies around them is that of another picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
STEPS = 8
"""Parts of a side by which a ground is moved to fill what was taken out of it."""


def on_ground(picture: Array, things: Array, ground: Array, cleared: Array) -> Array:
    """Return a picture whose things stand on the ground of another one.

    Args:
        picture: Shape (height, width, 3), uint8.
        things: Shape (n, 4): left, top, right and bottom of what is kept, as shares of its sides.
        ground: Shape (any, any, 3), uint8; brought to the size of the picture.
        cleared: Shape (m, 4), as shares of the sides of the ground: what is not ground there, and is filled with it.

    Example:
        >>> red, blue = np.zeros((4, 4, 3), np.uint8), np.full((2, 2, 3), 9, np.uint8)
        >>> on_ground(red, np.array([[0, 0, 0.5, 0.5]]), blue, np.empty((0, 4)))[..., 0].tolist()
        [[0, 0, 9, 9], [0, 0, 9, 9], [9, 9, 9, 9], [9, 9, 9, 9]]
    """
    height, width = picture.shape[:2]
    down = ((np.arange(height) + 0.5) * ground.shape[0] / height).astype(int)
    across = ((np.arange(width) + 0.5) * ground.shape[1] / width).astype(int)
    made = _filled(ground[down][:, across], _mask(cleared, height, width))
    kept = _mask(things, height, width)
    made[kept] = picture[kept]
    return made


def _mask(places: Array, height: int, width: int) -> Array:
    """Tell which pixels lie in rectangles, shape (height, width)."""
    found = np.zeros((height, width), bool)
    corners = np.asarray(places, np.float64).reshape(-1, 4) * (width, height, width, height)
    for left, top, right, bottom in np.round(corners).clip(0).astype(int).tolist():
        found[top:bottom, left:right] = True
    return found


def _filled(ground: Array, gone: Array) -> Array:
    """Fill what is gone with ground from beside it, then from above and below: moved as it is, so that it looks alike.

    What nothing can be moved to gets the colour in the middle of the rest.
    """
    made, left = ground.copy(), gone.copy()
    if not gone.any() or gone.all():
        return made
    for axis in (1, 0):
        side = ground.shape[axis]
        for step in range(1, STEPS):
            for by in (step * side // STEPS, -step * side // STEPS):
                here, there = _moved(side, by)
                places = (slice(None), here) if axis else (here,)
                sources = (slice(None), there) if axis else (there,)
                can = left[places] & ~gone[sources]
                made[places][can] = ground[sources][can]
                left[places][can] = False
        if not left.any():
            return made
    made[left] = np.median(ground[~gone], axis=0)
    return made


def _moved(side: int, by: int) -> tuple[slice, slice]:
    """Return where pixels go that are moved by so many, and where they come from."""
    return (slice(by, side), slice(0, side - by)) if by > 0 else (slice(0, side + by), slice(-by, side))
