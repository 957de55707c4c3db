"""Compute several small networks at once, forward and backward, and move their weights."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from palio.train.examples import Array

Weights = dict[str, Array]
MOMENTUM, MEMORY, TINY = 0.9, 0.95, 1e-8
"""How much of the mean is in the point where gradients are taken; how slowly their squares are forgotten."""


@dataclass(frozen=True)
class Layout:
    """The sizes of `members` networks that share nothing but their rows.

    Source: Holzmüller, Grinsztajn and Steinwart 2024 (RealMLP: bent inputs, scaled first, waves beside the number);
    Gorishniy, Rubachev and Babenko 2022 (embeddings of numbers); Lakshminarayanan et al. 2017 (members).
    """

    members: int
    n_inputs: int
    n_numbers: int
    """The first inputs are numbers, which waves are made of, the others are marks."""
    waves: int
    """Waves of each number; 0: it enters as it is."""
    embedded: int
    """What the waves of a number are summed up to."""
    widths: tuple[int, ...]
    n_scores: int

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each weight; the first dimension is the member."""
        k, numbers = self.members, self.n_numbers if self.waves else 0
        shapes: dict[str, tuple[int, ...]] = {}
        if numbers:
            shapes |= {"frequency": (k, numbers, 1, self.waves), "phase": (k, numbers, 1, self.waves)}
            shapes |= {"embed": (k, numbers, self.waves, self.embedded), "embed_bias": (k, numbers, 1, self.embedded)}
        sizes = (self.n_inputs + numbers * self.embedded, *self.widths, self.n_scores)
        shapes["scale"] = (k, 1, sizes[0])
        for layer, (before, after) in enumerate(pairwise(sizes)):
            shapes |= {f"weight{layer}": (k, before, after), f"bias{layer}": (k, 1, after)}
        return shapes

    @property
    def n_weights(self) -> int:
        """How many numbers are learned."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    def views(self, flat: Array) -> Weights:
        """Return the weights that lie one after the other in `flat`, shape (n_weights,)."""
        found: Weights = {}
        start = 0
        for name, shape in self.shapes.items():
            stop = start + int(np.prod(shape))
            found[name] = flat[start:stop].reshape(shape)
            start = stop
        return found

    def start(self, rng: np.random.Generator, scores: Array) -> Array:
        """Draw weights, float32, that answer about `scores` for every row."""
        flat = np.zeros(self.n_weights, dtype=np.float32)
        for name, weight in self.views(flat).items():
            last = name.endswith(str(len(self.widths)))
            if name == "scale":
                weight[...] = 1.0
            elif name == "phase":
                weight[...] = rng.uniform(-np.pi, np.pi, weight.shape)
            elif name == "embed_bias":
                weight[...] = 0.0
            elif name.startswith("bias"):
                weight[...] = scores if last else 0.3 * rng.standard_normal(weight.shape)
            else:
                spread = {"frequency": 0.2 * np.pi, "embed": max(1, self.waves) ** -0.5}.get(name)
                if spread is None:
                    spread = (0.1 if last else 2.0**0.5) * weight.shape[1] ** -0.5
                weight[...] = spread * rng.standard_normal(weight.shape)
        return flat

    def paces(self) -> tuple[Array, Array]:
        """Return how fast each weight learns, and how much of it decays, relative to the others."""
        rates, decays = np.ones(self.n_weights, dtype=np.float32), np.zeros(self.n_weights, dtype=np.float32)
        slow = {"scale": 6.0, "frequency": 0.1, "phase": 0.1}
        for name, rate in self.views(rates).items():
            rate[...] = slow.get(name, 1.0)
        for name, decay in self.views(decays).items():
            decay[...] = 1.0 if name.startswith("weight") else 0.0
        return rates, decays


def forward(layout: Layout, weights: Weights, rows: Array, drop: Drop | None = None) -> tuple[Array, dict[str, Any]]:
    """Return scores, shape (members, n_rows, n_scores), and what `backward` needs.

    Args:
        layout: The sizes.
        weights: See `Layout.shapes`.
        rows: Bent inputs, shape (members, n_rows, n_inputs), or with 1 in place of members.
        drop: Forgets some units at random while learning.
    """
    kept: dict[str, Any] = {}
    values = rows
    if "frequency" in weights:
        numbers = rows[..., : layout.n_numbers].transpose(0, 2, 1)[..., None]
        angles = numbers * weights["frequency"] + weights["phase"]
        waves = np.cos(angles)
        summed = (waves @ weights["embed"] + weights["embed_bias"]).transpose(0, 2, 1, 3)
        members, n_rows = summed.shape[:2]
        whole = np.broadcast_to(rows, (members, *rows.shape[1:]))
        values = np.concatenate([whole, summed.reshape(members, n_rows, -1)], axis=-1)
        kept |= {"numbers": numbers, "angles": angles, "waves": waves}
    kept["inputs"] = values
    values = values * weights["scale"]
    for layer in range(len(layout.widths)):
        kept[f"values{layer}"] = values
        before = values @ weights[f"weight{layer}"] + weights[f"bias{layer}"]
        gate = 0.5 + 0.5 * np.tanh(0.5 * before)
        values = before * gate  # SiLU
        if drop is not None:
            kept[f"slope{layer}"] = gate * (1 + before - values)
            if drop.share > 0:
                kept[f"mask{layer}"] = mask = drop.mask(values.shape)
                values = values * mask
    last = len(layout.widths)
    kept[f"values{last}"] = values
    return values @ weights[f"weight{last}"] + weights[f"bias{last}"], kept


def backward(layout: Layout, weights: Weights, gap: Array, kept: dict[str, Any], into: Weights) -> None:
    """Write the gradient of each weight `into` its place, from that of the scores."""
    for layer in range(len(layout.widths), -1, -1):
        into[f"weight{layer}"][...] = kept[f"values{layer}"].transpose(0, 2, 1) @ gap
        into[f"bias{layer}"][...] = gap.sum(axis=1, keepdims=True)
        gap = gap @ weights[f"weight{layer}"].transpose(0, 2, 1)
        if layer:
            if f"mask{layer - 1}" in kept:
                gap = gap * kept[f"mask{layer - 1}"]
            gap = gap * kept[f"slope{layer - 1}"]
    into["scale"][...] = (gap * kept["inputs"]).sum(axis=1, keepdims=True)
    if "frequency" in weights:
        gap = (gap * weights["scale"])[..., layout.n_inputs :]
        gap = gap.reshape(*gap.shape[:2], layout.n_numbers, layout.embedded).transpose(0, 2, 1, 3)
        into["embed"][...] = kept["waves"].transpose(0, 1, 3, 2) @ gap
        into["embed_bias"][...] = gap.sum(axis=2, keepdims=True)
        turn = -(gap @ weights["embed"].transpose(0, 1, 3, 2)) * np.sin(kept["angles"])
        into["phase"][...] = turn.sum(axis=2, keepdims=True)
        into["frequency"][...] = kept["numbers"].transpose(0, 1, 3, 2) @ turn


@dataclass
class Drop:
    """Forget a share of the units of a layer, others in each row (Srivastava et al. 2014)."""

    share: float
    rng: np.random.Generator

    def mask(self, shape: tuple[int, ...]) -> Array:
        """Return 0 for what is forgotten, and a bit more than 1 for the rest."""
        stays = self.rng.integers(0, 256, shape, dtype=np.uint8) >= round(256 * self.share)
        return stays * np.float32(1 / (1 - round(256 * self.share) / 256))


class Descent:
    """Move weights downhill; what is worth having at any moment is their mean so far.

    There is no schedule that would have to know the end: after any number of steps the mean is as good as what a
    schedule of that length gives, so that a fit can be cut, and a model goes back to any of its rounds.

    Source: Defazio et al. 2024 (schedule-free AdamW).
    """

    def __init__(self, layout: Layout, start: Array, *, rate: float, decay: float, warm_up: int) -> None:
        self._rates, decays = layout.paces()
        self._decays = np.float32(decay) * decays
        self._rate, self._warm_up = rate, warm_up
        self._front, self.mean, self.point = start.copy(), start.copy(), start.copy()
        self._squares = np.zeros_like(start)
        self._steps, self._total = 0, 0.0

    def step(self, gradient: Array) -> None:
        """Take one step; `point` then is where the next gradient is to be taken."""
        self._steps += 1
        share = min(1.0, self._steps / self._warm_up)
        self._squares *= np.float32(MEMORY)
        self._squares += np.float32(1 - MEMORY) * gradient * gradient
        size = np.sqrt(self._squares * np.float32(1 / (1 - MEMORY**self._steps)))
        move = gradient / (size + np.float32(TINY))
        move += self._decays * self.point
        self._front -= np.float32(self._rate * share) * self._rates * move
        self._total += share * share
        self.mean += np.float32(share * share / self._total) * (self._front - self.mean)
        np.multiply(self.mean, np.float32(MOMENTUM), out=self.point)
        self.point += np.float32(1 - MOMENTUM) * self._front
