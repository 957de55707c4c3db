"""Find the lowest point of a smooth function of many numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from palio.train.examples import Array

N_KEPT = 20
"""Steps whose slopes tell how it bends."""
_PLACES = N_KEPT + 6
"""Where they are kept, one after the other; at the end, they move to the front."""
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
        first = 1.0 if len(known) else min(1.0, 1.0 / float(np.sqrt(-fall)))
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
        self._from, self._to = 0, 0
        self._told = np.empty((_PLACES, 2, size))
        """Step by step, how far it moved and by what the slope turned."""
        self._back, self._turned = np.zeros((2, _PLACES, _PLACES))
        """The inverse of the products of moves with turns that are not earlier; the products of turns."""
        self._own = np.zeros(_PLACES)
        """The product of each move with its turn."""

    def __len__(self) -> int:
        return self._to - self._from

    def add(self, moved: Array, turned: Array) -> None:
        """Keep one more step."""
        if self._to == _PLACES:
            self._to_the_front()
        place = self._to
        self._told[place] = moved, turned
        self._from, self._to = max(self._from, place + 1 - N_KEPT), place + 1
        before, now = slice(self._from, place), slice(self._from, self._to)
        products = self._products(turned)
        self._own[place] = bend = products[-1, 0]
        self._turned[now, place] = self._turned[place, now] = products[:, 1]
        self._back[before, place] = self._back[before, before] @ products[:-1, 0] / -bend
        self._back[place, now] = 0.0
        self._back[place, place] = 1.0 / bend

    def way(self, gradient: Array) -> Array:
        """Return the way down that the steps suggest."""
        if not len(self):
            return -gradient
        now, last = slice(self._from, self._to), self._to - 1
        products, back = self._products(gradient), self._back[now, now]
        scale = self._own[last] / self._turned[last, last]
        shares = back @ products[:, 0]
        weights = np.empty_like(products)
        weights[:, 0] = (self._own[now] * shares + scale * (self._turned[now, now] @ shares - products[:, 1])) @ back
        weights[:, 1] = -scale * shares
        way: Array = -scale * gradient - weights.ravel() @ self._told[now].reshape(weights.size, -1)
        return way

    def _products(self, vector: Array) -> Array:
        """Return the products of all that is kept with `vector`, shape (n_known, 2)."""
        products: Array = self._told[self._from : self._to].reshape(2 * len(self), -1) @ vector
        return products.reshape(-1, 2)

    def _to_the_front(self) -> None:
        kept = slice(_PLACES + 1 - N_KEPT, _PLACES)
        front = slice(0, N_KEPT - 1)
        self._told[front], self._own[front] = self._told[kept], self._own[kept]
        for products in (self._back, self._turned):
            products[front, front] = products[kept, kept]
        self._from, self._to = 0, N_KEPT - 1


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
