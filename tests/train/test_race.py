from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from palio.core import records
from palio.testing.family import TASKS
from palio.train.examples import Shape
from palio.train.race import HOPELESS_SHARE, LAG, MAX_WHOLE_A_FAMILY, Candidate, Race, Rerun, Step
from palio.train.table import load_family
from tests.train.small_parts import terms

TASK = TASKS["two classes"]
TERMS = terms(TASK, "roc_auc")
NAMES = ("dummy", "linear", "lightgbm", "forest", "xgboost", "mlp")
SHAPE = Shape(5_000, 10, 2)
Score = Callable[[Step], float | None]


def race(names: Sequence[str] = NAMES, *, n_folds: int = 5, screens: bool = True, most: int | None = 20) -> Race:
    return Race([load_family(name) for name in names], SHAPE, TERMS, n_folds=n_folds, screens=screens, most=most)


def by_family(step: Step) -> float | None:
    base = {"dummy": 0.5, "linear": 0.8, "lightgbm": 0.9, "forest": 0.895}
    return base.get(step.family, 0.7) + (step.seed % 97) / 10_000


def run(started: Any, score: Score, *, n_workers: int = 1, n_steps: int = 40) -> list[Step]:
    """Take steps with so many workers, of which the one that began last ends first."""
    candidates: dict[int, Candidate] = {}
    steps: list[Step] = []
    busy: list[Step] = []
    number = 0
    while number < n_steps:
        while len(busy) < n_workers and not any(one.number <= number - LAG for one in busy) and number < n_steps:
            step = started.next(number, {k: one for k, one in candidates.items() if k <= number - LAG})
            number += 1
            if step is None:
                continue
            if step.number == step.candidate:
                candidates[step.number] = Candidate(step.number, step.family, step.params, step.seed)
            steps.append(step)
            busy.append(step)
        if busy:
            done = busy.pop()
            one = candidates[done.candidate]
            found = score(done)
            if found is not None:
                one.screen = found if one.screen is None else one.screen
                one.scores |= dict.fromkeys(done.folds, (found,))
                if len(one.scores) == 5:
                    one.whole_at = done.number
    return steps


def test_every_family_is_tried_once_before_any_is_tried_again() -> None:
    assert [step.family for step in run(race(), by_family)[: len(NAMES)]] == list(NAMES)


def test_of_very_many_classes_what_costs_least_comes_first() -> None:
    many = Race([load_family(name) for name in NAMES], Shape(5_000, 10, 200), TERMS, n_folds=5, screens=True)
    first = [one.family for number in range(len(NAMES)) if (one := many.next(number, {})) is not None]
    assert first[:2] == ["dummy", "linear"] and set(first) == set(NAMES)
    assert first.index("forest") < first.index("lightgbm") < first.index("xgboost")


def test_the_first_try_is_one_fold_with_the_first_defaults() -> None:
    for step in run(race(), by_family)[: len(NAMES)]:
        assert step.folds == (0,)
        assert step.params == load_family(step.family).defaults(SHAPE, TASK)[0]


@pytest.mark.parametrize("screens", [True, False])
def test_the_same_findings_give_the_same_steps_whatever_the_number_of_workers(screens: bool) -> None:
    one, two, four = (run(race(screens=screens), by_family, n_workers=n) for n in (1, 2, 4))
    assert one == two == four
    assert len(one) > 20


def test_a_step_knows_nothing_of_the_last_few() -> None:
    """What came of a step less than four steps ago changes nothing."""
    first, second = race(), race()
    known: dict[int, Candidate] = {}
    steps: list[Step] = []
    for number in range(12):
        visible = {k: one for k, one in known.items() if k <= number - LAG}
        step = first.next(number, visible)
        assert step == second.next(number, visible)
        if step is not None and step.number == step.candidate:
            steps.append(step)
            known[number] = Candidate(number, step.family, step.params, step.seed, screen=by_family(step))
            known[number].scores = {0: (by_family(step) or 0.0,)}
    assert len(steps) > 4


def test_what_is_hopeless_is_not_gone_on_with_and_its_settings_are_not_searched() -> None:
    def score(step: Step) -> float:
        known = {"dummy": 0.5, "linear": 0.9 - 1.5 * HOPELESS_SHARE * 0.4, "lightgbm": 0.9, "forest": 0.89}
        return known.get(step.family, 0.7)

    steps = run(race(most=None), score)
    assert sum(step.family == "linear" for step in steps) == 1
    assert {step.family for step in steps if step.folds == (1, 2, 3, 4)} == {"lightgbm", "forest"}


def test_the_best_of_each_family_goes_to_all_folds_first() -> None:
    taken = [step.family for step in run(race(), by_family) if step.folds == (1, 2, 3, 4)]
    assert sorted(taken[:2]) == ["forest", "lightgbm"]
    assert all(taken.count(name) <= MAX_WHOLE_A_FAMILY + 1 for name in NAMES)


