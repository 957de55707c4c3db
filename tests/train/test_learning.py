from __future__ import annotations

import time
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from palio.core.records import Column, LearningCurve, LearningPoint, Parts
from palio.testing.family import TASKS, examples_of
from palio.train import Examples
from palio.train.clock import Clock
from palio.train.examples import Array
from palio.train.finals import Final
from palio.train.learning import _judged, draw, nested, sentence
from palio.train.lessons import Lesson
from tests.train.small_parts import PARTS, candidate_of, field_of, terms

TASK = TASKS["value"]
TERMS = terms(TASK, "rmse")
THREE_FOLDS = msgspec.structs.replace(PARTS, n_folds=3)


def labelled(n_rows: int) -> Examples:
    made = examples_of(TASK, n_rows=n_rows)
    frame = made.frame.with_columns(pl.Series("y", made.target), pl.Series("group", np.arange(n_rows) // 10))
    columns = (*made.schema.columns, Column(name="group", type="integer", feature=False))
    return Examples(frame, made.target, msgspec.structs.replace(made.schema, columns=columns), TASK)


def cut(examples: Examples, parts: Parts = THREE_FOLDS, n: int = 3) -> Lesson:
    which = np.arange(len(examples.target)) // 10 % n
    rows: dict[str, Array] = {}
    for k in range(n):
        learned = np.flatnonzero(which != k)
        rows |= {f"learn {k}": learned, f"score {k}": np.flatnonzero(which == k)}
        halves = nested(examples, learned, parts)
        if halves is not None:
            rows |= {f"quarter {k}": halves[0], f"half {k}": halves[1]}
    return Lesson(examples, rows)


def drawn(lesson: Lesson, family: str = "lightgbm", *, clock: Clock | None = None) -> LearningCurve | None:
    known = {0: candidate_of(0, "dummy", lesson, TERMS)}
    known[1] = candidate_of(1, family, lesson, TERMS) if family != "dummy" else known[0]
    final = Final(runs=(), chosen="", bundle="", reasons=(), members={1: 1.0}, kept=())
    return draw(field_of(lesson, TERMS, clock=clock), known, final)


def test_a_curve_that_still_rises_says_what_more_rows_may_bring() -> None:
    found = drawn(cut(labelled(2400)))
    assert found is not None
    assert [point.n_rows for point in found.points] == [400, 800, 1600]
    quarter, half, whole = (point.score for point in found.points)
    assert quarter > half > whole  # an error falls
    assert found.gain == pytest.approx(half - whole)
    assert found.verdict == "rises"
    assert 0 < found.next_gain <= found.gain
    assert sentence(found, "rmse").startswith("More rows would help: from 800 to 1,600 rows rmse went from ")


def test_what_has_learned_all_it_can_needs_no_more_rows() -> None:
    found = drawn(cut(labelled(9000)), "linear")
    assert found is not None
    assert (found.verdict, found.next_gain) == ("flat", 0.0)
    assert sentence(found, "rmse").startswith("More rows would hardly help")


def test_a_gain_that_chance_could_hide_is_unclear() -> None:
    points = tuple(LearningPoint(n_rows=n, score=0.7, error=0.02) for n in (150, 300, 600))
    quarter, half, whole = np.full(3, 0.68), np.full(3, 0.69), np.array([0.66, 0.70, 0.74])
    found = _judged(points, [quarter, half, whole], lead=0.2, holdout=False)
    assert (found.verdict, found.next_gain) == ("unclear", 0.0)
    assert sentence(found, "roc_auc").startswith("It is unclear whether more rows would help: from 300 to 600 rows")
    steady = _judged(points, [quarter, half, half + np.array([0.0001, 0.0, -0.0001])], lead=0.2, holdout=False)
    assert steady.verdict == "flat"


def test_the_same_folds_give_the_same_curve() -> None:
    assert drawn(cut(labelled(600))) == drawn(cut(labelled(600)))


def test_the_last_point_is_the_score_of_the_search() -> None:
    lesson = cut(labelled(600))
    found = drawn(lesson, "linear")
    assert found is not None
    assert found.points[-1].score == candidate_of(1, "linear", lesson, TERMS).mean()


def test_no_curve_is_begun_that_would_break_the_budget() -> None:
    clock = Clock(ends=time.monotonic(), n_workers=1, n_rows_a_fold=400.0, n_rows=600, sign=1.0, quiet_overhead_s=0.0)
    assert drawn(cut(labelled(600)), "linear", clock=clock) is None


def test_of_a_mix_the_heaviest_member_is_drawn() -> None:
    lesson = cut(labelled(900))
    known = {k: candidate_of(k, name, lesson, TERMS) for k, name in enumerate(("dummy", "linear", "lightgbm"))}
    final = Final(runs=(), chosen="", bundle="", reasons=(), members={1: 0.3, 2: 0.7}, kept=())
    found = draw(field_of(lesson, TERMS), known, final)
    assert found is not None
    assert found.points[-1].score == known[2].mean()


def test_two_folds_tell_no_error_and_so_no_curve() -> None:
    assert drawn(cut(labelled(1200), n=2), "linear") is None
    found = drawn(cut(labelled(600)), "linear")
    assert found is not None and msgspec.json.decode(msgspec.json.encode(found), type=LearningCurve) == found


@pytest.mark.parametrize(("family", "n_rows"), [("dummy", 600), ("linear", 200)])
def test_no_curve_where_it_would_say_nothing(family: str, n_rows: int) -> None:
    assert drawn(cut(labelled(n_rows)), family) is None


@pytest.mark.parametrize(
    "changes",
    [{"method": "grouped", "key_columns": ("group",)}, {"method": "time"}],
    ids=["grouped", "time"],
)
def test_quarters_are_cut_as_the_parts_were(changes: dict[str, Any]) -> None:
    found = drawn(cut(labelled(900), msgspec.structs.replace(THREE_FOLDS, **changes)), "linear")
    assert found is not None
    assert found.points[0].n_rows == pytest.approx(150, abs=10)
    assert found.points[1].n_rows == pytest.approx(300, abs=10)


def test_too_few_groups_for_quarters_give_no_curve() -> None:
    whole = labelled(600)
    few = Examples(
        whole.frame.with_columns(pl.Series("group", np.arange(600) % 2)), whole.target, whole.schema, whole.task
    )
    grouped = msgspec.structs.replace(THREE_FOLDS, method="grouped", key_columns=("group",))
    assert drawn(cut(few, grouped), "linear") is None
