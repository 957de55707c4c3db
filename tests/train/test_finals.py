from __future__ import annotations

import dataclasses
import time

import msgspec
import numpy as np
import pytest

from palio.core.records import Cost, Member
from palio.testing.family import TASKS, examples_of
from palio.train.choice import Limits
from palio.train.clock import Clock
from palio.train.ensemble import MIXES
from palio.train.finals import _doubt, _finalists, _rather_fitted
from palio.train.mixing import price
from palio.train.race import Candidate
from tests.train.small_parts import candidate_of, field_of, lesson_of, terms

TASK = TASKS["two classes"]
TERMS = terms(TASK, "roc_auc")
LESSON = lesson_of(examples_of(TASK))


@pytest.fixture(scope="module")
def whole() -> dict[int, Candidate]:
    return {k: candidate_of(k, name, LESSON, TERMS) for k, name in enumerate(("dummy", "linear", "lightgbm"))}


def test_the_best_of_each_family_and_a_mix_are_in_the_final(whole: dict[int, Candidate]) -> None:
    found = _finalists(field_of(LESSON, TERMS), whole)
    assert {one.run.family for one in found} - set(MIXES) == {"dummy", "linear", "lightgbm"}
    for one in found:
        assert len(one.rows) == len(one.answers) == len(LESSON.examples.target)
        assert sum(one.weights.values()) == pytest.approx(1.0)


def test_a_candidate_of_one_fold_is_not_compared_with_means_of_all(whole: dict[int, Candidate]) -> None:
    half = candidate_of(3, "lightgbm", LESSON, TERMS, folds=(0,))
    half.scores = {0: (1.0,)}  # an easy fold
    found = _finalists(field_of(LESSON, TERMS), {0: whole[0], 1: whole[1], 3: half})
    assert len({len(one.run.fold_scores) for one in found}) == 1


def test_where_no_learner_was_scored_on_all_folds_all_are_compared_on_those_they_share(
    whole: dict[int, Candidate],
) -> None:
    half = candidate_of(3, "linear", LESSON, TERMS, folds=(0,))
    found = _finalists(field_of(LESSON, TERMS), {0: whole[0], 3: half})
    assert {one.run.family: len(one.run.fold_scores) for one in found} == {"dummy": 1, "linear": 1}
    for one in found:
        np.testing.assert_array_equal(one.rows, LESSON.rows["score 0"])


def test_one_fold_is_enough_to_choose_from_which_probability_on_a_rare_class_is_said() -> None:
    rng, everything = np.random.default_rng(0), examples_of(TASK)
    rare = np.concatenate([np.flatnonzero(everything.target == 0), np.flatnonzero(everything.target == 1)[:40]])
    lesson, asked = lesson_of(everything.take(rng.permutation(np.tile(rare, 3))), 2), terms(TASK, "balanced_accuracy")
    half = candidate_of(1, "linear", lesson, asked, folds=(0,))
    [found] = _finalists(field_of(lesson, asked), {1: half})
    assert found.threshold is not None
    assert found.threshold < 0.4
    assert (found.run.cv_score or 0.0) > (half.mean() or 0.0)


def test_a_candidate_whose_metric_is_undefined_where_it_is_for_others_is_out(whole: dict[int, Candidate]) -> None:
    odd = candidate_of(4, "lightgbm", LESSON, TERMS)
    odd.scores[1] = (np.nan,)
    found = _finalists(field_of(LESSON, TERMS), {0: whole[0], 1: whole[1], 4: odd})
    assert {one.run.family for one in found} == {"dummy", "linear"}


def test_where_the_metric_is_undefined_for_all_the_other_folds_decide(whole: dict[int, Candidate]) -> None:
    made = {k: candidate_of(k, name, LESSON, TERMS) for k, name in enumerate(("dummy", "linear"))}
    for one in made.values():
        one.scores[1] = (np.nan,)
    found = {one.run.family: one.run for one in _finalists(field_of(LESSON, TERMS), made)}
    assert {name: len(run.fold_scores) for name, run in found.items()} == {"dummy": 2, "linear": 2}
    assert found["linear"].cv_score == pytest.approx(np.mean([made[1].scores[0][0], made[1].scores[2][0]]))


def test_no_time_that_was_measured_decides_where_any_machine_must_end_the_same() -> None:
    cost = Cost(fit_s=1.0, latency_ms_p50=0.7, latency_ms_p99=0.9, size_mb=2.0)
    by_count = field_of(LESSON, TERMS)
    assert (price(by_count, cost).latency_ms, price(by_count, cost).size_mb) == (0.0, 2.0)
    clock = Clock(ends=time.monotonic() + 60, n_workers=1, n_rows_a_fold=1.0, n_rows=1, sign=1.0, quiet_overhead_s=0.0)
    for field in (field_of(LESSON, TERMS, clock=clock), field_of(LESSON, TERMS, limits=Limits(latency_ms_p99=5.0))):
        assert price(field, cost).latency_ms == 0.7
    assert price(by_count, None).size_mb == 0.0


def test_a_score_of_one_fold_alone_is_told_to_flatter(whole: dict[int, Candidate]) -> None:
    runs = {one.run.family: one.run for one in _finalists(field_of(LESSON, TERMS), dict(list(whole.items())[:2]))}
    alone = msgspec.structs.replace(runs["linear"], fold_scores=(0.9,))
    (told,) = _doubt(field_of(LESSON, TERMS), alone)
    assert "may flatter" in told and "raise [train] budget_s" in told
    assert _doubt(field_of(LESSON, TERMS), runs["linear"]) == []
    assert _doubt(field_of(LESSON, TERMS, n_blocks=10), alone) == []


def test_who_can_learn_from_all_rows_goes_before_a_mix_whose_members_cannot(whole: dict[int, Candidate]) -> None:
    slow = {
        k: dataclasses.replace(one, seconds=seconds * len(one.scores))
        for (k, one), seconds in zip(whole.items(), (0.1, 2, 40), strict=True)
    }
    found = _finalists(field_of(LESSON, TERMS), whole)
    alone = next(one for one in found if one.run.family == "linear")
    members = tuple(Member(run=alone.run.id, family=name, weight=0.5) for name in ("linear", "lightgbm"))
    run = msgspec.structs.replace(alone.run, family="ensemble", members=members)
    mixed, steady = (dataclasses.replace(alone, run=run, weights={1: share, 2: 1 - share}) for share in (0.3, 0.7))
    ranking = [mixed, *found]
    for left_s, first in ((100.0, mixed), (8.0, alone), (0.1, mixed)):
        clock = Clock(
            ends=time.monotonic() + left_s,
            n_workers=2,
            n_rows_a_fold=float(len(LESSON.rows["learn 0"])),
            n_rows=len(LESSON.examples.target),
            sign=1.0,
            quiet_overhead_s=0.0,
        )
        taken, said = _rather_fitted(field_of(LESSON, TERMS, clock=clock), slow, ranking)
        assert taken[0] is first and len(taken) == len(ranking) and bool(said) == (first is alone)
        field = field_of(LESSON, TERMS, clock=clock)  # of this one there is time for most
        assert _rather_fitted(field, slow, [steady, *found])[0][0] is steady
    assert _rather_fitted(field_of(LESSON, TERMS), slow, ranking)[0][0] is mixed
