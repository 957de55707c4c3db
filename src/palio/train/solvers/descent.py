"""Find the lowest point of a smooth function of many numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from palio.train.examples import Array

N_KEPT = 20
"""Steps whose slopes tell how it bends."""
ENOUGH, STEEP_ENOUGH = 1e-4, 0.9
"""Of what the slope promises, a step must bring this share; and the slope along it must fall to that share (Wolfe)."""
MOST_TRIES = 20
"""Lengths that are tried for one step."""


def lowest(
    slope: Callable[[Array], tuple[float, Array]], start: Array, *, steps: int, least: float = 1e-7, flat: float = 1e-5
) -> Array:
    """Go down by L-BFGS, and return where it ends. Loads no library: SciPy's takes .4 s of CPU to come.

    Args:
        slope: Point, shape (n,) → value and gradient there.
        start: Where to begin.
        steps: How many steps, at most.
        least: It ends when a step brings less than this share of the value.
        flat: It ends where no part of the gradient is larger.

    Example:
        >>> lowest(lambda x: (float(((x - 3) ** 2).sum()), 2 * (x - 3)), np.zeros(2), steps=20).round(4).tolist()
        [3.0, 3.0]

    Source: Nocedal and Wright 2006, Numerical Optimization, algorithm 3.5; Byrd, Nocedal and Schnabel 1994 (what the
        last steps tell, in one product).
    """
    point = np.array(start, dtype=np.float64)
    value, gradient = slope(point)
    known = Bends(len(point))
    for _ in range(steps):
        if np.abs(gradient).max() <= flat:
            break
        way = known.way(gradient)
        fall = float(gradient @ way)
        if fall >= 0:  # what is known of the bends misleads
            known = Bends(len(point))
            way, fall = -gradient, -float(gradient @ gradient)
        first = 1.0 if known.order else min(1.0, 1.0 / float(np.sqrt(-fall)))
        found = _step(slope, point, way, value, fall, first)
        if found is None:
            break
        length, reached, there = found
        moved, turned = length * way, there - gradient
        bend = float(moved @ turned)
        if bend > 1e-10 * float(turned @ turned):
            known.add(moved, turned)
        gain = value - reached
        point, value, gradient = point + moved, reached, there
        if gain <= least * max(abs(value), abs(value + gain), 1.0):
            break
    return point


class Bends:
    """How the slope turned along the last steps, of which the oldest is forgotten."""

    def __init__(self, size: int) -> None:
        self.order: list[int] = []
        """Places of the steps, the oldest first."""
        self._told = np.empty((N_KEPT, 2, size))
        """Step by step, how far it moved and by what the slope turned."""
        self._moved_turned, self._turned_turned = np.zeros((2, N_KEPT, N_KEPT))

    def add(self, moved: Array, turned: Array) -> None:
        """Keep one more step."""
        place = len(self.order) if len(self.order) < N_KEPT else self.order.pop(0)
        self.order.append(place)
        self._told[place] = moved, turned
        n_known = len(self.order)
        products = self._products(turned)
        self._moved_turned[:n_known, place] = products[:, 0]
        self._turned_turned[:n_known, place] = self._turned_turned[place, :n_known] = products[:, 1]

    def way(self, gradient: Array) -> Array:
        """Return the way down that the steps suggest."""
        if not self.order:
            return -gradient
        order = np.array(self.order)
        places = np.ix_(order, order)
        bends, turned = np.triu(self._moved_turned[places]), self._turned_turned[places]
        scale = bends[-1, -1] / turned[-1, -1]
        along_moved, along_turned = self._products(gradient)[order].T
        back = np.linalg.inv(bends)
        shares = back @ along_moved
        weights = np.empty((len(order), 2))
        weights[order, 0] = (bends.diagonal() * shares + scale * (turned @ shares - along_turned)) @ back
        weights[order, 1] = -scale * shares
        way: Array = -scale * gradient - weights.ravel() @ self._told[: len(order)].reshape(weights.size, -1)
        return way

    def _products(self, vector: Array) -> Array:
        """Return the products of all that is kept with `vector`, shape (n_known, 2)."""
        n_known = len(self.order)
        products: Array = self._told[:n_known].reshape(2 * n_known, -1) @ vector
        return products.reshape(n_known, 2)


def _step(
    slope: Callable[[Array], tuple[float, Array]], point: Array, way: Array, value: float, fall: float, length: float
) -> tuple[float, float, Array] | None:
    """Return a length that brings enough, with value and gradient there; None if none does.

    A length between one that is too long and one that is too short is where a parabola has its lowest point.
    """
    short, long = 0.0, np.inf
    at_short, fall_short = value, fall
    best: tuple[float, float, Array] | None = None
    for _ in range(MOST_TRIES):
        reached, there = slope(point + length * way)
        along = float(there @ way)
        if not np.isfinite(reached) or reached > value + ENOUGH * length * fall or (best and reached >= at_short):
            long = length
            width = long - short
            curve = (reached - at_short - fall_short * width) / width**2 if np.isfinite(reached) else np.inf
            into = -fall_short / (2 * curve) if 0 < curve < np.inf else 0.5 * width
            length = short + float(np.clip(into, 0.1 * width, 0.5 * width))
            continue
        best = (length, reached, there)
        if abs(along) <= -STEEP_ENOUGH * fall:
            return best
        if along < 0:  # it still falls steeply: further
            short, at_short, fall_short = length, reached, along
            length = 2 * length if long == np.inf else 0.5 * (short + long)
        else:  # it rises steeply: back, whatever was gained
            long = length
            length = 0.5 * (short + long)
    return best
