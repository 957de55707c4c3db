from __future__ import annotations

from palio.testing.family import TASKS
from palio.train.examples import Shape
from palio.train.family import Params
from palio.train.proposal import Past, propose
from palio.train.table import load_family

SHAPE = Shape(1_000, 10, 2)
TASK = TASKS["two classes"]
FAMILY = load_family("lightgbm")


def settings(history: list[Past], trial: int, seed: int = 0) -> Params:
    return propose(FAMILY, history, shape=SHAPE, task=TASK, seed=seed, trial=trial, sign=1.0)


def past(n: int) -> list[Past]:
    runs: list[Past] = []
    for trial in range(n):
        runs.append((settings(runs, trial), None if trial == 4 else 0.8 + trial / 100))
    return runs


def test_the_defaults_lie_in_the_space_of_proposals() -> None:
    defaults = FAMILY.defaults(SHAPE, TASK)
    assert settings([(dict(one), 0.8) for one in defaults], 5)


def test_a_fit_that_failed_is_no_score() -> None:
    failed = [(params, None) for params, _ in past(8)]
    nothing = [(params, float("nan")) for params, _ in past(8)]
    assert settings(failed, 9) == settings(nothing, 9) != settings(past(8), 9)


def test_the_same_history_gives_the_same_proposal() -> None:
    assert settings(past(8), 9) == settings(past(8), 9)


def test_another_trial_or_seed_gives_another_proposal() -> None:
    history = past(8)
    assert len({str(settings(history, 9)), str(settings(history, 10)), str(settings(history, 9, seed=1))}) == 3


def test_a_proposal_does_not_depend_on_what_was_asked_before() -> None:
    history = past(6)
    settings(history, 7)
    settings(history, 8)
    assert settings(history, 9) == settings(past(6), 9)
