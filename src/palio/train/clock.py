"""Reckon with time: what is left for a search, as busy as the machine is, and what must follow it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from palio.train.orders import Outcome
from palio.train.race import Candidate

SHORTEST_S = 1.0
"""No fold is given less."""
STEPS_IN_BUDGET = 20
"""A fold of one candidate may take one part of so many of the time of all workers."""
LEAST_CPU_S = 0.05
"""A fit that takes less says nothing of the machine."""
MAX_SLOWNESS = 10.0
MOST_AFTER, MOST_OVERHEAD, MOST_ANSWERING = 0.35, 0.15, 0.25
"""Shares of the budget that what follows the search, and export and checks (where networks compete, more), may take."""
CHECK_S, CHECKED_MORE = 2.0, 3.0
"""What it takes, at most, to export one of them and to hold it against its library; so many times what it took after a
fold, where fewer rows are looked at."""
CHECKED_NETWORKS = 2.0
"""The same of networks, whose answers are most of it: 1.4 times on 85 pictures, about twice on thousands."""
CHOOSING_A_ROW_S, MOST_CHOOSING = 1e-4, 0.05
"""Seconds a row that it takes to weigh mixes and to choose, before any last fit; the share of the budget, at most."""
ROWS_ANSWERED, PICTURES_ANSWERED = 8_000, 2_500
"""Single answers that take as long as those in batches to the rows that a champion is checked and described on."""
LONG_CALL_MS = 5.0
"""A call that takes longer is interrupted by what else the machine does: its time, as measured, holds that already."""
N_REFITTED, MOST_REFITTING, MOST_ALONE = 4, 0.25, 0.4
"""Candidates, the best, that time is left to fit on all rows; the share of the search that may take, and the share that
the best one alone may take: a quarter more rows are worth more than other settings."""
MOST_GROWTH = 2.5
"""All rows may be so many times those that a candidate learned from; of more there is no last fit."""
LAST_SHARE = 0.2
"""Share of the budget that is left to pack a model and to judge it, if there was none before."""


@dataclass
class Clock:
    """How much time there is."""

    ends: float
    """Moment on `time.monotonic` at which everything must be done, what follows the search too."""
    n_workers: int
    n_rows_a_fold: float
    n_rows: int
    sign: float
    """1 if more of the metric is better, else -1."""
    quiet_overhead_s: float
    """What export, checks and packing take on a quiet machine."""
    quiet_after_s: float = 0.0
    """What follows the search takes on a quiet machine, whatever the model."""
    rows_after: int = 0
    """Rows that a network will answer when the search is over."""
    answer_ms: float = 0.0
    """What one answer of the best candidate takes, as it was measured, where it is a network."""
    rows_answered: int = ROWS_ANSWERED
    slowness: float = 1.0
    """How many times slower than a quiet one this machine is: seconds for each second of CPU."""
    started: float = field(default_factory=time.monotonic)

    @property
    def end(self) -> float:
        """Moment at which the search must be over, if the best candidate stays the best."""
        return self.end_for(self.answer_ms)

    def end_for(self, answer_ms: float) -> float:
        """Return the moment at which the search must be over where an answer of what it chooses takes so long."""
        after_s = self.quiet_after_s + 1e-3 * answer_ms * self.rows_after
        return self.ends - min(after_s * self.slowness, MOST_AFTER * (self.ends - self.started))

    @property
    def last(self) -> float:
        """Moment until which a search waits for the first model that learned something: nothing is worth more."""
        return self.ends - LAST_SHARE * (self.ends - self.started)

    @property
    def overhead_s(self) -> float:
        """What export, checks and packing take as the machine is."""
        return min(self.quiet_overhead_s * self.slowness, MOST_OVERHEAD * (self.ends - self.started))

    def take_in(self, outcome: Outcome) -> None:
        """Learn from a fit how busy the machine is with other things."""
        if outcome.cpu_s > LEAST_CPU_S:
            seen = min(MAX_SLOWNESS, max(1.0, outcome.seconds / outcome.cpu_s))
            self.slowness += 0.3 * (seen - self.slowness)

    def expect(self, candidates: Mapping[int, Candidate]) -> None:
        """Learn from the best candidate so far what an answer will take when the search is over."""
        known = [(one.mean(), one) for one in candidates.values() if one.family != "dummy"]
        scored = [(self.sign * mean, -one.number, one) for mean, one in known if mean is not None]
        if scored:
            self.answer_ms = answer_ms(max(scored)[2])

    def reserve_s(self, candidates: Mapping[int, Candidate]) -> float:
        """Return the seconds that the last fits of the best candidates need; who takes too long gets none."""
        most_choosing = MOST_CHOOSING * (self.ends - self.started)
        overhead = self.besides_s(candidates) + min(CHOOSING_A_ROW_S * self.n_rows * self.slowness, most_choosing)
        known = [one for one in candidates.values() if one.scores and one.family != "dummy"]
        n_members = _n_members(candidates)
        pool = [one for one in known if one.is_whole] if n_members > 1 else known
        best = sorted(pool, key=lambda one: -self.sign * (one.mean((0,)) or 0.0))[:n_members]
        seconds = self.end - self.started
        most, alone = MOST_REFITTING * seconds, MOST_ALONE * seconds
        fits = [self.refit_s(one) + self.check_s(one) for one in best if self.refit_s(one) <= most]
        together = min(max(max(fits), sum(fits) / self.n_workers), most) if fits else 0.0
        first = min(self.refit_s(best[0]) + self.check_s(best[0]), alone) if best else 0.0
        return overhead + max(together, first if best and self.refit_s(best[0]) <= alone else 0.0)

    def check_s(self, one: Candidate) -> float:
        """Return the seconds that it takes to export a candidate, and to hold it against its library on more rows."""
        if one.course is not None and one.graph:
            return CHECKED_NETWORKS * one.check_s
        seen = CHECKED_MORE * one.check_s if one.graph else 0.5 * CHECK_S * self.slowness
        return min(seen, CHECK_S * self.slowness)

    def refit_s(self, one: Candidate) -> float:
        """Return the seconds that a candidate's fit on all rows is expected to take; 0 where there is none."""
        ratio = self.n_rows / max(1.0, one.n_learned or self.n_rows_a_fold)
        return one.fit_s * float(max(1.0, ratio) ** 1.3) if ratio <= MOST_GROWTH else 0.0

    def besides_s(self, candidates: Mapping[int, Candidate]) -> float:
        """Return the seconds that a champion needs beside its fit: export, checks, description, packing."""
        return self.overhead_s + self._answering_s(candidates)

    def _answering_s(self, candidates: Mapping[int, Candidate]) -> float:
        """Return the seconds that a champion's answers to the rows take that it is checked and described on."""
        known = [one.cost.latency_ms_p50 for one in candidates.values() if one.cost is not None]
        costs = sorted((one if one > LONG_CALL_MS else one * self.slowness for one in known), reverse=True)
        share = MOST_ANSWERING if any(map(answer_ms, candidates.values())) else MOST_OVERHEAD
        most = share * (self.ends - self.started)
        return min(1e-3 * sum(costs[: _n_members(candidates)]) * self.rows_answered, most)

    def left_s(self, candidates: Mapping[int, Candidate]) -> float:
        """Return the seconds that are left for the search."""
        return self.end - self.reserve_s(candidates) - time.monotonic()

    def fold_limit_s(self) -> float:
        """Return the seconds that one fold of a new candidate may take: more of the budget where all is slow."""
        share = self.slowness**0.5 / STEPS_IN_BUDGET
        return float(max(SHORTEST_S * self.slowness, (self.end - self.started) * self.n_workers * share))


def answer_ms(one: Candidate) -> float:
    """Return what one answer of a network takes, as it was measured; 0 of others, which are fast."""
    return 0.0 if one.course is None or one.cost is None else one.cost.latency_ms_p50


def _n_members(candidates: Mapping[int, Candidate]) -> int:
    """Return how many a champion may be made of: a mix is one of candidates that saw all folds."""
    n_whole = sum(one.is_whole and one.family != "dummy" for one in candidates.values())
    return N_REFITTED if n_whole > 1 else 1
