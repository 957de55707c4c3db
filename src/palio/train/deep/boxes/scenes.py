"""Bring pictures and what is where in them as a detector learns from them: changed, of several sizes, in batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from palio import model
from palio.train.deep.boxes.augment import NONE, Changes, Scene, alone, together
from palio.train.deep.boxes.network import STEP
from palio.train.deep.exporting import SCORES
from palio.train.deep.features import PIXELS
from palio.train.examples import Array

LAST = 0.2
"""Share of the epochs, the last ones, in which every picture is shown alone and at the full size."""
SMALLER = (2, 1, 0)
"""By how many steps of 32 pixels the batches of the others are smaller, at random."""
COMMON, MOST_TURNS = 0.3, 3.0
"""Share of the pictures from which on a class is not rare; and how often at most one with a rare thing comes."""
_MOSAIC, _SIZE = 17, 19


@dataclass
class Scenes:
    """Pictures of any size, each at the top left of a square, and their boxes in its pixels."""

    pixels: Any
    """uint8 (n_rows, R, R, 3): an array, or what gives one when it is indexed by rows."""
    sides: Array
    """How wide and high the picture is in its square, int (n_rows, 2)."""
    corners: list[Array]
    kinds: list[Array]
    """Class index, and whether it is ignored; (n, 2) of each picture."""
    target: Array
    size: int
    """Side of what the network sees."""
    n_epochs: int = 1
    how: Changes = field(default_factory=Changes)
    weights: Array | None = None
    seed: int = 0
    fronts: Mapping[int, model.Graph] = field(default_factory=dict)
    """Size → the frozen blocks; none: the network sees pixels."""

    @cached_property
    def turns(self) -> Array | None:
        """Return how often each picture is one of the other three of a mosaic; None: all alike.

        Pictures with something rare come more often, by the root of how rare it is, three times as often at most.

        Source: Gupta, Dollár and Girshick 2019, LVIS (CVPR), section 5.2.
        """
        held = [np.unique(one[one[:, 1] == 0, 0]).astype(np.int64) for one in self.kinds]
        shares = np.bincount(np.concatenate([np.empty(0, np.int64), *held])) / max(1, len(held))
        more = np.sqrt(COMMON / np.clip(shares, COMMON / MOST_TURNS**2, COMMON))
        weights = np.array([more[one].max(initial=1.0) for one in held])
        return None if not len(weights) or np.ptp(weights) == 0 else weights / weights.sum()

    def planned(self, n_epochs: int) -> None:
        """Take note of how many epochs there will be."""
        self.n_epochs = n_epochs

    def scene(self, row: int) -> Scene:
        """Return one picture."""
        wide, high = self.sides[row].tolist()
        picture = np.asarray(self.pixels[np.array([row])])[0]
        return Scene(picture[:high, :wide], self.corners[row], self.kinds[row])

    def changed(self, row: int, epoch: int, size: int) -> Scene:
        """Return one picture, or four in one, changed by chance."""
        rng = np.random.default_rng((self.seed, epoch, int(row), _MOSAIC))
        if not self.is_last(epoch) and rng.random() < self.how.mosaic:
            n_rows = len(self.target)
            others = rng.integers(n_rows, size=3) if self.turns is None else rng.choice(n_rows, 3, p=self.turns)
            return together([self.scene(one) for one in (row, *others.tolist())], rng, size, self.how)
        return alone(self.scene(row), rng, size, self.how)

    def is_last(self, epoch: int) -> bool:
        """Tell whether an epoch is one of the last."""
        return epoch >= self.n_epochs - max(1, round(LAST * self.n_epochs))

    def learned(self, rows: Array, epoch: int) -> tuple[Array, ...]:
        """Return what the network takes of some rows, and their boxes (see `BoxGoal`)."""
        rng = np.random.default_rng((self.seed, epoch, int(rows[0]), _SIZE))
        steps = 0 if self.is_last(epoch) else int(rng.choice(SMALLER))
        size = _smaller(self.size, steps)
        return self._fed([self.changed(int(row), epoch, size) for row in rows])

    def seen(self, rows: Array) -> tuple[Array, ...]:
        """Return the same for rows as they are."""
        rng = np.random.default_rng(0)
        return self._fed([alone(self.scene(int(row)), rng, self.size, NONE) for row in rows])

    def _fed(self, scenes: list[Scene]) -> tuple[Array, ...]:
        pixels = np.stack([one.pixels for one in scenes])
        size = pixels.shape[1]
        values = self.fronts[size].run({PIXELS: pixels})[SCORES] if self.fronts else pixels
        most = max(1, *(len(one.corners) for one in scenes))
        aims = np.full((len(scenes), most, 6), -1, np.float32)
        for place, one in enumerate(scenes):
            aims[place, : len(one.corners), :4] = one.corners
            aims[place, : len(one.corners), 4:] = one.kinds
        return values, aims


def sizes_of(size: int) -> tuple[int, ...]:
    """Name the sizes that batches may have."""
    return tuple(sorted({_smaller(size, steps) for steps in SMALLER}))


def _smaller(size: int, steps: int) -> int:
    return max(2 * STEP, size - STEP * steps)
