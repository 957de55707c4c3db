from __future__ import annotations

import numpy as np
import pytest

from palio.core.errors import ContractError, InputError
from palio.core.records import Task
from palio.evaluate.answers import answer


def test_labels_become_indices_and_probabilities_follow_the_order_asked_for(bench, good):
    frame = bench.rows("validation")
    mine = answer(good, frame)
    turned = answer(good, frame, task=Task(kind="classification", target="y", classes=("yes", "no")))
    assert (mine.prediction == mine.probabilities.argmax(axis=1)).all()
    assert (turned.prediction == 1 - mine.prediction).all()
    assert (turned.probabilities == mine.probabilities[:, ::-1]).all()


def test_many_rows_are_answered_in_chunks_that_do_not_show(bench, good, monkeypatch):
    from palio.evaluate import answers

    frame = bench.rows("validation")
    whole = answer(good, frame)
    monkeypatch.setattr(answers, "ROWS_AT_ONCE", 97)
    parts = answer(good, frame)
    assert np.array_equal(whole.prediction, parts.prediction)
    assert np.array_equal(whole.probabilities, parts.probabilities)


def test_an_absent_column_is_named(bench, good):
    with pytest.raises(ContractError, match="age"):
        answer(good, bench.rows("validation").drop("age"))


def test_a_class_that_the_task_does_not_have_is_named(bench, good):
    with pytest.raises(InputError, match="none of the task's"):
        answer(good, bench.rows("validation"), task=Task(kind="classification", target="y", classes=("a", "b")))


def test_taking_rows_keeps_prediction_and_probabilities_together(bench, good):
    said = answer(good, bench.rows("validation").head(10))
    some = said.take(np.arange(10) % 2 == 0)
    assert len(some.prediction) == len(some.probabilities) == 5
