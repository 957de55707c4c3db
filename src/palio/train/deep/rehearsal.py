"""Try a network before it learns: whether it can learn at all, at what rate, and how long a step takes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from palio.core.errors import InputError
from palio.train.deep.calm import begin_chance
from palio.train.deep.descent import Descent
from palio.train.deep.losses import Goal
from palio.train.deep.order import Order, a_few
from palio.train.deep.plan import Material, Network, Plan, load, moving
from palio.train.examples import Array

MOST_STEPS = 60
FEW_ROWS = 16
TIMED_STEPS, TIMED_S = 5, 1.0
"""Steps that are timed: so many, or fewer, but two, where they take longer than this together."""
RANGE_STEPS = 40
HIGHER = (10.0, 100.0)
SLOWEST = 1e-6
"""A range of rates begins at this part of the rate of the plan, and ends at the rate itself."""


@dataclass(frozen=True)
class Rehearsal:
    """What was found out before the first step."""

    rate: float
    step_s: float
    """Seconds that a step takes; 0: nothing depends on it, and it was not measured."""
    notes: tuple[str, ...] = ()


def rehearse(network: Network, goal: Goal, material: Material, plan: Plan, order: Order, *, seed: int) -> Rehearsal:
    """Let a copy of the network learn a few rows by heart, and then time some steps; its weights stay as they were.

    Steps are timed where a budget decides how many of them there are.

    What is looked at is the loss in training mode: answers in evaluation mode follow later, where layers keep running
    means (batch normalisation).

    Raises:
        InputError: the network does not learn even a few rows, nor at a higher rate.
    """
    notes: tuple[str, ...] = ()
    rate = plan.rate
    if plan.must_fall:
        rows = a_few(goal.target, min(FEW_ROWS, max(2, plan.batch)), seed)
        inputs, aims, counts = goal.batch(material, rows, None)
        counts = np.where(counts > 0, counts, 1)
        batch = (inputs, aims, (counts / counts.mean()).astype(np.float32))
        losses = _by_heart(network, goal, plan, batch, rate, seed)
        if _has_diverged(losses):
            rate = _found_rate(network, goal, plan, batch, seed)
            notes = (f"the first steps led nowhere at a rate of {plan.rate:.2g}; {rate:.2g} was found to be better",)
            losses = _by_heart(network, goal, plan, batch, rate, seed)
        if not _has_learned(losses, plan, goal) and not _can_learn(network, goal, plan, batch, rate, seed):
            raise InputError(
                f"the network does not learn {len(rows)} rows by heart: their loss went from {losses[0]:.3g} to "
                f"{min(losses, key=_or_infinite):.3g} in {len(losses) - 1} steps at a rate of {rate:.2g}",
                hint="is any part of it free to learn, and is the rate right? must_fall = 0 leaves this check out",
            )
    if plan.budget_s is None:
        return Rehearsal(rate, 0.0, notes)
    return Rehearsal(rate, _step_s(network, goal, material, replace(plan, rate=rate), order), notes)


@contextmanager
def _a_copy(network: Network, goal: Goal, plan: Plan, seed: int) -> Iterator[Descent]:
    """Let a descent begin that is undone at the end."""
    descent = Descent(network, goal, plan)
    before = {name: one.clone() for name, one in moving(network.module).items()}
    begin_chance(seed, 11)
    try:
        yield descent
    finally:
        load(network.module, before)


def _can_learn(
    network: Network, goal: Goal, plan: Plan, batch: tuple[Any, Array, Array], rate: float, seed: int
) -> bool:
    """Tell whether a network learns at a higher rate than its own: what was taught before goes on slowly on purpose."""
    return any(_has_learned(_by_heart(network, goal, plan, batch, rate * k, seed), plan, goal) for k in HIGHER)


def _by_heart(
    network: Network, goal: Goal, plan: Plan, batch: tuple[Any, Array, Array], rate: float, seed: int
) -> list[float]:
    """Return the loss before the first step, and after each one, until it has fallen enough."""
    losses: list[float] = []
    with _a_copy(network, goal, plan, seed) as descent:
        for step in range(MOST_STEPS + 1):
            value, is_taken = descent.step(*batch, rate=rate * min(1.0, (step + 1) / 5))
            losses.append(value if is_taken else math.inf)
            if not is_taken or _has_learned(losses, plan, goal):
                break
    return losses


def _has_learned(losses: list[float], plan: Plan, goal: Goal) -> bool:
    if not all(map(math.isfinite, losses)):
        return False
    by_chance = goal.by_chance
    small = min(0.1 * by_chance, losses[0])
    recent = float(np.mean(losses[-3:]))
    if losses[0] <= 0.1 * by_chance:  # it knows them already
        return len(losses) > 3 and recent <= 2 * small + 1e-3
    return recent <= (1 - plan.must_fall) * losses[0] or recent <= small


def _has_diverged(losses: list[float]) -> bool:
    is_higher = len(losses) > MOST_STEPS and float(np.mean(losses[-5:])) > 2 * float(np.mean(losses[:3]))
    return not math.isfinite(losses[-1]) or is_higher


def _or_infinite(value: float) -> float:
    return value if math.isfinite(value) else math.inf


def _found_rate(network: Network, goal: Goal, plan: Plan, batch: tuple[Any, Array, Array], seed: int) -> float:
    """Raise the rate step by step; return a third of the one at which the loss was least.

    Source: Smith 2017 (learning rate range test).
    """
    rates = plan.rate * np.geomspace(SLOWEST, 1.0, RANGE_STEPS)
    losses: list[float] = []
    with _a_copy(network, goal, plan, seed) as descent:
        for rate in rates:
            value, is_taken = descent.step(*batch, rate=float(rate))
            if not is_taken or (losses and value > 4 * min(losses)):
                break
            losses.append(value)
    if len(losses) < 2:
        return float(rates[0])
    return float(rates[max(0, int(np.argmin(losses)) - 1)]) / 3


def _step_s(network: Network, goal: Goal, material: Material, plan: Plan, order: Order) -> float:
    """Return what a step takes, in seconds: the mean of a few, the first one of which does not count."""
    times: list[float] = []
    with _a_copy(network, goal, plan, order.seed) as descent:
        for place in range(TIMED_STEPS + 1):
            started = time.perf_counter()
            rows = order.rows(0, place % order.n_steps(0))
            descent.step(*goal.batch(material, rows, 0), rate=0.0)
            times.append(time.perf_counter() - started)
            if len(times) > 2 and sum(times[1:]) > TIMED_S:
                break
    return float(np.mean(times[1:]))
