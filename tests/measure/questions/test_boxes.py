from __future__ import annotations

import numpy as np
import pytest

from palio import measure
from palio.core.cells.boxes import boxes_of
from palio.core.errors import InputError
from palio.core.records import Task
from palio.measure import Answers, questions
from palio.testing.question import QuestionContract

TASK = Task(kind="detection", target="things", classes=("cat", "dog"), threshold=0.5)
CAT = '{"label":"cat","box":[10.0,10.0,50.0,50.0]}'
DOG = '{"label":"dog","box":[60.0,0.0,90.0,20.5]}'
CROWD = '{"label":"cat","box":[0.0,0.0,30.0,30.0],"ignored":true}'


class TestBoxes(QuestionContract):
    task = TASK
    labels = (f"[{CAT}]", "[]", None, f"[{CAT},{DOG}]", f"[{CROWD},{DOG}]")

    def n_counted(self) -> int:
        return 30 * 4


def asked() -> questions.Question:
    return questions.of(TASK)


def test_nothing_to_be_seen_is_known_and_a_picture_that_nobody_looked_at_is_not():
    truth = asked().truth(["[]", None, "", float("nan"), "no list", f"[{CAT}]", '[{"label":"cow","box":[0,0,1,1]}]'])
    assert asked().known(truth).tolist() == [True, False, False, False, False, True, False]
    assert asked().labelled(truth).tolist() == [True, False, False, False, False, True, True]


def test_a_region_that_is_ignored_may_be_of_any_class():
    truth = asked().truth(['[{"label":"cow","box":[0,0,9,9],"ignored":true}]'])
    assert asked().known(truth).all() and asked().counts(truth) == {"cat": 0, "dog": 0}


def test_an_answer_keeps_its_scores_and_counts_from_the_threshold_of_its_model_on():
    sure = '[{"label":"cat","box":[10,10,50,50],"score":0.9},{"label":"dog","box":[60,0,90,20],"score":0.4}]'
    answers = asked().answers({"prediction": np.array([sure], object)})
    assert asked().shown(answers.prediction[0]) == "1 cat"
    assert [one.score for one in boxes_of(asked().columns(answers)["prediction"][0])] == [0.9, 0.4]
    lower = questions.of(Task(kind="detection", target="things", classes=("cat", "dog"), threshold=0.3))
    assert lower.shown(lower.answers({"prediction": np.array([sure], object)}).prediction[0]) == "1 cat, 1 dog"


def test_two_models_agree_where_their_boxes_half_overlap_and_are_of_one_class():
    def said(*cells: str) -> Answers:
        return asked().answers({"prediction": np.array(cells, object)})

    near = f"[{CAT.replace('50.0,50.0', '48.0,52.0')}]"
    other = f"[{CAT.replace('cat', 'dog')}]"
    far = f"[{CAT.replace('10.0,10.0,50.0,50.0', '40.0,40.0,80.0,80.0')}]"
    unsure = f'[{CAT},{DOG[:-1]},"score":0.1}}]'
    one = said(*[f"[{CAT}]"] * 6)
    assert asked().differ(one, said(near, other, far, "[]", unsure, f"[{CAT},{CAT}]")).tolist() == [
        False, True, True, True, False, True,
    ]  # fmt: skip


def test_the_surest_false_alarm_is_the_worst_and_a_missed_box_counts_one():
    def alarm(score: float) -> str:
        return f'[{CAT},{{"label":"dog","box":[0,0,9,9],"score":{score}}}]'

    truth = asked().truth([f"[{CAT}]"] * 4)
    answers = asked().answers({"prediction": np.array([alarm(0.9), alarm(0.6), alarm(0.2), "[]"], object)})
    assert asked().losses(truth, answers).tolist() == pytest.approx([0.9, 0.6, 0.0, 1.0])
    assert asked().errors(truth, answers).tolist() == [1.0, 1.0, 0.0, 1.0]


def test_pictures_in_which_nothing_is_marked_define_no_average_precision():
    truth = asked().truth(["[]", "[]"])
    found = measure.score(TASK, truth, asked().always((0.0,), 2))
    assert "ap" not in found and found["false_alarms"] == 0
    assert not measure.is_defined(TASK, truth) and measure.is_defined(TASK, asked().truth([f"[{DOG}]"]))


def test_a_box_of_an_unknown_class_is_no_answer():
    truth = asked().truth([f"[{CAT}]"])
    with pytest.raises(InputError, match="prediction"):
        asked().sample(truth, Answers(asked().truth(['[{"label":"cow","box":[0,0,1,1]}]'])))


def test_no_false_alarm_in_few_pictures_does_not_say_that_there_is_none():
    truth = asked().truth([f"[{CAT}]"] * 20)
    found = measure.score_with_intervals(TASK, truth, Answers(truth), names=["false_alarms", "ap", "box_recall"])
    assert found["false_alarms"].value == 0 and 0.1 < found["false_alarms"].high < 0.3
    assert found["ap"].low < 0.9 and found["box_recall"].low < 0.9
