"""Two ways of finding things agree where label, place and score do; chance between twins is no difference."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import numpy as np
import pytest

from palio import model
from palio.core.cells.boxes import boxes_of, cell_of
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


@pytest.mark.parametrize("step", [0.0001, 0.0002])
def test_corners_of_tiny_boxes_may_differ_by_their_last_digit_and_no_more(step: float) -> None:
    box = (0.1, 0.1, 0.9, 0.7)
    moved = (0.1, round(0.1 + step, 4), 0.9, 0.7)
    assert parity(said(("cat", box, 0.9)), said(("cat", moved, 0.9))).passed == (step < 0.0002)
    corners = np.array([box])
    chosen = model.Candidates(corners, corners, np.array([0.9]), np.array(["cat"], object), 0.6, 0.01)
    reference = dataclasses.replace(said(("cat", box, 0.9)), candidates=(chosen,))
    assert parity(said(("cat", moved, 0.9)), reference).passed == (step < 0.0002)


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


CLASSES = ("cat", "dog")
PLACES = np.array([[0.5, 0.5, -10.0, 0.0, 100.0, 128.0]])
"""A picture of 100 × 128 pixels, halved, with ten columns of grey on its left."""


def crowded(seed: int, n: int = 700) -> tuple[Any, Any]:
    """Make boxes as a network says them of a plain picture: all over it, and nearly all equally sure."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(-8, 72, (n, 2))
    sides = rng.choice([6.0, 12.0, 13.0], (n, 2))
    corners = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1)[None].astype(np.float32)
    scores = rng.choice([0.3, 0.300001, 0.5, 0.02], (1, n, 2)) + rng.normal(0, 1e-7, (1, n, 2))
    return corners, scores.clip(0, 1).astype(np.float32)


def chosen(corners: Any, scores: Any) -> Any:
    found = model.suppressed(corners, scores)
    return model.Outputs(model.cells_of(model.brought_back(found, PLACES), CLASSES), are_boxes=True)


def library(corners: Any, scores: Any) -> model.Outputs:
    """Answer, and tell what there was to choose from."""
    candidates = model.candidates_of(corners, scores, PLACES, CLASSES)
    return model.Outputs(chosen(corners, scores).prediction, are_boxes=True, candidates=tuple(candidates))


@pytest.mark.parametrize("seed", range(12))
def test_the_last_bit_of_a_score_may_decide_what_stays_and_all_that_hangs_on_it(seed: int) -> None:
    corners, scores = crowded(seed)
    rng = np.random.default_rng(seed + 100)
    nearly = (scores + rng.normal(0, 1e-6, scores.shape).astype(np.float32)).clip(0, 1)
    moved = corners + rng.normal(0, 1e-5, corners.shape).astype(np.float32)
    found = parity(chosen(moved, nearly), library(corners, scores))
    assert found.passed, found
    assert chosen(moved, nearly).prediction[0] != chosen(corners, scores).prediction[0]


@pytest.mark.parametrize("seed", range(4))
def test_what_was_not_to_be_chosen_or_dropped_is_found_however_equal_boxes_are(seed: int) -> None:
    corners, scores = crowded(seed, 100)
    corners[0, :2] = (10.0, 10.0, 30.0, 30.0)
    scores[0, :2, 0] = (0.9, 0.8)
    right = library(corners, scores)
    surest = boxes_of(right.prediction[0])
    only = [box for box in surest if box.score is not None and box.score > 0.4]

    def say(boxes: Any) -> model.Outputs:
        cells = np.empty(1, object)
        cells[0] = cell_of(boxes)
        return model.Outputs(cells, are_boxes=True)

    assert parity(say(surest), right).passed
    assert parity(say(only[1:]), right).n_label_diffs > 0, "one is missing"
    other = {"cat": "dog", "dog": "cat"}[only[0].label]
    assert not parity(say([msgspec.structs.replace(only[0], label=other), *surest[1:]]), right).passed
    left, top, right_, bottom = only[0].box
    shifted = msgspec.structs.replace(only[0], box=(left + 0.05, top, right_, bottom))
    assert not parity(say([shifted, *surest[1:]]), right).passed
    twice = model.suppressed(corners, scores, iou=1.0)
    both = model.Outputs(model.cells_of(model.brought_back(twice, PLACES), CLASSES), are_boxes=True)
    assert parity(both, right).n_label_diffs > 0, "boxes that overlap were kept"