def test_no_candidate_goes_to_all_folds_twice() -> None:
    taken = [step.candidate for step in run(race(most=None), by_family, n_steps=80) if step.number != step.candidate]
    assert len(taken) == len(set(taken))


def test_small_tables_are_fitted_on_all_folds_at_once() -> None:
    steps = run(race(screens=False), by_family)
    assert all(step.folds == (0, 1, 2, 3, 4) for step in steps if step.number == step.candidate and step.number >= 3)


def test_one_fold_of_a_small_table_leaves_nobody_behind() -> None:
    def odd_fold(step: Step) -> float:
        return 0.3 if step.folds == (0,) and step.family != "dummy" else by_family(step) or 0.0

    steps = run(race(screens=False, most=None), odd_fold)
    taken = {step.family for step in steps if step.folds == (1, 2, 3, 4)}
    assert taken == {"dummy", "linear", "lightgbm"}  # the others learned from all folds at once


def test_where_the_first_fold_shows_no_gain_all_folds_are_asked() -> None:
    steps = run(race(most=None), lambda step: 0.5 if step.family == "dummy" else 0.4)
    assert {"linear", "lightgbm", "forest"} <= {step.family for step in steps if step.folds == (1, 2, 3, 4)}


def test_so_many_candidates_are_tried_as_were_asked_for_and_no_more() -> None:
    for most in (2, 5, 9):
        steps = run(race(most=most), by_family, n_steps=60)
        assert sum(step.number == step.candidate for step in steps) == most
    assert [step.family for step in run(race(most=1), by_family)][:2] == ["dummy", "linear"]


def test_a_family_whose_first_try_fails_is_left_alone() -> None:
    steps = run(race(most=None), lambda step: None if step.family == "lightgbm" else by_family(step))
    assert sum(step.family == "lightgbm" for step in steps) == 1


def test_where_everything_fails_the_race_is_over() -> None:
    assert len(run(race(most=None), lambda _: None)) == len(NAMES)


def test_no_settings_are_tried_twice_and_seeds_differ() -> None:
    new = [step for step in run(race(most=None), by_family, n_steps=60) if step.number == step.candidate]
    assert len({(step.family, str(step.params)) for step in new}) == len(new)
    assert len({step.seed for step in new}) == len(new)


def test_means_leave_out_what_is_not_defined() -> None:
    one = Candidate(0, "linear", {}, 0, scores={0: (0.5, np.nan), 1: (0.7,)})
    assert one.mean() == pytest.approx(0.6)
    assert one.mean([1]) == 0.7
    assert one.defined((0, 1)) == [(0, 0), (1, 0)]
    assert Candidate(0, "linear", {}, 0, scores={0: (np.nan,)}).mean() is None


def test_a_plan_is_followed_step_by_step() -> None:
    steps = run(race(), by_family)
    told = tuple(
        records.Step(number=s.number, candidate=s.candidate, family=s.family, params=s.params, folds=s.folds)
        for s in steps
    )
    again = run(
        Rerun(records.SearchPlan(id="p", steps=told, n_folds=5, chosen="c", seconds=1.0), TERMS), by_family, n_workers=3
    )
    what = [(s.number, s.candidate, s.family, s.params, s.seed, s.folds) for s in steps]
    assert what == [(s.number, s.candidate, s.family, s.params, s.seed, s.folds) for s in again]


def test_the_constant_and_the_first_that_learn_are_taken_to_all_folds_before_the_others_are_tried() -> None:
    for screens, first in ((True, ["dummy", "lightgbm"]), (False, ["dummy", "linear", "lightgbm"])):
        steps = run(race((*NAMES, "svm", "bayes"), screens=screens), by_family)
        taken = [step.family for step in steps if step.folds == (1, 2, 3, 4)]
        place = next(place for place, step in enumerate(steps) if step.family == "bayes")
        assert taken[: len(first)] == first
        assert {step.family for step in steps[:place] if step.folds == (1, 2, 3, 4)} == set(first)


def test_what_is_settled_on_the_way_holds_from_then_on() -> None:
    settled = race(most=None)
    for number in range(3):
        assert settled.next(number, {}) is not None
    assert settled.n_fresh == len(NAMES) - 3
    settled.settle(n_folds=3, screens=False)
    step = settled.next(3, {})
    assert step is not None and step.folds == (0, 1, 2)


def test_what_did_well_elsewhere_is_tried_once_when_every_family_was() -> None:
    params = {"learning_rate": 0.07}
    made = Race(
        [load_family(name) for name in NAMES],
        SHAPE,
        TERMS,
        n_folds=5,
        screens=True,
        earlier=[("lightgbm", params)],
    )
    steps = run(made, lambda step: 0.9 if step.params == params else by_family(step), n_steps=14)
    (tried,) = [step for step in steps if step.params == params and step.candidate == step.number]
    assert tried.family == "lightgbm" and tried.number >= len(NAMES)
