from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

from palio import model
from palio.core.records import Calibration, Cost, Layer, Parity, Task
from palio.testing.family import TASKS, examples_of
from palio.train.champion import MAX_TIMINGS, Champion, timed
from palio.train.examples import Examples
from palio.train.field import Finalist
from palio.train.finalists import single
from palio.train.lessons import Lesson
from palio.train.mixing import mixes
from palio.train.race import Candidate
from palio.train.work import checked_rows, numbers_of
from tests.train.small_parts import candidate_of, field_of, lesson_of, terms


def costs(*latencies: float) -> Iterator[Cost]:
    for p99 in latencies:
        yield Cost(fit_s=1.0, latency_ms_p50=p99 / 2, latency_ms_p99=p99, size_mb=1.0)


def test_what_meets_the_limit_is_timed_once() -> None:
    found = timed(costs(20.5, 1.0).__next__, limit_ms=20.0)
    assert (found.latency_ms_p99, found.n_timings) == (20.5, 1)


def test_what_is_over_the_limit_is_timed_again_until_it_meets_it() -> None:
    found = timed(costs(90.0, 40.0, 15.0, 1.0).__next__, limit_ms=20.0)
    assert (found.latency_ms_p50, found.latency_ms_p99, found.n_timings) == (7.5, 15.0, 3)


def test_what_stays_over_the_limit_keeps_its_least_disturbed_time() -> None:
    found = timed(costs(50.0, 45.0, 60.0, 47.0, 70.0, 1.0).__next__, limit_ms=20.0)
    assert (found.latency_ms_p99, found.n_timings) == (45.0, MAX_TIMINGS)


def test_without_a_limit_one_timing_is_enough() -> None:
    assert timed(costs(1e9, 1.0).__next__, limit_ms=None).n_timings == 1


# ── mixes as a whole: what every family keeps, they keep, too ───────────────────────────────────────────────────────

FAMILIES = ("linear", "lightgbm")


def finalists(task: Task, lesson: Lesson) -> tuple[dict[int, Candidate], dict[str, Finalist]]:
    """Fit two families, and mix them in every way: those that compete, and one that is stacked and corrected."""
    conditions = terms(task, task.metric)
    made = {k: candidate_of(k, name, lesson, conditions) for k, name in enumerate(FAMILIES)}
    found = {one.run.family: one for one in mixes(field_of(lesson, conditions), list(made.values()))}
    by_hand = dataclasses.replace(single(field_of(lesson, conditions), made[0], range(3)), weights={0: 0.7, 1: 0.5})
    if task.kind == "regression":
        return made, found | {"by hand": by_hand}
    layer = Layer(offsets=tuple(np.linspace(-0.3, 0.3, len(task.classes)).tolist()))
    how = Calibration(kind="temperature", numbers=(1.2,))
    found["by hand"] = dataclasses.replace(by_hand, layer=layer, calibration=how)
    return made, found


def joined(lesson: Lesson, task: Task, made: dict[int, Candidate], one: Finalist) -> tuple[bytes, tuple[Parity, ...]]:
    champion = Champion(field_of(lesson, terms(task, task.metric)), made, one)
    return champion._joined(champion._fits.made(), checked_rows(lesson.examples))


@pytest.mark.parametrize("name", list(TASKS))
def test_every_kind_of_mix_is_one_graph_that_answers_as_its_libraries_do_at_hard_rows_too(name: str) -> None:
    task = TASKS[name]
    lesson = lesson_of(examples_of(task, n_rows=1_020))
    made, found = finalists(task, lesson)
    if name == "three classes":  # elsewhere a mix need not be better than its best member
        assert set(found) >= {"ensemble", "stacked ensemble"}
    for kind, one in found.items():
        graph, parity = joined(lesson, task, made, one)
        assert len(parity) == 2 and all(check.passed for check in parity), kind
        assert max(check.max_abs_diff for check in parity) < 1e-9
        again, _ = joined(lesson, task, made, one)
        assert graph == again, kind
        feeds = lesson.examples.feeds()
        numbers = numbers_of(model.Graph(graph).predict(feeds))
        np.testing.assert_array_equal(numbers, numbers_of(model.Graph(again).predict(feeds)))
        if task.kind == "classification":
            assert numbers.min() >= 0
            np.testing.assert_allclose(numbers.sum(axis=1), 1.0)


def test_a_class_that_a_fold_lacks_breaks_no_mix() -> None:
    """The third class stands in rows of the first fold alone: the fits that are scored there have never seen it."""
    task = TASKS["three classes"]
    examples = examples_of(task, n_rows=1_020)
    kept = np.flatnonzero((examples.target != 2) | (np.arange(1_020) < 340))
    which = np.where(examples.target[kept] == 2, 0, np.arange(len(kept)) % 3)
    some: Examples = examples.take(kept)
    rows = {f"learn {k}": np.flatnonzero(which != k) for k in range(3)}
    lesson = Lesson(some, rows | {f"score {k}": np.flatnonzero(which == k) for k in range(3)})
    assert 2 not in some.target[lesson.rows["learn 0"]]
    made, found = finalists(task, lesson)
    for kind, one in found.items():
        assert np.isfinite(one.answers).all() and np.isfinite(one.run.fold_scores).all(), kind
        graph, parity = joined(lesson, task, made, one)
        assert all(check.passed for check in parity), kind
        answered = numbers_of(model.Graph(graph).predict(some.feeds())).argmax(axis=1)
        assert 2 in answered, kind
