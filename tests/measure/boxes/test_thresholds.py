from __future__ import annotations

import numpy as np
import pytest

from palio import measure
from palio.core.records import Task
from palio.measure import Answers, boxes, questions
from tests.measure.boxes import made

TASK = Task(kind="detection", target="y", classes=("a", "b", "c"))


def test_no_other_threshold_has_a_better_f1():
    truth, said = made.scenes(2, n=80, digits=3)
    best = boxes.best_threshold(TASK, truth, Answers(said))

    def f1(threshold: float) -> float:
        return measure.score(TASK, truth, boxes.at_threshold(Answers(said), threshold), names=["box_f1"])["box_f1"]

    assert f1(best) >= max(f1(one) for one in np.linspace(0.01, 0.99, 99)) - 1e-12


@pytest.mark.parametrize(("miss", "false_alarm"), [(1.0, 1.0), (10.0, 1.0), (1.0, 10.0)])
def test_no_other_threshold_costs_less(miss, false_alarm):
    truth, said = made.scenes(3, n=80, digits=3)
    best = boxes.best_threshold(TASK, truth, Answers(said), miss=miss, false_alarm=false_alarm)

    def cost(threshold: float) -> float:
        counted = boxes.at_threshold(Answers(said), threshold)
        found = measure.score(TASK, truth, counted, names=["missed_boxes", "false_alarms"])
        return miss * found["missed_boxes"] + false_alarm * found["false_alarms"]

    assert cost(best) <= min(cost(one) for one in np.linspace(0.01, 1.0, 100)) + 1e-9


def test_dear_false_alarms_raise_the_threshold_and_where_nothing_is_said_it_is_1():
    truth, said = made.scenes(4, n=80)
    cheap, dear = (boxes.best_threshold(TASK, truth, Answers(said), miss=1, false_alarm=c) for c in (0.1, 30))
    assert cheap < dear
    nothing = questions.of(TASK).always((0.0,), len(truth))
    assert boxes.best_threshold(TASK, truth, nothing) == 1.0


def test_a_threshold_changes_what_is_counted_and_not_what_is_ranked():
    truth, said = made.scenes(5, n=60)
    low, high = (measure.score(TASK, truth, boxes.at_threshold(Answers(said), t)) for t in (0.1, 0.9))
    assert low["ap"] == high["ap"] and low["box_recall"] > high["box_recall"]
    assert low["false_alarms"] > high["false_alarms"]
    assert measure.paired(TASK, truth, *(boxes.at_threshold(Answers(said), t) for t in (0.1, 0.9)))["ap"][0].value == 0
