"""A small convolutional network for pictures of at most some 64 pixels, which starts from nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from palio.train.deep.augment import augmented
from palio.train.deep.layers import layer, normalised
from palio.train.examples import Array

Statistics = tuple[tuple[float, ...], tuple[float, ...]]
MIDDLING: Statistics = ((127.5,) * 3, (63.75,) * 3)
"""Mean and standard deviation of channels that nobody has looked at."""


@dataclass
class Pictures:
    """Pictures as they are fed: uint8 (n_rows, S, S, 3), RGB."""

    pixels: Any
    """An array, or what gives one when it is indexed by rows."""
    target: Array
    weights: Array | None = None
    strength: int = 1
    """How much they are changed, see `augment`."""
    seed: int = 0
    mirror: bool = True
    """Whether the mirror image of a picture is of the same class."""

    def learned(self, rows: Array, epoch: int) -> tuple[Array, ...]:
        """Return pictures that are changed at random."""
        pixels = np.asarray(self.pixels[rows])
        how: Any = {"strength": self.strength, "seed": self.seed, "mirror": self.mirror}
        return (augmented(pixels, rows, epoch=epoch, **how),)

    def seen(self, rows: Array) -> tuple[Array, ...]:
        """Return pictures as they are."""
        return (np.asarray(self.pixels[rows]),)


def small_network(
    n_scores: int, *, width: int = 32, dropout: float = 0.2, seed: int = 0, statistics: Statistics | None = None
) -> Any:
    """Build the network: three halvings, a residual block at two of the sizes, the greatest answer of each channel.

    It takes uint8 (n, S, S, 3) and normalises by itself; channels lie last in memory, which a CPU likes.

    Source: after Page 2018 (How to train your ResNet), with ReLU and a quarter of its width.
    """
    import torch
    from torch import nn

    def step(before: int, after: int) -> Any:
        convolution = nn.Conv2d(before, after, 3, padding=1, bias=False)
        return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU())

    def residual(channels: int) -> Any:
        first, second = step(channels, channels), step(channels, channels)
        return layer(lambda own, values: values + own.second(own.first(values)), first=first, second=second)

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = nn.Sequential(
            normalised(*(statistics or MIDDLING)),
            *(step(3, width), nn.MaxPool2d(2), step(width, 2 * width), residual(2 * width), nn.MaxPool2d(2)),
            *(step(2 * width, 4 * width), residual(4 * width), nn.MaxPool2d(2), step(4 * width, 8 * width)),
            layer(lambda values: values.amax(dim=(2, 3))),
            nn.Dropout(dropout),
            nn.Linear(8 * width, n_scores),
        )
    return network.to(memory_format=torch.channels_last)


def statistics_of(pixels: Any, *, most: int = 2_000) -> Statistics:
    """Return mean and standard deviation of each channel of uint8 pictures, over at most so many of them."""
    some = pixels[np.linspace(0, len(pixels) - 1, min(most, len(pixels))).astype(np.int64)]
    values = np.asarray(some).reshape(-1, some.shape[-1]).astype(np.float64)
    return tuple(map(float, values.mean(axis=0))), tuple(map(float, np.maximum(values.std(axis=0), 1.0)))
