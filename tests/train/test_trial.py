from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palio.core.records import Cost, Parity
from palio.store import Store, open_store
from palio.testing.family import TASKS, examples_of
from palio.train import trial
from palio.train.orders import Order, Outcome
from palio.train.pace import Pace
from palio.train.race import Candidate, Step
from palio.train.table import load_family
from palio.train.trial import UNDEFINED, forget, keep, recall, take_in, trial_id
from palio.train.work import carry_out
from tests.train.small_parts import lesson_of, terms

TASK = TASKS["two classes"]
TERMS = terms(TASK, "roc_auc")
STEP = Step(5, 5, "linear", {"penalty": 1.0}, 7, (0, 1))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


def outcome(**changes: Any) -> Outcome:
    made = Outcome(
        number=5,
        status="done",
        params={"penalty": 1.0},
        rounds=3,
        scores=(0.8, np.nan),
        ties=(0.7, 0.6),
        answers=(np.array([[0.2, 0.8]]), np.array([[0.5, 0.5], [0.1, 0.9]])),
        curves=(np.array([3.0, 2.0]), np.array([4.0])),
        n_parameters=9,
        seconds=1.5,
        graph=b"graph",
        cost=Cost(fit_s=1.0, latency_ms_p50=0.1, latency_ms_p99=0.2, size_mb=0.3),
        parity=(Parity(rows=3, max_abs_diff=0.0, n_label_diffs=0, passed=True, path="p", tolerance=1e-6),),
    )
    return dataclasses.replace(made, **changes)


def same(first: Outcome | None, second: Outcome) -> bool:
    """Compare all but what nobody needs again."""
    assert first is not None
    for field in dataclasses.fields(Outcome):
        if field.name in ("cpu_s", "checked", "seen"):
            continue
        one, other = getattr(first, field.name), getattr(second, field.name)
        if field.name in ("answers", "curves"):
            assert len(one) == len(other)
            assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
        elif field.name in ("scores", "ties"):
            assert np.array_equal(one, other, equal_nan=True)
        else:
            assert one == other, field.name
    return True


def test_what_was_kept_is_recalled(store: Store) -> None:
    assert recall(store, TERMS, STEP, budget_s=60.0) is None
    keep(store, TERMS, STEP, outcome(), budget_s=60.0)
    for budget_s in (60.0, 300.0, 0.0):
        assert same(recall(store, TERMS, STEP, budget_s=budget_s), outcome())


def test_what_had_too_little_time_is_recalled_under_the_same_budget_only(store: Store) -> None:
    short = outcome(is_short=True, lengths=(2, 1))
    late = outcome(status="late", reason="its time was over", answers=(), curves=(), graph=b"")
    for step, made in ((STEP, short), (dataclasses.replace(STEP, number=6), late)):
        keep(store, TERMS, step, dataclasses.replace(made, number=step.number), budget_s=10.0)
        assert recall(store, TERMS, step, budget_s=60.0) is None
        assert recall(store, TERMS, step, budget_s=0.0) is None
        assert same(recall(store, TERMS, step, budget_s=10.0), dataclasses.replace(made, number=step.number))
    keep(store, TERMS, STEP, outcome(), budget_s=60.0)  # with more time
    assert same(recall(store, TERMS, STEP, budget_s=0.0), outcome())


def test_a_failure_is_recalled_whatever_the_budget(store: Store) -> None:
    failed = outcome(status="failed", reason="no such thing", answers=(), curves=(), graph=b"", scores=(), ties=())
    keep(store, TERMS, STEP, failed, budget_s=10.0)
    assert same(recall(store, TERMS, STEP, budget_s=60.0), failed)


def test_a_trial_whose_answers_are_gone_is_made_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(store, TERMS, STEP, outcome(), budget_s=0.0)
    (blob,) = [one.arrays for one in store.records.all(trial.Trial)]
    store.blobs.delete(blob)
    assert recall(store, TERMS, STEP, budget_s=0.0) is None


def test_a_trial_is_named_by_all_that_it_depends_on() -> None:
    changes: list[dict[str, Any]] = [{}, {"number": 6}, {"family": "forest"}, {"params": {"penalty": 2.0}}]
    steps = [dataclasses.replace(STEP, **one) for one in [*changes, {"folds": (0,)}]]
    others = [dataclasses.replace(TERMS, inputs="other")]
    names = [trial_id(TERMS, step) for step in steps] + [trial_id(one, STEP) for one in others]
    names.append(trial_id(TERMS, STEP, budget_s=1.0))
    assert len(set(names)) == len(names) == 7


def candidate(**changes: Any) -> Candidate:
    return dataclasses.replace(Candidate(5, "linear", {"penalty": 1.0}, 7), **changes)


