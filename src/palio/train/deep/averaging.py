"""Keep a running mean of the weights: it is better than any of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from palio.train.deep.plan import Weights, load, moving


class Mean:
    """An exponential mean of the weights of a module, that forgets fast at first.

    Source: Polyak and Juditsky 1992; the ramp (1 + t) / (10 + t) is that of TensorFlow's ExponentialMovingAverage.
    """

    def __init__(self, module: Any, memory: float) -> None:
        self._module, self._memory = module, memory
        now = moving(module)
        self.weights: Weights = {name: one.clone() for name, one in now.items()} if memory else now
        """The mean; the weights themselves if nothing is remembered."""
        self._pairs = [(self.weights[name], one) for name, one in now.items()]

    def follow(self, step: int) -> None:
        """Move towards the weights after this step, the first being 0."""
        if not self._memory:
            return
        import torch

        share = 1 - min(self._memory, (1 + step) / (10 + step))
        floats = [(mine, now) for mine, now in self._pairs if mine.is_floating_point()]
        torch._foreach_lerp_([mine for mine, _ in floats], [now for _, now in floats], share)
        for mine, now in self._pairs:
            if not mine.is_floating_point():
                mine.copy_(now)

    def copy(self) -> Weights:
        """Return the mean as it is now."""
        return {name: one.clone() for name, one in self.weights.items()}

    @contextmanager
    def at_work(self) -> Iterator[Any]:
        """Let the module answer with the mean; then give it its own weights back."""
        if not self._memory:
            yield self._module
            return
        own = {name: one.clone() for name, one in moving(self._module).items()}
        load(self._module, self.weights)
        try:
            yield self._module
        finally:
            load(self._module, own)
