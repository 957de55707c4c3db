"""How far two counted samples are from each other, and how likely chance is to take them there.

Both samples are counts in the same cells. Every distance is less what two samples of the same distribution would show
on average, so that small windows do not look far away.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
LEAST_EXPECTED = 5.0
"""Cells with fewer expected rows are pooled (Cochran 1954, Biometrics 10(4))."""


def ks_test(left: Array, right: Array) -> tuple[float, float]:
    """Compare two samples that are counted in the same ordered cells: Kolmogorov–Smirnov distance and p.

    The p-value is that of the limit distribution, which is too large for counted values: the greatest distance is
    looked for at the edges only. So it alarms too seldom rather than too often.

    Example:
        >>> distance, p = ks_test(np.array([50, 50, 50]), np.array([90, 40, 20]))
        >>> round(distance, 3), round(p, 5)
        (0.267, 5e-05)

    Source: Kolmogorov 1933; Smirnov 1939.
    """
    from scipy.special import kolmogorov

    n, m = float(left.sum()), float(right.sum())
    if not n or not m:
        return 0.0, 1.0
    distance = float(np.abs(np.cumsum(left) / n - np.cumsum(right) / m).max())
    return distance, float(kolmogorov(np.sqrt(n * m / (n + m)) * distance))


def chi2_test(left: Array, right: Array) -> tuple[float, float]:
    """Compare two samples that are counted in the same cells: Pearson's two-sample statistic and p.

    Args:
        left: Shape (n_cells,), pooled (`pooled`) where cells may be nearly empty.
        right: Shape (n_cells,).

    Example:
        >>> statistic, p = chi2_test(np.array([50, 50]), np.array([70, 30]))
        >>> round(statistic, 2), round(p, 4)
        (8.33, 0.0039)

    Source: Pearson 1911, Biometrika 8(1/2).
    """
    from scipy.special import chdtrc

    n, m = float(left.sum()), float(right.sum())
    both = left + right
    held = both > 0
    if not n or not m or held.sum() < 2:
        return 0.0, 1.0
    ratio = np.sqrt(m / n)
    statistic = float((((left * ratio - right / ratio) ** 2)[held] / both[held]).sum())
    return statistic, float(chdtrc(held.sum() - 1, statistic))


def pooling(left: Array, right: Array, *, least: float = LEAST_EXPECTED) -> Array:
    """Say which cells to count together, so that at least `least` rows are expected in each by both samples.

    Returns:
        Shape (n_cells,), the number of the group of each cell. Rare cells form one group, with the next rarest cells
        until it is large enough.

    Example:
        >>> pooling(np.array([90, 60, 1, 2, 0]), np.array([80, 70, 2, 0, 1])).tolist()
        [1, 0, 0, 0, 0]
    """
    n, m = float(left.sum()), float(right.sum())
    expected = (left + right) * (min(n, m) / max(n + m, 1.0))
    order = np.argsort(expected, kind="stable")
    together = np.cumsum(expected[order])
    n_rare = int((expected < least).sum())
    if n_rare:
        n_rare = min(max(n_rare, int(np.searchsorted(together, least)) + 1), len(order))
    group = np.empty(len(order), np.int64)
    group[order[:n_rare]] = 0
    group[np.sort(order[n_rare:])] = np.arange(len(order) - n_rare) + (n_rare > 0)
    return group


def pooled(counts: Array, group: Array) -> Array:
    """Add up cells of a group; counts have shape (n_cells,) or (n_samples, n_cells)."""
    summed = np.zeros((*counts.shape[:-1], int(group.max()) + 1))
    np.add.at(summed.T, group, counts.T)
    return summed


def psi(left: Array, right: Array) -> Array:
    """Return the population stability index less its mean under no drift; below 0 is less than chance gives.

    Args:
        left: Shape (n_cells,) or (n_samples, n_cells), counts.
        right: The same shape.

    Example:
        >>> same, moved = np.array([[500, 500], [50, 50]]), np.array([[500, 500], [100, 0]])
        >>> psi(same, moved).round(2).tolist()
        [-0.0, 2.61]

    Source: Yurdakul & Naranjo 2020, Journal of Risk Model Validation 14(4): the mean is (B-1)(1/n + 1/m) for B cells.
    """
    p, q, chance = _shares(left, right)
    index: Array = ((p - q) * np.log(p / q)).sum(-1) - chance
    return index


def js(left: Array, right: Array) -> float:
    """Return the Jensen–Shannon distance in base 2, less what chance gives; in [0, 1].

    Example:
        >>> js(np.array([500, 500]), np.array([500, 500])), round(js(np.array([1000, 0]), np.array([0, 1000])), 2)
        (0.0, 1.0)

    Source: Lin 1991, IEEE Transactions on Information Theory 37(1); to second order it is an eighth of the PSI.
    """
    p, q, chance = _shares(left, right)
    middle = (p + q) / 2
    divergence = float(((p * np.log(p / middle) + q * np.log(q / middle)) / 2).sum()) - float(chance) / 8
    return min(1.0, float(np.sqrt(max(0.0, divergence) / np.log(2))))


def wasserstein(left: Array, right: Array, edges: Array) -> float:
    """Return the mean way that values must go to turn one sample into the other (Wasserstein-1), in their own unit.

    Args:
        left: Shape (n_cells,), counts; values are taken to lie evenly within a cell.
        right: Shape (n_cells,).
        edges: Shape (n_cells + 1,), outer edges too.

    Example:
        >>> wasserstein(np.array([10, 0, 0]), np.array([0, 0, 10]), np.array([0.0, 1.0, 2.0, 3.0]))
        2.0
    """
    if not left.sum() or not right.sum():
        return 0.0
    gap = np.concatenate([[0.0], np.cumsum(left / left.sum() - right / right.sum())])
    before, after, width = gap[:-1], gap[1:], np.diff(edges)
    total = np.abs(before) + np.abs(after)
    crossing = (before * after < 0) & (total > 0)
    area = np.where(crossing, (before**2 + after**2) / np.where(total > 0, total, 1.0), total) / 2
    return float((area * width).sum())


def _shares(left: Array, right: Array) -> tuple[Array, Array, Array]:
    """Return shares (with half a row added to each cell, so that none is 0) and the mean PSI of pure chance."""
    n, m = left.sum(-1, keepdims=True), right.sum(-1, keepdims=True)
    n_cells = left.shape[-1]
    held = ((left + right) > 0).sum(-1)
    p, q = (left + 0.5) / (n + n_cells / 2), (right + 0.5) / (m + n_cells / 2)
    chance = np.maximum(held - 1, 0) * (1 / np.maximum(n[..., 0], 1) + 1 / np.maximum(m[..., 0], 1))
    return p, q, chance
