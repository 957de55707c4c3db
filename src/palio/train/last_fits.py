"""Fit the members of a finalist on all rows, as far as there is time for it; what there is none for stays as it is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from palio.core import ids
from palio.core.errors import PalioError
from palio.core.records import Parity
from palio.core.words import counted
from palio.train.clock import MOST_GROWTH
from palio.train.family import Family, Params
from palio.train.field import Field, Finalist
from palio.train.lightening import lightened, precision_of
from palio.train.orders import Order, Outcome, Word
from palio.train.pace import Pace
from palio.train.race import NO_TIME, Candidate
from palio.train.schooling import kept_at
from palio.train.telling import Teller
from palio.train.work import carry_out, is_taught

LIKELY = 0.7
"""Share of the seconds that a last fit is expected to take which must be left for it to be begun."""
LEAST_S = 0.3
"""With less time left than this no last fit is begun."""
CHECKS_GRACE = 0.5
"""Share of what is left for the rest of the run that a last fit which is still being checked may take of it: evaluation
makes do with less, while a fit that is given up at its end has cost all of its time for nothing."""
MOST_WEIGHT = 0.5
"""A mix is worth fitting if there is time for members of more than this share of its weight."""
SOON_DONE = 0.03
"""Last fits that take less than this share of the budget are done as long as the search may go on at all."""
FEW_CELLS, BUSY = 50_000, 1.5
"""Of fewer cells, and where a second of CPU takes so many seconds, a last fit has one thread: several would wait for
each other for longer than they work (LOG.md: threads that wait)."""


class LastFits:
    """The members of a finalist, on their way to all rows."""

    def __init__(self, field: Field, candidates: Mapping[int, Candidate], finalist: Finalist) -> None:
        self._field = field
        self._candidates = candidates
        self._finalist = finalist

    def has_time(self) -> bool:
        """Tell whether there is time to fit members of most of the weight on all rows, or none of them is to be."""
        clock, field = self._field.clock, self._field
        left, weights = self._left_s(), self._finalist.weights
        if clock is None or left is None or field.plan is not None or max(map(self.growth, weights)) > MOST_GROWTH:
            return True
        fitted, together = 0.0, 0.0
        for number in self._by_weight():
            seconds = clock.refit_s(self._candidates[number])
            if LIKELY * max(seconds, (together + seconds) / clock.n_workers) < left and left > LEAST_S:
                fitted, together = fitted + abs(weights[number]), together + seconds
        return fitted > MOST_WEIGHT * sum(map(abs, weights.values()))

    def made(self) -> dict[int, Outcome]:
        """Fit every member on all rows, several at a time; where there is no time for it, take its model of a fold."""
        engine, teller = self._field.engine, Teller(self._field.progress, self._field.terms.metric)
        engine.listen = lambda word: self._heard(word, teller)
        waiting, found = self._by_weight(), dict[int, Outcome]()
        running: set[int] = set()
        try:
            while waiting or running:
                while waiting and (engine.n_free or not self._is_worth_it(waiting[0])):
                    number = waiting.pop(0)
                    if not self._is_worth_it(number):
                        found[number] = self._of_a_fold(number, NO_TIME)
                    elif self._candidates[number].family == "dummy":  # there is always a model
                        found[number] = self._checked(self._here(number))
                    else:
                        engine.submit(self._order(number), kill_after_s=self._patience_s())
                        running.add(number)
                for outcome in engine.wait(1.0) if running else ():
                    running.discard(outcome.number)
                    found[outcome.number] = self._checked(outcome)
                left = self._patience_s()
                if left is not None and left <= 0 and running:  # a worker may not even have begun
                    for number in running:
                        found[number] = self._of_a_fold(number, NO_TIME)
                    break
        finally:
            if running:
                engine.drop()
        return {number: found[number] for number in self._finalist.weights}

    def _by_weight(self) -> list[int]:
        """Return the members, those first that count for most."""
        weights = self._finalist.weights
        return sorted(weights, key=lambda number: (-abs(weights[number]), number))

    def families(self) -> list[Family]:
        """Return the families of the members."""
        return [self._field.families[self._candidates[number].family] for number in self._finalist.weights]

    def keep(self, number: int) -> str:
        """Return the folder where the state of a last fit is kept."""
        return kept_at(self._field.store, ids.digest_of({"last fit": self._finalist.run.id, "of": number}))

    def growth(self, number: int) -> float:
        """Return how many times the rows that a candidate learned from all rows are."""
        return len(self._field.lesson.examples.target) / max(1, self.n_learned(number))

    def n_learned(self, number: int) -> int:
        """Return the rows that a candidate's model of a fold learned from: of many rows all begin with a part."""
        field = self._field
        return self._candidates[number].n_learned or round(len(field.lesson.examples.target) / field.growth)

    def _left_s(self) -> float | None:
        clock = self._field.clock
        if clock is None:
            return None
        left = clock.end - time.monotonic()
        takes = sum(clock.refit_s(self._candidates[number]) for number in self._finalist.weights)
        is_soon_done = takes <= SOON_DONE * (clock.ends - clock.started)  # what is left for the rest is a guess
        return left if is_soon_done else left - clock.besides_s(self._candidates)

    def _patience_s(self) -> float | None:
        """Return the seconds after which a last fit is given up, though it may have learned already."""
        left, clock = self._left_s(), self._field.clock
        return left if left is None or clock is None else left + CHECKS_GRACE * (clock.ends - clock.end)

    def _is_worth_it(self, number: int) -> bool:
        if self._field.plan is not None:
            return number not in self._field.plan.kept
        if self.growth(number) > MOST_GROWTH:
            return False
        left, clock = self._left_s(), self._field.clock
        if left is None or clock is None or self._candidates[number].family == "dummy":
            return left is None or left > LEAST_S
        one = self._candidates[number]
        checks = clock.check_s(one) if is_taught(self._field.families[one.family]) else 0.0
        return left > max(LEAST_S, LIKELY * (clock.refit_s(one) + checks))

    def _heard(self, word: Word, teller: Teller) -> None:
        family = f"{self._candidates[word.number].family} on all rows"
        teller.tell(word, family, is_long=True)

    def _here(self, number: int) -> Outcome:
        field = self._field
        return carry_out(self._order(number), field.families[self._candidates[number].family], field.lesson, Pace())

    def _order(self, number: int) -> Order:
        field, one = self._field, self._candidates[number]
        family, left = field.families[one.family], self._left_s()
        return Order(
            number=number,
            family=one.family,
            params=family.grow(params_of(family, one), self.growth(number)),
            seed=one.seed,
            limit_s=None if one.family == "dummy" else left,
            threads=self._threads(family),
            keep=self.keep(number) if is_taught(family) else "",
            kind="long" if is_taught(family) else "usual",
        )

    def _threads(self, family: Family) -> int:
        """Return how many threads a last fit gets: all of them if it is alone, and has work for them."""
        field, shape = self._field, self._field.lesson.examples.shape
        is_calm = field.clock is None or field.clock.slowness < BUSY
        gains = is_calm and shape.n_rows * shape.n_features > FEW_CELLS
        is_alone = is_taught(family) or (gains and len(self._finalist.weights) == 1)
        return field.engine.threads * (field.engine.n_workers if is_alone else 1)

    def _checked(self, outcome: Outcome) -> Outcome:
        if outcome.status == "done":
            must_agree(outcome.parity)
            one = self._candidates[outcome.number]
            precision, family = precision_of(one), self._field.families[one.family]
            return outcome if precision is None else lightened(self._field, outcome, precision, family)
        if outcome.status == "failed":
            raise PalioError(f"its last fit failed: {outcome.reason}", hint="report it with the schema of the data")
        return self._of_a_fold(outcome.number, outcome.reason)

    def _of_a_fold(self, number: int, reason: str) -> Outcome:
        one = self._candidates[number]
        if not one.graph:
            raise PalioError(f"it could not be fitted on all rows: {reason}", hint="raise [train] budget_s")
        return Outcome(number=number, status="done", graph=one.graph, parity=one.parity, n_parameters=one.n_parameters)


def params_of(family: Family, one: Candidate) -> Params:
    """Return the settings of a candidate, with the number of rounds that is best."""
    params = one.params or one.asked
    return params | {family.rounds: one.rounds} if family.rounds and one.rounds else params


def must_agree(parity: Sequence[Parity]) -> None:
    """Raise `PalioError` if a graph differs from its library."""
    failed = [one for one in parity if not one.passed]
    if failed:
        raise PalioError(differs(failed[0]), hint="report it with the schema of the data")


def differs(parity: Parity) -> str:
    """Say how far a graph is from its library."""
    where = f"{parity.path}, {counted(parity.rows, 'row')}"
    if parity.max_abs_diff <= parity.tolerance:
        return f"its graph gives {counted(parity.n_label_diffs, 'answer')} that its library does not ({where})."
    shown = next(
        text for n in range(3, 18) if float(text := f"{parity.max_abs_diff:.{n}g}") > parity.tolerance or n == 17
    )  # as many digits as tell the two apart
    return f"its graph differs from its library by {shown} ({where}; {parity.tolerance:.3g} is allowed)."
