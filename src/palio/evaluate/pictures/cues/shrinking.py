"""Make pictures small, for what needs no detail."""

from __future__ import annotations

import numpy as np

from palio.evaluate.answers import Array


def shrunk(pixels: Array, side: int) -> Array:
    """Return pictures of another size, each pixel the mean of those that it stands for: uint8 (n, side, side, 3).

    Larger than they are they do not become: each pixel is repeated.

    Example:
        >>> shrunk(np.full((1, 8, 8, 3), 7, np.uint8), 2).tolist()
        [[[[7, 7, 7], [7, 7, 7]], [[7, 7, 7], [7, 7, 7]]]]
    """
    edges = np.linspace(0, pixels.shape[1], side + 1).round().astype(int)
    starts, widths = edges[:-1], np.maximum(1, np.diff(edges))
    out = np.empty((len(pixels), side, side, 3), np.uint8)
    if np.any(np.diff(edges) < 1):
        places = ((np.arange(side) + 0.5) * pixels.shape[1] / side).astype(int)
        out[:] = pixels[:, places][:, :, places]
        return out
    for row, picture in enumerate(pixels):
        sums = np.add.reduceat(np.add.reduceat(picture, starts, axis=0, dtype=np.float32), starts, axis=1)
        out[row] = (sums / (widths[:, None, None] * widths[None, :, None]) + 0.5).astype(np.uint8)
    return out
