"""Take the steps of a race with an engine, as long as the clock allows."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from palio.core import records
from palio.core.progress import Progress
from palio.train import trial
from palio.train.beside import Beside
from palio.train.clock import Clock
from palio.train.engine.base import Engine
from palio.train.heats import Heats
from palio.train.lapping import mean_fit_s, repetitions
from palio.train.orders import Order, Outcome, Word
from palio.train.race import LAG, N_ALWAYS, N_SOON, NO_TIME, VERY_MANY_CLASSES, Candidate, Race, Rerun, Step
from palio.train.schooling import HEAT_GRACE, Schooling
from palio.train.telling import Teller, sentence_of
from palio.train.terms import Terms

if TYPE_CHECKING:
    from palio.store import Store

N_WITH_GRAPH = 3
"""Steps whose model is exported at once, so that there is one whatever comes."""
SOON_SHARE = 0.2
"""Share of the budget that the first strong family may take for one fold."""
SHORT_S = 30.0
"""In a search of fewer seconds every model is exported at once."""
LEAST_LEFT_S = 0.3
"""With less time left than this no step is begun."""
FEWEST_FOLDS, N_COMPARED, WHOLE_SHARE = 2, 5, 0.6
"""There are as many folds as the five best candidates can be fitted on in this share of the time, and at least two."""
MOST_OF_ALL = 0.5
"""Share of the time left that one candidate may take for all its folds."""
MANY_SHARE = 0.15
"""Share of the time left, of all workers, that one fold may take of a table of very many classes."""
RUNG_SHARE, LONGER = 0.35, 1.5
"""Share of the time left, of all workers, that a candidate may take to learn from more rows after it did from some;
what would take so many times longer is not begun."""
SETTLED_BY = 0.1
"""Until this share of the budget is over, the first families that learn are waited for to know what a fold takes."""
SLOWER = 1.2
"""Later folds may take so many times what the first one took."""
GRACE, WARM_UP_S, EXPORT_S = 1.5, 3.0, 5.0
"""A fit that takes so many times its limit, and some seconds to load its library, is ended from outside."""
TOO_MANY_SKIPPED = 6
"""After so many steps in a row for which there was no time, the race is over."""


@dataclass
class Drive:
    """The state of a search under way."""

    store: Store
    terms: Terms
    race: Race | Rerun | Heats
    engine: Engine
    beside: Beside
    """What this process does itself."""
    n_folds: int
    n_distinct: int
    """Folds of one cross-validation, where it is repeated."""
    n_blocks: int
    clock: Clock | None
    """None: the plan ends by count, not by time."""
    progress: Progress
    is_small: bool = False
    """There may be time for all folds of every candidate: the clock decides."""
    is_tiny: bool = False
    """A fold has so few rows that it says little."""
    rung_rows: tuple[int, ...] = ()
    """How many rows each of `rungs` has."""
    rungs: tuple[str, ...] = ()
    """Of a holdout of many rows: what candidates learn from first, and then; a step's fold is the place of its rung."""
    budget_s: float = 0.0
    """What the search is known by; 0: none."""
    candidates: dict[int, Candidate] = field(default_factory=dict)
    steps: list[records.Step] = field(default_factory=list)
    gains: list[records.Gain] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    _gone_on_with: bool = False
    """The other folds of a candidate that promises something were begun."""
    is_cut: bool = False
    """The clock ended it before the plan did."""
    _waiting: dict[int, Step] = field(default_factory=dict)
    """Steps under way."""

    def __post_init__(self) -> None:
        self._schooling = Schooling(self.store, self.terms, self.engine, self.budget_s)

    def run(self) -> None:
        """Take steps until the race is over or the time is."""
        waiting, teller = self._waiting, Teller(self.progress, self.terms.metric)
        self.engine.listen = lambda word: self._heard(word, teller)
        number, n_skipped, n_passed, is_over = 0, 0, 0, False
        own: list[Order] = []
        while True:
            while not is_over and self.engine.n_free and not self._must_know(number, waiting):
                step = self._next(number)
                number += 1
                if step is None:  # nothing follows from what is known at this step; more is known at the next ones
                    n_passed += 1
                    is_over = n_passed > LAG
                    continue
                n_passed = 0
                step = self._placed(step)
                known = trial.recall(self.store, self.terms, step, budget_s=self.budget_s)
                if step.planned is not None and step.planned.skipped:
                    self._note(step, skipped=True)
                    self.is_cut = True
                    continue
                if known is not None:
                    self._take_in(step, known)
                    continue
                step = self._shortened(step)
                order = self._order(step)
                if order is None:
                    n_skipped += 1
                    is_over = n_skipped >= TOO_MANY_SKIPPED
                    self.is_cut = True
                    self._note(step, skipped=True)
                    continue
                n_skipped = 0
                if step.family == "dummy":
                    self._hear(step, self.beside.carry_out(order))
                    continue
                waiting[step.number] = step
                if self.beside.takes(step):
                    own.append(order)
                else:
                    self.engine.submit(order, kill_after_s=self._patience(order))
            if not waiting:
                return
            if own:  # the workers have something to do
                outcome = self.beside.carry_out(own.pop())
                self._hear(waiting.pop(outcome.number), outcome)
                continue
            if self.beside.has_chores:
                self.beside.do_a_chore()
            for outcome in self.engine.wait(0.0 if self.beside.has_chores else self._wait_s()):
                self._hear(waiting.pop(outcome.number), outcome)
            if waiting and self._is_late():
                self.is_cut = True
                self.engine.drop()
                for step in waiting.values():
                    self._note(step, skipped=True)
                return

    def _heard(self, word: Word, teller: Teller) -> None:
        step = self._waiting.get(word.number)
        if step is not None:
            teller.tell(word, step.family, is_long=step.kind == "long")

    def _hear(self, step: Step, outcome: Outcome) -> None:
        trial.keep(self.store, self.terms, step, outcome, budget_s=self.budget_s)
        self._take_in(step, outcome)
        self._schooling.forget(step)

    def _must_know(self, number: int, waiting: Collection[int]) -> bool:
        """Tell whether step `number` depends on one that has not ended."""
        if any(one <= number - LAG for one in waiting):
            return True
        clock = self._settler()
        if clock is None or number != N_SOON or not waiting:
            return False
        return time.monotonic() - clock.started < SETTLED_BY * (clock.ends - clock.started)

    def _settler(self) -> Clock | None:
        """Return the clock, if it decides how candidates are judged, as soon as it is known what a fold takes."""
        return self.clock if self.n_folds > 1 and self.is_small else None

    def _settle(self, clock: Clock) -> None:
        """Judge every candidate on all folds, where there is time for it; of repeated folds, on as many as there is.

        Where a fold has few rows it is no judge of who gets the others: rather fewer candidates are tried then, and on
        fewer folds.
        """
        if not isinstance(self.race, Race):
            return
        seconds = WHOLE_SHARE * self._left_s(clock) * clock.n_workers
        a_fold = SLOWER * mean_fit_s(self.candidates.values())
        a_lap = a_fold * (self.race.n_fresh + N_SOON)
        n_folds = repetitions(self.n_folds, self.n_distinct, seconds, a_lap if self.is_tiny else 2 * a_lap)
        if n_folds < self.n_distinct and self.is_tiny:
            n_folds = min(self.n_distinct, int(max(0.0, seconds) / (a_fold * N_COMPARED)))
        screens = n_folds < self.n_distinct and not self.is_tiny
        if not screens:
            self.n_folds, self._gone_on_with = max(FEWEST_FOLDS, n_folds), True
        self.race.settle(n_folds=self.n_folds, screens=screens)

    def _next(self, number: int) -> Step | None:
        self.progress.step("trials", number)
        if number == N_SOON and (clock := self._settler()) is not None:
            self._settle(clock)
        known = {one.number: one for one in self.candidates.values() if one.number <= number - LAG}
        step = self.race.next(number, known)
        if step is not None and step.candidate == step.number:
            is_long = step.kind == "long"
            self.candidates[number] = Candidate(number, step.family, dict(step.params), step.seed, is_long=is_long)
        return step

    def _shortened(self, step: Step) -> Step:
        """Let candidates be compared on fewer folds, where the best so far could not be fitted on all of them."""
        candidate = self.candidates[step.candidate]
        if self.clock is None or step.candidate == step.number or not candidate.scores or self.rungs:
            return step
        if not self._gone_on_with:
            self._gone_on_with = True
            self.n_folds = self._folds_in_time(self.clock)
        return dataclasses.replace(step, folds=tuple(fold for fold in step.folds if fold < self.n_folds))

    def _placed(self, step: Step) -> Step:
        """Say which rung a candidate goes on to, where there are rungs."""
        if not self.rungs or step.planned is not None or step.candidate == step.number:
            return step
        return dataclasses.replace(step, folds=(self._rung(self.candidates[step.candidate], step.folds),))

    def _rung(self, candidate: Candidate, higher: Sequence[int]) -> int:
        """Return the highest rung that there is time for: to learn a little from many rows is worse than from few."""
        if self.clock is None:
            return higher[-1]
        limit = self._rung_limit(self.clock)
        cost = [candidate.fit_s * self.rung_rows[rung] / self.rung_rows[0] for rung in higher]
        return max((rung for rung, seconds in zip(higher, cost, strict=True) if seconds <= limit), default=higher[0])

    def _rung_limit(self, clock: Clock) -> float:
        left = self._left_s(clock)
        return min(left, max(clock.fold_limit_s(), RUNG_SHARE * left * clock.n_workers))

    def _folds_in_time(self, clock: Clock) -> int:
        """Return the folds that the candidates that promise most can be fitted on in a part of the time left."""
        known = [one for one in self.candidates.values() if one.scores and one.family != "dummy"]
        best = sorted(known, key=lambda one: -self.terms.sign * (one.mean((0,)) or 0.0))[:N_COMPARED]
        if not best:
            return self.n_folds
        a_fold = SLOWER * N_COMPARED * float(np.mean([one.fit_s for one in best]))
        seconds = WHOLE_SHARE * self._left_s(clock) * clock.n_workers + a_fold  # the first fold is done
        return min(self.n_folds, max(FEWEST_FOLDS, repetitions(self.n_folds, self.n_distinct, seconds, a_fold)))

    def _order(self, step: Step) -> Order | None:
        """Return what to ask for a step; None if there is no time for it."""
        candidate = self.candidates[step.candidate]
        is_new = step.candidate == step.number
        if not is_new and (candidate.failed or not candidate.scores):
            return None
        limit = None
        if self.clock is not None and step.kind != "usual":
            limit = self._schooling.limit_s(step, self.clock, self.candidates)
            if limit is None:
                return None
        elif self.clock is not None and step.number >= N_ALWAYS:
            left = self._left_s(self.clock)
            if is_new:
                a_fold = self.clock.fold_limit_s()
                if step.number < N_WITH_GRAPH:
                    a_fold = max(a_fold, SOON_SHARE * (self.clock.ends - self.clock.started))
                elif len(self.terms.task.classes) >= VERY_MANY_CLASSES:  # all is slow then, and most cannot hurry
                    a_fold = max(a_fold, MANY_SHARE * left * self.clock.n_workers)
                limit = min(a_fold * len(step.folds), left * (MOST_OF_ALL if len(step.folds) > 1 else 1.0))
            elif self.rungs:
                limit = self._rung_limit(self.clock)
                ratio = self.rung_rows[step.folds[0]] / self.rung_rows[0]
                if candidate.fit_s * ratio > LONGER * limit:
                    return None
            else:
                limit = candidate.fit_s * SLOWER * len(step.folds)
            if left < LEAST_LEFT_S or limit > left:
                return None
        return Order(
            number=step.number,
            family=step.family,
            params=candidate.asked if self.rungs and step.planned is None else step.params,
            seed=step.seed,
            folds=self._scored(step),
            rows=self.rungs[step.folds[0]] if self.rungs else "learn",
            curves={} if is_new or self.rungs else dict(candidate.curves),
            lengths=() if step.planned is None else step.planned.lengths,
            metrics=self.terms.metrics,
            n_blocks=self.n_blocks,
            threads=self._schooling.threads(step),
            keep=self._schooling.keep(step),
            kind=step.kind,
            limit_s=limit if is_new or self.rungs or limit is None else 2 * limit + 1,
            wants_graph=bool(self.rungs)
            or step.number < N_WITH_GRAPH
            or self._is_short()
            or step.folds[-1] >= self.n_folds - 1,
        )

    def _scored(self, step: Step) -> tuple[int, ...]:
        """Return the folds of the lesson that a step is scored on: on every rung the only one."""
        return (0,) if self.rungs else step.folds

    def _is_short(self) -> bool:
        """Tell whether there may be no time for a last fit, so that each model of a fold must be able to serve."""
        return self.clock is not None and self.clock.ends - self.clock.started < SHORT_S

    def _patience(self, order: Order) -> float | None:
        if self.clock is None:
            return None
        end = max(0.05, (self.clock.end if self._has_learned() else self.clock.last) - time.monotonic())
        if order.kind == "long" and not self._knows_something():  # whatever its answers and its export take
            return max(0.05, self.clock.ends - time.monotonic())
        if order.kind == "heat":  # what is computed once for all takes as long as it takes
            return min(end, HEAT_GRACE * (self.clock.ends - self.clock.started))
        besides = WARM_UP_S + (EXPORT_S if order.wants_graph else 0.0)
        return end if order.limit_s is None else min(end, GRACE * order.limit_s + besides * self.clock.slowness)

    def _wait_s(self) -> float:
        return 1.0 if self.clock is None else float(np.clip(self._left_s(self.clock), 0.05, 1.0))

    def _is_late(self) -> bool:
        """Tell whether it is time to end; as long as nothing has learned, only the very end is."""
        if self.clock is None:
            return False
        if any(step.kind == "long" for step in self._waiting.values()):  # it knows its end
            return time.monotonic() >= (self.clock.end if self._knows_something() else self.clock.ends)
        return self._left_s(self.clock) <= 0

    def _knows_something(self) -> bool:
        """Tell whether any model but the constant answer stands: to end the only long training would leave nothing."""
        return any(one.scores and one.family != "dummy" for one in self.candidates.values())

    def _has_learned(self) -> bool:
        """Tell whether the first two families that learn have come to their end, and one of them to something."""
        soon = [one for one in self.candidates.values() if one.number < N_WITH_GRAPH and one.family != "dummy"]
        is_open = any(not one.scores and not one.failed and not one.was_ended for one in soon)
        return not is_open and self._knows_something()

    def _left_s(self, clock: Clock) -> float:
        """Return the seconds that are left for steps."""
        return clock.left_s(self.candidates) if self._has_learned() else clock.last - time.monotonic()

    def _take_in(self, step: Step, outcome: Outcome) -> None:
        candidate = self.candidates[step.candidate]
        self.is_cut |= outcome.status == "late"
        if self.rungs:
            self._climb(candidate, step, outcome)
        else:
            trial.take_in(candidate, step, outcome)
            if candidate.whole_at is None and len(candidate.scores) >= self.n_folds:
                candidate.whole_at = step.number
        if step.planned is not None and step.planned.latency_ms and candidate.cost is not None:
            p50, p99 = step.planned.latency_ms
            candidate.cost = msgspec.structs.replace(candidate.cost, latency_ms_p50=p50, latency_ms_p99=p99)
        self._notice(candidate)
        if self.clock is not None:
            self.clock.take_in(outcome)
            self.clock.expect(self.candidates)
        trial.forget(self.candidates.values(), sign=self.terms.sign)
        self._note(step, skipped=outcome.status in ("late", "killed"), lengths=outcome.lengths)
        self.progress.say(sentence_of(candidate, self.terms.metric, by_rungs=bool(self.rungs)))

    def _climb(self, candidate: Candidate, step: Step, outcome: Outcome) -> None:
        """Write down what a candidate learned on a rung; of two rungs the better stands: both are scored alike."""
        before, sign = candidate.mean(), self.terms.sign
        known = [one for one in outcome.scores if not np.isnan(one)]
        is_higher = step.candidate != step.number
        if is_higher and known and before is not None and sign * (float(np.mean(known)) - before) < 0:
            candidate.seconds += outcome.seconds
        else:
            trial.take_in(candidate, dataclasses.replace(step, folds=(0,)), outcome)
            if outcome.status == "done":
                candidate.n_learned = self.rung_rows[step.folds[0]]
        if candidate.whole_at is None and outcome.status == "done" and (is_higher or len(step.folds) > 1):
            candidate.whole_at = step.number

    def _notice(self, candidate: Candidate) -> None:
        """Write down when a candidate was the best so far."""
        mean = candidate.mean() if candidate.is_whole and candidate.family != "dummy" else None
        if mean is not None and (not self.gains or self.terms.sign * (mean - self.gains[-1].score) > 0):
            seconds = round(time.monotonic() - self.started, 3)
            self.gains.append(records.Gain(seconds=seconds, score=mean, family=candidate.family))

    def _note(self, step: Step, *, skipped: bool = False, lengths: tuple[int, ...] = ()) -> None:
        candidate = self.candidates[step.candidate]
        if skipped and not candidate.scores and not candidate.reason:
            candidate.reason, candidate.was_ended = NO_TIME, True
        cost = candidate.cost
        self.steps.append(
            records.Step(
                number=step.number,
                candidate=step.candidate,
                family=step.family,
                params=candidate.params or step.params,
                folds=step.folds,
                skipped=skipped,
                lengths=lengths,
                threads=self._schooling.threads(step),
                latency_ms=None if cost is None else (cost.latency_ms_p50, cost.latency_ms_p99),
            )
        )
