"""Build a light detector: maps of a backbone at three sizes, mixed up and down, and at every place of each a box.

There are no anchors and no score of being an object: a place says how far the four sides are, and how sure it is of
each class.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from palio.core.errors import InputError
from palio.train.deep.backbones import Backbone
from palio.train.deep.layers import layer, normalised
from palio.train.examples import Array

STRIDES = (8, 16, 32)
"""Pixels between two places of each map."""
STEP = STRIDES[-1]
"""Sides of pictures are multiples of it."""
SURE = 0.01
"""How sure an untaught network is of each class (Lin et al. 2017, section 4.1)."""
FEW_STEPS = 300
"""Runs of fewer steps let running means follow faster."""


@dataclass(frozen=True)
class Trunk:
    """What a detector looks through: frozen blocks, blocks that learn on, and where maps are tapped."""

    blocks: tuple[Any, ...]
    taps: tuple[int, ...]
    """Block after which the map of each stride is taken."""
    channels: tuple[int, ...]

    @property
    def n_frozen(self) -> int:
        """How many blocks may stay frozen, so that one tensor goes from them to the others."""
        return self.taps[0] + 1


def trunk_of(backbone: Backbone) -> Trunk:
    """Find where the blocks of a backbone give maps of the three strides.

    Raises:
        InputError: it gives none: it cannot be taken apart, or works on pieces of one size.
    """
    import torch

    size = 2 * STEP
    values = torch.zeros(1, 3, size, size)
    found: dict[int, tuple[int, int]] = {}
    with torch.inference_mode():
        try:
            for place, block in enumerate(backbone.blocks):
                values = block(values)
                if values.ndim == 4 and values.shape[2] and size % values.shape[2] == 0:
                    found[size // values.shape[2]] = (place, int(values.shape[1]))
        except (RuntimeError, ValueError):  # of pieces whose size is fixed
            found = {}
    if not set(STRIDES) <= set(found):
        raise InputError(
            f"backbone `{backbone.label}`: it gives no maps at 1/{STRIDES[0]} to 1/{STRIDES[-1]} of the size",
            hint="name a convolutional network, e.g. a MobileNet, ResNet, ConvNeXt or EfficientNet",
        )
    taps, channels = zip(*(found[stride] for stride in STRIDES), strict=True)
    return Trunk(tuple(backbone.blocks[: taps[-1] + 1]), taps, channels)


def small_trunk(*, width: int = 24, seed: int = 0, statistics: Any = None) -> Trunk:
    """Build a trunk that starts from nothing: five halvings, each followed by a residual step."""
    import torch
    from torch import nn

    def halved(before: int, after: int) -> Any:
        convolution = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
        return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU(), _residual(after))

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        mean, std = statistics or ((127.5,) * 3, (63.75,) * 3)
        stem = nn.Conv2d(3, width // 2, 3, stride=2, padding=1, bias=False)
        sizes = [width, 2 * width, 4 * width, 6 * width]
        first = nn.Sequential(normalised(mean, std), stem, nn.BatchNorm2d(width // 2), nn.ReLU())
        blocks = [first, halved(width // 2, sizes[0])]
        blocks += [halved(before, after) for before, after in pairwise(sizes)]
    return Trunk(tuple(blocks), (2, 3, 4), tuple(sizes[1:]))


def _residual(channels: int) -> Any:
    inner = _separable(channels, channels)
    return layer(lambda own, values: values + own.inner(values), inner=inner)


def _separable(before: int, after: int, *, stride: int = 1) -> Any:
    """Return a convolution of each channel alone, then of all channels at each place."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(before, before, 3, stride=stride, padding=1, groups=before, bias=False),
        nn.BatchNorm2d(before, momentum=0.03),
        nn.Conv2d(before, after, 1, bias=False),
        nn.BatchNorm2d(after, momentum=0.03),
        nn.ReLU(),
    )


