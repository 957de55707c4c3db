"""Boxes go the way of every other row: from COCO to a champion, its answers, late truths, and a camera that changes."""

from __future__ import annotations

import base64
import csv
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from palio import flow, measure
from palio.monitor.quality.standards import standards_of
from tests.acceptance.boxes.scenes import SIZE, coarse, jpeg, scene, write_coco, write_detector
from tests.acceptance.live import Wire, palio, serving

N_ASKED = 240


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("things")
    write_coco(folder / "things", 90)
    write_detector(folder / "colours.onnx")
    palio(folder / "project", "init", str(folder / "things"), "--task", "detection")
    return folder / "project"


@pytest.fixture(scope="module")
def ran(project: Path) -> Any:
    told = {
        "PALIO_TRAIN_FAMILIES": "imported",
        "PALIO_TRAIN_IMPORTED": str(project.parent / "colours.onnx"),
        "PALIO_TRAIN_IMPORTED_CLASSES": "brick,ball",
        "PALIO_TRAIN_ENGINE": "inline",
    }
    return palio(project, "run", "--budget", "120", env=told)


def test_a_detector_of_somebody_elses_becomes_the_champion(ran: Any) -> None:
    assert ran["decision"]["verdict"] == "yes", ran["decision"]["reasons"]
    assert ran["champion"]["family"] == "imported"
    assert ran["evaluation"]["metrics"]["ap50"]["value"] > 0.9
    assert ran["parity"]["passed"]


def test_what_is_usual_counts_boxes_from_the_threshold_of_the_model_on(ran: Any, project: Path) -> None:
    with flow.Project.open(project) as opened:
        bundle = opened.bundle()
        task, rows, reference = bundle.manifest.task, bundle.reference_rows(), bundle.reference()
    assert rows is not None and reference is not None and task.threshold > 0.01
    flattered, of_all = (
        standards_of(one, rows)["box_f1"].value.value for one in (task, msgspec.structs.replace(task, threshold=0.01))
    )
    usual = reference.quality["box_f1"].value  # each picture by the threshold that others choose
    assert of_all + 0.1 < usual <= flattered
    shown = measure.describe_boxes(rows["prediction"], task.threshold)[0]["n_boxes"]
    (counted,) = (one for one in reference.columns if one.name == "prediction.n_boxes")
    assert counted.mean == pytest.approx(shown.mean())


def test_a_folder_is_answered_as_coco_and_as_a_row_a_box(ran: Any, project: Path, tmp_path: Path) -> None:
    truths = {}
    (tmp_path / "new").mkdir()
    for seed in range(500, 505):
        image, truths[f"{seed}.jpg"] = scene(seed)
        (tmp_path / "new" / f"{seed}.jpg").write_bytes(jpeg(image))
    palio(project, "predict", str(tmp_path / "new"), "--output", str(tmp_path / "out.json"))
    told = json.loads((tmp_path / "out.json").read_text())
    assert [one["file_name"] for one in told["images"]] == list(truths)
    palio(project, "predict", str(tmp_path / "new"), "--output", str(tmp_path / "out.csv"))
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = {(row["file"], row["label"]) for row in rows if row["label"]}
    assert found == {(name, label) for name, things in truths.items() for label, _ in things}
    assert [row["file"] for row in rows if not row["label"]] == [name for name, things in truths.items() if not things]


def test_late_boxes_judge_it_and_another_camera_is_found(ran: Any, project: Path) -> None:
    with serving(project, workers=1) as server:
        wire = Wire(server.url)
        truths = []
        for seed in range(1000, 1000 + N_ASKED):
            image, things = scene(seed)
            status, told = wire.predict({"picture": base64.b64encode(jpeg(coarse(image))).decode()})
            assert status == 200, told
            boxes = [{"label": label, "box": [x, y, x + SIZE, y + SIZE]} for label, (x, y, _, _) in things]
            truths.append({"prediction_id": told["predictions"][0]["id"], "label": boxes})
        assert wire("POST", "/feedback", {"feedback": truths})[0] == 200
        wire.close()
    report = palio(project, "monitor")
    assert report["truths"]["n_met"] == N_ASKED
    said = json.dumps(report)
    assert "picture.sharpness" in said, "the camera is seen"
    assert report["verdict"] != "good"
