"""Pictures are scored wherever they lie: each keeps its line, and what cannot be read says why."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from palio import flow, model
from palio.cli.live import predict
from palio.core.errors import ContractError, InputError, NotFoundError
from palio.core.monitoring import Reference
from palio.core.records import Schema
from palio.flow.scoring import Scored
from tests.serve.picture_model import ALONE, BESIDE, picture, picture_bundle

LIGHT, DARK = picture(230), picture(20, format="PNG")
FILES = {
    "hall/2.jpg": LIGHT,
    "hall/10.png": DARK,
    "hall/b.webp": b"RIFF, secret",
    "hall/cut.jpg": LIGHT[:300],
    "z.jpg": LIGHT,
}
ANSWERS = ["light", "dark", None, None, "light"]


def project_of(folder: Path, schema: Schema) -> flow.Project:
    folder.mkdir()
    (folder / "palio.toml").write_text('[project]\nname = "moods"\n\n[data]\nsource = "nothing.csv"\n', "utf-8")
    project = flow.Project.open(folder)
    made = picture_bundle(schema)
    facts = {
        name: getattr(made.manifest, name)
        for name in made.manifest.__struct_fields__
        if name not in ("format", "inputs", "outputs", "files", "readings", "precision")
    }
    golden = made.golden()
    reference = Reference(n_rows=1, n_scored=0, in_time_order=False, columns=())
    identity = model.pack(
        project.store,
        made.model,
        reference=reference,
        golden=model.Golden(feeds=golden.feeds, outputs=golden.outputs),
        **facts,
    )
    project.store.promotions.append(
        project.name, identity, expected=None, kind="promote", decision=None, evidence="0" * 64, reason="a test",
        actor="tester", event_text="version {version} goes live",
    )  # fmt: skip
    return project


@pytest.fixture(scope="module")
def moods(tmp_path_factory: pytest.TempPathFactory) -> Iterator[flow.Project]:
    with project_of(tmp_path_factory.mktemp("moods") / "project", ALONE) as project:
        yield project


@pytest.fixture(scope="module")
def weighed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[flow.Project]:
    with project_of(tmp_path_factory.mktemp("weighed") / "project", BESIDE) as project:
        yield project


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "notes.txt").write_text("no picture by its name", "utf-8")
    return folder


def scored(project: flow.Project, file: Path, **how: Any) -> tuple[Scored, pl.DataFrame]:
    output = file.parent / "answers" / "out.csv"
    told = project.predict(file, output, **how)
    return told, pl.read_csv(output)


def check_album(told: Scored, frame: pl.DataFrame) -> None:
    assert frame.columns == ["file", "prediction", "probability_dark", "probability_light", "problem"]
    assert frame["file"].to_list() == list(FILES), "in natural order"
    assert frame["prediction"].to_list() == ANSWERS
    assert [why is None for why in frame["problem"]] == [answer is not None for answer in ANSWERS]
    assert (told.n_rows, told.n_problems, told.version) == (5, 2, 1)
    assert told.problems[0].startswith("hall/b.webp: ")
    assert "secret" not in frame.write_csv()


def test_a_folder_is_scored_in_natural_order(moods: flow.Project, album: Path) -> None:
    told, frame = scored(moods, album)
    check_album(told, frame)
    assert "notes.txt" in told.notes[0]


def test_archives_are_scored_without_unpacking(moods: flow.Project, tmp_path: Path) -> None:
    backwards = list(reversed(FILES.items()))
    with zipfile.ZipFile(tmp_path / "album.zip", "w") as archive:
        for name, data in backwards:
            archive.writestr(name, data)
    check_album(*scored(moods, tmp_path / "album.zip"))
    with tarfile.open(tmp_path / "album.tar.gz", "w:gz") as archive:
        for name, data in backwards:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    check_album(*scored(moods, tmp_path / "album.tar.gz"))


def test_one_picture_is_scored(moods: flow.Project, album: Path) -> None:
    _, frame = scored(moods, album / "hall" / "10.png")
    assert frame["prediction"].to_list() == ["dark"]
    told, frame = scored(moods, album / "hall" / "not there.jpg")
    assert told.problems == ("not there.jpg: there is no such file",)
    assert frame["prediction"].to_list() == [None]


def test_the_answers_are_those_of_the_graph_on_the_same_bytes(moods: flow.Project, album: Path) -> None:
    _, frame = scored(moods, album)
    found = picture_bundle().graph.predict({"photo": np.array([[LIGHT], [DARK]], object)}).probabilities
    assert found is not None
    assert frame["probability_light"].to_list()[:2] == pytest.approx(found[:, 1].tolist(), abs=1e-15)


def test_many_pictures_are_scored_chunk_by_chunk(moods: flow.Project, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(150):
        (folder / f"{number}.jpg").write_bytes(LIGHT if number % 3 else b"")
    told, frame = scored(moods, folder)
    assert frame["file"].to_list() == [f"{number}.jpg" for number in range(150)]
    assert (told.n_rows, told.n_problems) == (150, 50)
    assert frame["prediction"].to_list() == ["light" if number % 3 else None for number in range(150)]


def test_a_table_names_pictures_by_paths_from_where_it_lies(weighed: flow.Project, album: Path) -> None:
    cells = [*FILES, "gone.jpg", ""]
    pl.DataFrame({"weight": ["1.5", "", "2", "2", "heavy", "1", "1"], "image": cells}).write_csv(album / "list.csv")
    told, frame = scored(weighed, album / "list.csv")
    assert frame["file"].fill_null("").to_list() == cells
    assert frame["prediction"].to_list() == [*ANSWERS[:4], None, None, None]
    problems = frame["problem"].to_list()
    assert "weight" in problems[4]
    assert problems[5] == "there is no such file"
    assert told.n_problems == 5
    pl.DataFrame({"image": list(FILES), "weight": [1.0] * 5}).write_csv(album.parent / "list.csv")
    _, frame = scored(weighed, album.parent / "list.csv", images=str(album))
    assert frame["prediction"].to_list() == ANSWERS
    (album.parent / "other").mkdir()
    with pytest.raises(ContractError, match="no column names pictures"):
        scored(weighed, album.parent / "list.csv", images=str(album.parent / "other"))


def test_a_table_may_name_pictures_in_a_zip_archive(moods: flow.Project, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "album.zip", "w") as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
    pl.DataFrame({"image": list(FILES), "of": ["a", "b", "c", "d", "e"]}).write_csv(tmp_path / "list.csv")
    _, frame = scored(moods, tmp_path / "list.csv", images=str(tmp_path / "album.zip"))
    assert frame["prediction"].to_list() == ANSWERS


def test_pictures_are_found_by_what_they_are_called_as_in_a_table_that_is_learned_from(
    moods: flow.Project, album: Path, tmp_path: Path
) -> None:
    cells = ["C:\\shop\\hall\\10.png", "hall/10", "HALL/10.PNG", "hall/gone.png"]
    pl.DataFrame({"image": cells, "of": ["a", "b", "c", "d"]}).write_csv(tmp_path / "list.csv")
    _, frame = scored(moods, tmp_path / "list.csv", images=str(album))
    assert frame["prediction"].to_list() == ["dark"] * 3 + [None]
    (album / "list.txt").write_text("hall\\10.png\n", "utf-8")
    _, frame = scored(moods, album / "list.txt")
    assert frame["prediction"].to_list() == ["dark"]


def test_a_list_holds_a_path_a_line(moods: flow.Project, album: Path) -> None:
    (album / "list.txt").write_text("z.jpg\n\nhall/10.png\n", "utf-8")
    _, frame = scored(moods, album / "list.txt")
    assert frame["prediction"].to_list() == ["light", "dark"]


def test_what_cannot_be_asked_is_refused_with_the_reason(
    moods: flow.Project, weighed: flow.Project, album: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no pictures"):
        scored(moods, tmp_path / "empty")
    with pytest.raises(NotFoundError):
        scored(moods, tmp_path / "nowhere")
    with pytest.raises(ContractError, match=r"hall/b\.webp"):
        scored(moods, album, strict=True)
    assert not (tmp_path / "answers" / "out.csv").exists()
    _, frame = scored(weighed, album)  # a weight may be missing
    assert frame["prediction"].to_list() == ANSWERS


def test_the_verb_tells_how_many_could_not_be_answered(moods: flow.Project, album: Path) -> None:
    output = album.parent / "out.csv"
    done = CliRunner().invoke(predict, [str(album), "--output", str(output), "--dir", str(moods.folder)])
    assert done.exit_code == 0, done.output
    assert "2 of 5 rows could not be answered" in done.output
    assert "hall/b.webp: " in done.output
