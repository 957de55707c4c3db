"""What in a picture moves the answer: cover a patch, ask again, and see how much less probable the answer becomes."""

from __future__ import annotations

import msgspec
import numpy as np

from palio.core.records import Gallery, Seen
from palio.evaluate.answers import Array
from palio.evaluate.pictures.asking import Asked

GRID = 7
"""Cells of a side; a patch is two cells wide, so that patches overlap and an edge between cells hides nothing."""


def explained(asked: Asked, shown: tuple[Gallery, ...]) -> tuple[Gallery, ...]:
    """Add to the pictures of galleries what moves their answer; to as many as there is time for.

    Source: Zeiler and Fergus 2014, ECCV (occlusion).
    """
    row_of = {asked.picture(row): row for row in range(len(asked.truth) - 1, -1, -1)}
    known: dict[str, tuple[tuple[float, ...], ...]] = {}

    def seen(one: Seen) -> Seen:
        if one.picture not in known:
            if asked.is_over or one.picture not in row_of:
                return one
            known[one.picture] = occlusion(asked, row_of[one.picture])
        return msgspec.structs.replace(one, saliency=known[one.picture])

    return tuple(
        msgspec.structs.replace(gallery, pictures=tuple(seen(one) for one in gallery.pictures)) for gallery in shown
    )


def occlusion(asked: Asked, row: int) -> tuple[tuple[float, ...], ...]:
    """Return by how much the probability of the answer falls when each cell of a grid is covered, row by row."""
    picture = asked.pixels[row]
    side = picture.shape[0]
    edges = np.linspace(0, side, GRID + 1).round().astype(int)
    cover = picture.reshape(-1, 3).mean(axis=0).astype(np.uint8)
    covered = np.repeat(picture[None], (GRID - 1) ** 2, axis=0)
    spans = [(down, across) for down in range(GRID - 1) for across in range(GRID - 1)]
    for place, (down, across) in enumerate(spans):
        covered[place, edges[down] : edges[down + 2], edges[across] : edges[across + 2]] = cover
    said = int(asked.answers.prediction[row])
    p = asked.probability(np.full(len(covered), row), covered)[:, said]
    drops = (asked.probabilities[row, said] - p).reshape(GRID - 1, GRID - 1)
    return tuple(tuple(round(float(value), 4) for value in line) for line in _spread(drops))


def _spread(drops: Array) -> Array:
    """Give each cell the mean of the patches that it lies in."""
    sums, counts = np.zeros((GRID, GRID)), np.zeros((GRID, GRID))
    for down in (0, 1):
        for across in (0, 1):
            sums[down : down + GRID - 1, across : across + GRID - 1] += drops
            counts[down : down + GRID - 1, across : across + GRID - 1] += 1
    return np.asarray(sums / counts)
