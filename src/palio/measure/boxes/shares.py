"""Shares of boxes, and how sure they are: boxes of one picture have much in common, so pictures are resampled."""

from __future__ import annotations

import numpy as np

from palio.core.records import Metric
from palio.measure.boxes.precision import average_precision, mean_defined
from palio.measure.boxes.scenes import Scenes
from palio.measure.intervals import FEW, basic_bounds, resampled_weights, wilson
from palio.measure.sample import Array, divide
from palio.measure.telling import left_out, widening

N_RESAMPLES = 300


def share(hits: Array, of: Array, *, seed: int = 0) -> Metric:
    """Return a share of boxes with its interval; nothing is known where there are none.

    Args:
        hits: Shape (n_pictures,): boxes that count, in each picture.
        of: Shape (n_pictures,): of so many.
        seed: Of the resamples.
    """
    n, total = len(of), float(of.sum())
    value = float(hits.sum()) / total if total else 0.0
    low, high = wilson(float(hits.sum()), total)
    if 0 < value < 1:
        drawn = np.concatenate(
            [divide(w @ hits, w @ of) for w in resampled_weights(n, seed, N_RESAMPLES)]  # whole pictures at a time
        )
        drawn = drawn[np.isfinite(drawn)]
        if len(drawn) and np.ptp(drawn) > 0:
            found = np.quantile(drawn, [0.025, 0.975]).tolist()
            low, high = min(low, found[0]), max(high, found[1])  # of few boxes resamples know too little
    return Metric(value=value, low=min(low, value), high=max(high, value), n_rows=n)


def class_precision(scenes: Scenes, *, seed: int = 0) -> list[Metric | None]:
    """Return the average precision of each class, over all overlaps asked for; None where there is nothing of it."""
    now = mean_defined(average_precision(scenes, np.ones((1, scenes.n_rows))))[0]
    blocks = [
        mean_defined(average_precision(scenes, weights))
        for weights in resampled_weights(scenes.n_rows, seed, N_RESAMPLES, cost=scenes.cost)
    ]
    drawn = np.concatenate(blocks)
    without = None
    if scenes.n_rows <= N_RESAMPLES:
        without = mean_defined(average_precision(scenes, left_out(scenes.n_rows)))
    found: list[Metric | None] = []
    for kind, value in enumerate(now.tolist()):
        if not np.isfinite(value):
            found.append(None)
            continue
        mine = drawn[np.isfinite(drawn[:, kind]), kind]
        n = int(scenes.tally_of(kind)[0].sum())
        least, most = wilson(value * n, n)
        if len(mine) and np.ptp(mine) > 0:
            ends = np.quantile(mine, [0.025, 0.975]) - value
            ends = ends if without is None else ends * widening(without[:, kind])
            low, high = basic_bounds(value, *ends.tolist())
            least, most = (min(low, least), max(high, most)) if n < FEW else (low, high)
        low, high = max(0.0, least), min(1.0, most)
        found.append(Metric(value=value, low=min(low, value), high=max(high, value), n_rows=scenes.n_rows))
    return found
