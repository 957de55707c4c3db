from __future__ import annotations

import pytest

from palio.core.errors import InputError
from palio.core.records import Task
from palio.measure import questions


def test_a_question_that_cannot_be_asked_yet_is_refused_by_name():
    with pytest.raises(InputError, match="`forecast`") as error:
        questions.of(Task(kind="forecast", target="sales"))  # type: ignore[arg-type]
    assert error.value.hint == "use classification or regression or detection"


@pytest.mark.parametrize("kind", questions.QUESTIONS)
def test_the_table_holds_what_it_names(kind):
    question = questions.of(Task(kind=kind, target="y", classes=() if kind == "regression" else ("a", "b")))
    assert question.task.kind == kind
    assert question.names[0] == questions.PREDICTION and all(map(questions.is_answer, question.names))
