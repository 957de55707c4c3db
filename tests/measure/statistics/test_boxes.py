"""Boxes are counted, also by class, from the threshold on."""

from __future__ import annotations

import numpy as np
import pytest

from palio import measure
from palio.core.cells.boxes import cell_of
from palio.core.records import Box
from palio.measure.statistics import compute_statistics
from palio.measure.statistics.boxes import FEWEST_PICTURES, MOST_CLASSES


def cells(*pictures: list[tuple[str, float]]) -> np.ndarray:
    found = np.empty(len(pictures), object)
    for row, one in enumerate(pictures):
        found[row] = cell_of(Box(label=label, box=(0, 0, 9, 9), score=score) for label, score in one)
    return found


def test_boxes_of_each_class_are_counted_from_the_threshold_on() -> None:
    some = cells([("cat", 0.9), ("cat", 0.2), ("dog", 0.5)], [], [("fox", 0.9)])
    found, kept = measure.describe_boxes(some, 0.5, ("cat", "dog", "cow"))
    assert found["n_boxes"].tolist() == [2, 0, 1]
    assert found["n_boxes.cat"].tolist() == [1, 0, 0]
    assert found["n_boxes.dog"].tolist() == [1, 0, 0]
    assert found["n_boxes.cow"].tolist() == [0, 0, 0]
    later = compute_statistics(kept, cells([("cat", 0.6), ("cat", 0.7), ("dog", 0.4)]))
    assert (later["n_boxes.cat"].tolist(), later["n_boxes.dog"].tolist()) == ([2], [0])
    assert all(measure.is_statistic(name) for name in kept)


def test_what_is_no_list_of_boxes_is_counted_as_nothing_known() -> None:
    later = compute_statistics({"n_boxes.cat": b"\0\0\0\0cat"}, np.array(["torn", "[]"], object))
    assert later["n_boxes.cat"] == pytest.approx([np.nan, 0], nan_ok=True)


def test_one_class_is_counted_once_and_of_many_the_most_frequent() -> None:
    names = [f"kind {n}" for n in range(40)]
    some = cells(*[[(name, 0.9)] * (n + 1) for n, name in enumerate(names)])
    assert "n_boxes.kind 0" not in measure.describe_boxes(some, 0.5, names[:1])[0]
    own = [name for name in measure.describe_boxes(some, 0.5, names)[1] if "." in name]
    assert own == [f"n_boxes.{name}" for name in names[-MOST_CLASSES:]]


def test_boxes_of_a_class_are_described_apart_where_enough_pictures_have_some() -> None:
    some = cells(*[[("cat", 0.9), ("dog", 0.6)]] * FEWEST_PICTURES, [("fox", 0.9)], [])
    found, kept = measure.describe_boxes(some, 0.5, ("cat", "dog", "fox"))
    assert found["box_score.dog"][0] == pytest.approx(0.6) and found["box_score"][0] == pytest.approx(0.75)
    assert np.isnan(found["box_score.dog"][-1]) and found["n_boxes.dog"][-1] == 0
    assert {name for name in kept if name.endswith(".fox")} == {"n_boxes.fox"}
    later = compute_statistics({"box_size.cat": kept["box_size.cat"]}, cells([("cat", 0.9)], [("dog", 0.9)]))
    assert later["box_size.cat"] == pytest.approx([9, np.nan], nan_ok=True)
