"""How long networks may learn in a search."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest

from palio.core.records import Cost, Course
from palio.store import open_store
from palio.testing.family import TASKS
from palio.train.clock import MAX_SLOWNESS, Clock
from palio.train.engine.inline import InlineEngine
from palio.train.race import Candidate, Step
from palio.train.schooling import AFTER_MARGIN, AFTER_S, Schooling
from tests.train.small_parts import terms


@pytest.mark.parametrize("slowness", [1.0, MAX_SLOWNESS])
def test_where_no_heat_came_to_its_end_most_of_what_is_left_goes_to_a_training_all_the_same(
    tmp_path: Path, slowness: float
) -> None:
    asked = terms(TASKS["two classes"], "roc_auc")
    clock = Clock(ends=time.monotonic() + 60, n_workers=1, n_rows_a_fold=80.0, n_rows=100, sign=1.0, quiet_overhead_s=0)
    clock.slowness = slowness
    step = Step(3, 3, "net", {"epochs": 5}, 0, (0,), kind="long", usual=5)
    with open_store(tmp_path) as store:
        limit = Schooling(store, asked, InlineEngine(None, {}), 60.0).limit_s(step, clock, {})  # type: ignore[arg-type]
    assert limit is not None
    assert 30 < limit < 60


def test_a_heat_has_all_threads_where_nobody_else_competes(tmp_path: Path) -> None:
    asked = terms(TASKS["two classes"], "roc_auc")
    engine = InlineEngine(None, {})  # type: ignore[arg-type]
    engine.threads, engine.n_workers = 1, 2
    with open_store(tmp_path) as store:
        schooling = Schooling(store, asked, engine, 60.0)
        heat = Step(1, 1, "net", {"epochs": 5}, 0, (0,), kind="heat")
        assert schooling.threads(heat) == 1
        assert schooling.threads(dataclasses.replace(heat, is_alone=True)) == 2


def test_of_a_network_whose_heat_was_ended_it_is_known_that_it_is_slow(tmp_path: Path) -> None:
    asked = terms(TASKS["two classes"], "roc_auc")
    how = {"n_workers": 1, "n_rows_a_fold": 80.0, "n_rows": 100, "sign": 1.0, "quiet_overhead_s": 0.0}
    step = Step(3, 3, "net", {"epochs": 5}, 0, (0,), kind="long", usual=5)
    limits = []
    with open_store(tmp_path) as store:
        for family in ("other", "net"):
            clock = Clock(ends=time.monotonic() + 60, **how)  # type: ignore[arg-type]
            known = {1: Candidate(1, family, {}, 0, was_ended=True)}
            limits.append(Schooling(store, asked, InlineEngine(None, {}), 60.0).limit_s(step, clock, known))  # type: ignore[arg-type]
    assert limits[0] == pytest.approx(60 - AFTER_MARGIN * AFTER_S, abs=0.5)
    assert limits[1] == pytest.approx(40, abs=0.5)


def test_a_training_leaves_time_for_the_answers_of_its_own_network_though_another_leads(tmp_path: Path) -> None:
    asked = terms(TASKS["two classes"], "roc_auc")
    course = Course(epochs=(), n_epochs=1, n_steps=10, epoch_s=0.5)
    step = Step(3, 3, "net", {"epochs": 5}, 0, (0,), kind="long", usual=5)
    limits = []
    with open_store(tmp_path) as store:
        for ms in (0.0, 10.0):
            how = {"n_workers": 1, "n_rows_a_fold": 100.0, "n_rows": 100, "sign": 1.0, "quiet_overhead_s": 0.0}
            clock = Clock(ends=time.monotonic() + 100, rows_after=2_000, **how)  # type: ignore[arg-type]
            cost = Cost(fit_s=1.0, latency_ms_p50=ms, latency_ms_p99=ms, size_mb=1.0)
            heat = Candidate(1, "net", {}, 0, scores={0: (0.6,)}, cost=cost, course=course)
            known = {1: heat, 2: Candidate(2, "linear", {}, 0, scores={0: (0.8,)})}
            clock.expect(known)
            limits.append(Schooling(store, asked, InlineEngine(None, {}), 100.0).limit_s(step, clock, known))  # type: ignore[arg-type]
    assert limits[0] and limits[1]
    # it is on all rows twice: 20 s of answers, and as much less learning, half of it here
    assert limits[0] - limits[1] > 8
