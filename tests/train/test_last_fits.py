"""What is fitted on all rows, and what there is no time for."""

from __future__ import annotations

import time

import pytest

from palio.core.records import Course, Parity
from palio.testing.family import TASKS, examples_of
from palio.train.clock import Clock
from palio.train.engine.inline import InlineEngine
from palio.train.finalists import single
from palio.train.last_fits import LastFits, differs
from tests.train.small_parts import candidate_of, field_of, lesson_of, terms


def linear_alone(ends_in_s: float, slowness: float = 1.0, n_rows: int = 300) -> LastFits:
    """Return a linear model that was chosen alone, with so many seconds to the end of a thousand."""
    task = TASKS["two classes"]
    lesson = lesson_of(examples_of(task, n_rows=n_rows))
    made = {1: candidate_of(1, "linear", lesson, terms(task, task.metric), folds=(0,))}
    clock = Clock(
        ends=time.monotonic() + ends_in_s,
        n_workers=2,
        n_rows_a_fold=len(lesson.rows["learn 0"]),
        n_rows=n_rows,
        sign=1.0,
        quiet_overhead_s=150.0,
        slowness=slowness,
        started=time.monotonic() + ends_in_s - 1000.0,
    )
    engine = InlineEngine(lesson, {})
    engine.threads = 2
    field = field_of(lesson, terms(task, task.metric), clock=clock, engine=engine)
    return LastFits(field, made, single(field, made[1], (0,)))


def test_a_last_fit_that_is_soon_done_is_not_left_out_for_what_the_rest_may_take() -> None:
    fits = linear_alone(100.0)
    fits._candidates[1].seconds = 0.05
    assert fits._is_worth_it(1)
    fits._candidates[1].seconds = 500.0
    assert not fits._is_worth_it(1)
    late = linear_alone(-0.1)
    late._candidates[1].seconds = 0.05
    assert not late._is_worth_it(1)


def test_a_last_fit_of_a_network_is_begun_only_if_its_checks_find_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    fits = linear_alone(600.0)
    one = fits._candidates[1]
    one.seconds, one.graph, one.course, one.check_s = (
        100.0,
        b"graph",
        Course(epochs=(), n_epochs=1, n_steps=1, epoch_s=1.0),
        20.0,
    )
    assert fits._is_worth_it(1)
    one.check_s = 300.0
    assert fits._is_worth_it(1)  # tables are checked within seconds
    monkeypatch.setattr("palio.train.last_fits.is_taught", lambda family: True)
    assert not fits._is_worth_it(1)
    one.check_s = 20.0
    assert fits._is_worth_it(1)


def test_a_last_fit_that_is_still_checked_may_take_some_of_what_the_rest_would_have_had() -> None:
    fits = linear_alone(600.0)
    clock = fits._field.clock
    assert clock is not None
    left = fits._left_s()
    clock.quiet_after_s = 40.0
    assert left is not None
    assert fits._left_s() == pytest.approx(left - 40.0, abs=1.0)
    assert fits._patience_s() == pytest.approx(left - 20.0, abs=1.0)


def test_a_last_fit_of_few_rows_or_on_a_busy_machine_has_one_share_of_the_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calm, busy = linear_alone(600.0), linear_alone(600.0, slowness=4.0)
    for fits in (calm, busy):
        fits._field.engine.n_workers = 2
    family = calm._field.families["linear"]
    assert calm._threads(family) == busy._threads(family) == 2
    monkeypatch.setattr("palio.train.last_fits.FEW_CELLS", 10)
    assert (calm._threads(family), busy._threads(family)) == (4, 2)


def test_a_difference_is_told_in_digits_enough_to_be_more_than_is_allowed() -> None:
    parity = Parity(path="graph", rows=3, max_abs_diff=1.00004e-4, n_label_diffs=0, tolerance=1e-4, passed=False)
    assert "differs from its library by 0.000100004 (graph, 3 rows; 0.0001 is allowed)" in differs(parity)
