from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest

from palio import measure
from palio.core.records import Task
from palio.measure import Answers, View, questions
from palio.measure.boxes import Objects
from palio.measure.boxes.precision import average_precision
from tests.measure.boxes import made

TASK = Task(kind="detection", target="y", classes=("a", "b", "c"), threshold=0.5)
NAMES = "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"


def reference(truth: made.Array, said: made.Array) -> dict[str, float]:
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    coco = pytest.importorskip("pycocotools.coco")

    def form(corners: made.Array) -> list[float]:
        left, top, right, bottom = corners.tolist()
        return [left, top, right - left, bottom - top]

    true: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for row, (t, s) in enumerate(zip(truth, said, strict=True), 1):
        for corners, kind, crowd in zip(t.corners, t.classes, t.ignored, strict=True):
            box, place = form(corners), {"image_id": row, "category_id": int(kind) + 1, "id": len(true) + 1}
            true.append({**place, "bbox": box, "area": box[2] * box[3], "iscrowd": int(crowd)})
        for corners, kind, score in zip(s.corners, s.classes, s.scores, strict=True):
            found.append({"image_id": row, "category_id": int(kind) + 1, "bbox": form(corners), "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        data = coco.COCO()
        data.dataset = {
            "images": [{"id": row} for row in range(1, len(truth) + 1)],
            "annotations": true,
            "categories": [{"id": kind + 1, "name": str(kind)} for kind in range(made.N_CLASSES)],
        }
        data.createIndex()
        run = cocoeval.COCOeval(data, data.loadRes(found), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return {name: float(value) for name, value in zip(NAMES, run.stats, strict=False)}


@pytest.mark.parametrize("grid", [1.0, 4.0, 8.0])
@pytest.mark.parametrize("seed", range(6))
def test_average_precision_is_that_of_the_reference_code_with_crowds_ties_and_empty_pictures(seed, grid):
    truth, said = made.scenes(seed, grid=grid)
    got = measure.score(TASK, truth, Answers(said))
    for name, value in reference(truth, said).items():
        assert value == -1 if name not in got else got[name] == pytest.approx(value, abs=1e-9)


def test_a_picture_that_weighs_two_counts_like_the_picture_twice():
    truth, said = made.scenes(3, digits=12)  # of equal scores the order differs
    weights = np.random.default_rng(0).integers(0, 4, len(truth))
    twice = np.repeat(np.arange(len(truth)), weights)
    scenes = questions.of(TASK).sample(truth, Answers(said))
    plain = questions.of(TASK).sample(truth[twice], Answers(said[twice]))
    one = average_precision(scenes, weights[None].astype(float))
    assert one == pytest.approx(average_precision(plain, np.ones((1, len(twice)))), abs=1e-12)
    for name, spec in measure.METRICS.items():
        if spec.kind == "detection":
            mine, theirs = (
                spec.function(View(s, w)) for s, w in ((scenes, weights[None] * 1.0), (plain, np.ones((1, len(twice)))))
            )
            assert mine == pytest.approx(theirs, abs=1e-12, nan_ok=True), name


def test_the_order_of_equally_sure_boxes_is_that_of_the_pictures_and_pictures_without_boxes_only_count_alarms():
    nothing = Objects(np.empty((0, 4)), np.empty(0, np.int64), np.empty(0), np.empty(0, bool))
    cat = Objects(np.array([[0.0, 0.0, 9.0, 9.0]]), np.array([0]), np.ones(1), np.zeros(1, bool))
    truth, said = np.empty(2, object), np.empty(2, object)
    truth[:] = [cat, nothing]
    said[:] = [cat, cat]
    first = measure.score(TASK, truth, Answers(said))
    assert first["ap"] == 1.0 and first["false_alarms"] == 0.5 and first["box_precision"] == 0.5
    assert measure.score(TASK, truth[::-1], Answers(said[::-1]))["ap"] == pytest.approx(0.5)
