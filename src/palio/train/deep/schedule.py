"""Fit the steps of a fit into its time, set the rate of each, and say when it will be done."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from palio.train.examples import Array

SAFE = 0.95
"""Share of the time that is planned with."""


def rate_at(step: int, n_steps: int, *, warm_up: float, end: float) -> float:
    """Return what part of the full rate a step learns with: a rise, then a cosine down to `end`.

    Example:
        >>> [round(rate_at(step, 10, warm_up=0.2, end=0.0), 2) for step in (0, 1, 2, 6, 9)]
        [0.5, 1.0, 1.0, 0.5, 0.04]

    Source: Loshchilov and Hutter 2017 (cosine); Goyal et al. 2017 (warm-up).
    """
    n_rising = round(warm_up * n_steps)
    if step < n_rising:
        return (step + 1) / n_rising
    share = (step - n_rising) / max(1, n_steps - n_rising)
    return end + (1 - end) * 0.5 * (1 + math.cos(math.pi * share))


def steps_that_fit(n_epoch: Array, *, step_s: float, epoch_s: float, budget_s: float | None, most: int = 0) -> int:
    """Return how many steps of a plan fit into its time: whole epochs if one does, else a part of the first.

    Args:
        n_epoch: Steps of each epoch of the plan.
        step_s: Seconds that a step takes.
        epoch_s: Seconds that each epoch takes beside its steps.
        budget_s: Seconds that there are; None: as many as it takes.
        most: Steps in all, at most; 0: those of all epochs.

    Example:
        >>> steps_that_fit(np.array([10, 10, 10]), step_s=1.0, epoch_s=2.0, budget_s=30.0)
        20
    """
    n_all = min(int(n_epoch.sum()), most or int(n_epoch.sum()))
    if budget_s is None:
        return n_all
    ends = np.cumsum(n_epoch * step_s + epoch_s)
    n_whole = int(np.searchsorted(ends, SAFE * budget_s, side="right"))
    if n_whole:
        return min(n_all, int(n_epoch[:n_whole].sum()))
    return min(n_all, int(np.clip((SAFE * budget_s - epoch_s) // step_s, 1, n_epoch[0])))


@dataclass
class Pace:
    """What steps and looks at the watched rows have taken so far."""

    step_s: float
    """Seconds of one step, as first measured; 0: the second step will tell, for the first makes ready what all need."""
    look_s: float = 0.0
    n_steps: int = 0
    steps_s: float = 0.0
    looks: int = 0
    looks_s: float = 0.0

    def stepped(self, seconds: float) -> None:
        """Take note of one step."""
        self.n_steps += 1
        self.steps_s += seconds
        if not self.step_s and self.n_steps > 1:
            self.step_s = seconds

    def looked(self, seconds: float) -> None:
        """Take note of one look at the watched rows."""
        self.looks += 1
        self.looks_s += seconds

    def left(self, n_steps: int, n_looks: int) -> float:
        """Return the seconds that so many steps and looks will take; the first measure counts as five steps."""
        first_s = self.step_s or self.steps_s / max(1, self.n_steps)
        step_s = (self.steps_s + 5 * first_s) / (self.n_steps + 5)
        look_s = (self.looks_s + self.look_s) / (self.looks + 1)
        return n_steps * step_s + n_looks * look_s
