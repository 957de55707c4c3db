from __future__ import annotations

import time
from typing import Any

import numpy as np
import polars as pl
import pytest

from palio.testing.family import TASKS, examples_of
from palio.train import Examples, OutOfTime
from palio.train.choice import paired_error
from palio.train.families.linear import Linear
from palio.train.table import load_family
from palio.train.trial import Bar, Fold, run_id, try_out
from tests.train.small_parts import PARTS, terms

TASK = TASKS["two classes"]
TERMS = terms(TASK, "roc_auc")


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
    assert run.cv_error == pytest.approx(np.std(run.fold_scores, ddof=1) * np.sqrt(1 / 3 + 1 / 2))
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
    assert run.cv_error == pytest.approx(np.std(run.fold_scores, ddof=1) / np.sqrt(4))


def test_the_error_that_is_shown_is_the_one_that_chooses() -> None:
    run = try_out(load_family("linear"), {"penalty": 1.0}, folds(examples_of(TASK)), terms=TERMS, trial=1)
    assert run.cv_error == pytest.approx(paired_error(run.fold_scores, [0.0] * 3))


class Watching(Linear):
    """Notes what it is shown."""

    name = "watching"
    needs_watch = True

    def __init__(self) -> None:
        self.seen: list[tuple[Examples, Examples | None]] = []

    def fit(self, examples: Examples, *, watch: Examples | None = None, **settings: Any) -> Any:
        self.seen.append((examples, watch))
        return super().fit(examples, **settings)


def labelled(examples: Examples) -> Examples:
    """Put the target into the frame, as rows of a part have it."""
    labels = pl.Series("y", [examples.task.classes[int(i)] for i in examples.target])
    return Examples(examples.frame.with_columns(labels), examples.target, examples.schema, examples.task)


@pytest.mark.parametrize("n_blocks", [1, 4])
def test_rows_that_are_scored_are_never_watched(n_blocks: int) -> None:
    family, (fold, *_) = Watching(), folds(labelled(examples_of(TASK)))
    try_out(family, {"penalty": 1.0}, [Fold(fold.train, fold.valid, n_blocks, PARTS)], terms=TERMS, trial=1)
    (learned, watched), ages = family.seen[0], set(fold.valid.frame["age"])
    assert watched is not None
    assert not ages & (set(learned.frame["age"]) | set(watched.frame["age"]))
    assert len(learned.target) + len(watched.target) == len(fold.train.target)


def test_a_family_that_watches_nothing_learns_from_all_rows() -> None:
    fold = folds(examples_of(TASK))[0]
    learned, watched = Fold(fold.train, fold.valid, parts=PARTS).lesson(load_family("linear"))
    assert learned is fold.train
    assert watched is None
