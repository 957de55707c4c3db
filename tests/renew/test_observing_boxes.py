"""Boxes of champion and challenger are compared by overlaps, and judged by mistakes."""

from __future__ import annotations

import numpy as np

from palio.core.records import Task
from palio.renew.observing_boxes import are_boxes, in_one_order, n_differ, read, scores, sizes, without_boxes

CHAMPION = Task(kind="detection", target="things", classes=("cat",), threshold=0.5)
RIVAL = Task(kind="detection", target="things", classes=("cat",), threshold=0.2)


def rows(*cells: str) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    return np.array([f"a.{place}" for place in range(len(cells))], object), np.array(cells, object)


def cell(score: float, right: float = 40.0) -> str:
    return f'[{{"label":"cat","box":[0,0,{right},40],"score":{score}}}]'


def test_each_model_shows_boxes_from_its_own_threshold_on_and_near_ones_are_the_same() -> None:
    ids, mine = read(rows(cell(0.9), cell(0.3), "[]", "no boxes"), CHAMPION)
    _, theirs = read(rows(cell(0.8, 42.0), cell(0.3), "[]", "[]"), RIVAL)
    assert ids.tolist() == ["a.0", "a.1", "a.2"]
    assert sizes(mine, CHAMPION).tolist() == [1, 0, 0] and sizes(theirs[:3], CHAMPION).tolist() == [1, 1, 0]
    assert n_differ(mine, theirs[:3], CHAMPION) == 1


def test_mistakes_are_counted_where_the_boxes_that_are_there_came() -> None:
    said = read(rows(cell(0.9), cell(0.9), "[]"), CHAMPION)
    truth = cell(1.0)
    found = scores(said, {"a.0": truth, "a.1": "[]", "x": truth}, CHAMPION)
    assert found[0].tolist() == ["a.0", "a.1"] and found[1].tolist() == [0.0, -1.0]


def test_classes_and_numbers_are_compared_as_before() -> None:
    assert are_boxes((CHAMPION, RIVAL)) and not are_boxes(None)
    assert not are_boxes((CHAMPION, Task(kind="regression", target="y")))


def test_classes_are_the_same_by_name_wherever_they_stand_in_each_models_own_order() -> None:
    cat, ape = '[{"label":"cat","box":[0,0,40,40],"score":0.9}]', '[{"label":"ape","box":[0,0,40,40],"score":0.9}]'
    mine, theirs = in_one_order((CHAMPION, Task(kind="detection", target="things", classes=("ape", "cat"))))
    assert mine.threshold == CHAMPION.threshold and theirs.threshold == 0.0
    (_, said), (ids, other) = read(rows(cat, cat), mine), read(rows(cat, ape), theirs)
    assert n_differ(said, other, mine) == 1
    assert scores((ids, other), {"a.0": cat, "a.1": cat}, mine)[1].tolist() == [0.0, -2.0]


def test_boxes_are_not_compared_as_texts_where_it_is_not_known_what_was_asked() -> None:
    assert without_boxes(rows(cell(0.9), "[]", "yes"))[0].tolist() == ["a.2"]
    assert len(without_boxes((np.array(["a.0"], object), np.array([0.5])))[1]) == 1


def test_before_any_truth_has_come_nothing_is_scored() -> None:
    ids, found = scores(read(rows(cell(0.9)), CHAMPION), {"x": cell(1.0)}, CHAMPION)
    assert len(ids) == len(found) == 0
    nobody = read((np.empty(0, object), np.empty(0)), CHAMPION)
    assert len(scores(nobody, {"x": cell(1.0)}, CHAMPION)[0]) == 0
    assert sizes(nobody[1], CHAMPION).tolist() == [] and n_differ(nobody[1], nobody[1], CHAMPION) == 0
