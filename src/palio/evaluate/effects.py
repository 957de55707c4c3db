"""Whether something that one class mostly carries moves the answers, once it is put to rows of the others."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np

from palio.evaluate.answers import Array

N_TARGETS = 60
FEWEST_TARGETS = 12
"""Rows of other classes that a cue is put to; with fewer nothing is said."""
LEAST_PUSH = 0.05
"""Of the probability of the class, on average: less is no matter for concern."""
RISK = 0.01
"""Of a false alarm over all that was tried."""
N_EXAMPLES = 4


class Timed(Protocol):
    """What is asked until a moment on `time.monotonic`; a dataclass."""

    @property
    def deadline(self) -> float | None:
        """When it is over; None: never."""

    @property
    def is_over(self) -> bool:
        """Tell whether the time is over."""


class Judged(Protocol):
    """A cue that was tried."""

    @property
    def moves(self) -> bool:
        """Tell whether it moves the answer."""

    @property
    def push(self) -> float:
        """Tell by how much, beyond the control."""


C = TypeVar("C")
A = TypeVar("A", bound=Timed)
J = TypeVar("J", bound=Judged)


@dataclass(frozen=True)
class Effect:
    """What a cue does to the answers, beyond a control."""

    push: float
    """By how much the probability of the class rises, on average."""
    p_value: float
    """One-sided, after correction for all that was tried."""
    moves: bool
    """Whether it moves the answer, beyond chance and by more than a trifle."""


def effect(after: Array, control: Array, *, said: Array, said_control: Array, n_tries: int) -> Effect:
    """Compare rows that a cue was put to with the same rows and something else in its stead.

    Args:
        after: Probability of the class with the cue, shape (n,).
        control: The same with something else.
        said: Whether the class is answered then, shape (n,).
        said_control: The same with something else.
        n_tries: Cues that are tried in all.
    """
    push = float((after - control).mean())
    p_value = min(1.0, n_tries * one_sided(logit(after) - logit(control)))
    return Effect(push, p_value, push >= LEAST_PUSH and p_value <= RISK and bool(said.sum() > said_control.sum()))


def all_tried(candidates: Iterable[C], asked: Timed, try_one: Callable[[C], J | None]) -> tuple[J, ...]:
    """Try each candidate while there is time; those that move the answer come first, the strongest before others."""
    found = []
    for candidate in candidates:
        if asked.is_over:
            break
        cue = try_one(candidate)
        if cue is not None:
            found.append(cue)
    return in_order(found)


def in_order(cues: Iterable[J]) -> tuple[J, ...]:
    """Return those that move the answer first, the strongest before others."""
    return tuple(sorted(cues, key=lambda cue: (not cue.moves, -cue.push)))


def within(asked: A, share: float) -> A:
    """Give a share of the time that is left."""
    if asked.deadline is None:
        return asked
    now = time.monotonic()
    own: Any = asked
    return replace(own, deadline=now + share * max(0.0, asked.deadline - now))  # type: ignore[no-any-return]


def logit(p: Array) -> Array:
    """Return log odds, kept finite."""
    clipped = np.clip(p, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(clipped / (1 - clipped)))


def one_sided(differences: Array) -> float:
    """Return the chance of a mean at least so large if there were no difference (normal approximation)."""
    error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
    mean = float(differences.mean())
    if error <= 0:
        return 0.0 if mean > 0 else 1.0
    return 0.5 * math.erfc(mean / error / math.sqrt(2))
