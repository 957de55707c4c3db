"""How long networks may learn in a search."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest

from palio.store import open_store
from palio.testing.family import TASKS
from palio.train.clock import MAX_SLOWNESS, Clock
from palio.train.engine.inline import InlineEngine
from palio.train.race import Step
from palio.train.schooling import Schooling
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
