from __future__ import annotations

from palio.core.records import Run
from palio.testing.family import TASKS
from palio.train.family import Params, Shape
from palio.train.proposal import propose
from palio.train.table import load_family

SHAPE = Shape(1_000, 10, 2)
TASK = TASKS["two classes"]
FAMILY = load_family("lightgbm")


def settings(history: list[Run], trial: int, seed: int = 0) -> Params:
    return propose(FAMILY, history, shape=SHAPE, task=TASK, seed=seed, trial=trial, sign=1.0)


def past(n: int) -> list[Run]:
    runs: list[Run] = []
    for trial in range(n):
        failed = trial == 4
        run = Run(
            id=str(trial),
            parts="p",
            family="lightgbm",
            trial=trial,
            params=settings(runs, trial) | {"n_estimators": 100},
            seed=0,
            metric="roc_auc",
            status="failed" if failed else "done",
            cv_score=None if failed else 0.8 + trial / 100,
        )
        runs.append(run)
    return runs


def test_the_defaults_come_first() -> None:
    defaults = FAMILY.defaults(SHAPE, TASK)
    assert [run.params["num_leaves"] for run in past(3)] == [params["num_leaves"] for params in defaults]


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
