from __future__ import annotations

import msgspec
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


def weak(n: int) -> tuple[np.ndarray, Answers]:
    """One thing a picture; of the surest boxes nearly all are right, of the others ever fewer."""
    rng = np.random.default_rng(7)
    there, said = [], []
    for _ in range(n):
        left = int(rng.integers(0, 50))
        there.append(f'[{{"label": "a", "box": [{left}, 0, {left + 9}, 9]}}]')
        here = []
        for score in rng.uniform(0, 1, 4).round(3).tolist():
            at = left if rng.uniform() < score**2 / 2 else 100
            here.append(f'{{"label": "a", "box": [{at}, 0, {at + 9}, 9], "score": {score}}}')
        said.append(f"[{','.join(here)}]")
    return questions.of(TASK).truth(there), Answers(questions.of(TASK).truth(said))


def counts(truth: np.ndarray, said: Answers, threshold: float) -> dict[str, float]:
    return measure.score(TASK, truth, boxes.at_threshold(said, threshold), names=["box_mistakes", "box_f1"])


def test_a_threshold_below_which_silence_makes_fewer_mistakes_is_not_chosen():
    truth, said = weak(400)
    silent = counts(truth, said, 1.0)["box_mistakes"]
    balanced, fewest = (boxes.best_threshold(msgspec.structs.replace(TASK, metric=m), truth, said)
                        for m in ("box_f1", "box_mistakes"))  # fmt: skip
    assert counts(truth, said, balanced)["box_mistakes"] > silent  # what F1 alone would choose
    best = boxes.best_threshold(TASK, truth, said)
    found = counts(truth, said, best)
    assert found["box_mistakes"] <= silent and best > balanced
    others = [counts(truth, said, one) for one in np.linspace(0.01, 0.99, 99)]
    assert found["box_f1"] >= max(one["box_f1"] for one in others if one["box_mistakes"] <= silent) - 1e-12
    assert counts(truth, said, fewest)["box_mistakes"] <= min(one["box_mistakes"] for one in others) + 1e-12


def test_where_every_threshold_is_worse_than_silence_the_balance_decides():
    cells = ['[{"label": "a", "box": [0, 0, 9, 9]}]'] * 3
    wrong = '{"label": "a", "box": [50, 0, 59, 9], "score": 0.9}'
    right = '{"label": "a", "box": [0, 0, 9, 9], "score": 0.4}'
    said = Answers(questions.of(TASK).truth([f"[{wrong},{right}]", f"[{wrong}]", f"[{wrong}]"]))
    assert boxes.best_threshold(TASK, questions.of(TASK).truth(cells), said) == pytest.approx(0.2)


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


def unsure(n: int, seed: int) -> tuple[np.ndarray, Answers]:
    """Two things a picture, and boxes that are right as often as they are sure."""
    rng = np.random.default_rng(seed)
    there, said = [], []
    for _ in range(n):
        left = rng.integers(0, 50, 2).tolist()
        true = [f'{{"label": "a", "box": [{x}, {y}, {x + 9}, {y + 9}]}}' for x, y in zip(left, (0, 40), strict=True)]
        here = []
        for x, y in zip(left, (0, 40), strict=True):
            score = round(float(rng.uniform(0.2, 0.8)), 4)
            at = x if rng.uniform() < score else 100
            here.append(f'{{"label": "a", "box": [{at}, {y}, {at + 9}, {y + 9}], "score": {score}}}')
        there.append(f"[{','.join(true)}]")
        said.append(f"[{','.join(here)}]")
    return questions.of(TASK).truth(there), Answers(questions.of(TASK).truth(said))


def test_what_a_threshold_brings_is_not_told_by_the_rows_that_chose_it():
    mistakes = {"flattered": [], "held out": [], "later": []}
    later = unsure(600, 0)
    for seed in range(1, 31):
        truth, said = unsure(20, seed)
        at = boxes.best_threshold(TASK, truth, said)
        mistakes["later"].append(counts(*later, at)["box_mistakes"])
        mistakes["flattered"].append(counts(truth, said, at)["box_mistakes"])
        honest = boxes.as_if_held_out(TASK, truth, said)
        mistakes["held out"].append(measure.score(TASK, truth, honest, names=["box_mistakes"])["box_mistakes"])
    flattered, held_out, real = (float(np.mean(mistakes[one])) for one in ("flattered", "held out", "later"))
    assert real - flattered > 0.08
    assert abs(held_out - real) < (real - flattered) / 2


def test_few_pictures_keep_the_threshold_that_they_have():
    truth, said = unsure(6, 1)
    assert boxes.as_if_held_out(TASK, truth, said) is said


def test_how_sure_a_model_says_it_is_counts_for_what_it_shows():
    truth, said = unsure(400, 3)
    shown = measure.calibration_bins(TASK, truth, boxes.at_threshold(said, 0.5))
    assert min(one.predicted for one in shown) >= 0.5
    assert sum(one.n_rows for one in shown) < sum(one.n_rows for one in measure.calibration_bins(TASK, truth, said))
    assert measure.calibration_bins(TASK, truth, boxes.at_threshold(said, 0.99)) == ()
