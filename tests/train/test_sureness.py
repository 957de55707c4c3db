"""Scores that agree by luck are not sure."""

from __future__ import annotations

import math

import numpy as np
import pytest

from palio.testing.family import TASKS, examples_of
from palio.train.choice import paired_error, resampled_error
from palio.train.sureness import score_error
from tests.train.small_parts import field_of, lesson_of, terms

TASK = TASKS["two classes"]


def error_of(scores: list[float], *, n: int, metric: str = "accuracy") -> float | None:
    """Return the error of scores of `n` rows of a model that is right in about three of four."""
    lesson = lesson_of(examples_of(TASK), n_folds=2)
    field = field_of(lesson, terms(TASK, metric), n_blocks=2)
    rows = np.arange(n)
    truth = lesson.examples.target[rows]
    said = np.where(np.arange(n) % 4 == 3, 1 - truth, truth)
    sure = 0.6 + 0.3 * np.random.default_rng(0).random(n)
    second = np.where(said == 1, sure, 1 - sure)
    return score_error(field, scores, rows=rows, answers=np.column_stack([1 - second, second]))


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc", "log_loss"])
@pytest.mark.parametrize("scores", [[0.75, 0.750012], [0.75, 0.7500001, 0.7499999]])
def test_few_scores_that_agree_are_no_surer_than_their_rows(metric: str, scores: list[float]) -> None:
    few, many = (error_of(scores, n=n, metric=metric) for n in (20, 80))
    assert few is not None and many is not None
    assert 0.04 < few < 0.25
    assert 0.3 < many / few < 0.8  # about half of it with four times as many rows


def test_few_scores_that_differ_by_more_say_so() -> None:
    scores = [0.3, 0.9, 0.6]
    assert error_of(scores, n=20) == pytest.approx(resampled_error(scores, n_folds=2, holdout=True))


def test_many_scores_speak_for_themselves() -> None:
    scores = [0.70, 0.72, 0.74, 0.71, 0.73]
    assert error_of(scores, n=20) == pytest.approx(resampled_error(scores, n_folds=2, holdout=True))


def test_one_score_is_as_sure_as_its_rows() -> None:
    assert error_of([0.75], n=20) == pytest.approx(math.sqrt(0.75 * 0.25 / 20), rel=0.15)


def test_two_differences_tell_no_error_and_three_do() -> None:
    assert paired_error([0.8, 0.9], [0.7, 0.8]) == math.inf
    assert paired_error([0.8, 0.9, 0.7], [0.7, 0.7, 0.7], holdout=True) == pytest.approx(0.1 / math.sqrt(3))