def test_an_outcome_fills_its_candidate() -> None:
    one = candidate()
    take_in(one, STEP, outcome())
    assert (one.scores[0], one.ties) == ((0.8,), {0: (0.7,), 1: (0.6,)})
    assert one.screen == 0.8 and one.mean() == 0.8
    assert one.answers[1].dtype == np.float32
    assert (one.rounds, one.n_parameters, one.graph) == (3, 9, b"graph")


def test_blocks_of_a_holdout_stay_together() -> None:
    one = candidate()
    step = dataclasses.replace(STEP, folds=(0,))
    take_in(one, step, outcome(scores=(0.8, 0.9, 0.7), ties=(0.1, 0.2, 0.3), answers=(np.zeros((9, 2)),)))
    assert one.scores == {0: (0.8, 0.9, 0.7)}
    assert one.screen == pytest.approx(0.8)


@pytest.mark.parametrize("status", ["failed", "late", "killed"])
def test_a_first_step_that_comes_to_nothing_fails_the_candidate(status: Any) -> None:
    one = candidate()
    take_in(one, STEP, outcome(status=status, reason="r"))
    assert (one.failed, one.was_ended, one.reason, one.screen) == (True, status != "failed", "r", None)


@pytest.mark.parametrize("status", ["late", "killed"])
def test_a_later_step_that_is_ended_leaves_what_is_known(status: Any) -> None:
    one = candidate()
    take_in(one, dataclasses.replace(STEP, folds=(0,)), outcome(scores=(0.8,), ties=(0.7,)))
    take_in(one, dataclasses.replace(STEP, number=9, folds=(1,)), outcome(status=status, reason="r"))
    assert (one.failed, one.was_ended, one.scores) == (False, True, {0: (0.8,)})


def test_a_metric_that_is_nowhere_defined_fails_the_candidate() -> None:
    one = candidate()
    take_in(one, STEP, outcome(scores=(np.nan, np.nan)))
    assert one.failed and one.reason == UNDEFINED


def test_answers_of_the_worst_are_let_go_of_and_those_of_the_best_of_each_family_kept() -> None:
    made = {
        k: Candidate(k, family, {}, 0, scores={0: (0.9 - k / 100,)}, answers={0: np.zeros((10, 2))}, whole_at=0)
        for k, family in enumerate(["linear"] * 30 + ["dummy"])
    }
    forget(made.values(), sign=1.0)
    kept = [k for k, one in made.items() if one.answers]
    assert kept == [*range(trial.MAX_KEPT), 30]


def test_it_makes_no_difference_when_answers_are_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "MAX_KEPT", 4)
    scores = np.random.default_rng(0).random(40)
    once = [Candidate(k, "linear", {}, 0, scores={0: (s,)}, answers={0: np.zeros(1)}, whole_at=0) for k, s in
            enumerate(scores)]  # fmt: skip
    often: list[Candidate] = []
    for one in once:
        often.append(dataclasses.replace(one))
        forget(often, sign=1.0)
    forget(once, sign=1.0)
    assert [bool(one.answers) for one in once] == [bool(one.answers) for one in often]


def test_with_many_classes_and_rows_few_answers_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "KEPT_BYTES", 8_000)
    made = [
        Candidate(k, "linear", {}, 0, scores={0: (1.0,)}, answers={0: np.zeros((100, 10))}, whole_at=0)
        for k in range(20)
    ]
    forget(made, sign=1.0)
    assert sum(bool(one.answers) for one in made) == trial.FEWEST_KEPT


def carried_out(family: str, **changes: Any) -> Outcome:
    lesson = lesson_of(examples_of(TASK))
    chosen = load_family(family)
    params = dict(chosen.defaults(lesson.take("learn 0").shape, TASK)[0])
    asked: dict[str, Any] = {"number": 1, "family": family, "params": params, "seed": 3, "folds": (0, 1, 2)}
    return carry_out(Order(**asked | {"metrics": TERMS.metrics} | changes), chosen, lesson, Pace())


def test_a_trial_scores_every_fold() -> None:
    found = carried_out("linear")
    assert (found.status, len(found.scores), found.is_short) == ("done", 3, False)
    assert np.mean(found.scores) > 0.9


def test_blocks_of_a_holdout_give_a_spread() -> None:
    assert len(carried_out("linear", folds=(0,), n_blocks=4).scores) == 4


def test_a_limit_that_is_too_short_is_told() -> None:
    started = time.monotonic()
    found = carried_out("lightgbm", limit_s=1e-6)
    assert found.status == "late" or found.is_short
    assert time.monotonic() - started < 60
