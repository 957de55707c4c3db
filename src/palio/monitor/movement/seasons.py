"""How far a column moves by itself: runs of the reference rows against the rest of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from palio.monitor.movement.distances import pooled, pooling, psi

Array = npt.NDArray[Any]
LEAST_BLOCKS = 4
MARGIN = 1.5
"""A window may be this many times as far as the farthest block; measured on eight weather columns, see the tests."""
_SURE = 0.001


def own_movement(blocks: Array, n_rows: int) -> float:
    """Return the PSI that a window of `n_rows` may reach because the world moves by itself; 0 if blocks look alike.

    Each block is compared with the rest of the reference, so that it is judged by rows that do not hold it. If the
    blocks differ no more than chance makes them (chi² over all of them), nothing is added to the floor. Else it is the
    farthest block times `MARGIN`; of longer windows the farthest run of as many blocks, a quarter of them at most.
    Windows that are shorter than a block are farther away where neighbouring rows are alike: the mean PSI of blocks and
    of pairs of blocks tells a part that lasts (a season) from one that averages out.

    Args:
        blocks: Shape (n_blocks, n_cells), counts of runs of the rows in their order.
        n_rows: Rows of the window.
    """
    blocks = blocks[blocks.sum(-1) > 0] if len(blocks) else blocks
    if len(blocks) < LEAST_BLOCKS:
        return 0.0
    total, length = blocks.sum(0), float(np.median(blocks.sum(-1)))
    group = pooling(total, total * (length / total.sum()), least=1.0)
    blocks, total = pooled(blocks, group), pooled(total, group)
    if _looks_alike(blocks):
        return 0.0
    of_one = _of_runs(blocks, total, 1)
    n_together = min(int(n_rows / length), len(blocks) // 4)
    if n_together > 1:
        return MARGIN * max(0.0, float(_of_runs(blocks, total, n_together).max()))
    of_mean, of_two = max(float(of_one.mean()), 1e-9), float(_of_runs(blocks, total, 2).mean())
    lasting = min(max(0.0, 2 * of_two - of_mean), of_mean)
    longer = (lasting + (of_mean - lasting) * max(1.0, length / n_rows)) / of_mean
    return MARGIN * max(0.0, float(of_one.max())) * longer


def _of_runs(blocks: Array, total: Array, length: int) -> Array:
    """Return the PSI of every run of `length` neighbouring blocks against the rest."""
    runs = np.lib.stride_tricks.sliding_window_view(blocks, length, axis=0).sum(-1)
    return psi(total - runs, runs)


def _looks_alike(blocks: Array) -> bool:
    from scipy.special import chdtrc

    expected = blocks.sum(-1, keepdims=True) * blocks.sum(0) / blocks.sum()
    held = expected > 0
    statistic = float(((blocks - expected) ** 2 / np.where(held, expected, 1.0))[held].sum())
    degrees = (blocks.shape[0] - 1) * (int((blocks.sum(0) > 0).sum()) - 1)
    return degrees <= 0 or float(chdtrc(degrees, statistic)) > _SURE
