"""Find a patch that recurs anywhere in pictures of one class: a sticker, a logo, a hat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from palio.core.records import Place
from palio.evaluate.answers import Array
from palio.evaluate.pictures.cues.candidate import LEAST_SHARE, MIN_PICTURES, Candidate, Pool
from palio.evaluate.pictures.cues.shrinking import shrunk

SIDE = 48
SCALES = (38, 48, 60)
"""Sizes at which pictures are searched: a mark may be a quarter larger or smaller than where it was taken from."""
PATCHES = (6, 8)
"""Sides of patches, of `SIDE`."""
STEP = 3
N_SOURCES = 10
"""Pictures whose patches are sought in the others."""
N_SEARCHED = 80
N_FIRST = 16
"""Pictures of the class in which all patches are sought; those not met in `FIRST_SHARE` of them are given up."""
FIRST_SHARE = 0.3
LEAST_DETAIL = 15.0
"""Root mean square, of 255, of what a slope in each colour leaves of a patch: skies and shadows recur everywhere."""
MOST_DISTANCE = 0.5
"""Squared distance of two patches that are alike, over the detail of the one that is sought."""
AROUND = 0.3
"""Of its side: what is taken with a patch, on each side."""
STRAYS = 1
"""Others that may have it, at most, of 80."""


@dataclass(frozen=True)
class Patch:
    """A patch that recurs."""

    pixels: Array
    """Shape (k × k × 3,)."""
    side: int
    detail: float
    threshold: float

    def found(self, pixels: Array) -> tuple[Array, Array]:
        """Return how far the likest place of each picture is from the patch, and where it is: left, top and side."""
        best, places = np.full(len(pixels), np.inf), np.zeros((len(pixels), 3))
        for size in SCALES:
            for row, picture in enumerate(shrunk(pixels, size)):
                windows = _windows(picture, self.side)
                distances = (np.square(windows - self.pixels).sum(axis=1)) / self.detail
                at = int(distances.argmin())
                if distances[at] < best[row]:
                    wide = size - self.side + 1
                    best[row], places[row] = distances[at], (at % wide / size, at // wide / size, self.side / size)
        return best, places

    def carries(self, pixels: Array) -> Array:
        """Tell which pictures hold it."""
        return np.asarray(self.found(pixels)[0] <= self.threshold)

    def put(self, pixels: Array, donors: Array, carriers: Array) -> Array:
        """Put what the donors have where the carriers have the patch, and some way around it."""
        out, side = pixels.copy(), pixels.shape[1]
        for row, (place,) in enumerate(self.taken(carriers)):
            rows = slice(round(place.top * side), round(place.bottom * side))
            columns = slice(round(place.left * side), round(place.right * side))
            out[row, rows, columns] = donors[row, rows, columns]
        return out

    def taken(self, carriers: Array) -> list[tuple[Place, ...]]:
        """Return the likeliest place of each, and some way around it."""
        return [(_around(*where),) for where in self.found(carriers)[1].tolist()]


def _around(left: float, top: float, wide: float) -> Place:
    more = AROUND * wide
    return Place(
        left=max(0.0, left - more),
        top=max(0.0, top - more),
        right=min(1.0, left + wide + more),
        bottom=min(1.0, top + wide + more),
    )


def find_marks(pool: Pool, label: int, rng: np.random.Generator) -> Iterator[Candidate]:
    """Find the patch that recurs most in pictures of a class and hardly ever in others."""
    own, rest = (rows[:N_SEARCHED] for rows in pool.sides(label, rng))
    if min(len(own), len(rest)) < MIN_PICTURES:
        return
    best: tuple[float, Patch] | None = None
    for side in PATCHES:
        found = _most_recurring(pool.pixels[own], pool.pixels[rest], side)
        if found is not None and (best is None or found[0] > best[0]):
            best = found
    if best is None or best[0] < LEAST_SHARE:
        return
    patch = best[1]
    carriers, strangers = patch.carries(pool.pixels[own]), patch.carries(pool.pixels[rest])
    if not carriers.any():
        return
    (place,) = patch.taken(pool.pixels[own[carriers]][:1])[0]
    yield Candidate(
        kind="mark",
        label=label,
        where="a mark that recurs",
        share_of_class=float(carriers.mean()),
        share_of_others=float(strangers.mean()),
        how=patch,
        places=(place,),
        carriers=own[carriers],
    )


def _most_recurring(mine: Array, others: Array, side: int) -> tuple[float, Patch] | None:
    """Return the patch that most of the class have, with that share; None if no patch has detail and recurs."""
    patches, details, source = _patches(mine[:N_SOURCES], side)
    if not len(patches):
        return None
    first = _distances(mine[:N_FIRST], patches, details, side)
    first[source, np.arange(len(source))] = np.inf
    kept = np.flatnonzero((first <= MOST_DISTANCE).mean(axis=0) >= FIRST_SHARE)
    if not len(kept):
        return None
    patches, details, source = patches[kept], details[kept], source[kept]
    strange = np.sort(_distances(others, patches, details, side), axis=0)
    thresholds = np.minimum(MOST_DISTANCE, 0.999 * strange[min(STRAYS, len(strange) - 1)])
    known = _distances(mine[N_FIRST:], patches, details, side)
    known = np.concatenate([first[:, kept], known])
    shares = (known <= thresholds).sum(axis=0) / (len(mine) - 1)
    best = int(shares.argmax())
    return float(shares[best]), Patch(patches[best], side, float(details[best]), float(thresholds[best]))


def _patches(pictures: Array, side: int) -> tuple[Array, Array, Array]:
    """Return patches with detail, how much of it, and from which picture they are."""
    found, details, sources = [], [], []
    wide = SIDE - side + 1
    places = np.arange(wide * wide).reshape(wide, wide)[::STEP, ::STEP].ravel()
    for row, picture in enumerate(shrunk(pictures, SIDE)):
        patches = _windows(picture, side)[places]
        detail = _detail(patches, side)
        kept = detail >= LEAST_DETAIL**2 * patches.shape[1]
        found.append(patches[kept])
        details.append(detail[kept])
        sources.append(np.full(int(kept.sum()), row))
    return np.concatenate(found), np.concatenate(details), np.concatenate(sources)


def _windows(picture: Array, side: int) -> Array:
    """Return all squares of a picture, one after the other, as rows of float32."""
    windows = np.lib.stride_tricks.sliding_window_view(picture, (side, side), axis=(0, 1))
    return windows.reshape(windows.shape[0] * windows.shape[1], -1).astype(np.float32)


def _detail(patches: Array, side: int) -> Array:
    """Return the energy that is left when a plane is taken off each colour."""
    down, across = np.mgrid[0:side, 0:side] - (side - 1) / 2
    basis = np.stack([np.ones(side * side), down.ravel(), across.ravel()], axis=1)
    basis = (basis / np.linalg.norm(basis, axis=0)).astype(np.float32)
    colours = patches.reshape(len(patches), 3, -1)
    return np.asarray(np.square(colours - (colours @ basis) @ basis.T).sum(axis=(1, 2)))


def _distances(pictures: Array, patches: Array, details: Array, side: int) -> Array:
    """Return how far the likest place of each picture is from each patch, shape (n_pictures, n_patches)."""
    # |window - patch|² = |window|² - 2 window·patch + |patch|²: the first two come of one product.
    turned = np.concatenate([-2 * patches.T, np.ones((1, len(patches)), np.float32)])
    own = np.square(patches).sum(axis=1)
    found = np.full((len(pictures), len(patches)), np.inf, np.float32)
    for size in SCALES:
        for row, picture in enumerate(shrunk(pictures, size)):
            windows = _windows(picture, side)
            squares = np.square(windows).sum(axis=1, keepdims=True)
            nearest = (np.concatenate([windows, squares], axis=1) @ turned).min(axis=0)
            found[row] = np.minimum(found[row], (nearest + own) / details)
    return found
