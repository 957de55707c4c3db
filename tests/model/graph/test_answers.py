from __future__ import annotations

import numpy as np

from palio import model
from palio.core.records import Task
from palio.measure import questions
from palio.model import Outputs

TASK = Task(kind="classification", target="y", classes=("a", "b", "c"))
SAID = np.array(["b", "a", "c"], dtype=object)
P = np.array([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.2, 0.2, 0.6]])


def test_the_prediction_is_what_the_graph_says_whatever_is_most_probable() -> None:
    answers = model.answers_of(Outputs(SAID, P), TASK)
    assert answers.prediction.tolist() == [1, 0, 2]
    assert answers.probabilities is not None and (answers.probabilities == P).all()


def test_another_order_of_the_classes_changes_the_form_and_not_the_answer() -> None:
    asked = Task(kind="classification", target="y", classes=("c", "a", "b"))
    answers = model.answers_of(Outputs(SAID, P), TASK, asked=asked)
    assert answers.prediction.tolist() == [2, 1, 0]
    assert answers.probabilities is not None and answers.probabilities[0].tolist() == [0.1, 0.6, 0.3]
    back = questions.of(asked).columns(answers)
    assert back["prediction"].tolist() == SAID.tolist() and back["probability_a"].tolist() == P[:, 0].tolist()


def test_a_class_that_is_not_asked_about_is_unknown_and_one_that_the_graph_lacks_has_no_chance() -> None:
    asked = Task(kind="classification", target="y", classes=("a", "b", "d"))
    answers = model.answers_of(Outputs(SAID, P), TASK, asked=asked)
    assert answers.prediction.tolist() == [1, 0, questions.UNKNOWN]
    assert answers.probabilities is not None and not answers.probabilities[:, 2].any()


def test_numbers_are_answers_as_they_are() -> None:
    task = Task(kind="regression", target="y")
    answers = model.answers_of(Outputs(np.array([[1.5], [np.nan]])), task)
    assert answers.prediction[0] == 1.5 and questions.of(task).usable(answers).tolist() == [True, False]
