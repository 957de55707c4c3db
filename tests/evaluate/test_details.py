from __future__ import annotations

import numpy as np
import pytest

from palio.core.records import Task
from palio.evaluate.details import DETAILS, details_of
from palio.measure import Answers, questions

TWO = Task(kind="classification", target="y", classes=("no", "yes"), positive="yes")
PRICE = Task(kind="regression", target="price")


def test_every_question_has_details():
    assert DETAILS.keys() == questions.QUESTIONS.keys()


def test_confusions_and_classes_are_those_of_the_answers_and_not_of_the_probabilities():
    truth, p = np.array([1, 1, 0, 0]), np.tile([0.6, 0.4], (4, 1))
    found = details_of(TWO, truth, Answers(np.array([1, 0, 1, 0]), p))
    assert found["confusion"] == ((1, 1), (1, 1))
    assert [one.accuracy.value for one in found["per_class"]] == [0.5, 0.5]
    assert [one.name for one in found["curves"]] == ["roc", "precision_recall"]


def test_labels_alone_have_no_curves():
    assert details_of(TWO, np.array([1, 0]), Answers(np.array([1, 0])))["curves"] == ()


def test_numbers_have_curves_alone():
    found = details_of(PRICE, np.array([1.0, 2.0]), Answers(np.array([1.5, 2.0])))
    assert list(found) == ["curves"]
    assert [one.name for one in found["curves"]] == ["predicted_actual", "residuals"]
    assert found["curves"][1].y == pytest.approx((-0.5, 0.0))
