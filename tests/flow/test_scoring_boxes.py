"""What is found in pictures is written as a document, as a table, or onto the pictures."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from palio import data
from palio.core.errors import InputError
from palio.core.records import Task
from palio.flow import scoring, scoring_boxes
from palio.flow.scoring_pictures import PictureScorer
from tests.serve.boxes_model import LAMP, TASK, boxes_bundle
from tests.serve.picture_model import picture

FILES = {
    "a.jpg": picture(220),
    "in/b.png": picture(220, size=(80, 60), format="PNG"),
    "c.jpg": b"none",
    "d.jpg": picture(9),
}


@pytest.fixture(scope="module")
def scored() -> pl.DataFrame:
    bundle: Any = boxes_bundle()
    asking = data.Asking()
    for name, file in FILES.items():
        asking.add(name, file)
    return PictureScorer(bundle).score(asking)


def written(scored: pl.DataFrame, output: Path, threshold: float | None = None, task: Task = TASK) -> None:
    bundle: Any = boxes_bundle()
    with scoring._sink(bundle, output, threshold) as sink:
        sink.write(scored, list(FILES.values()))


def test_a_document_is_what_every_tool_for_boxes_reads(scored: pl.DataFrame, tmp_path: Path) -> None:
    written(scored, tmp_path / "out.json")
    told = json.loads((tmp_path / "out.json").read_bytes())
    assert [(one["file_name"], one["width"], one["height"]) for one in told["images"]] == [
        ("a.jpg", 40, 30),
        ("in/b.png", 80, 60),
        ("d.jpg", 40, 30),
    ]
    assert told["categories"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "lamp"}]
    assert len(told["annotations"]) == 6, "all that is said, since scores are for tools to weigh"
    first = told["annotations"][0]
    assert (first["image_id"], first["category_id"]) == (1, 2)
    assert first["bbox"] == pytest.approx([LAMP[0], LAMP[1], LAMP[2] - LAMP[0], LAMP[3] - LAMP[1]], abs=0.01)
    assert first["area"] == pytest.approx(400, abs=1)
    assert [one["file_name"] for one in told["problems"]] == ["c.jpg"]


def test_a_document_counts_on_from_one_part_to_the_next_and_nothing_is_left_of_a_torn_one(
    scored: pl.DataFrame, tmp_path: Path
) -> None:
    bundle: Any = boxes_bundle()
    with scoring._sink(bundle, tmp_path / "out.json", None) as sink:
        for row in range(scored.height):
            sink.write(scored[row : row + 1])
    written(scored, tmp_path / "whole.json")
    assert (tmp_path / "out.json").read_bytes() == (tmp_path / "whole.json").read_bytes()
    numbers = [one["id"] for one in json.loads((tmp_path / "out.json").read_bytes())["annotations"]]
    assert numbers == [1, 2, 3, 4, 5, 6]
    with pytest.raises(InputError), scoring._sink(bundle, tmp_path / "torn.json", None) as sink:
        sink.write(scored)
        raise InputError("no more")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "whole.json"]


def test_a_document_goes_through_the_tools_of_coco(scored: pl.DataFrame, tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    written(scored, tmp_path / "out.json")
    read = coco.COCO(str(tmp_path / "out.json"))
    assert len(read.loadRes(read.dataset["annotations"]).getAnnIds()) == 6


def test_a_table_has_a_row_a_box_and_loses_no_picture(scored: pl.DataFrame, tmp_path: Path) -> None:
    written(scored, tmp_path / "out.csv")
    table = pl.read_csv(tmp_path / "out.csv")
    assert table.columns == ["file", "label", "score", "left", "top", "right", "bottom", "problem"]
    assert table["file"].to_list() == list(FILES)
    assert table["label"].to_list() == ["lamp", "lamp", None, None], "from the threshold of the model on"
    assert table["problem"].is_null().to_list() == [True, True, False, True]
    written(scored, tmp_path / "all.parquet", 0.0)
    assert pl.read_parquet(tmp_path / "all.parquet").height == 7


def test_lines_hold_a_picture_each(scored: pl.DataFrame, tmp_path: Path) -> None:
    written(scored, tmp_path / "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["prediction"] and [box["label"] for box in line["prediction"]] for line in lines] == [
        ["lamp"],
        ["lamp"],
        None,
        [],
    ]


def test_boxes_are_drawn_on_the_pictures(scored: pl.DataFrame, tmp_path: Path) -> None:
    written(scored, tmp_path / "out")
    drawn = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.jpg"))
    assert drawn == ["a.jpg", "d.jpg", "in/b.png.jpg"]
    seen = np.asarray(Image.open(io.BytesIO((tmp_path / "out" / "in" / "b.png.jpg").read_bytes())), float)
    assert seen.shape == (60, 80, 3)
    plain = np.asarray(Image.open(io.BytesIO(FILES["in/b.png"])), float)
    changed = np.abs(seen - plain).max(axis=2) > 60
    assert changed[:, 8:52].any()
    assert not changed[:, 60:].any(), "outside of the box nothing changes"
    with pytest.raises(InputError, match="something already"):
        written(scored, tmp_path / "out")


@pytest.mark.parametrize("name", ["../../etc/x.jpg", "/etc/x.jpg", "..\\..\\x.jpg", "c:\\x.jpg", "..", ""])
def test_a_picture_is_drawn_inside_of_the_folder_whatever_it_is_called(name: str, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "file": [name],
            "prediction": ["[]"],
            "width": [40],
            "height": [30],
            "problem": pl.Series([None], dtype=pl.String),
        }
    )
    with scoring_boxes.Drawings(tmp_path / "out", TASK, 0.5) as sink:
        sink.write(frame, [picture(100)])
    made = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(made) == 1
    assert made[0].is_relative_to(tmp_path / "out")


def test_no_two_pictures_are_drawn_at_one_place(tmp_path: Path) -> None:
    names = ["b.png", "b.png.jpg", "../b.png", "B.PNG", "b.png"]
    frame = pl.DataFrame(
        {
            "file": names,
            "prediction": ["[]"] * 5,
            "width": [40] * 5,
            "height": [30] * 5,
            "problem": pl.Series([None] * 5, dtype=pl.String),
        }
    )
    with scoring_boxes.Drawings(tmp_path / "out", TASK, 0.5) as sink:
        sink.write(frame, [picture(100)] * 5)
    made = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert made == ["B.PNG-4.jpg", "b.png-2.jpg", "b.png-3.jpg", "b.png.jpg"]


def test_a_threshold_is_a_number_from_0_to_1(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--threshold"):
        scoring_boxes.threshold_of(tmp_path / "out.csv", TASK, 1.5)
