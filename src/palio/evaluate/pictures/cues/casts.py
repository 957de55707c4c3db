"""Find a tint that pictures of one class share: a lamp, a filter, a camera of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from palio.core.records import Place
from palio.evaluate.answers import Array
from palio.evaluate.pictures.cues.candidate import MIN_PICTURES, Candidate, Pool
from palio.evaluate.pictures.cues.shrinking import shrunk

SIDE = 64
LEAST_TINTED = 0.25
"""How many more pictures of the class than of the others are tinted, at least. Seen without a planted tint: up to .17,
also of classes of other colours (aeroplanes and frogs)."""
STRAY = 0.05
"""Share of the others that may be tinted as much."""


@dataclass(frozen=True)
class Tint:
    """A direction of tint."""

    direction: Array
    """Shape (2,)."""
    threshold: float
    gains: Array
    """Shape (3,): of red, green and blue."""

    def carries(self, pixels: Array) -> Array:
        """Tell which pictures are tinted so."""
        return np.asarray(tints(pixels) @ self.direction > self.threshold)

    def put(self, pixels: Array, donors: Array, carriers: Array) -> Array:
        """Tint pictures as the donors differ from them; by the gains of the class where the donors are carriers."""
        if donors is carriers:
            gains = np.broadcast_to(self.gains, (len(pixels), 3))
        else:
            steps = _lights(donors) - _lights(pixels)
            gains = np.exp(np.stack([steps[:, 0], np.zeros(len(steps)), steps[:, 1]], axis=1))
            gains = gains / gains.mean(axis=1, keepdims=True)
        return np.asarray((pixels * gains[:, None, None, :]).clip(0, 255).astype(np.uint8))

    def taken(self, carriers: Array) -> list[tuple[Place, ...]]:
        """Return no rectangle: it lies everywhere."""
        return [()] * len(carriers)


def find_casts(pool: Pool, label: int, rng: np.random.Generator) -> Iterator[Candidate]:
    """Find the tint of a class, if it has one."""
    own, rest = pool.sides(label, rng)
    if min(len(own), len(rest)) < MIN_PICTURES:
        return
    mine, others = tints(pool.pixels[own]), tints(pool.pixels[rest])
    apart = mine.mean(axis=0) - others.mean(axis=0)
    spread = (np.cov(mine.T) + np.cov(others.T)) / 2 + 1e-4 * np.eye(2)
    direction = np.linalg.solve(spread, apart)
    threshold = float(np.quantile(others @ direction, 1 - STRAY))
    lights = _lights(pool.pixels[own]).mean(axis=0) - _lights(pool.pixels[rest]).mean(axis=0)
    gains = np.exp(np.array([lights[0], 0.0, lights[1]]))
    gains /= gains.mean()
    tint = Tint(direction, threshold, gains)
    carriers, strangers = tint.carries(pool.pixels[own]), tint.carries(pool.pixels[rest])
    if carriers.mean() - strangers.mean() < LEAST_TINTED:
        return
    yield Candidate(
        kind="cast",
        label=label,
        where=_hue(gains),
        share_of_class=float(carriers.mean()),
        share_of_others=float(strangers.mean()),
        how=tint,
        gains=(float(gains[0]), float(gains[1]), float(gains[2])),
        carriers=own[carriers],
    )


def tints(pixels: Array) -> Array:
    """Return how red and how blue the light of pictures is: logarithms against green, shape (n, 2).

    Told from the edges, which the colours of things move less than those of the light; of four quarters the median
    counts, so that a coloured thing in one of them says nothing.

    Source: van de Weijer, Gevers and Gijsenij 2007, IEEE Transactions on Image Processing 16(9) (grey edge).
    """
    small = shrunk(pixels, SIDE).astype(np.float32)
    half, found = SIDE // 2, []
    for down in (0, half):
        for across in (0, half):
            quarter = small[:, down : down + half, across : across + half]
            steps = [np.diff(quarter, axis=axis).reshape(len(small), -1, 3) for axis in (1, 2)]
            edges = np.sqrt(np.square(np.concatenate(steps, axis=1)).mean(axis=1)) + 0.5
            found.append(np.log(edges[:, [0, 2]] / edges[:, [1]]))
    return np.asarray(np.median(np.stack(found), axis=0), np.float64)


def _lights(pixels: Array) -> Array:
    """Return the same of the mean colours.

    Compression blurs colours: edges tell that there is a tint, but too little of how much.
    """
    means = shrunk(pixels, SIDE).reshape(len(pixels), -1, 3).mean(axis=1) + 1.0
    return np.asarray(np.log(means[:, [0, 2]] / means[:, [1]]))


def _hue(gains: Array) -> str:
    """Name a tint.

    Example:
        >>> _hue(np.array([1.2, 1.0, 0.8])), _hue(np.array([0.9, 1.0, 1.1]))
        ('a warm tint', 'a cold tint')
    """
    red, green, blue = gains
    if red > green > blue or (red > 1.02 and blue < 0.98):
        return "a warm tint"
    if blue > green > red or (blue > 1.02 and red < 0.98):
        return "a cold tint"
    return "a green tint" if green == max(gains) else "a purple tint"
