"""Say by how much scores miss the truth, as a tensor that can be gone down."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from palio.train.deep.plan import Material, Network, Plan
from palio.train.examples import Array

_SMALLEST = 1e-15
_SHARPER = np.append(np.geomspace(0.4, 1.6, 12), 1.0)
"""Factors of scores among which the best one is sought."""


@dataclass(frozen=True)
class Goal:
    """What a plan makes small, over rows whose truth is given as shares of classes, or as scaled values."""

    network: Network
    plan: Plan
    weights: Array
    """What each row counts, shape (n_rows,), float32."""
    target: Array

    def batch(self, material: Material, rows: Array, epoch: int | None) -> tuple[tuple[Array, ...], Array, Array]:
        """Return inputs of rows, what their scores should say, and what each counts.

        Args:
            material: The rows.
            rows: Some of them.
            epoch: In which they are changed at random; None: as they are, and as they should be said.
        """
        if epoch is None:
            return material.seen(rows), self.aims(rows, is_smooth=False), self.counts(rows)
        return material.learned(rows, epoch), self.aims(rows), self.counts(rows)

    def aims(self, rows: Array, *, is_smooth: bool = True) -> Array:
        """Return what the scores of rows should say: shares (n, n_classes), or values (n, 1); float32."""
        found = self.target[rows]
        if not self.network.n_classes:
            return ((found - self.network.center) / self.network.spread).astype(np.float32)[:, None]
        n, smoothing = self.network.n_classes, self.plan.smoothing if is_smooth else 0.0
        shares = np.full((len(rows), n), smoothing / n, np.float32)
        shares[np.arange(len(rows)), found] += np.float32(1 - smoothing)
        return shares

    def counts(self, rows: Array) -> Array:
        """Return what each of the rows counts, with the weight of its class."""
        found = self.weights[rows]
        if self.plan.class_weights:
            found = found * np.asarray(self.plan.class_weights, np.float32)[self.target[rows]]
        return found

    def loss(self, scores: Any, aims: Any, counts: Any) -> Any:
        """Return the mean loss; `focus` turns it to the rows that are not yet right.

        It is a mean over rows, not over what they count: else a rare class, whose rows count much, would be worth more
        or less by what stands beside it in a batch, and on the whole too little.

        Source: Szegedy et al. 2016 (label smoothing); Lin et al. 2017 (focal loss).
        """
        import torch
        from torch.nn import functional

        scores = scores.float()
        if not self.network.n_classes:
            each = functional.smooth_l1_loss(scores, aims, reduction="none").sum(dim=1)
        else:
            surprise = -torch.log_softmax(scores, dim=1)
            if self.plan.focus:
                surprise = surprise * (1 - torch.exp(-surprise)) ** self.plan.focus
            each = (surprise * aims).sum(dim=1)
        return (each * counts).mean()

    @property
    def by_chance(self) -> float:
        """What is lost by who knows nothing, about."""
        return math.log(max(2, self.network.n_classes)) if self.network.n_classes else 0.5

    def judged(self, scores: Array, target: Array, weights: Array | None) -> float:
        """Return what scores of watched rows lose: log loss, or the mean squared error in the target's units."""
        if self.network.n_classes:
            return _log_loss(scores, target, weights)
        each = (scores[:, 0].astype(np.float64) * self.network.spread + self.network.center - target) ** 2
        return float(np.average(each, weights=weights))

    def corrected(self, scores: Array, target: Array, weights: Array | None) -> float:
        """Return what they lose at the temperature that suits them best: what rounds are chosen by.

        Late epochs tell more apart and are too sure, which is mended when probabilities are corrected.

        Source: Guo, Pleiss, Sun and Weinberger 2017 (temperature).
        """
        if not self.network.n_classes:
            return self.judged(scores, target, weights)
        return min(_log_loss(scores * share, target, weights) for share in _SHARPER)


def _log_loss(scores: Array, target: Array, weights: Array | None) -> float:
    sure = probabilities(scores)[np.arange(len(target)), target]
    return float(np.average(-np.log(np.maximum(sure, _SMALLEST)), weights=weights))


def mix(
    inputs: tuple[Array, ...], aims: Array, *, alpha: float, rng: np.random.Generator
) -> tuple[tuple[Array, ...], Array]:
    """Blend each row of a batch, and its truth, with another one (Zhang et al. 2018); inputs must be numbers."""
    share = np.float32(rng.beta(alpha, alpha))
    other = rng.permutation(len(aims))
    blended = tuple(share * one.astype(np.float32) + (1 - share) * one[other].astype(np.float32) for one in inputs)
    return blended, share * aims + (1 - share) * aims[other]


def probabilities(scores: Array) -> Array:
    """Turn scores (n_rows, n_classes) into probabilities in float64."""
    raised = np.asarray(scores, np.float64)
    raised = np.exp(raised - raised.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
