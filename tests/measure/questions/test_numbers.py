from __future__ import annotations

import numpy as np

from palio.core.records import Task
from palio.measure import Answers, questions
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


def test_the_best_constant_of_absolute_errors_is_the_median():
    truth = np.array([0.0, 1.0, 11.0])
    assert questions.of(PRICE).constant(truth) == (4.0,)
    assert questions.of(Task(kind="regression", target="price", metric="mae")).constant(truth) == (1.0,)
