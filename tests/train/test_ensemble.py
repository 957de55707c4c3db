from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from palio.core.records import Task
from palio.train import ensemble
from palio.train.ensemble import MAX_MEMBERS, Library, Mix, Price, Unseen, rivals
from palio.train.examples import Array
from palio.train.mixed_losses import loss_of

PRICE = Task(kind="regression", target="y", metric="rmse")
TWO = Task(kind="classification", target="y", classes=("no", "yes"), metric="roc_auc")
MANY = Task(kind="classification", target="y", classes=("a", "b", "c"), metric="log_loss")


def unseen_of(truth: Array, n_folds: int = 5, n_blocks: int = 1) -> Unseen:
    n_rows = len(truth)
    fold = np.sort(np.arange(n_rows) % n_folds)
    return Unseen(np.arange(n_rows), fold, truth, np.arange(n_rows) % n_blocks)


def values(seed: int, n_rows: int = 1500, n_members: int = 3, noise: float = 1.0) -> tuple[Array, dict[int, Array]]:
    """Members that know the truth and err each in its own way."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n_rows)
    return truth, {k: (truth + noise * rng.normal(size=n_rows))[:, None] for k in range(n_members)}


def mix(answers: dict[int, Array], unseen: Unseen, **how: Any) -> Mix | None:
    return Library(answers, unseen, **how).mix()


def rmse(truth: Array, answers: Array) -> float:
    return float(np.sqrt(np.mean((answers[:, 0] - truth) ** 2)))


def test_members_that_err_differently_are_better_together_on_folds_that_no_weight_has_seen() -> None:
    truth, answers = values(0)
    found = mix(answers, unseen_of(truth), task=PRICE, metrics=("rmse", "r2"))
    assert found is not None
    assert sum(found.weights.values()) == pytest.approx(1.0)
    assert set(found.weights) == {0, 1, 2}
    assert np.mean(found.scores) < 0.7 * min(rmse(truth, one) for one in answers.values())
    assert len(found.scores) == len(found.ties) == 5


def test_a_member_that_is_much_better_than_all_others_is_not_mixed() -> None:
    truth, answers = values(1)
    answers[9] = (truth + 1e-4 * np.random.default_rng(2).normal(size=len(truth)))[:, None]
    assert mix(answers, unseen_of(truth), task=PRICE, metrics=("rmse", "r2")) is None


def test_a_weak_member_helps_a_much_better_one_with_a_small_weight() -> None:
    """In equal parts the two are worse than the better one alone; nine to one they are better."""
    rng = np.random.default_rng(7)
    truth = rng.normal(size=4_000)
    answers = {0: (truth + 0.3 * rng.normal(size=4_000))[:, None], 1: (truth + rng.normal(size=4_000))[:, None]}
    found = mix(answers, unseen_of(truth), task=PRICE, metrics=("rmse", "r2"))
    assert found is not None
    assert found.weights[1] == pytest.approx(0.09 / 1.09, abs=0.04)
    assert np.mean(found.scores) < rmse(truth, answers[0]) < rmse(truth, (answers[0] + answers[1]) / 2)


def test_one_candidate_is_no_mix() -> None:
    truth, answers = values(0, n_members=1)
    assert mix(answers, unseen_of(truth), task=PRICE, metrics=("rmse", "r2")) is None


@pytest.mark.parametrize(("n_folds", "n_blocks"), [(5, 1), (1, 10)])
def test_a_mix_of_guesses_does_not_flatter_itself(n_folds: int, n_blocks: int) -> None:
    """Twenty candidates that know nothing: on rows that weights were found on the mix looks better than chance."""
    gains = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 2, 300)
        p = rng.random((20, 300))
        answers = {k: np.column_stack([1 - one, one]) for k, one in enumerate(p)}
        found = mix(answers, unseen_of(truth, n_folds, n_blocks), task=TWO, metrics=("roc_auc", "f1_macro"))
        assert found is not None
        gains.append(np.mean(found.scores) - 0.5)
    assert abs(np.mean(gains)) < 3 * np.std(gains, ddof=1) / np.sqrt(len(gains)) + 0.005


def test_of_repeated_folds_no_row_helps_to_weigh_the_answers_to_itself() -> None:
    """The same rows stand in folds of both repetitions: guesses must not gain by that."""
    gains = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        truth, rows = rng.integers(0, 2, 200), np.concatenate([rng.permutation(200), rng.permutation(200)])
        p = rng.random((20, 200))[:, rows]
        answers = {k: np.column_stack([1 - one, one]) for k, one in enumerate(p)}
        seen = Unseen(rows, np.repeat(np.arange(4), 100), truth[rows], np.zeros(400, dtype=np.int64))
        found = mix(answers, seen, task=TWO, metrics=("roc_auc", "f1_macro"))
        assert found is not None
        gains.append(np.mean(found.scores) - 0.5)
    assert abs(np.mean(gains)) < 3 * np.std(gains, ddof=1) / np.sqrt(len(gains)) + 0.005


def test_the_members_of_a_mix_cost_no_more_than_is_allowed() -> None:
    truth, answers = values(3, n_members=8)
    prices = {k: Price(latency_ms=0.3, size_mb=1.0 + k) for k in answers}
    for most in (Price(0.7, 100.0), Price(100.0, 3.5), Price(0.2, 9.0)):
        found = mix(answers, unseen_of(truth), task=PRICE, metrics=("rmse", "r2"), prices=prices, most=most)
        if found is None:
            assert most == Price(0.2, 9.0)
            continue
        assert sum(prices[k].latency_ms for k in found.weights) <= most.latency_ms
        assert sum(prices[k].size_mb for k in found.weights) <= most.size_mb


def test_a_mix_has_few_members() -> None:
    truth, answers = values(4, n_members=20)
    found = mix(answers, unseen_of(truth), task=PRICE, metrics=("rmse", "r2"))
    assert found is not None and len(found.weights) == MAX_MEMBERS


def test_three_classes_are_mixed_by_log_loss() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 900)
    scores = rng.normal(size=(3, 900, 3)) + 1.5 * np.eye(3)[truth]
    shares = np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True)
    found = mix(dict(enumerate(shares)), unseen_of(truth), task=MANY, metrics=("log_loss", "f1_macro"))
    assert found is not None
    alone = [-np.log(one[np.arange(900), truth]).mean() for one in shares]
    assert np.mean(found.scores) < min(alone)
    assert found.answers.sum(axis=1) == pytest.approx(np.ones(900))


@pytest.mark.parametrize("n_ties", [1, 7, 1000])
def test_the_loss_for_roc_auc_is_its_complement(n_ties: int) -> None:
    rng = np.random.default_rng(n_ties)
    truth = rng.integers(0, 2, 500)
    p = np.round(rng.random(500) * n_ties) / n_ties
    loss = loss_of(TWO, "roc_auc")
    found = loss.of(truth, loss.reduce(truth, np.column_stack([1 - p, p])))
    assert found == pytest.approx(1 - roc_auc_score(truth, p), abs=1e-12)
    one_class = np.zeros(500, dtype=np.int64)
    assert loss.of(one_class, p) == 1.0


def test_the_mean_of_what_a_loss_reads_is_what_it_reads_of_the_mean() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 50)
    first, second = (rng.dirichlet(np.ones(3), 50) for _ in range(2))
    for metric in ("log_loss", "brier", "accuracy"):
        loss = loss_of(MANY, metric)
        mean = (loss.reduce(truth, first) + loss.reduce(truth, second)) / 2
        np.testing.assert_allclose(mean, loss.reduce(truth, (first + second) / 2))


def test_many_rows_are_thinned_for_the_weights_and_all_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ensemble, "MAX_ROWS", 100)
    truth, answers = values(5)
    found = mix(answers, unseen_of(truth), task=PRICE, metrics=("rmse", "r2"))
    assert found is not None and len(found.answers) == len(truth)


def test_rivals_are_the_best_and_the_earlier_one_on_a_tie() -> None:
    assert rivals({3: 0.9, 1: 0.9, 2: 0.95, 4: 0.1}, most=3, sign=1.0) == [2, 1, 3]
    assert rivals({3: 0.9, 1: 0.9, 2: 0.95, 4: 0.1}, most=1, sign=-1.0) == [4]
