from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from palio.core.records import Task
from palio.train.ensemble import Library, Unseen
from palio.train.examples import Array
from palio.train.pruning import prune

TWO = Task(kind="classification", target="y", classes=("no", "yes"), metric="roc_auc")
PRICE = Task(kind="regression", target="y", metric="rmse")


def library(answers: dict[int, Array], truth: Array, task: Task = PRICE) -> Library:
    fold = np.sort(np.arange(len(truth)) % 5)
    seen = Unseen(np.arange(len(truth)), fold, truth, np.zeros(len(truth), dtype=np.int64))
    return Library(answers, seen, task=task, metrics=(task.metric, "r2" if task is PRICE else "f1_macro"))


def alike(seed: int, n_alike: int = 3, n_rows: int = 1_500) -> tuple[dict[int, Array], Array]:
    """Two kinds of members; those of the first kind hardly differ from each other."""
    rng = np.random.default_rng(seed)
    truth, shared = rng.normal(size=n_rows), rng.normal(size=n_rows)
    first = {k: (truth + shared + 0.3 * rng.normal(size=n_rows))[:, None] for k in range(n_alike)}
    return first | {n_alike: (truth + rng.normal(size=n_rows))[:, None]}, truth


def at_any_cost(numbers: Iterable[int]) -> bool:
    return bool(list(numbers))


def test_members_that_are_much_alike_are_spared() -> None:
    answers, truth = alike(0)
    lib = library(answers, truth)
    whole, pruned = lib.mix(), prune(lib, fits=at_any_cost)
    assert whole is not None and pruned is not None
    assert set(pruned.weights) < set(whole.weights) and 3 in pruned.weights
    assert sum(pruned.weights.values()) == pytest.approx(1.0)
    assert np.mean(pruned.scores) < 1.1 * np.mean(whole.scores)


def test_where_each_member_helps_none_is_spared() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=3_000)
    answers = {k: (truth + rng.normal(size=3_000))[:, None] for k in range(4)}
    assert prune(library(answers, truth), fits=at_any_cost) is None


def test_members_are_dropped_beyond_the_noise_until_they_fit() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=3_000)
    answers = {k: (truth + rng.normal(size=3_000))[:, None] for k in range(4)}
    pruned = prune(library(answers, truth), fits=lambda numbers: len(list(numbers)) <= 2)
    assert pruned is not None and len(pruned.weights) == 2


def test_one_member_alone_is_no_mix() -> None:
    answers, truth = alike(2)
    assert prune(library(answers, truth), fits=lambda numbers: len(list(numbers)) <= 1) is None


def test_a_pruned_mix_of_guesses_does_not_flatter_itself() -> None:
    gains = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 2, 300)
        answers = {k: np.column_stack([1 - one, one]) for k, one in enumerate(rng.random((20, 300)))}
        pruned = prune(library(answers, truth, TWO), fits=lambda numbers: len(list(numbers)) <= 2)
        if pruned is not None:
            gains.append(np.mean(pruned.scores) - 0.5)
    assert len(gains) > 10
    assert abs(np.mean(gains)) < 3 * np.std(gains, ddof=1) / np.sqrt(len(gains)) + 0.005
