"""Fit on all rows what was chosen, join the members of a mix into one graph, check it, measure it, and pack it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from palio import data, measure, model
from palio.core import ids
from palio.core.errors import PalioError
from palio.core.records import Cost, Parity, Run, Task
from palio.core.words import counted
from palio.train import unseen
from palio.train.choice import breach
from palio.train.clock import MOST_GROWTH
from palio.train.examples import Array, Examples
from palio.train.family import Family, Params
from palio.train.field import Field, Finalist
from palio.train.lightening import lightened, precision_of
from palio.train.orders import Order, Outcome, Word
from palio.train.pace import Pace
from palio.train.race import NO_TIME, Candidate
from palio.train.schooling import forget, kept_at
from palio.train.telling import Teller
from palio.train.work import carry_out, checked_rows, is_taught, n_hard, numbers_of, score_numbers, thinned

if TYPE_CHECKING:
    from palio.core.monitoring import Reference

MAX_TIMINGS = 5
"""How often a candidate that is over the limit is timed before it counts as too slow."""
LIKELY = 0.7
"""Share of the seconds that a last fit is expected to take which must be left for it to be begun."""
COST_ROWS = 512
"""Rows from which single ones are drawn to measure the latency."""
MAX_SEEN_ROWS = 20_000
"""Rows that the score of a mix on what was learned is computed on, at most."""
MAX_SEEN_BY_NETWORKS = 1_000
"""The same of networks, which take milliseconds for a row."""
LEAST_S = 0.3
"""With less time left than this no last fit is begun."""
CHECKS_GRACE = 0.5
"""Share of what is left for the rest of the run that a last fit which is still being checked may take of it: evaluation
makes do with less, while a fit that is given up at its end has cost all of its time for nothing."""
SOON_DONE = 0.03
"""Last fits that take less than this share of the budget are done as long as the search may go on at all."""
FEW_CELLS, BUSY = 50_000, 1.5
"""Of fewer cells, and where a second of CPU takes so many seconds, a last fit has one thread: several would wait for
each other for longer than they work (LOG.md: threads that wait)."""


@dataclass(frozen=True)
class Made:
    """A packed champion."""

    run: Run
    reasons: tuple[str, ...]
    kept: tuple[int, ...]
    """Members that there was no time to fit on all rows."""


class Champion:
    """A finalist on its way into a bundle."""

    def __init__(self, field: Field, candidates: Mapping[int, Candidate], finalist: Finalist) -> None:
        self._field = field
        self._candidates = candidates
        self._finalist = finalist

    def pack(self) -> Made:
        """Fit on all rows, check the graph against the libraries, measure it, and pack the bundle."""
        field, finalist = self._field, self._finalist
        examples, terms = field.lesson.examples, field.terms
        n_rows = len(examples.target)
        field.progress.say(f"Fitting {finalist.run.family} on {counted(n_rows, 'row')} of train and validation.")
        fitted = self._fitted()
        kept = [number for number, outcome in fitted.items() if outcome.checked is None]
        rows = checked_rows(examples, self._families())
        graph, parity = self._joined(fitted, rows)
        _check(parity)
        runner = model.Graph(graph, threads=2)
        cost = self._cost(graph, examples)
        if not breach(finalist.run.cost, field.limits) and (over := breach(cost, field.limits)):
            raise PalioError(f"fitted on all rows {over}", hint="raise [limits]")
        task = self._task()
        seen = self._seen(runner, task)
        learned_more = (field.lesson.rows["learn 0"] >= field.n_train).any()
        stays_on_train = field.holdout and len(kept) == len(fitted) and not learned_more
        run = msgspec.structs.replace(
            finalist.run,
            train=seen,
            cost=cost,
            n_parameters=sum(outcome.n_parameters for outcome in fitted.values()),
            answers=unseen.put_answers(field.store, finalist.rows, finalist.answers),
            chosen=True,
        )
        reference, reference_rows = self._reference(run, runner, task)
        tie = {} if run.tie_break is None else {terms.tie_break: run.tie_break}
        bundle = model.pack(
            field.store,
            graph,
            golden=model.make_golden(runner, rows.frame, examples.schema, blobs=rows.blobs),
            reference=reference,
            reference_rows=reference_rows,
            task=task,
            schema=examples.schema,
            family=run.family,
            params=run.params | ({} if run.threshold is None else {"threshold": run.threshold}),
            seed=run.seed,
            n_parameters=run.n_parameters or 0,
            snapshot=field.snapshot.id,
            parts=terms.parts,
            trained_on=("train", "validation") if n_rows > field.n_train and not stays_on_train else ("train",),
            metrics={
                "cross_validation": tie | {terms.metric: run.cv_score or 0.0},
                "train": run.train,
                "validation": run.validation,
            },
            parity=parity,
            versions=model.versions(),
        )
        for number in fitted:
            forget(self._keep(number))
        reasons: list[str] = []
        if kept and max(map(self._growth, kept)) > MOST_GROWTH:
            n_learned = max(self._n_learned(number) for number in kept)
            reasons.append(
                f"There is no time to learn from all rows: the model learned from {n_learned:,} of {n_rows:,}. Raise "
                "[train] budget_s for more."
            )
        elif kept:
            names = "it" if len(fitted) == 1 else counted(len(kept), "member")
            reasons.append(f"There was no time to fit {names} on all rows: what a fold's rows taught stays in use.")
        return Made(msgspec.structs.replace(run, bundle=bundle), tuple(reasons), tuple(kept))

    def has_time(self) -> bool:
        """Tell whether there is time to fit all members on all rows, or none of them is to be."""
        clock, field = self._field.clock, self._field
        left, weights = self._left_s(), self._finalist.weights
        if clock is None or left is None or field.plan is not None or max(map(self._growth, weights)) > MOST_GROWTH:
            return True
        seconds = [clock.refit_s(self._candidates[number]) for number in weights]
        return left > max(LEAST_S, LIKELY * max(*seconds, sum(seconds) / clock.n_workers))

    def _families(self) -> list[Family]:
        return [self._field.families[self._candidates[number].family] for number in self._finalist.weights]

    def _task(self) -> Task:
        """Return what is predicted; of boxes with the score from which on one is shown, chosen on held-out pictures."""
        field, finalist = self._field, self._finalist
        task, costs = field.terms.task, field.how.costs
        if task.kind != "detection":
            return task
        said = model.answers_of(field.outputs(finalist.answers), task)
        truth = field.lesson.examples.target[finalist.rows]
        at = measure.boxes.best_threshold(task, truth, said, miss=costs.miss, false_alarm=costs.false_alarm)
        return msgspec.structs.replace(task, threshold=at)

    def _fitted(self) -> dict[int, Outcome]:
        """Fit every member on all rows, several at a time; where there is no time for it, take its model of a fold."""
        engine, teller = self._field.engine, Teller(self._field.progress, self._field.terms.metric)
        engine.listen = lambda word: self._heard(word, teller)
        waiting, found = list(self._finalist.weights), dict[int, Outcome]()
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

    def _heard(self, word: Word, teller: Teller) -> None:
        family = f"{self._candidates[word.number].family} on all rows"
        teller.tell(word, family, is_long=True)

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
        if self._growth(number) > MOST_GROWTH:
            return False
        left, clock = self._left_s(), self._field.clock
        if left is None or clock is None or self._candidates[number].family == "dummy":
            return left is None or left > LEAST_S
        one = self._candidates[number]
        checks = clock.check_s(one) if is_taught(self._field.families[one.family]) else 0.0
        return left > max(LEAST_S, LIKELY * (clock.refit_s(one) + checks))

    def _growth(self, number: int) -> float:
        """Return how many times the rows that a candidate learned from all rows are."""
        return len(self._field.lesson.examples.target) / max(1, self._n_learned(number))

    def _n_learned(self, number: int) -> int:
        """Return the rows that a candidate's model of a fold learned from: of many rows all begin with a part."""
        field = self._field
        return self._candidates[number].n_learned or round(len(field.lesson.examples.target) / field.growth)

    def _here(self, number: int) -> Outcome:
        field = self._field
        return carry_out(self._order(number), field.families[self._candidates[number].family], field.lesson, Pace())

    def _order(self, number: int) -> Order:
        field, one = self._field, self._candidates[number]
        family, left = field.families[one.family], self._left_s()
        return Order(
            number=number,
            family=one.family,
            params=family.grow(params_of(family, one), self._growth(number)),
            seed=one.seed,
            limit_s=None if one.family == "dummy" else left,
            threads=self._threads(family),
            keep=self._keep(number) if is_taught(family) else "",
            kind="long" if is_taught(family) else "usual",
        )

    def _threads(self, family: Family) -> int:
        """Return how many threads a last fit gets: all of them if it is alone, and has work for them."""
        field, shape = self._field, self._field.lesson.examples.shape
        is_calm = field.clock is None or field.clock.slowness < BUSY
        gains = is_calm and shape.n_rows * shape.n_features > FEW_CELLS
        is_alone = is_taught(family) or (gains and len(self._finalist.weights) == 1)
        return field.engine.threads * (field.engine.n_workers if is_alone else 1)

    def _keep(self, number: int) -> str:
        """Return the folder where the state of a last fit is kept."""
        return kept_at(self._field.store, ids.digest_of({"last fit": self._finalist.run.id, "of": number}))

    def _checked(self, outcome: Outcome) -> Outcome:
        if outcome.status == "done":
            _check(outcome.parity)
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

    def _joined(self, fitted: Mapping[int, Outcome], rows: Examples) -> tuple[bytes, tuple[Parity, ...]]:
        """Return one graph, and how far it is from the libraries of its members."""
        field, weights = self._field, self._finalist.weights
        how, at, layer = self._finalist.calibration, self._finalist.threshold, self._finalist.layer
        if len(fitted) == 1 and how is None and at is None and layer is None:
            (outcome,) = fitted.values()
            return outcome.graph, outcome.parity
        schema, task = rows.schema, field.terms.task
        graphs = [outcome.graph for outcome in fitted.values()]
        shares = [weights[number] for number in fitted]
        graph = model.join(graphs, shares, schema=schema, task=task, layer=layer, calibration=how, threshold=at)
        runner = model.Graph(graph, threads=2)
        members = [model.Graph(one, threads=2) for one in graphs]

        def mixed(feeds: Any, known: Sequence[Array | None]) -> model.Outputs:
            answers = [
                numbers if numbers is not None else numbers_of(member.predict(feeds))
                for member, numbers in zip(members, known, strict=True)
            ]
            total: Any = sum(share * one for share, one in zip(shares, answers, strict=True))
            if layer is not None:
                total = model.stacked(answers, shares, layer)
            return field.outputs(total if how is None else model.calibrated(total, how), at)

        made = n_hard(self._families())
        feeds, hard = rows.feeds(), model.stress_feeds(rows.frame, schema, graph, n_rows=made, blobs=rows.blobs)
        known = [None if one.checked is None else one.checked[-len(rows.target) :] for one in fitted.values()]
        libraries = mixed(feeds, known)
        hard_answers = mixed(hard, [None] * len(fitted))
        path = "library and graph"
        checks = (
            model.check_parity(runner, feeds, libraries, path=path, threshold=at),
            model.check_parity(runner, hard, hard_answers, path=f"{path}, rows made to be hard", threshold=at),
        )
        own = [one for outcome in fitted.values() for one in outcome.parity]
        return graph, (*checks, *(one for one in own if not one.passed))

    def _cost(self, graph: bytes, examples: Examples) -> Cost:
        feeds = examples.take(np.arange(min(COST_ROWS, len(examples.target)))).feeds()
        fit_s = 0.0 if self._finalist.run.cost is None else self._finalist.run.cost.fit_s
        runner = model.Graph(graph)
        return timed(
            lambda: model.measure_cost(runner, feeds, fit_s=fit_s, n_calls=300, time_limit_s=0.5),
            limit_ms=self._field.limits.latency_ms_p99,
        )

    def _seen(self, runner: model.Graph, task: Task) -> dict[str, float]:
        examples = self._field.lesson.examples
        most = MAX_SEEN_ROWS if runner.precision == "float64" else MAX_SEEN_BY_NETWORKS
        some = examples.take(thinned(len(examples.target), most))
        return score_numbers(task, some.target, numbers_of(runner.predict(some.feeds()), task.classes))

    def _reference(self, run: Run, runner: model.Graph, task: Task) -> tuple[Reference, dict[str, Any] | None]:
        """Describe what the champion learned from, and how it did on rows that its fits had not seen."""
        field = self._field
        examples = dataclasses.replace(field.lesson.examples, task=task)  # boxes count from its threshold on
        like = data.description(field.store, field.snapshot).columns
        found = unseen.get_answers(field.store, run.answers, task, threshold=run.threshold)
        if found is None:
            feeds, schema = examples.feeds(), examples.schema
            described = model.picture_statistics(examples.frame, feeds, schema)
            return model.make_reference(feeds, schema, task, like=like, described=described), None
        judged = None
        if task.kind == "detection":  # these rows chose its threshold
            said, costs = model.answers_of(found.answers, task), field.how.costs
            judged = measure.boxes.as_if_held_out(
                task, examples.target[found.rows], said, miss=costs.miss, false_alarm=costs.false_alarm
            )
        how: dict[str, Any] = {
            "n_train": field.n_train,
            "seed": run.seed,
            "runner": runner,
            "like": like,
            "judged": judged,
        }
        return unseen.reference_of(examples, found, **how)


def params_of(family: Family, one: Candidate) -> Params:
    """Return the settings of a candidate, with the number of rounds that is best."""
    params = one.params or one.asked
    return params | {family.rounds: one.rounds} if family.rounds and one.rounds else params


def _check(parity: Sequence[Parity]) -> None:
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


def timed(measure_once: Callable[[], Cost], *, limit_ms: float | None) -> Cost:
    """Measure a cost; again, up to five times in all, while its latency is clearly over the limit.

    What else the machine does can only make a graph look slower, so the least disturbed measurement is the one to
    believe, and one that meets the limit settles it.
    """
    best = measure_once()
    for n_timings in range(2, MAX_TIMINGS + 1):
        if limit_ms is None or not measure.is_clearly_over(best.latency_ms_p99, limit_ms):
            break
        again = measure_once()
        best = msgspec.structs.replace(
            best,
            latency_ms_p50=min(best.latency_ms_p50, again.latency_ms_p50),
            latency_ms_p99=min(best.latency_ms_p99, again.latency_ms_p99),
            n_timings=n_timings,
        )
    return best
