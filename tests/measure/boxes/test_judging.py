"""What is wrong with a box, one made case after the other, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest

from palio.core.records import Task
from palio.measure import Answers, boxes, questions
from palio.measure.boxes import FAULTS
from tests.measure.boxes import made

TASK = Task(kind="detection", target="y", classes=("cat", "dog"), threshold=0.5)
THERE = '{"label":"cat","box":[0,0,100,100]}'


def judged(truth: str, said: str) -> tuple[boxes.Scenes, boxes.Faults]:
    question = questions.of(TASK)
    answers = question.answers({"prediction": np.array([f"[{said}]"], object)})
    scenes = boxes.scenes_of(TASK, question.truth([f"[{truth}]"]), answers)
    return scenes, boxes.faults(scenes)


@pytest.mark.parametrize(
    ("said", "kinds"),
    [
        ('{"label":"cat","box":[0,0,100,95],"score":0.9}', ["right"]),
        ('{"label":"cat","box":[60,0,160,100],"score":0.9}', ["place"]),
        ('{"label":"dog","box":[0,0,100,95],"score":0.9}', ["class"]),
        ('{"label":"dog","box":[60,0,160,100],"score":0.9}', ["both"]),
        ('{"label":"cat","box":[300,0,400,100],"score":0.9}', ["background"]),
        (
            '{"label":"cat","box":[0,0,100,99],"score":0.9},{"label":"cat","box":[0,0,99,99],"score":0.8}',
            ["right", "double"],
        ),
    ],
)
def test_each_error_has_its_kind(said, kinds):
    _, faults = judged(THERE, said)
    assert ["right" if kind < 0 else FAULTS[kind] for kind in faults.kinds.tolist()] == kinds


def test_what_no_box_is_about_is_missed_and_what_one_is_about_is_told_by_that_box():
    far = '{"label":"cat","box":[300,300,400,400],"score":0.9}'
    assert judged(THERE, far)[1].missed.tolist() == [True]
    assert judged(THERE, '{"label":"cat","box":[60,0,160,100],"score":0.9}')[1].missed.tolist() == [False]
    scenes, faults = judged(THERE, '{"label":"cat","box":[0,0,100,100],"score":0.2}')
    assert faults.missed.tolist() == [True] and faults.unsure.tolist() == [True]
    assert faults.missed_by_all(scenes.flat).tolist() == [True]


def test_what_lies_on_a_region_that_is_ignored_is_no_error():
    crowd = '{"label":"cat","box":[0,0,100,100],"ignored":true}'
    _, faults = judged(crowd, '{"label":"cat","box":[10,10,40,40],"score":0.9}')
    assert faults.kinds.tolist() == [-1] and not faults.missed.any()


def test_mending_an_error_never_costs_and_all_of_them_together_leave_nothing_to_mend():
    truth, said = made.scenes(1, n=60)
    task = Task(kind="detection", target="y", classes=("a", "b", "c"), threshold=0.5)
    costs = boxes.faults(boxes.scenes_of(task, truth, Answers(said))).costs
    assert set(costs) == set(FAULTS) and all(0 <= cost <= 1 for cost in costs.values())
    right = boxes.faults(boxes.scenes_of(task, truth, Answers(truth))).costs
    assert max(right.values()) == 0


def test_a_box_at_the_wrong_place_costs_what_it_would_bring_at_the_right_one():
    costs = judged(THERE, '{"label":"cat","box":[60,0,160,100],"score":0.9}')[1].costs
    assert costs["place"] == pytest.approx(1.0) and costs["background"] == 0


def test_nothing_to_be_found_has_no_costs():
    assert judged("", '{"label":"cat","box":[0,0,9,9],"score":0.9}')[1].costs == {}
