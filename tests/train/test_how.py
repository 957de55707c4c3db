from __future__ import annotations

import pytest

from palio.core.errors import InputError
from palio.core.records import Task
from palio.train.how import How
from palio.train.threshold import Costs

CLASSES = Task(kind="classification", target="y", classes=("no", "yes"))
VALUES = Task(kind="regression", target="y")


@pytest.mark.parametrize(
    ("how", "task", "word"),
    [
        (How(objective="poisson"), CLASSES, "poisson"),
        (How(objective="focal"), VALUES, "focal"),
        (How(threshold="luck"), CLASSES, "luck"),
        (How(threshold="cost"), CLASSES, "not known what errors cost"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_hint(how: How, task: Task, word: str) -> None:
    with pytest.raises(InputError, match=word) as caught:
        how.check(task)
    assert caught.value.hint


def test_costs_that_are_known_go_before_the_metric_and_an_order_before_both() -> None:
    known = Costs(5.0, 1.0)
    assert How().aim("f1") == "f1"
    assert How().aim("roc_auc") == "none"
    assert How(costs=known).aim("f1") == "cost"
    assert How(costs=known, threshold="accuracy").aim("f1") == "accuracy"
    assert How(threshold="none").aim("f1") == "none"
