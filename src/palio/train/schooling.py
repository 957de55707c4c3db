"""Say how long networks may learn in a search, with how many threads, and where their state is kept."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from palio.core import ids
from palio.train import trial
from palio.train.clock import SHORTEST_S, Clock, answer_ms
from palio.train.engine.base import Engine
from palio.train.race import Candidate, Step
from palio.train.terms import Terms

if TYPE_CHECKING:
    from palio.store import Store

HEAT_SHARE = 0.06
"""Share of the budget that a heat may take, beside what is computed once for all."""
HEAT_GRACE = 0.4
"""Share of the budget after which a heat is ended from outside, with what is computed once for all."""
ENOUGH = 0.9
"""Share of the usual number of epochs that there must be time for, where another network was trained before."""
A_THREAD = 0.75
"""What each further thread adds to the pace of one, on a quiet machine."""
AFTER_S, AFTER_MARGIN = 6.0, 1.3
"""Seconds that a network takes beside its training, where no heat measured it; and how much longer they may be."""
UNKNOWN_SHARE = 3.0
"""Of what is left, at most a third is kept for what nobody has measured: where no heat came to its end on a busy
machine, a network is trained all the same."""


@dataclass
class Schooling:
    """How networks learn in one search."""

    store: Store
    terms: Terms
    engine: Engine
    budget_s: float

    def threads(self, step: Step) -> int:
        """Return the threads of a step: a long training has the machine for itself, and a heat where nobody else is."""
        if step.planned is not None:
            return step.planned.threads
        return self.engine.threads * self.engine.n_workers if step.kind == "long" or step.is_alone else 1

    def keep(self, step: Step) -> str:
        """Return the folder where the state of a long training is kept; empty: nowhere."""
        if step.kind == "heat":
            return ""
        return kept_at(self.store, trial.trial_id(self.terms, step, budget_s=self.budget_s))

    def forget(self, step: Step) -> None:
        """Take away what was kept: what came of the step is safe."""
        forget(self.keep(step))

    def limit_s(self, step: Step, clock: Clock, candidates: Mapping[int, Candidate]) -> float | None:
        """Return the seconds that a heat or a long training may take; None if they are too few.

        The long training gets all that is left but what packing takes. Where its usual number of epochs would leave
        time for as many on all rows, it leaves that time; networks after it must leave what the best one so far needs.
        """
        left = clock.end - clock.besides_s(candidates) - time.monotonic()
        heat = next((one for one in candidates.values() if one.family == step.family and one.course), None)
        if heat is not None:
            left += min(0.0, clock.end_for(answer_ms(heat)) - clock.end)
        if step.kind == "heat":
            limit = max(SHORTEST_S * clock.slowness, HEAT_SHARE * (clock.ends - clock.started))
            return limit if left > 2 * limit else None
        was_slow = any(one.was_ended for one in candidates.values() if one.family == step.family)
        unknown = left / UNKNOWN_SHARE / AFTER_MARGIN if was_slow else AFTER_S * clock.slowness
        after = min(unknown, left / UNKNOWN_SHARE) if heat is None else heat.besides_s
        free = left - AFTER_MARGIN * after
        if heat is None or heat.course is None:
            return free if free > SHORTEST_S * clock.slowness else None
        threads = 1 if step.is_alone else self.engine.threads * self.engine.n_workers  # more than its heat had
        usual = step.usual * heat.course.epoch_s / (1 + A_THREAD * (threads - 1) / clock.slowness)
        growth = clock.n_rows / max(1.0, clock.n_rows_a_fold)
        before = [one for one in candidates.values() if one.is_long and one.scores]
        if before:
            best = max(before, key=lambda one: self.terms.sign * (one.mean() or 0.0))
            free = min(free - growth * best.fit_s, free / (1 + growth))
            return free if free > ENOUGH * usual else None
        both = (free - clock.check_s(heat)) / (1 + growth)
        limit = both if both >= usual else free
        return limit if limit > SHORTEST_S * clock.slowness else None


def kept_at(store: Store, identity: str) -> str:
    """Return the folder where the state of a fit is kept while it learns; empty: the store has no such place."""
    return "" if store.unfinished is None else str(Path(store.unfinished) / ids.short(identity))


def forget(folder: str) -> None:
    """Take away what was kept of a fit; nothing happens where nothing was."""
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
