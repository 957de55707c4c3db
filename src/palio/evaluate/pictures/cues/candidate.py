"""What may be a cue: something that pictures of one class share, found by looking at pictures alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from palio.core.records import Place
from palio.core.records.looking import CueKind
from palio.evaluate.answers import Array

MIN_PICTURES = 20
"""Pictures of a class, and of the others, that a search needs."""
MAX_PICTURES = 100
"""Pictures of a class, and of the others, that are compared; more are drawn from."""
LEAST_SHARE = 0.4
"""How many more pictures of the class than of the others carry a cue, at least. Seen on classes without a planted cue:
up to .28 of a place."""


class Transplanting(Protocol):
    """Knows who carries something, and puts it onto other pictures."""

    def carries(self, pixels: Array) -> Array:
        """Tell which pictures carry it, shape (n,), bool."""

    def put(self, pixels: Array, donors: Array, carriers: Array) -> Array:
        """Put what the donors have there onto pictures.

        Args:
            pixels: Shape (n, S, S, 3): onto what.
            donors: Shape (n, S, S, 3): from what.
            carriers: Shape (n, S, S, 3): pictures that carry it; tell where it lies, where that differs.
        """

    def taken(self, carriers: Array) -> list[tuple[Place, ...]]:
        """Return what `put` takes of each carrier, in rectangles."""


@dataclass(frozen=True)
class Candidate:
    """Something that the model is then asked about."""

    kind: CueKind
    label: int
    """Index of the class."""
    where: str
    share_of_class: float
    share_of_others: float
    how: Transplanting
    carriers: Array
    """Places of the pictures of the pool that carry it."""
    places: tuple[Place, ...] = ()
    gains: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Pool:
    """Pictures that the model learned from, as it sees them."""

    pixels: Array
    """Shape (n, S, S, 3), uint8."""
    holds: Array
    """Shape (n, n_classes), bool: one class, or all of which there is a box."""
    identities: tuple[str, ...]
    cleared: tuple[Array, ...] | None = None
    """Of boxes: where things were taken out of each, shape (n_things, 4), as shares of the picture."""
    areas: Array | None = None
    """Of boxes: where each picture lies in the square, shape (n, 4), whole pixels."""

    @property
    def is_comparable(self) -> bool:
        """Tell whether there are enough pictures with and without any class."""
        n_with = self.holds.sum(axis=0)
        return bool((np.minimum(n_with, len(self.holds) - n_with) >= MIN_PICTURES).any())

    def take(self, rows: Array) -> Pool:
        """Return the pictures given by index."""
        return Pool(
            self.pixels[rows],
            self.holds[rows],
            tuple(self.identities[row] for row in rows.tolist()),
            None if self.cleared is None else tuple(self.cleared[row] for row in rows.tolist()),
            None if self.areas is None else self.areas[rows],
        )

    def sides(self, label: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return places of pictures of a class and of the others, in an order drawn by `rng`, at most so many."""
        own = rng.permutation(self.holds[:, label].nonzero()[0])
        rest = rng.permutation((~self.holds[:, label]).nonzero()[0])
        return own[:MAX_PICTURES], rest[:MAX_PICTURES]
