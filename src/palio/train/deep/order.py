"""Say which rows each step learns from: by chance, fixed by the seed and the epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from palio.train.examples import Array


@dataclass
class Order:
    """The rows of each epoch, in batches of one size.

    In the first `n_balanced` epochs each class gives as many rows as the smallest one has, or as make up half of the
    rows if that is too few.
    """

    target: Array
    batch: int
    seed: int
    n_balanced: int = 0
    _epoch: int = field(default=-1, init=False)
    _rows: Array = field(default_factory=lambda: np.zeros(0, np.int64), init=False)

    def __post_init__(self) -> None:
        self.batch = max(1, min(self.batch, len(self.target)))

    def n_steps(self, epoch: int) -> int:
        """Return how many batches an epoch has; what does not fill a batch is left for another epoch."""
        return max(1, self._n_rows(epoch) // self.batch)

    def rows(self, epoch: int, place: int) -> Array:
        """Return the rows of the batch at this place of an epoch."""
        if epoch != self._epoch:
            self._epoch, self._rows = epoch, self._shuffled(epoch)
        return self._rows[place * self.batch : (place + 1) * self.batch]

    def _n_rows(self, epoch: int) -> int:
        if epoch >= self.n_balanced:
            return len(self.target)
        return min(len(self.target), self._per_class() * len(np.unique(self.target)))

    def _per_class(self) -> int:
        counts = np.unique(self.target, return_counts=True)[1]
        return int(max(counts.min(), math.ceil(len(self.target) / 2 / len(counts))))

    def _shuffled(self, epoch: int) -> Array:
        rng = np.random.default_rng((self.seed, epoch))
        if epoch >= self.n_balanced:
            return rng.permutation(len(self.target))
        wanted = self._per_class()
        parts = []
        for label in np.unique(self.target):
            own = rng.permutation(np.flatnonzero(self.target == label))
            parts.append(np.resize(own, wanted))  # a small class comes again and again
        return rng.permutation(np.concatenate(parts))[: self._n_rows(epoch)]


def a_few(target: Array, n_rows: int, seed: int) -> Array:
    """Return a few rows in which every class has its turn: what a network must be able to learn by heart."""
    rng = np.random.default_rng((seed, 7))
    shuffled = rng.permutation(len(target))
    turns = np.zeros(len(target), np.int64)
    if target.dtype.kind == "i":
        for label in np.unique(target):
            own = np.flatnonzero(target[shuffled] == label)
            turns[own] = np.arange(len(own))
    return shuffled[np.argsort(turns, kind="stable")[:n_rows]]
