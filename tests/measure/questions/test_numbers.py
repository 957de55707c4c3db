from __future__ import annotations

import numpy as np
import pytest

from palio.core.records import Task
from palio.measure import Answers, questions, score
from palio.testing.question import QuestionContract

PRICE = Task(kind="regression", target="price")


class TestNumbers(QuestionContract):
    task = PRICE
    labels = (3, 2.5, None, -1.0)


def test_what_is_no_number_is_not_known():
    truth = questions.of(PRICE).truth(["2.5", "many", None, float("inf"), True])
    assert questions.of(PRICE).known(truth).tolist() == [True, False, False, False, True]


def test_the_log_holds_true_numbers_in_a_column_of_their_own():
    columns = {"truth": np.array(["", ""], object), "truth_number": np.array([2.0, np.nan])}
    assert questions.of(PRICE).truth_in(columns)[0] == 2.0
    assert questions.of(PRICE).truth_in({"truth": np.array([3.0])}).tolist() == [3.0]


def test_a_millionth_is_the_same_answer():
    one, other = Answers(np.array([1.0, 1.0, 0.0])), Answers(np.array([1.0 + 1e-7, 1.0 + 1e-5, 0.0]))
    assert questions.of(PRICE).differ(one, other).tolist() == [False, True, False]


@pytest.mark.parametrize("metric", ["rmse", "mae", "pinball_10", "pinball_90", "poisson_deviance"])
def test_the_simplest_guess_is_the_best_constant_of_the_metric(metric):
    task = Task(kind="regression", target="price", metric=metric)
    truth = np.random.default_rng(0).exponential(size=2001)
    (best,) = questions.of(task).constant(truth)

    def loss(value):
        return score(task, truth, Answers(np.full(2001, value)), names=[metric])[metric]

    assert loss(best) <= min(loss(best * 1.02), loss(best * 0.98))


def test_the_simplest_guess_has_a_name():
    named = {metric: Task(kind="regression", target="price", metric=metric) for metric in ("auto", "mae", "pinball_90")}
    assert [questions.of(task).simplest for task in named.values()] == ["the mean", "the median", "the 90 % quantile"]
