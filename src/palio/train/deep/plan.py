"""Say what a network learns from, how it is to be taught, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from palio.train.examples import Array

Device = Literal["cpu", "cuda"]
Weights = dict[str, Any]
"""Name → tensor: the parameters that learn, and the running numbers of their layers."""


class Material(Protocol):
    """Rows as a network takes them. Chance is fixed by (epoch, row), so that any batch can be made again."""

    @property
    def target(self) -> Array:
        """Shape (n_rows,): class index (int64), value (float64), or what is where in a picture (objects)."""

    @property
    def weights(self) -> Array | None:
        """What each row counts, shape (n_rows,), mean 1."""

    def learned(self, rows: Array, epoch: int) -> tuple[Array, ...]:
        """Return the inputs of some rows to learn from, changed at random."""

    def seen(self, rows: Array) -> tuple[Array, ...]:
        """Return the inputs of some rows as they are."""


@dataclass(frozen=True)
class Network:
    """A network that can learn.

    Its module maps the tensors of `Material` to scores, shape (n, n_scores). Parameters that do not ask for a gradient
    stay as they are; a layer that must not leave its evaluation mode sees to that itself.
    """

    module: Any
    n_classes: int
    """Scores of a row; 0: it has one, which is a value."""
    pace: Callable[[str], float] = lambda _: 1.0
    """Name of a parameter → by how much it learns faster or slower than the rate of the plan."""
    center: float = 0.0
    spread: float = 1.0
    """A value is `center + spread · score`."""
    goal: Callable[..., Any] | None = None
    """What its scores are held against, made as a `Goal` is; None: a `Goal`."""


@dataclass(frozen=True)
class Plan:
    """How a network is taught. The defaults suit a small one that starts from nothing."""

    epochs: int = 15
    steps: int = 0
    """Steps in all, where those of the epochs are too many; 0: no fewer."""
    batch: int = 64
    rate: float = 1e-2
    decay: float = 0.05
    """Of weights of more than one dimension, as AdamW takes it."""
    warm_up: float = 0.2
    """Share of the steps in which the rate rises; then it falls as a cosine to `end` times the rate."""
    end: float = 0.0
    clip: float = 5.0
    """Longest gradient."""
    ema: float = 0.99
    """How slowly the mean of the weights forgets; 0: the weights themselves are kept."""
    smoothing: float = 0.0
    mixup: float = 0.0
    """Parameter of the beta distribution by which two rows are mixed; 0: none are."""
    focus: float = 0.0
    """Exponent of the focal loss."""
    class_weights: tuple[float, ...] = ()
    balanced: float = 0.0
    """Share of the epochs, from the first on, that take as many rows of each class."""
    patience: int = 0
    """Epochs without a gain on the watched rows after which it ends; 0: never before the plan is done."""
    budget_s: float | None = None
    """Seconds that the steps may take: so many epochs are made of at most `epochs` as fit, by the measured pace."""
    must_fall: float = 0.3
    """Share of its loss that the network must lose on one batch before the first epoch; 0: it is not asked to."""
    most_kept: int = 0
    """Rounds whose weights are remembered, the last ones; 0: as many as memory allows."""
    keep_every: int = 50
    """Steps between two states that can be gone back to."""
    device: Device = "cpu"
    compiled: bool = False
    """Whether torch compiles the network, on a GPU only."""


@dataclass(frozen=True)
class Progress:
    """How far a fit is: for live curves."""

    epoch: int
    """Epochs that are done."""
    n_epochs: int
    step: int
    n_steps: int
    rate: float
    loss: float
    """Mean of the steps since the last word."""
    watched: float | None
    """Loss on the watched rows at the end of the last epoch."""
    score: float | None
    """What the metric says of them."""
    seconds: float
    eta_s: float
    """Seconds that are left, by the pace so far."""


Tell = Callable[[Progress], None]


@dataclass(frozen=True)
class Teaching:
    """What goes on beside a fit, and changes nothing of what it learns."""

    keep: Path | None = None
    """Folder where its state is kept, so that a fit that was killed goes on there."""
    tell: Tell | None = None
    is_brief: bool = False
    """It is a first short one: whether the network can learn by heart is not asked."""


QUIETLY = Teaching()


@dataclass(frozen=True)
class Trained:
    """A network that has learned, and its weights after each epoch that is remembered."""

    network: Network
    kept: Mapping[int, Weights] = field(repr=False)
    """Rounds → weights."""
    rounds: int
    """What `module` answers with."""
    curve: Array | None
    """Loss on the watched rows after each round."""
    corrected: Array | None
    """The same at the temperature that suits each round best: what rounds are chosen by."""
    learned: Array
    """Mean loss of the steps of each round."""
    scores: Array | None
    """What the metric says of the watched rows after each round."""
    n_epochs: int
    """Of the whole schedule; the last may be a part of one."""
    n_steps: int
    """Of the whole schedule."""
    epoch_s: float
    """Seconds of an epoch, with the look at the watched rows."""
    seconds: float
    was_cut: bool
    """Whether the deadline ended it."""
    notes: Sequence[str] = ()
    """What a person should know: a rate that was changed, steps that were taken back."""

    @property
    def module(self) -> Any:
        """Return the module with the weights of this round. All rounds share it: use it before asking for another."""
        load(self.network.module, self.kept[self.rounds])
        return self.network.module.eval()

    def at(self, rounds: int) -> Trained:
        """Return the network as it was after so many rounds, or after the nearest that is remembered."""
        nearest = min(self.kept, key=lambda one: (abs(one - rounds), one))
        return Trained(**{**vars(self), "rounds": nearest})

    @property
    def n_parameters(self) -> int:
        """How many numbers were learned."""
        return sum(one.numel() for one in self.network.module.parameters() if one.requires_grad)


def moving(module: Any) -> Weights:
    """Return the tensors that learning changes: parameters with a gradient, and running numbers of layers."""
    found = {name: one.detach() for name, one in module.named_parameters() if one.requires_grad}
    return found | {name: one for name, one in module.named_buffers() if _is_kept(module, name)}


def _is_kept(module: Any, name: str) -> bool:
    *path, last = name.split(".")
    owner = module.get_submodule(".".join(path))
    return last not in owner._non_persistent_buffers_set


def load(module: Any, weights: Weights) -> None:
    """Write weights into a module, in place."""
    import torch

    with torch.no_grad():
        for name, tensor in moving(module).items():
            tensor.copy_(weights[name])
