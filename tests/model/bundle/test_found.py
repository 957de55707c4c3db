"""Two ways of finding things agree where label, place and score do; chance between twins is no difference."""

from __future__ import annotations

from typing import Any

import numpy as np

from palio import model
from palio.core.cells.boxes import cell_of
from palio.core.records import Box
from palio.model.bundle.golden import Golden, decode_golden, encode_golden


def said(*boxes: tuple[str, tuple[float, ...], float]) -> model.Outputs:
    cells = np.empty(1, object)
    cells[0] = cell_of(Box(label=label, box=tuple(box), score=score) for label, box, score in boxes)  # type: ignore[arg-type]
    return model.Outputs(cells, are_boxes=True)


CAT = ("cat", (10.0, 10.0, 60.0, 40.0), 0.9)


def parity(one: Any, other: Any) -> Any:
    return model.compare_outputs(one, other, tolerance=1e-4)


def test_equal_boxes_agree_and_a_moved_one_does_not() -> None:
    assert parity(said(CAT), said(CAT)).passed
    moved = parity(said(CAT), said(("cat", (10.5, 10.0, 60.0, 40.0), 0.9)))
    assert not moved.passed
    assert np.isclose(moved.max_abs_diff, 0.5 / 50, rtol=0.05)
    assert not parity(said(CAT), said(("cat", (10.0, 10.0, 60.0, 40.0), 0.91))).passed


def test_another_label_or_a_box_that_is_missing_counts() -> None:
    assert parity(said(CAT), said(("dog", CAT[1], 0.9))).n_label_diffs == 2
    assert parity(said(CAT, ("cat", (80.0, 10.0, 90.0, 20.0), 0.3)), said(CAT)).n_label_diffs == 1


def test_a_twin_that_is_as_sure_may_stand_in_its_place() -> None:
    twin = ("cat", (14.0, 10.0, 64.0, 40.0), 0.90001)
    assert parity(said(twin), said(CAT)).n_label_diffs == 0


def test_what_is_dropped_for_a_twin_that_the_other_lacks_is_no_difference_and_a_box_beside_it_is() -> None:
    first, twin = ("cat", (0.0, 0.0, 40.0, 40.0), 0.9), ("cat", (10.0, 0.0, 50.0, 40.0), 0.90001)
    third, far = ("cat", (14.0, 0.0, 54.0, 40.0), 0.7), ("cat", (80.0, 0.0, 99.0, 40.0), 0.7)
    assert parity(said(first, third), said(twin)).n_label_diffs == 0, "the twin drops the third, the first does not"
    assert parity(said(first, third, far), said(twin)).n_label_diffs == 1
    assert parity(said(first, third), said(first)).n_label_diffs == 1, "nobody is there that it is dropped for"


def test_what_is_hardly_said_may_be_missing() -> None:
    assert parity(said(CAT, ("cat", (80.0, 10.0, 90.0, 20.0), 0.01)), said(CAT)).passed


def test_golden_boxes_are_read_back_as_they_were() -> None:
    golden = Golden(feeds={"photo": np.array([["QUJD"]], object)}, outputs=said(CAT))
    again = decode_golden(encode_golden(golden))
    assert again.outputs.are_boxes
    assert again.outputs.prediction.tolist() == golden.outputs.prediction.tolist()
