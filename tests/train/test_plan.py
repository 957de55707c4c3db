from __future__ import annotations

from collections import Counter

import pytest

from palio.train import FAMILIES
from palio.train.family import Shape
from palio.train.plan import FIRST_LAP_SHARE, MAX_TRIALS, Plan, plan
from palio.train.table import load_family

BANK = Shape(27_000, 16, 2)
SMALL = Shape(1_000, 10, 2)


def make(shape: Shape, budget_s: float) -> Plan:
    return plan([load_family(name) for name in FAMILIES], shape, n_folds=5, budget_s=budget_s)


def names(made: Plan) -> Counter[str]:
    return Counter(made.families[index].name for index in made.schedule)


def test_every_family_tries_once_before_any_tries_twice() -> None:
    assert list(make(BANK, 300.0).schedule[:4]) == [0, 1, 2, 3]


def test_a_usual_table_is_planned_well_inside_the_budget() -> None:
    made = make(BANK, 300.0)
    assert made.seconds < 120.0
    assert names(made)["lightgbm"] >= 2


def test_small_tables_get_more_trials() -> None:
    assert len(make(SMALL, 300.0).schedule) > len(make(BANK, 300.0).schedule)


@pytest.mark.parametrize("budget_s", [0.001, 2.0, 10.0, 60.0, 300.0, 1e6])
@pytest.mark.parametrize("n_rows", [20, 5_000, 1_000_000])
def test_the_plan_keeps_its_share_of_the_budget_and_its_number_of_trials(budget_s: float, n_rows: int) -> None:
    made = make(Shape(n_rows, 20, 3), budget_s)
    assert made.schedule[0] == 0
    assert len(made.schedule) <= MAX_TRIALS
    assert len(made.schedule) == 1 or made.seconds <= FIRST_LAP_SHARE * budget_s
    assert names(made)["dummy"] == 1


def test_what_the_budget_does_not_allow_is_named() -> None:
    assert make(Shape(2_000_000, 100, 2), 30.0).left_out == ("linear", "lightgbm", "forest")


def test_a_larger_budget_never_plans_fewer_trials() -> None:
    counts = [len(make(BANK, budget_s).schedule) for budget_s in (1, 5, 20, 60, 200, 600, 3000)]
    assert counts == sorted(counts)
