from __future__ import annotations

import time

import numpy as np
import pytest

from palio.testing.family import TASKS, examples_of
from palio.train import Examples, OutOfTime, load_family
from palio.train.trial import Bar, Fold, Terms, run_id, try_out

TASK = TASKS["two classes"]
TERMS = Terms(parts="p", task=TASK, metric="roc_auc", seed=0, inputs="i")


def folds(examples: Examples, n: int = 3) -> list[Fold]:
    which = np.arange(len(examples.target)) % n
    return [
        Fold(examples.take(np.flatnonzero(which != k)), examples.take(np.flatnonzero(which == k))) for k in range(n)
    ]


def test_a_trial_scores_every_fold() -> None:
    run = try_out(load_family("linear"), {"penalty": 1.0}, folds(examples_of(TASK)), terms=TERMS, trial=1)
    assert run.status == "done"
    assert len(run.fold_scores) == 3
    assert run.cv_score == pytest.approx(np.mean(run.fold_scores))
    assert run.cv_error == pytest.approx(np.std(run.fold_scores, ddof=1) / np.sqrt(3))
    assert run.cv_score > 0.9


def test_a_trial_without_hope_is_pruned_after_two_folds() -> None:
    bar = Bar(best=(0.99, 0.99, 0.99), own=(0.98, 0.98, 0.98), dummy=(0.5, 0.5, 0.5))
    cut = folds(examples_of(TASK))
    run = try_out(load_family("linear"), {"penalty": 1e4}, cut, terms=TERMS, trial=1, bar=bar)
    assert (run.status, len(run.fold_scores)) == ("pruned", 2)
    assert run.reason == "no hope after 2 of 3 folds"


def test_a_trial_that_improves_its_family_is_seen_to_its_end() -> None:
    bar = Bar(best=(0.9, 0.9, 0.9), own=(0.6, 0.6, 0.6), dummy=(0.5, 0.5, 0.5))
    assert not bar.beats([0.7, 0.7], sign=1.0)
    assert bar.beats([0.55, 0.55], sign=1.0)


def test_one_good_fold_is_hope() -> None:
    bar = Bar(best=(0.9, 0.9, 0.9), own=(0.9, 0.9, 0.9), dummy=(0.5, 0.5, 0.5))
    assert not bar.beats([0.6, 0.91], sign=1.0)
    assert not bar.beats([0.6], sign=1.0)


def test_less_is_better_for_an_error() -> None:
    bar = Bar(best=(1.0, 1.0, 1.0), own=(1.0, 1.0, 1.0), dummy=(5.0, 5.0, 5.0))
    assert bar.beats([2.0, 2.0], sign=-1.0)
    assert not bar.beats([0.5, 0.5], sign=-1.0)


def test_the_deadline_ends_a_trial_without_a_record() -> None:
    with pytest.raises(OutOfTime):
        try_out(
            load_family("linear"),
            {"penalty": 1.0},
            folds(examples_of(TASK)),
            terms=TERMS,
            trial=1,
            deadline=time.monotonic() - 1,
        )


def test_a_trial_is_named_by_all_that_it_depends_on() -> None:
    names = {
        run_id(TERMS, "linear", 1, {"penalty": 1.0}),
        run_id(TERMS, "linear", 2, {"penalty": 1.0}),
        run_id(TERMS, "linear", 1, {"penalty": 2.0}),
        run_id(TERMS, "forest", 1, {"penalty": 1.0}),
    }
    assert len(names) == 4


def test_blocks_of_a_holdout_give_a_spread() -> None:
    one = folds(examples_of(TASK))[0]
    run = try_out(
        load_family("linear"), {"penalty": 1.0}, [Fold(one.train, one.valid, n_blocks=4)], terms=TERMS, trial=0
    )
    assert len(run.fold_scores) == 4
    assert run.cv_error is not None
