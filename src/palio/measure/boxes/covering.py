"""How far boxes cover each other."""

from __future__ import annotations

import numpy as np

from palio.measure.sample import Array


def areas(corners: Array) -> Array:
    """Return the area of each box in square pixels."""
    sides = corners[..., 2:] - corners[..., :2]
    area: Array = sides[..., 0] * sides[..., 1]
    return area


def overlaps(said: Array, true: Array, ignored: Array | None = None) -> Array:
    """Return the share of two boxes together that both cover (intersection over union), each with each.

    Args:
        said: Shape (…, n, 4): left, top, right, bottom.
        true: Shape (…, m, 4).
        ignored: Shape (…, m): regions that hold many things; there it is the share of the said box that lies inside.

    Returns:
        Shape (…, n, m), in [0, 1].

    Example:
        >>> overlaps(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[1.0, 0.0, 3.0, 2.0]])).round(3).tolist()
        [[0.333]]

    Source: Jaccard 1912; of regions as in Lin et al. 2014, Microsoft COCO (ECCV), evaluation code.
    """
    a, b = said[..., :, None, :], true[..., None, :, :]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    both: Array = np.where((sides > 0).all(axis=-1), sides[..., 0] * sides[..., 1], 0.0)
    own = np.broadcast_to(areas(said)[..., :, None], both.shape)
    union = own + areas(true)[..., None, :] - both
    if ignored is not None:
        union = np.where(ignored[..., None, :], own, union)
    shares: Array = np.divide(both, union, out=np.zeros_like(both), where=union > 0)
    return shares
