"""A folder of pictures becomes a project: what was inferred is written down, and nothing is looked at twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from palio import flow
from palio.core.config import load
from palio.data.pictures import reading
from tests.data.pictures.albums import pets, picture, write_folder


def test_init_writes_what_was_inferred(tmp_path: Path) -> None:
    album = write_folder(tmp_path / "pets", pets(12, parts=True))
    started = flow.init(album, folder=tmp_path)
    assert started.task.classes == ("cats", "dogs")
    config = load(tmp_path)
    assert (config.data.source, config.data.target) == ("pets", "label")
    assert config.split.method == "given"
    assert any("cut the pictures into parts (train 20, validation 4)" in note for note in started.notes)
    again = flow.init(folder=tmp_path)
    assert again.task == started.task
    assert load(tmp_path) == config


def test_an_unchanged_rerun_reads_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    album = write_folder(tmp_path / "pets", pets(12))
    flow.init(album, folder=tmp_path)
    with flow.Project.open(tmp_path) as project:
        first = project.ingest()
    monkeypatch.setattr(reading, "note_of", lambda *_: pytest.fail("a picture was decoded"))
    with flow.Project.open(tmp_path) as project:
        assert project.ingest() == first
        assert project.split().counts["train"] > 0


def test_new_pictures_are_appended_by_their_folder(tmp_path: Path) -> None:
    flow.init(write_folder(tmp_path / "pets", pets(12)), folder=tmp_path)
    more = write_folder(tmp_path / "new", {f"dogs/n{at}.png": picture(300 + at) for at in range(3)})
    with flow.Project.open(tmp_path) as project:
        project.ingest()
        snapshot = project.ingest(append=more)
        assert (snapshot.n_rows, snapshot.version) == (27, 2)
        assert project.ingest(append=more).id == snapshot.id
        assert project.ingest() == snapshot


def test_pictures_of_a_table_are_found_from_the_project(tmp_path: Path) -> None:
    write_folder(tmp_path / "shots", {f"{at}.png": picture(at) for at in range(20)})
    rows = "".join(f"{at}.png,{'hat' if at % 2 else 'shoe'}\n" for at in range(20))
    (tmp_path / "t.csv").write_text("path,kind\n" + rows)
    flow.init(tmp_path / "t.csv", target="kind", folder=tmp_path, images=str(tmp_path / "shots"))
    assert load(tmp_path).data.images == "shots"
    with flow.Project.open(tmp_path) as project:
        assert project.ingest().schema.column("picture").type == "image"
