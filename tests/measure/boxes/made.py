"""Made pictures: what is in them, and answers with every difficulty at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from palio.measure.boxes import Objects

Array = np.ndarray[Any, np.dtype[Any]]
N_CLASSES = 3


def scenes(seed: int, *, n: int = 30, per: int = 6, grid: float = 4.0, digits: int = 1) -> tuple[Array, Array]:
    """Make pictures with crowds, ties of scores and overlaps, empty ones, double answers, and one with 150 boxes."""
    rng = np.random.default_rng(seed)
    truth, said = np.empty(n, object), np.empty(n, object)
    for row in range(n):
        n_true = int(rng.integers(0, per)) if rng.random() > 0.15 else 0
        corners, classes = _boxes(rng, n_true, grid), rng.integers(0, N_CLASSES, n_true)
        truth[row] = Objects(corners, classes, np.ones(n_true), rng.random(n_true) < 0.15)
        seen = np.repeat(np.flatnonzero(rng.random(n_true) < 0.8), 2)
        moved = corners[seen] + np.round(rng.normal(0, 6, (len(seen), 4)) / grid) * grid
        more = 150 if row == 3 else int(rng.integers(0, 5))
        boxes = np.r_[moved, _boxes(rng, more, grid)]
        kinds = np.r_[classes[seen], np.zeros(more, int) if row == 3 else rng.integers(0, N_CLASSES, more)]
        good = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        scores = np.round(rng.random(int(good.sum())), digits)
        order = np.argsort(-scores, kind="stable")
        kinds = kinds[good].astype(np.int64)[order]
        said[row] = Objects(boxes[good][order], kinds, scores[order], np.zeros(len(kinds), bool), 0.5)
    return truth, said


def _boxes(rng: np.random.Generator, n: int, grid: float) -> Array:
    start = np.round(rng.random((n, 2)) * 200 / grid) * grid
    sides = np.maximum(grid, np.round(np.exp(rng.normal(3.3, 1, (n, 2))) / grid) * grid)
    return np.c_[start, start + sides]
