"""Decide before the race how often each family may try, from the size of the data alone.

The number of trials is computed, not timed: a loaded machine and an idle one run the same trials and choose the same
model. A family estimates the seconds of a fit on the slow side, and the plan spends a quarter of the budget, so that it
ends well inside; the clock is only the hard stop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from palio.train.family import Family, Shape

PLANNED_SHARE = 0.25
"""Share of the budget that the estimates may add up to."""
FIRST_LAP_SHARE = 0.6
"""Share of the budget up to which every family gets its first trial."""
MAX_TRIALS = 30


@dataclass(frozen=True)
class Plan:
    """Who tries in which order."""

    families: tuple[Family, ...]
    schedule: tuple[int, ...]
    """Trial → index of its family."""
    seconds: float
    """Estimate of the whole, on the slow side."""
    left_out: tuple[str, ...] = ()
    """Families that the budget does not allow even once."""


def plan(families: Sequence[Family], shape: Shape, *, n_folds: int, budget_s: float) -> Plan:
    """Share the budget among the families.

    Every family tries once, unless it alone would break the budget; the first one always does. Then trials go where
    there is most to set for the time that it takes, up to thirty in all and five for each setting.

    Args:
        families: In the order in which they try.
        shape: The training rows.
        n_folds: Fits in a trial.
        budget_s: Seconds the search may take.
    """
    rows_a_fit = max(1, shape.n_rows * (n_folds - 1) // n_folds) if n_folds > 1 else shape.n_rows
    costs = [n_folds * family.seconds(shape.of(rows_a_fit)) for family in families]
    last = [family.seconds(shape) for family in families]  # a finalist is fitted once more
    schedule: list[int] = []
    spent = 0.0
    for index in range(len(families)):
        if index == 0 or spent + costs[index] + last[index] <= FIRST_LAP_SHARE * budget_s:
            schedule.append(index)
            spent += costs[index] + last[index]
    racing = list(schedule)
    while len(schedule) < MAX_TRIALS:
        open_to = [
            index
            for index in racing
            if schedule.count(index) < 1 + 4 * families[index].n_settings and families[index].n_settings
            if spent + costs[index] <= PLANNED_SHARE * budget_s
        ]
        if not open_to:
            break
        index = min(open_to, key=lambda i: (schedule.count(i) * costs[i] ** 0.5 / families[i].n_settings, i))
        schedule.append(index)
        spent += costs[index]
    left_out = tuple(family.name for index, family in enumerate(families) if index not in racing)
    return Plan(tuple(families), tuple(schedule), spent, left_out)
