"""Average precision of boxes, for many weightings of the pictures at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from palio.measure.boxes.matching import OVERLAPS, SIZES
from palio.measure.boxes.scenes import MOST_SAID, Scenes
from palio.measure.sample import Array, divide

if TYPE_CHECKING:
    from palio.measure.boxes.scenes import Flat

RECALLS = np.linspace(0.0, 1.0, 101)
"""Shares of the true boxes found at which precision is read."""
_CELLS = 4_000_000
"""Weights of boxes held at once: 32 MB."""


def average_precision(
    scenes: Scenes, weights: Array, *, size: str = "all", flat: Flat | None = None, n_overlaps: int = len(OVERLAPS)
) -> Array:
    """Average the precision over recall, by class and overlap asked for.

    Precision at a recall is the best that is reached at that recall or beyond, read at 101 recalls. Boxes of all
    pictures are ranked together; equal scores stand in the order of the pictures. With weights of one it is what
    pycocotools computes; a weight of two counts like the picture twice.

    Args:
        scenes: The pictures.
        weights: Shape (n_replicates, n_pictures).
        size: Of the boxes; a name in `SIZES`.
        flat: Boxes in the place of those of the pictures.
        n_overlaps: Only the first of `OVERLAPS`.

    Returns:
        Shape (n_replicates, n_classes, n_overlaps); NaN where no box of the class is to be found.

    Source: Everingham et al. 2010, IJCV 88(2); Lin et al. 2014, Microsoft COCO (ECCV).
    """
    flat, place = flat or scenes.flat, list(SIZES).index(size)
    n_classes = len(scenes.task.classes)
    out = np.full((len(weights), n_classes, n_overlaps), np.nan)
    order = np.argsort(-flat.said_score, kind="stable")
    order = order[flat.rank[order] < MOST_SAID]
    for kind in range(n_classes):
        true = flat.true_in[flat.wanted[place] & (flat.true_class == kind)]
        if not len(true):
            continue
        total = weights @ np.bincount(true, minlength=scenes.n_rows)
        mine = order[flat.said_class[order] == kind]
        step = max(1, _CELLS // max(len(mine), 1))
        for start in range(0, len(weights), step):
            block = slice(start, start + step)
            out[block, kind] = _of_class(flat, place, mine, weights[block], total[block], n_overlaps)
    return out


def _of_class(flat: Flat, size: int, said: Array, weights: Array, total: Array, n_overlaps: int) -> Array:
    """Average the precision of one class, shape (n_replicates, n_overlaps); `said` are its boxes, the surest first."""
    out = np.zeros((len(weights), n_overlaps))
    before: tuple[bytes, Array] = b"", np.empty(0)
    for place in range(n_overlaps):
        counted = flat.counted[size, place, said]
        here = said[counted]
        hit = np.flatnonzero(flat.hits[size, place, here])
        if not len(hit):
            continue
        if before[0] != (key := counted.tobytes()):  # mostly the same boxes count, whatever the overlap asked for
            before = key, np.cumsum(weights[:, flat.said_in[here]], axis=1)
        called = before[1][:, hit]
        found = np.cumsum(weights[:, flat.said_in[here[hit]]], axis=1)
        precision = divide(found, called, empty=0.0)
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        reached = np.searchsorted(RECALLS, divide(found, total[:, None], empty=0.0), side="right")
        steps = np.diff(reached, axis=1, prepend=0)
        out[:, place] = np.einsum("ij,ij->i", best, steps) / len(RECALLS)
    return np.where(total[:, None] > 0, out, np.nan)


def mean_defined(values: Array) -> Array:
    """Average over the last axis what is defined; NaN where nothing is."""
    defined = ~np.isnan(values)
    return divide(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1))
