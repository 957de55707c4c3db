"""Scale features for models that measure distances: from the median, in quarters of the rows, bent at the ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from palio import model
from palio.train.examples import Array

REACH = 3.0
"""Inputs are bent so that none is larger than this: x / √(1 + (x / 3)²)."""


@dataclass(frozen=True)
class Inputs:
    """Which features are numbers, and how all are scaled.

    Source: Holzmüller, Grinsztajn and Steinwart 2024 (robust scaling, smoothly clipped).
    """

    order: tuple[int, ...]
    """Features in the order of the inputs: numbers first, then those that have two values."""
    n_numbers: int
    centers: Array
    scales: Array

    def __call__(self, features: Array) -> Array:
        """Return inputs, shape (n_rows, n_features)."""
        moved = (features[:, list(self.order)] - self.centers) / self.scales
        bent: Array = moved / np.sqrt(1 + (moved / REACH) ** 2)
        return bent

    @property
    def spec(self) -> model.BentInputs:
        """How the graph makes them."""
        return model.BentInputs(order=self.order, centers=self.centers, scales=self.scales, reach=REACH)


def inputs_of(features: Array) -> Inputs:
    """Learn from features, shape (n_rows, n_features), how to scale them; what has two values stays as it is."""
    low, q1, middle, q3, high = np.quantile(features, [0.0, 0.25, 0.5, 0.75, 1.0], axis=0)
    is_number = ~((features == low) | (features == high)).all(axis=0)
    order = np.concatenate([np.flatnonzero(is_number), np.flatnonzero(~is_number)])
    scales = np.where(q3 > q1, q3 - q1, (high - low) / 2)
    scales = np.where(is_number & (scales > 0), scales, 1.0)
    centers = np.where(is_number, middle, 0.0)
    return Inputs(tuple(int(i) for i in order), int(is_number.sum()), centers[order], scales[order])


def some(n_rows: int, most: int, rng: np.random.Generator) -> Any:
    """Return an index of all rows, or of `most` random ones in their order."""
    return slice(None) if n_rows <= most else np.sort(rng.choice(n_rows, most, replace=False))
