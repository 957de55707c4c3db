from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palio.testing.family import TASKS, examples_of
from palio.train.ensemble import Unseen
from palio.train.examples import Array
from palio.train.finals import _finalists
from palio.train.optimism import MAX_ROWS, judged, optimism
from palio.train.race import Candidate
from tests.train.small_parts import candidate_of, field_of, lesson_of, terms

TASK = TASKS["two classes"]
TERMS = terms(TASK, "log_loss")
LESSON = lesson_of(examples_of(TASK), n_folds=3)
N, N_FOLDS = 200, 5


def unseen_of(truth: Array) -> Unseen:
    n = len(truth)
    return Unseen(rows=np.arange(n), fold=np.arange(n) * N_FOLDS // n, truth=truth, block=np.zeros(n, dtype=np.int64))


def guesses(
    dice: np.random.Generator, n_candidates: int, *, lift: float = 0.0, n: int = N
) -> tuple[Array, list[Array]]:
    """Return truths and answers of candidates that guess; the first one knows something if `lift` is above 0."""
    truth = dice.integers(0, 2, n)
    answers = []
    for place in range(n_candidates):
        logit = dice.normal(scale=0.5, size=n) + (lift * (2 * truth - 1) if place == 0 else 0.0)
        second = 1 / (1 + np.exp(-logit))
        answers.append(np.column_stack([1 - second, second]))
    return truth, answers


def log_loss(truth: Array, answers: Array) -> float:
    return float(-np.mean(np.log(answers[np.arange(len(truth)), truth])))


def test_what_chance_gave_the_best_of_many_is_taken_off() -> None:
    dice = np.random.default_rng(0)
    truth, (guess,) = guesses(dice, 1, n=100_000)
    true = log_loss(truth, guess)
    looked, said = [], []
    for seed in range(8):
        truth, answers = guesses(dice, 8)
        answers = [answers[place] for place in np.argsort([log_loss(truth, one) for one in answers])]
        best = log_loss(truth, answers[0])
        taken = optimism(answers[0], answers[1:], unseen_of(truth), task=TASK, metric="log_loss", sign=-1.0, seed=seed)
        looked.append(true - best)
        said.append(true - (best + taken))
    flattery, error = float(np.mean(looked)), float(np.std(looked) / np.sqrt(8))
    assert flattery > 3 * error
    assert abs(float(np.mean(said))) < 0.5 * flattery


def test_nothing_is_taken_off_a_clear_winner_or_where_there_was_no_choice() -> None:
    truth, answers = guesses(np.random.default_rng(1), 6, lift=3.0)
    how: dict[str, Any] = {"task": TASK, "metric": "log_loss", "sign": -1.0, "seed": 0}
    assert optimism(answers[0], answers[1:], unseen_of(truth), **how) == 0.0
    assert optimism(answers[1], [], unseen_of(truth), **how) == 0.0


def test_who_was_passed_over_for_other_reasons_does_not_count() -> None:
    truth, answers = guesses(np.random.default_rng(2), 6, lift=0.2)
    answers[1:] = sorted(answers[1:], key=lambda one: log_loss(truth, one))
    how: dict[str, Any] = {"task": TASK, "metric": "log_loss", "sign": -1.0, "seed": 0}
    without = optimism(answers[1], answers[2:], unseen_of(truth), **how)
    assert optimism(answers[1], [answers[0], *answers[2:]], unseen_of(truth), **how) == without
    assert without == optimism(answers[1], answers[2:], unseen_of(truth), **how) > 0


def test_of_very_many_rows_nothing_is_asked() -> None:
    truth, answers = guesses(np.random.default_rng(3), 2, n=MAX_ROWS + 1)
    assert optimism(answers[0], answers[1:], unseen_of(truth), task=TASK, metric="log_loss", sign=-1.0, seed=0) == 0.0


@pytest.fixture(scope="module")
def whole() -> dict[int, Candidate]:
    return {k: candidate_of(k, name, LESSON, TERMS) for k, name in enumerate(("dummy", "linear"))}


def test_a_fold_that_decided_alone_who_got_the_others_is_left_out(whole: dict[int, Candidate]) -> None:
    field = field_of(LESSON, TERMS)
    left_behind = candidate_of(2, "lightgbm", LESSON, TERMS, folds=(0,))
    before = {one.run.family: one for one in _finalists(field, whole)}
    alone = judged(field, whole, before["linear"]).run
    assert (alone.cv_score, alone.optimism) == (before["linear"].run.cv_score, 0.0)
    known = whole | {2: left_behind}
    run = judged(field, known, before["linear"]).run
    scores = [whole[1].scores[fold][0] for fold in (1, 2)]
    assert run.cv_score == pytest.approx(np.mean(scores))
    assert run.fold_scores == before["linear"].run.fold_scores
    assert run.optimism == pytest.approx(-(np.mean(run.fold_scores) - np.mean(scores)))
    assert run.cv_error is not None and before["linear"].run.cv_error is not None
    assert run.cv_error > before["linear"].run.cv_error
    assert judged(field, known, before["dummy"]).run == before["dummy"].run


def test_of_one_fold_alone_its_score_stays_but_for_what_chance_gave(whole: dict[int, Candidate]) -> None:
    one = candidate_of(1, "linear", LESSON, TERMS, folds=(0,))
    twin = Candidate(2, one.family, one.asked, one.seed, scores=one.scores, ties=one.ties, answers=one.answers)
    field = field_of(LESSON, TERMS)
    known = {0: whole[0], 1: one, 2: twin}
    (linear,) = [each for each in _finalists(field, known) if each.run.family == "linear"]
    run = judged(field, known, linear).run
    assert run.cv_score == pytest.approx(one.scores[0][0])
