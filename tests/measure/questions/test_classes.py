from __future__ import annotations

import numpy as np
import pytest

from palio import measure
from palio.core.records import Task
from palio.measure import Answers, questions
from palio.testing.question import QuestionContract

TWO = Task(kind="classification", target="y", classes=("no", "yes"), positive="yes")


class TestTwoClasses(QuestionContract):
    task = TWO
    labels = ("yes", "no", None, "yes")


class TestManyClasses(QuestionContract):
    task = Task(kind="classification", target="y", classes=("1", "2", "true"))
    labels = (1.0, 2, True, None, "1")


def test_labels_that_differ_in_spelling_alone_are_one_class_and_others_are_unknown():
    question = questions.of(Task(kind="classification", target="y", classes=("0", "1")))
    assert question.truth([1, "1", 1.0, "2", None, "", float("nan")]).tolist() == [1, 1, 1, -2, -1, -1, -1]
    assert question.truth(np.array([0.0, 1.0, np.nan])).tolist() == [0, 1, -1]
    assert question.labelled(np.array([1, -1, -2])).tolist() == [True, False, True]
    assert question.known(np.array([1, -1, -2])).tolist() == [True, False, False]


def test_the_log_is_read_with_probabilities_that_add_up_to_one():
    question = questions.of(TWO)
    columns = {
        "prediction": np.array(["yes", "no", "maybe"], object),
        "probability_no": np.array([0.2, 0.0, 1.0]),
        "probability_yes": np.array([0.6, 0.0, np.nan]),
    }
    answers = question.answers(columns)
    assert answers.prediction.tolist() == [1, 0, questions.UNKNOWN]
    assert answers.probabilities[0].tolist() == pytest.approx([0.25, 0.75])
    assert question.usable(answers).tolist() == [True, False, False]
    del columns["probability_no"]
    assert question.answers(columns).probabilities is None


def test_the_predicted_class_need_not_be_the_most_probable_one():
    truth = np.array([1, 1, 0, 0])
    p = np.array([[0.7, 0.3], [0.6, 0.4], [0.9, 0.1], [0.8, 0.2]])
    low = Answers(np.array([1, 1, 0, 0]), p)  # a threshold of .25
    half = Answers(np.array([0, 0, 0, 0]), p)
    got, other = measure.score(TWO, truth, low), measure.score(TWO, truth, half)
    assert (got["accuracy"], got["f1"], other["accuracy"]) == (1.0, 1.0, 0.5)
    assert got["log_loss"] == other["log_loss"] and got["roc_auc"] == other["roc_auc"]
    assert questions.of(TWO).differ(low, half).tolist() == [True, True, False, False]
    back = questions.of(TWO).answers(questions.of(TWO).columns(low))
    assert back.prediction.tolist() == low.prediction.tolist()


def test_confidence_is_that_in_the_predicted_class():
    task = Task(kind="classification", target="y", classes=("a", "b", "c"))
    p = np.tile([0.5, 0.3, 0.2], (10, 1))
    (only,) = measure.calibration_bins(task, np.ones(10, int), Answers(np.ones(10, int), p))
    assert (only.predicted, only.observed) == (pytest.approx(0.3), 1.0)


def test_two_classes_are_told_apart_by_some_rows_of_each_and_many_by_two_of_them():
    assert questions.of(TWO).holds(np.array([0] * 5 + [1] * 5), 5)
    assert not questions.of(TWO).holds(np.array([0] * 9 + [1] * 4), 5)
    three = questions.of(Task(kind="classification", target="y", classes=("a", "b", "c")))
    assert three.holds(np.array([0] * 5 + [2] * 5), 5) and not three.holds(np.array([0] * 5 + [1, 2]), 5)