def detector(
    trunk: Trunk, n_classes: int, *, n_frozen: int, channels: int = 96, momentum: float = 0.03, seed: int = 0
) -> Any:
    """Build the network: from pixels, or from what the frozen blocks see, to (n, n_places, 4 + n_classes).

    The first four numbers of a place are the corners of its box in pixels of the fitted picture; the others are scores
    of the classes before the logistic function. Blocks of the trunk are copied.

    Args:
        trunk: From `trunk_of` or `small_trunk`.
        n_classes: Classes to tell apart.
        n_frozen: Blocks that are left out, since what they see is the input; 0 or `trunk.n_frozen`.
        channels: Of the maps that are mixed.
        momentum: How fast running means follow.
        seed: Fixes the first weights.

    Source: Lin et al. 2017 (feature pyramids); Liu et al. 2018 (and back down); Tian et al. 2019 (FCOS); Sandler et al.
    2018 (MobileNetV2).
    """
    import torch
    from torch import nn

    def point(before: int) -> Any:
        return nn.Sequential(nn.Conv2d(before, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU())

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        blocks = nn.ModuleList(copy.deepcopy(one).requires_grad_(True) for one in trunk.blocks[n_frozen:])
        last = [nn.Conv2d(channels, 4 + n_classes, 1) for _ in STRIDES]
        for one in last:
            nn.init.normal_(one.weight, std=0.01)
            with torch.no_grad():
                one.bias[:4].fill_(1.0)
                one.bias[4:].fill_(-math.log(1 / SURE - 1))
        network = layer(
            _boxes,
            blocks=blocks,
            taps=tuple(tap - n_frozen for tap in trunk.taps),
            lateral=nn.ModuleList(point(before) for before in trunk.channels),
            up=nn.ModuleList(_separable(channels, channels) for _ in STRIDES[1:]),
            down=nn.ModuleList(_separable(channels, channels, stride=2) for _ in STRIDES[1:]),
            mixed=nn.ModuleList(_separable(channels, channels) for _ in STRIDES[1:]),
            tower=nn.ModuleList(_separable(channels, channels) for _ in STRIDES),
            last=nn.ModuleList(last),
        )
    for one in network.modules():
        if isinstance(one, nn.BatchNorm2d):
            one.momentum = momentum
    return network.to(memory_format=torch.channels_last)


def _boxes(own: Any, values: Any) -> Any:
    import torch
    from torch.nn import functional

    maps = [values] if own.taps[0] < 0 else []
    for place, block in enumerate(own.blocks):
        values = block(values)
        if place in own.taps:
            maps.append(values)
    maps = [one(values) for one, values in zip(own.lateral, maps, strict=True)]
    for at in (1, 0):  # what is coarse tells what is fine what it is a part of
        wider = functional.interpolate(maps[at + 1], scale_factor=2.0, mode="nearest")
        maps[at] = own.up[at](maps[at] + wider)
    for at in (1, 2):  # and back
        maps[at] = own.mixed[at - 1](maps[at] + own.down[at - 1](maps[at - 1]))
    found = []
    for stride, tower, last, values in zip(STRIDES, own.tower, own.last, maps, strict=True):
        said = last(tower(values)).permute(0, 2, 3, 1)
        high, wide = said.shape[1], said.shape[2]
        across = (torch.arange(wide, device=said.device) + 0.5).reshape(1, 1, wide, 1) * stride
        below = (torch.arange(high, device=said.device) + 0.5).reshape(1, high, 1, 1) * stride
        reach = torch.exp(said[..., :4].clamp(max=6.0)) * stride
        corners = (across - reach[..., 0:1], below - reach[..., 1:2], across + reach[..., 2:3], below + reach[..., 3:4])
        found.append(torch.cat([*corners, said[..., 4:]], dim=-1).flatten(1, 2))
    return torch.cat(found, dim=1)


def places_of(size: int, *, strides: Sequence[int] = STRIDES) -> Array:
    """Return the middle of each place of a square picture, float32 (n_places, 2): across, down.

    Example:
        >>> places_of(32, strides=(16,)).tolist()
        [[8.0, 8.0], [24.0, 8.0], [8.0, 24.0], [24.0, 24.0]]
    """
    found = []
    for stride in strides:
        along = (np.arange(size // stride, dtype=np.float32) + 0.5) * stride
        found.append(np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2))
    return np.concatenate(found)


def size_of(n_places: int) -> int:
    """Return the side of the square picture that has so many places.

    Example:
        >>> size_of(len(places_of(320)))
        320
    """
    return round(math.sqrt(n_places / sum(1 / stride**2 for stride in STRIDES)))
