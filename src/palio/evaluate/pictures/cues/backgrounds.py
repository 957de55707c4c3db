"""Find the ground that pictures of one class share around their things: a pavement, a lawn, a table of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from palio.evaluate.answers import Array
from palio.evaluate.pictures.cues.candidate import LEAST_SHARE, MIN_PICTURES, Pool
from palio.evaluate.pictures.cues.shrinking import shrunk

SIDE, GRID = 128, 8
"""Grounds are looked at in pictures of so many pixels, in so many cells a side."""
FEWEST_CELLS = 4
"""Of a picture without a thing in them: fewer show no ground."""
STRAY = 0.05
"""Share of the others that may stand on such a ground."""
N_FOLDS = 5
RIDGE = 0.1
"""Of the variance of what describes grounds: twenty pictures know little of how it goes together."""


@dataclass(frozen=True)
class Ground:
    """A direction in what describes grounds, in which those of a class lie apart."""

    middle: Array
    width: Array
    direction: Array
    threshold: float

    def carries(self, described: Array) -> Array:
        """Tell which pictures stand on it, by what `described` returns of them."""
        return np.asarray((described - self.middle) / self.width @ self.direction > self.threshold)


@dataclass(frozen=True)
class Backdrop:
    """A ground that the model is then asked about."""

    label: int
    ground: Ground
    share_of_class: float
    share_of_others: float
    home: Array
    """Places of the pictures of the pool that have the class, and stand on it."""
    away: Array
    """Of those that have not, and do not."""


def find_backgrounds(pool: Pool, n_classes: int, rng: np.random.Generator) -> Iterator[Backdrop]:
    """Find classes whose things stand on grounds of their own, as far as others can be told from them.

    Shares are of pictures that did not choose the direction, so that classes on like grounds are left out.

    Source: Fisher 1936, Annals of Eugenics 7(2) (linear discriminant).
    """
    if pool.cleared is None or pool.areas is None:
        return
    known, has_ground = described(pool.pixels, pool.cleared, pool.areas)
    for label in range(n_classes):
        own, rest = (rows[has_ground[rows]] for rows in pool.sides(label, rng))
        if min(len(own), len(rest)) < MIN_PICTURES:
            continue
        share_of_class, share_of_others = _shares(known[own], known[rest])
        if share_of_class - share_of_others < LEAST_SHARE:
            continue
        ground = _apart(known[own], known[rest])
        home, away = own[ground.carries(known[own])], rest[~ground.carries(known[rest])]
        yield Backdrop(label, ground, share_of_class, share_of_others, home, away)


def described(pixels: Array, cleared: Sequence[Array], areas: Array) -> tuple[Array, Array]:
    """Describe the ground of pictures by the colours and the grain of the cells in which nothing is.

    Args:
        pixels: Shape (n, S, S, 3).
        cleared: Where things are in each, as shares of the picture: left, top, right, bottom.
        areas: Shape (n, 4): where pictures lie in the square.

    Returns:
        Shape (n, n_features); and in which there is ground to be seen, shape (n,), bool.
    """
    side = min(SIDE, pixels.shape[1] // GRID * GRID)
    small = shrunk(pixels, side).astype(np.float32)
    free = np.stack(
        [_free(some, area / pixels.shape[1] * GRID) for some, area in zip(cleared, areas.astype(float), strict=True)]
    )
    has_ground = free.sum(axis=(1, 2)) >= FEWEST_CELLS
    free[~has_ground] = True
    cells = _cells(small)
    weight = free[..., None] / free.sum(axis=(1, 2))[:, None, None, None]
    middle = (cells * weight).sum(axis=(1, 2))
    spread = np.sqrt((np.square(cells - middle[:, None, None]) * weight).sum(axis=(1, 2)))
    return np.concatenate([middle, spread], axis=1).astype(np.float64), has_ground


def _free(cleared: Array, area: Array) -> Array:
    """Tell which cells lie in the picture, and hold nothing of a thing, shape (GRID, GRID)."""
    left, top, right, bottom = area.tolist()
    free = np.zeros((GRID, GRID), bool)
    free[int(np.ceil(top - 0.01)) : int(bottom + 0.01), int(np.ceil(left - 0.01)) : int(right + 0.01)] = True
    size = np.array([right - left, bottom - top] * 2)
    for x, y, across, down in (cleared * size + np.array([left, top] * 2)).clip(0, GRID).tolist():
        free[int(y) : int(np.ceil(down)), int(x) : int(np.ceil(across))] = False
    return free


def _cells(small: Array) -> Array:
    """Describe each cell by its colours, and by the logarithms of how much light varies, and over how few pixels."""
    light = small.mean(axis=3)
    grains = [np.abs(light - np.roll(light, step, axis=axis)) for axis in (1, 2) for step in (1, 2, 4)]
    parts = [*np.moveaxis(small, 3, 0) / 64, *(np.log(_averaged(grain) + 1.0) for grain in grains)]
    return np.stack([part if part.shape[1] == GRID else _averaged(part) for part in parts], axis=3)


def _averaged(values: Array) -> Array:
    n, side = values.shape[:2]
    return np.asarray(values.reshape(n, GRID, side // GRID, GRID, side // GRID).mean(axis=(2, 4)))


def _apart(own: Array, rest: Array) -> Ground:
    """Return the direction in which two kinds of pictures lie apart, and from where on nearly none of the others do."""
    both = np.concatenate([own - own.mean(axis=0), rest - rest.mean(axis=0)])
    middle, width = rest.mean(axis=0), both.std(axis=0) + 1e-3
    scaled = both / width
    spread = scaled.T @ scaled / len(scaled) + RIDGE * np.eye(scaled.shape[1])
    direction = np.linalg.solve(spread, (own.mean(axis=0) - middle) / width)
    threshold = float(np.quantile((rest - middle) / width @ direction, 1 - STRAY))
    return Ground(middle, width, direction, threshold)


def _shares(own: Array, rest: Array) -> tuple[float, float]:
    """Return which share of either kind stands on the ground of the first, told of pictures that did not choose it."""
    mine, others = np.arange(len(own)) % N_FOLDS, np.arange(len(rest)) % N_FOLDS
    hits = [0, 0]
    for fold in range(N_FOLDS):
        ground = _apart(own[mine != fold], rest[others != fold])
        hits[0] += int(ground.carries(own[mine == fold]).sum())
        hits[1] += int(ground.carries(rest[others == fold]).sum())
    return hits[0] / len(own), hits[1] / len(rest)
