"""How far a column moves by itself: runs of the reference rows against the rest of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from palio.monitor.distances import pooled, pooling, psi

Array = npt.NDArray[Any]
LEAST_BLOCKS = 4
MARGIN = 1.5
"""A window may be this many times as far as the farthest block; measured on eight weather columns, see the tests."""
_SURE = 0.001


def own_movement(blocks: Array, n_rows: int) -> float:
    """Return the PSI that a window of `n_rows` may reach because the world moves by itself; 0 if blocks look alike.

    Each block is compared with the rest of the reference, so that it is judged by rows that do not hold it. If the
    blocks differ no more than chance makes them (chi² over all of them), nothing is added to the floor. Else it is the
    farthest block times `MARGIN`. Windows that are shorter than a block are farther away where neighbouring rows are
    alike: the mean PSI of blocks and of pairs of blocks tells a part that lasts (a season) from one that averages out.

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
    single = psi(total - blocks, blocks)
    pairs = blocks[: len(blocks) // 2 * 2].reshape(-1, 2, blocks.shape[1]).sum(1)
    of_one, of_two = max(float(single.mean()), 1e-9), float(psi(total - pairs, pairs).mean())
    lasting = min(max(0.0, 2 * of_two - of_one), of_one)
    longer = (lasting + (of_one - lasting) * max(1.0, length / n_rows)) / of_one
    return MARGIN * float(single.max()) * longer


def _looks_alike(blocks: Array) -> bool:
    from scipy.special import chdtrc

    expected = blocks.sum(-1, keepdims=True) * blocks.sum(0) / blocks.sum()
    held = expected > 0
    statistic = float(((blocks - expected) ** 2 / np.where(held, expected, 1.0))[held].sum())
    degrees = (blocks.shape[0] - 1) * (int((blocks.sum(0) > 0).sum()) - 1)
    return degrees <= 0 or float(chdtrc(degrees, statistic)) > _SURE
