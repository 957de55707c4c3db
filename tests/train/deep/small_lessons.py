"""Small lessons that networks learn in a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from palio.train.deep.layers import layer
from palio.train.deep.plan import Network, Plan

PLAN = Plan(epochs=3, batch=16, rate=1e-2, keep_every=4, ema=0.9)


@dataclass
class Points:
    """Points in the plane, three classes around three middles; or any inputs."""

    values: Any
    target: Any
    weights: Any = None
    spoilt: tuple[int, ...] = ()
    """Calls of `learned` (from 0) that give no numbers."""
    calls: int = 0

    def learned(self, rows: Any, epoch: int) -> tuple[Any, ...]:
        noise = np.stack([np.random.default_rng((9, epoch, int(row))).standard_normal(2) for row in rows])
        found = (self.values[rows] + 0.1 * noise).astype(np.float32)
        if self.calls in self.spoilt:
            found[:] = np.nan
        self.calls += 1
        return (found,)

    def seen(self, rows: Any) -> tuple[Any, ...]:
        return (self.values[rows],)


def points(n_rows: int = 200, seed: int = 0) -> Points:
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 3, n_rows)
    middles = np.array([[0.0, 2.0], [2.0, -1.0], [-2.0, -1.0]])
    return Points((middles[target] + rng.standard_normal((n_rows, 2))).astype(np.float32), target)


def network(seed: int = 0, *, is_detached: bool = False, n_classes: int = 3) -> Network:
    import torch
    from torch import nn

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        body = nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1))
        head = nn.Linear(16, n_classes or 1)
    if is_detached:
        head.requires_grad_(False)
        return Network(layer(lambda own, values: own.head(own.body(values).detach()), body=body, head=head), n_classes)
    return Network(nn.Sequential(body, head), n_classes)


def bits(trained: Any) -> bytes:
    """All weights of all rounds."""
    rounds = [trained.kept[one] for one in sorted(trained.kept)]
    return b"".join(weights[name].numpy().tobytes() for weights in rounds for name in sorted(weights))
