"""Find pixels that many pictures of one class have in common at one place: a frame, a caption, a mark in a corner."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from palio.core.records import Place
from palio.evaluate.answers import Array
from palio.evaluate.pictures.cues.candidate import LEAST_SHARE, MIN_PICTURES, Candidate, Pool
from palio.evaluate.pictures.cues.shrinking import shrunk

GRID = 32
BAND = 16
"""Pixels whose three colours differ by no more than this, of 255, are alike."""
LEAST_CELLS = 3
SAME = 0.6
"""Of the pictures that have one of two parts have both: then they are one."""
MOST = 3
"""Places of one class that the model is asked about: the largest ones."""


@dataclass(frozen=True)
class Region:
    """Cells of a grid with the colour that recurs in each."""

    cells: Array
    """Shape (GRID, GRID), bool: where the colour recurs."""
    covered: Array
    """Shape (GRID, GRID), bool: what is taken when it is put elsewhere; holds `cells` and what lies between them."""
    colours: Array
    """Shape (GRID, GRID, 3)."""

    def carries(self, pixels: Array) -> Array:
        """Tell which pictures have the colours in most of the cells."""
        near = _near(shrunk(pixels, GRID)[:, self.cells], self.colours[self.cells])
        return np.asarray(near.mean(axis=1) >= 0.5)

    def put(self, pixels: Array, donors: Array, carriers: Array) -> Array:  # noqa: ARG002 — it lies at one place
        """Put the same part of the donors onto pictures."""
        side = pixels.shape[1]
        places = np.minimum((np.arange(side) * GRID) // side, GRID - 1)
        mask = self.covered[places][:, places]
        return np.where(mask[None, :, :, None], donors, pixels)

    def taken(self, carriers: Array) -> list[tuple[Place, ...]]:
        """Return the same rectangles for all."""
        return [_rectangles(self.covered)] * len(carriers)


def find_places(pool: Pool, label: int, rng: np.random.Generator) -> Iterator[Candidate]:
    """Find what pictures of a class share at one place, the largest first."""
    own, rest = pool.sides(label, rng)
    if min(len(own), len(rest)) < MIN_PICTURES:
        return
    mine, others = shrunk(pool.pixels[own], GRID), shrunk(pool.pixels[rest], GRID)
    excess, colours = _recurring(mine.reshape(len(mine), -1, 3), others.reshape(len(others), -1, 3))
    cells = excess.reshape(GRID, GRID) >= max(LEAST_SHARE, 0.6 * float(excess.max()))
    square = colours.reshape(GRID, GRID, 3)
    for part in _joined(_parts(cells), square, mine)[:MOST]:
        region = Region(part, _covered(part), square)
        carriers, strangers = region.carries(pool.pixels[own]), region.carries(pool.pixels[rest])
        if carriers.mean() - strangers.mean() < LEAST_SHARE:
            continue
        yield Candidate(
            kind="place",
            label=label,
            where=_where(region.covered),
            share_of_class=float(carriers.mean()),
            share_of_others=float(strangers.mean()),
            how=region,
            places=_rectangles(region.covered),
            carriers=own[carriers],
        )


def _near(values: Array, colour: Array) -> Array:
    return np.asarray(np.abs(values.astype(np.int16) - colour.astype(np.int16)).max(axis=-1) <= BAND)


def _recurring(mine: Array, others: Array) -> tuple[Array, Array]:
    """Return, for each cell, by how much more often its commonest colour is met in the class, and that colour."""
    n_cells = mine.shape[1]
    excess, colours = np.empty(n_cells), np.empty((n_cells, 3), np.uint8)
    for cell in range(n_cells):
        values = mine[:, cell].astype(np.int16)
        near = np.abs(values[:, None] - values[None]).max(axis=2) <= BAND
        counts = near.sum(axis=1) - 1
        best = int(counts.argmax())
        colours[cell] = np.median(values[near[best]], axis=0)
        excess[cell] = counts[best] / (len(values) - 1) - _near(others[:, cell], colours[cell]).mean()
    return excess, colours


def _parts(cells: Array) -> list[Array]:
    """Return cells that hang together, the most first; all in one if they run around the picture."""
    if all(side.mean() > 0.5 for side in (cells[0], cells[-1], cells[:, 0], cells[:, -1])):
        return [cells]
    left, found = cells.copy(), []
    while left.any():
        part = np.zeros_like(cells)
        part[tuple(np.argwhere(left)[0])] = True
        while True:
            grown = _grown(part) & left
            if grown.sum() == part.sum():
                break
            part = grown
        left &= ~part
        if part.sum() >= LEAST_CELLS:
            found.append(part)
    return sorted(found, key=lambda part: -int(part.sum()))


def _joined(parts: list[Array], colours: Array, mine: Array) -> list[Array]:
    """Put together parts that the same pictures have: a strip is in pieces where letters stand on it."""
    found: list[Array] = []
    held: list[Array] = []
    for part in parts:
        own = _near(mine[:, part], colours[part]).mean(axis=1) >= 0.5
        for place, other in enumerate(held):
            if (own & other).sum() >= SAME * (own | other).sum():
                found[place] = found[place] | part
                break
        else:
            found.append(part)
            held.append(own)
    return found


def _grown(cells: Array) -> Array:
    """Add the eight neighbours of each cell."""
    padded = np.pad(cells, 1)
    height, width = cells.shape
    out = np.zeros_like(cells)
    for down in range(3):
        for across in range(3):
            out |= padded[down : down + height, across : across + width]
    return out


def _covered(part: Array) -> Array:
    """Return what to take with it: the rectangle around it and a cell beyond, or, of a frame, a cell beyond."""
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    box = np.zeros_like(part)
    box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return _grown(part if part.sum() < 0.4 * box.sum() else box)


def _rectangles(covered: Array) -> tuple[Place, ...]:
    """Return rectangles for people to look at: four of a frame, one of all else."""
    top, bottom, left, right = _bounds(covered)
    if not _is_frame(covered):
        return (Place(left=left, top=top, right=right, bottom=bottom),)
    middle = GRID // 2
    thick = (
        int(covered[:middle, middle].sum()) / GRID,
        int(covered[middle:, middle].sum()) / GRID,
        int(covered[middle, :middle].sum()) / GRID,
        int(covered[middle, middle:].sum()) / GRID,
    )
    return (
        Place(left=0, top=0, right=1, bottom=thick[0]),
        Place(left=0, top=1 - thick[1], right=1, bottom=1),
        Place(left=0, top=0, right=thick[2], bottom=1),
        Place(left=1 - thick[3], top=0, right=1, bottom=1),
    )


def _is_frame(covered: Array) -> bool:
    sides = (covered[0], covered[-1], covered[:, 0], covered[:, -1])
    return all(side.mean() > 0.5 for side in sides) and not covered[GRID // 2, GRID // 2]


def _where(covered: Array) -> str:
    """Name a place."""
    if _is_frame(covered):
        return "the frame"
    if covered.mean() > 0.6:
        return "most of the picture"
    return where_is(*_bounds(covered))


def _bounds(covered: Array) -> tuple[float, float, float, float]:
    """Return top, bottom, left and right of what is covered, as shares of the side."""
    rows, columns = np.flatnonzero(covered.any(axis=1)).tolist(), np.flatnonzero(covered.any(axis=0)).tolist()
    return rows[0] / GRID, (rows[-1] + 1) / GRID, columns[0] / GRID, (columns[-1] + 1) / GRID


def where_is(top: float, bottom: float, left: float, right: float) -> str:
    """Name a rectangle by where it lies.

    Example:
        >>> where_is(0.9, 1.0, 0.0, 1.0), where_is(0.05, 0.2, 0.05, 0.2)
        ('the bottom strip', 'the top left')
    """
    if right - left > 0.8:
        down = (top + bottom) / 2
        return f"the {'top' if down < 0.4 else 'bottom' if down > 0.6 else 'middle'} strip"
    if bottom - top > 0.8:
        across = (left + right) / 2
        return f"the {'left' if across < 0.4 else 'right' if across > 0.6 else 'middle'} strip"
    words = _third((top + bottom) / 2, "top", "bottom"), _third((left + right) / 2, "left", "right")
    return f"the {' '.join(word for word in words if word) or 'middle'}"


def _third(middle: float, low: str, high: str) -> str:
    return low if middle < 0.4 else high if middle > 0.6 else ""
