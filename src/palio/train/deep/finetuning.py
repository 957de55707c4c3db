"""Go on teaching the last blocks of a backbone; what stays frozen runs in ONNX Runtime, in training as in service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from palio import model
from palio.train.deep.backbones import Backbone
from palio.train.deep.exporting import SCORES
from palio.train.deep.features import PIXELS, LinearHead, frozen_graph
from palio.train.deep.layers import layer, normalised
from palio.train.deep.pictures import Pictures
from palio.train.deep.plan import Network
from palio.train.examples import Array
from palio.train.family import n_threads

FADE = 0.9
"""Each block learns so much slower than the next."""


@dataclass
class Stemmed:
    """Pictures as the first blocks of a backbone see them; computed for each batch, since each is changed anew."""

    pictures: Pictures
    front: model.Graph

    @property
    def target(self) -> Array:
        """The truth."""
        return self.pictures.target

    @property
    def weights(self) -> Array | None:
        """What each row counts."""
        return self.pictures.weights

    def learned(self, rows: Array, epoch: int) -> tuple[Array, ...]:
        """Return changed pictures as the frozen blocks see them."""
        return (self._through(self.pictures.learned(rows, epoch)[0]),)

    def seen(self, rows: Array) -> tuple[Array, ...]:
        """Return pictures as the frozen blocks see them."""
        return (self._through(self.pictures.seen(rows)[0]),)

    def _through(self, pixels: Array) -> Array:
        return self.front.run({PIXELS: pixels})[SCORES]


@dataclass(frozen=True)
class Finetuning:
    """A backbone in two, with a linear head: the front is frozen, the rest learns."""

    backbone: Backbone
    freeze: int
    """How many blocks stay as they are."""
    front: bytes
    """Graph of the frozen blocks; empty if all learn."""
    network: Network

    def material(self, pictures: Pictures) -> Stemmed | Pictures:
        """Return pictures as the network takes them."""
        return Stemmed(pictures, model.Graph(self.front, threads=n_threads())) if self.front else pictures

    def inputs(self, pixels: Array) -> Array:
        """Return what the rest takes for pictures, uint8 (n, S, S, 3)."""
        return model.Graph(self.front).run({PIXELS: pixels})[SCORES] if self.front else pixels

    def rest(self) -> Any:
        """Return what learns: from the front's answers to scores."""
        return self.network.module


def finetuning(
    backbone: Backbone, n_classes: int, *, freeze: int, head: LinearHead | None = None, front: bytes | None = None
) -> Finetuning:
    """Take a backbone apart after `freeze` blocks, and put a head on it that starts from a fitted one.

    The weights of the backbone are copied: it can be used again.

    Args:
        backbone: The network.
        n_classes: Scores of a row.
        freeze: Blocks that stay as they are, from none to all.
        head: Where the linear layer starts; None: at zero.
        front: The graph of the frozen blocks, if it is there already.
    """
    import copy

    import torch

    freeze = max(0, min(freeze, len(backbone.blocks)))
    n = max(1, n_classes)
    last = torch.nn.Linear(backbone.n_features, n)
    with torch.no_grad():
        last.weight.copy_(torch.zeros(n, backbone.n_features) if head is None else torch.from_numpy(head.weights))
        last.bias.copy_(torch.zeros(n) if head is None else torch.from_numpy(np.maximum(head.intercepts, -30.0)))
    blocks = torch.nn.ModuleList(copy.deepcopy(one).requires_grad_(True) for one in backbone.blocks[freeze:])
    start = layer(_channels_last) if freeze else normalised(backbone.mean, backbone.std)
    rest = layer(_through, start=start, blocks=blocks, head=last).to(memory_format=torch.channels_last)
    n_learning = len(blocks)

    def pace(name: str) -> float:
        part, _, inner = name.partition(".")
        return FADE ** (n_learning - 1 - int(inner.split(".")[0])) if part == "blocks" else 1.0

    if front is None:
        front = frozen_graph(backbone, n_blocks=freeze) if freeze else b""
    return Finetuning(backbone, freeze, front, Network(rest, n_classes, pace=pace))


def _channels_last(values: Any) -> Any:
    import torch

    return values.contiguous(memory_format=torch.channels_last) if values.ndim == 4 else values


def _through(own: Any, values: Any) -> Any:
    values = own.start(values)
    for block in own.blocks:
        values = block(values)
    return own.head(values)
