"""Keep answers within what truths can be: a count is never below 0, a share never above 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from palio.train.family import value_outputs

if TYPE_CHECKING:
    from palio import model
    from palio.train.examples import Array, Examples, Feeds
    from palio.train.family import Fitted

FEWEST_ROWS = 50
"""Fewer truths do not tell what others can be."""
NEAR = 0.1
"""No truth is negative, and the smallest is at most this share of the middle one: then they end at 0."""
WHOLES = (1.0, 100.0)
"""Shares and percents end here, …"""
REACHED = 0.95
"""… if truths come as near to it as this share of it."""


class Bounds(NamedTuple):
    """Between what all truths lie; None: that is not known."""

    low: float | None = None
    high: float | None = None

    @property
    def told(self) -> str:
        """A sentence for people; empty if there are no bounds."""
        if self.low is None:
            return ""
        if self.high is None:
            return f"Answers are never below {self.low:g}, as no truth is."
        return f"Answers lie between {self.low:g} and {self.high:g}, as all truths do."


def bounds_of(target: Array) -> Bounds:
    """Say between what truths lie, by all that are known.

    Example:
        >>> counts, shares = np.arange(100) % 7, np.linspace(0, 1, 100)
        >>> bounds_of(counts), bounds_of(shares), bounds_of(shares - 0.5)
        (Bounds(low=0.0, high=None), Bounds(low=0.0, high=1.0), Bounds(low=None, high=None))
    """
    if len(target) < FEWEST_ROWS:
        return Bounds()
    smallest, middle, largest = (float(one) for one in np.quantile(target, [0.0, 0.5, 1.0]))
    if smallest < 0 or smallest > NEAR * middle:
        return Bounds()
    is_whole = bool((target == np.round(target)).all())
    for whole in WHOLES:
        if REACHED * whole <= largest <= whole and not (is_whole and whole == 1.0):
            return Bounds(0.0, whole)
    return Bounds(0.0)


@dataclass(frozen=True)
class _Bounded:
    """What has learned values, with its answers cut to what is possible."""

    fitted: Fitted
    bounds: Bounds

    def __getattr__(self, name: str) -> Any:
        return getattr(self.fitted, name)

    @property
    def n_parameters(self) -> int:
        """How many numbers were learned."""
        return self.fitted.n_parameters

    @property
    def curve(self) -> Array | None:
        """Loss on the watched rows after each round."""
        return self.fitted.curve

    @property
    def notes(self) -> tuple[str, ...]:
        """What the fit found out."""
        return (*getattr(self.fitted, "notes", ()), self.bounds.told)

    def at(self, rounds: int) -> _Bounded:
        """Return the model as it was after so many rounds."""
        return _Bounded(self.fitted.at(rounds), self.bounds)

    def reference(self, rows: Examples | Feeds) -> model.Outputs:
        """Return the library's own answer, cut."""
        said = np.asarray(self.fitted.reference(rows).prediction, np.float64)
        return value_outputs(np.clip(said, self.bounds.low, self.bounds.high))

    def emit(self, builder: model.GraphBuilder) -> str:
        """Add all nodes, and one that cuts."""
        ends = [builder.constant(end) for end in self.bounds if end is not None]
        return builder.node("Clip", self.fitted.emit(builder), *ends)


def bounded(fitted: Fitted, examples: Examples) -> Fitted:
    """Cut the answers of what learned values to what truths can be, by all `examples`; classes stay as they are."""
    bounds = bounds_of(examples.target) if examples.task.kind == "regression" else Bounds()
    return _Bounded(fitted, bounds) if bounds.told else fitted
