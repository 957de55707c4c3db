"""Make layers of torch out of plain functions, so that no module of ours must import torch to be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def layer(forward: Callable[..., Any], **parts: Any) -> Any:
    """Return a layer that answers `forward(own, *inputs)`, where `own` holds the parts; `forward(*inputs)` without any.

    Args:
        forward: Computes the answer.
        parts: Layers; tensors, which stay as they are and are no part of what is learned; or anything else.

    Example:
        >>> import pytest; torch = pytest.importorskip("torch")
        >>> twice = layer(lambda own, values: own.inner(own.inner(values)), inner=torch.nn.ReLU())
        >>> float(twice(torch.tensor(-1.0)))
        0.0
    """
    import torch

    class Layer(torch.nn.Module):  # type: ignore[misc]  # torch is seen as Any
        def __init__(self) -> None:
            super().__init__()
            for name, part in parts.items():
                if isinstance(part, torch.Tensor):
                    self.register_buffer(name, part, persistent=False)
                else:
                    setattr(self, name, part)

        def forward(self, *inputs: Any) -> Any:
            return forward(self, *inputs) if parts else forward(*inputs)

    return Layer()


def normalised(mean: tuple[float, ...], std: tuple[float, ...]) -> Any:
    """Return a layer from uint8 (n, S, S, channels) to float (n, channels, S, S) around 0, channels last in memory."""
    import torch

    middle, spread = (torch.tensor(one, dtype=torch.float32) for one in (mean, std))
    return layer(
        lambda own, pixels: ((pixels.float() - own.mean) * own.scale).permute(0, 3, 1, 2),
        mean=middle,
        scale=1.0 / spread,
    )
