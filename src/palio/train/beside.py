"""Do in this process what need not wait for workers: the constant answer, a first model, and what follows a search."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from palio.core.errors import PalioError
from palio.train.engine.base import Engine
from palio.train.examples import Shape
from palio.train.family import Family
from palio.train.orders import Order, Outcome
from palio.train.race import N_ALWAYS, Step

MOST_S = 0.5
"""Nothing is fitted here that is expected to take longer."""
Chore = Callable[[], object]


@dataclass
class Beside:
    """What this process does while workers start, or learn.

    Example:
        >>> from palio.train.engine.inline import InlineEngine
        >>> Beside(InlineEngine(None, {})).has_chores
        False
    """

    hands: Engine
    """Carries out orders in this process."""
    soon: Mapping[str, Family] = field(default_factory=dict)
    """Families that may be fitted here: those that cannot crash the process, and end when they are expected to."""
    shape: Shape | None = None
    """Of the rows of a fold."""
    chores: list[Chore] = field(default_factory=list)
    """What is to be done at some time, e.g. to load what follows the search; no result depends on it."""

    def takes(self, step: Step) -> bool:
        """Tell whether a step is taken here: the constant answer, and the first family that learns, if it is soon done.

        On a busy machine workers take seconds to load their libraries. What comes of a fit is the same here and there.
        """
        if step.family == "dummy":
            return True
        family = self.soon.get(step.family)
        if family is None or self.shape is None or step.number >= N_ALWAYS:
            return False
        return family.seconds(self.shape, step.params) * len(step.folds) <= MOST_S

    def carry_out(self, order: Order) -> Outcome:
        """Do what an order says, now."""
        self.hands.submit(order)
        (outcome,) = self.hands.wait(0.0)
        return outcome

    @property
    def has_chores(self) -> bool:
        """Whether something is left to do while others work."""
        return bool(self.chores)

    def do_a_chore(self) -> None:
        """Do the next of what is to be done at some time; who needs what fails here will say so."""
        with contextlib.suppress(ImportError, OSError, PalioError):
            self.chores.pop(0)()
