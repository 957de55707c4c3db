"""A folder of pictures with boxes becomes a project: begun, read, cut, and grown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from palio import flow, report
from palio.core.errors import InputError
from tests.data.boxes import writers
from tests.data.boxes.writers import pictures, scene
from tests.data.pictures.albums import write_folder, write_zip


def test_a_folder_with_boxes_is_begun_read_cut_and_grown(tmp_path: Path) -> None:
    things, sizes = scene(24)
    album = write_folder(tmp_path / "album", pictures(things, sizes) | writers.voc(things, sizes))
    started = flow.init(album, folder=tmp_path / "project")
    assert (started.task.kind, started.task.target, started.task.classes) == ("detection", "boxes", writers.CLASSES)
    assert 'task = "detection"' in (tmp_path / "project" / "palio.toml").read_text("utf-8")
    with flow.Project.open(tmp_path / "project") as project:
        parts = project.split()
        assert parts.counts["train"] + parts.counts["test"] == 24
        assert all(parts.class_counts["test"][name] for name in writers.CLASSES)
        others, its = scene(6, seed=5, folder="later/")
        grown = project.ingest(append=write_folder(tmp_path / "later", pictures(others, its)))
        assert (grown.n_rows, grown.n_unlabelled) == (30, 6)
        again = project.split()
        assert again.counts["train"] >= parts.counts["train"]
    assert flow.init(folder=tmp_path / "project").task == started.task


def test_numbers_of_classes_are_named_once_and_for_all(tmp_path: Path) -> None:
    things, sizes = scene(12)
    archive = write_zip(tmp_path / "a.zip", pictures(things, sizes) | writers.yolo(things, sizes, names=""))
    started = flow.init(archive, folder=tmp_path / "project", classes="ape, bee,cat")
    assert started.task.classes == writers.CLASSES
    assert 'classes = ["ape", "bee", "cat"]' in (tmp_path / "project" / "palio.toml").read_text("utf-8")
    with flow.Project.open(tmp_path / "project") as project:
        assert project.ingest().schema.column("boxes").categories is not None


def test_a_file_of_annotation_may_be_named_with_its_pictures(tmp_path: Path) -> None:
    things, sizes = scene(12)
    album = write_folder(tmp_path / "album", pictures(things, sizes))
    file = write_folder(tmp_path / "notes", writers.coco(things, sizes)) / "annotations.json"
    started = flow.init(file, folder=tmp_path / "project", images=str(album), task="detection")
    assert started.n_rows == 12
    with flow.Project.open(tmp_path / "project") as project:
        assert project.ingest().n_rows == 12


def test_detection_needs_boxes(tmp_path: Path) -> None:
    things, sizes = scene(12)
    album = write_folder(tmp_path / "album", pictures(things, sizes))
    with pytest.raises(InputError, match="no file says what is where in 12 pictures"):
        flow.init(album, folder=tmp_path / "project", task="detection")


def test_what_is_wrong_is_drawn_first(tmp_path: Path) -> None:
    things, sizes = scene(12)
    held = writers.coco_of(things, sizes)
    held["annotations"][5]["bbox"] = [20, 20, -9, 9]
    files = pictures(things, sizes) | {"a.json": json.dumps(held).encode()}
    started = flow.init(write_folder(tmp_path / "album", files), folder=tmp_path / "project", specimens=6)
    first, *others = started.specimens
    assert first.is_wrong
    assert "ends before it begins" in first.said
    assert 3 <= len(others) <= 5
    assert all(one.said and not one.is_wrong and one.jpeg.startswith(b"\xff\xd8") for one in others)
    page = report.columns_page(started, specimens=started.specimens)
    assert page.count("<figure") == len(started.specimens)
    assert "img-src data:" in page
    assert not flow.init(folder=tmp_path / "project").specimens
