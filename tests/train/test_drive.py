from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from palio.core.progress import SILENT
from palio.core.records import Cost
from palio.store import Store, open_store
from palio.testing.family import TASKS, examples_of
from palio.train.beside import Beside
from palio.train.clock import Clock
from palio.train.drive import Drive
from palio.train.engine.inline import InlineEngine
from palio.train.families.linear import Linear
from palio.train.family import Family
from palio.train.orders import Order, Outcome
from palio.train.race import Candidate, Race, Step
from palio.train.table import load_family
from palio.train.trial import Trial
from tests.train import odd_families as odd
from tests.train.small_parts import lesson_of, terms

TASK = TASKS["two classes"]
TERMS = terms(TASK, "log_loss")
LESSON = lesson_of(examples_of(TASK))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


class Last(InlineEngine):
    """Holds several orders at once, and ends the last one first."""

    n_workers = 3

    @property
    def n_free(self) -> int:
        return 3 - len(self._waiting)

    def wait(self, timeout_s: float) -> list[Outcome]:
        held = self._waiting[:-1]
        self._waiting = self._waiting[-1:]
        done = super().wait(timeout_s)
        self._waiting = held
        return done


class Noting(InlineEngine):
    """Notes its orders."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.orders: list[Order] = []

    def submit(self, order: Order, **how: Any) -> None:
        self.orders.append(order)
        super().submit(order, **how)


class Mute(InlineEngine):
    """An engine whose workers never get ready."""

    def wait(self, timeout_s: float) -> list[Outcome]:
        time.sleep(min(timeout_s, 0.05))
        return []


def clock_of(seconds: float, **changes: Any) -> Clock:
    how = {"n_workers": 1, "n_rows_a_fold": 266.0, "n_rows": 400, "sign": 1.0, "quiet_overhead_s": 0.1} | changes
    return Clock(ends=time.monotonic() + seconds, **how)


def drive(
    store: Store,
    *families: Family,
    engine: type[InlineEngine] = InlineEngine,
    clock: Clock | None = None,
    most: int = 5,
    screens: bool = True,
    **changes: Any,
) -> Drive:
    entrants = [load_family("dummy"), *(families or (odd.Guessing(),))]
    named = {family.name: family for family in entrants}
    shape = LESSON.take("learn 0").shape
    return Drive(
        store=store,
        terms=TERMS,
        race=Race(entrants, shape, TERMS, n_folds=3, screens=screens, most=most),
        engine=engine(LESSON, named),
        beside=Beside(InlineEngine(LESSON, named)),
        n_folds=3,
        n_distinct=3,
        n_blocks=1,
        clock=clock,
        progress=SILENT,
        budget_s=0.0 if clock is None else 60.0,
        **changes,
    )


def found(made: Drive) -> list[Any]:
    return [(one.number, one.family, one.asked, one.scores, one.failed) for one in made.candidates.values()]


@pytest.mark.parametrize("screens", [True, False])
def test_who_ends_first_makes_no_difference(tmp_path: Path, screens: bool) -> None:
    made = []
    for name, engine in (("one", InlineEngine), ("three", Last)):
        with open_store(tmp_path / name) as own:
            made.append(drive(own, engine=engine, screens=screens, most=7))
            made[-1].run()
    assert found(made[0]) == found(made[1])
    steps = [sorted(each.steps, key=lambda step: step.number) for each in made]
    assert [(s.number, s.candidate, s.params, s.folds) for s in steps[0]] == [
        (s.number, s.candidate, s.params, s.folds) for s in steps[1]
    ]


def test_what_is_known_is_not_tried_again(store: Store) -> None:
    first, again = drive(store), drive(store, engine=Noting)
    first.run()
    n_kept = len(store.records.all(Trial))
    again.run()
    assert isinstance(again.engine, Noting) and again.engine.orders == []
    assert found(first) == found(again)
    assert len(store.records.all(Trial)) == n_kept == len(first.steps)


def test_what_is_fitted_beside_the_workers_is_what_they_find(tmp_path: Path) -> None:
    made = []
    for name, soon in (("alone", {}), ("beside", {"linear": Linear()})):
        with open_store(tmp_path / name) as own:
            made.append(drive(own, Linear(), odd.Guessing(), engine=Noting, most=4))
            made[-1].beside.soon, made[-1].beside.shape = soon, LESSON.take("learn 0").shape
            made[-1].run()
    assert found(made[0]) == found(made[1])
    sent = [{order.number for order in one.engine.orders} for one in made if isinstance(one.engine, Noting)]
    assert sent[0] - sent[1] == {1}


def test_there_is_a_model_even_if_no_worker_ever_answers(store: Store) -> None:
    made = drive(store, Linear(), odd.Guessing(), engine=Mute, clock=clock_of(2.0))
    made.beside.soon, made.beside.shape = {"linear": Linear()}, LESSON.take("learn 0").shape
    made.run()
    assert [one.family for one in made.candidates.values() if one.graph] == ["dummy", "linear"]


def test_chores_are_done_while_others_work_and_nothing_depends_on_them(store: Store) -> None:
    done: list[int] = []
    made = drive(store)
    made.beside.chores = [lambda: done.append(1), lambda: done.append(2)]
    made.run()
    assert done == [1, 2]


def test_the_constant_answer_is_never_sent_away(store: Store) -> None:
    made = drive(store, engine=Noting, clock=clock_of(-1.0))
    made.run()
    assert isinstance(made.engine, Noting)
    assert "dummy" not in {order.family for order in made.engine.orders}
    assert made.candidates[0].scores and made.candidates[0].graph


def test_a_step_that_fails_is_taken_in_and_the_others_go_on(store: Store) -> None:
    made = drive(store, odd.Broken(), odd.Guessing())
    made.run()
    failed = [one for one in made.candidates.values() if one.failed]
    assert {one.family for one in failed} == {"broken"}
    assert any(one.is_whole and one.family == "guessing" for one in made.candidates.values())


def test_without_time_no_step_is_begun_and_the_search_is_cut(store: Store) -> None:
    made = drive(store, load_family("linear"), load_family("lightgbm"), load_family("forest"), clock=clock_of(-1.0))
    made.run()
    assert made.is_cut
    late = [one for one in made.candidates.values() if not one.scores]
    assert late and all(one.was_ended and one.reason for one in late)


def test_steps_say_what_came_of_them(store: Store) -> None:
    made = drive(store)
    made.run()
    assert not made.is_cut and not any(step.skipped for step in made.steps)
    whole = [one for one in made.candidates.values() if one.is_whole]
    assert whole and all(sorted(one.scores) == [0, 1, 2] for one in whole)
    for step in made.steps:
        if 2 in step.folds:  # the last fold's model is exported and timed
            assert step.latency_ms is not None and step.latency_ms[0] <= step.latency_ms[1]


def test_with_time_enough_every_candidate_of_a_small_table_gets_all_folds(store: Store) -> None:
    made = drive(store, odd.Guessing(), load_family("linear"), clock=clock_of(1e5), is_small=True)
    made.run()
    done = [one for one in made.candidates.values() if one.scores]
    assert len(done) > 3 and all(sorted(one.scores) == [0, 1, 2] for one in done)
    later = [step for step in made.steps if step.candidate == step.number and step.number > 2]
    assert later and all(step.folds == (0, 1, 2) for step in later)


def test_folds_of_few_rows_never_decide_alone_and_those_of_many_do_when_time_is_short(store: Store) -> None:
    for is_tiny in (True, False):
        families = [load_family(name) for name in ("linear", "lightgbm", "forest")]
        made = drive(store, *families, clock=clock_of(1e5), is_small=True, is_tiny=is_tiny)
        made.candidates = {1: Candidate(1, "linear", {}, 0, scores={0: (0.9,)}, seconds=1e5)}
        assert made.clock is not None and isinstance(made.race, Race)
        made._settle(made.clock)
        step = [made.race.next(number, {}) for number in range(4)][3]
        assert made.n_folds == (2 if is_tiny else 3)
        assert step is not None and step.folds == ((0, 1) if is_tiny else (0,))


def test_the_only_long_training_is_not_ended_before_the_very_end(store: Store) -> None:
    """Its last rows are being answered, perhaps; the constant answer would be all that is left."""
    clock = clock_of(10.0, quiet_after_s=20.0)  # the search is over long before
    clock.started -= 90.0
    made = drive(store, clock=clock)
    made.run()
    step = Step(9, 9, "guessing", {}, 1, (0,), kind="long")
    made._waiting = {9: step}
    order = Order(number=9, family="guessing", params={}, seed=1, kind="long", limit_s=60.0)
    assert made._is_late() and (made._patience(order) or 0.0) < 1.0
    for one in made.candidates.values():
        if one.family != "dummy":
            one.scores = {}
    assert not made._is_late()
    assert made._patience(order) == pytest.approx(10.0, abs=3.0)
    brief = Order(number=9, family="guessing", params={}, seed=1, kind="long", limit_s=0.1)
    assert made._patience(brief) == pytest.approx(10.0, abs=3.0), "what follows its steps takes as long as it takes"


def test_a_busy_machine_is_not_reckoned_with_twice_where_calls_are_long() -> None:
    """Their time was measured on it; short calls are hardly ever interrupted."""
    clock = clock_of(1_000.0, rows_answered=1_000, quiet_overhead_s=0.0)
    for latency_ms, factor in ((1.0, 4.0), (20.0, 1.0)):
        cost = Cost(fit_s=1.0, latency_ms_p50=latency_ms, latency_ms_p99=latency_ms, size_mb=1.0)
        candidates = {1: Candidate(1, "linear", {}, 0, cost=cost)}
        clock.slowness = 1.0
        quiet = clock.besides_s(candidates)
        clock.slowness = 4.0
        assert clock.besides_s(candidates) == pytest.approx(factor * quiet)


def test_a_busy_machine_is_noticed() -> None:
    clock = clock_of(60.0)
    quiet = clock.overhead_s
    for _ in range(20):
        clock.take_in(Outcome(number=0, status="done", seconds=4.0, cpu_s=1.0))
    assert clock.slowness == pytest.approx(4.0, rel=0.01)
    assert clock.overhead_s == pytest.approx(4 * quiet, rel=0.01)
    clock.take_in(Outcome(number=0, status="done", seconds=4.0, cpu_s=0.001))  # says nothing
    assert clock.slowness == pytest.approx(4.0, rel=0.01)


def test_what_follows_the_search_is_left_for_it_but_not_all() -> None:
    now = time.monotonic()
    assert clock_of(60.0, quiet_after_s=5.0).end == pytest.approx(now + 55.0, abs=1.0)
    assert clock_of(60.0, quiet_after_s=500.0).end > now + 25.0


def test_time_is_kept_for_the_last_fits_of_the_best() -> None:
    clock = clock_of(100.0)
    known = {k: Candidate(k, "linear", {}, 0, scores={0: (0.9,)}, seconds=2.0 * k, whole_at=k) for k in (1, 2, 3)}
    assert clock.reserve_s(known) > clock.reserve_s({1: known[1]}) > clock.reserve_s({})
    assert clock.reserve_s({9: Candidate(9, "linear", {}, 0, scores={0: (0.9,)}, seconds=1e6, whole_at=9)}) < 60.0
