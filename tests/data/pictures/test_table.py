"""A table whose rows name pictures has them as cells."""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl
import pytest

from palio import data
from palio.core.errors import InputError
from palio.store import Store
from tests.data.pictures.albums import picture, write_folder


def table_of(tmp_path: Path, form: str = "images/{}.png", **more: list[str]) -> Path:
    write_folder(tmp_path / "images", {f"{i}.png": picture(i) for i in range(20)})
    frame = pl.DataFrame(
        {
            "path": [form.format(i) for i in range(20)],
            "price": [100 + 7 * i for i in range(20)],
            "kind": ["hat" if i % 2 else "shoe" for i in range(20)],
            **more,
        }
    )
    frame.write_csv(tmp_path / "t.csv")
    return tmp_path / "t.csv"


def opened(path: Path) -> data.Source:
    return data.open_source(path, data.SourceOptions(images=str(path.parent / "images")))


FORMS = ["images/{}.png", "{}.png", "C:\\shop\\images\\{}.png", "{}", "./{}.png"]
LABEL_STUDIO = ["/data/local-files/?d=shop%20new/images/{}.png", "/data/upload/7/ab12cd34-{}.png"]


@pytest.mark.parametrize("form", FORMS + LABEL_STUDIO)
def test_the_column_of_paths_is_found_however_they_are_written(form: str, tmp_path: Path) -> None:
    source = opened(table_of(tmp_path, form))
    survey = data.survey(source, target="kind")
    assert [column.name for column in survey.schema.features] == ["price", "picture"]
    frame = pl.concat([pl.from_arrow(batch) for batch in source.batches()])  # type: ignore[type-var]
    assert frame["picture"].to_list() == [hashlib.sha256(picture(i)).hexdigest() for i in range(20)]  # type: ignore[index]


def test_a_row_whose_picture_is_gone_is_set_aside(tmp_path: Path, store: Store) -> None:
    path = table_of(tmp_path)
    (tmp_path / "images" / "3.png").unlink()
    source = opened(path)
    snapshot = data.ingest(source, store=store, schema=data.survey(source, target="kind").schema)
    assert (snapshot.n_rows, snapshot.n_quarantined) == (19, 1)
    assert any("there is no such file" in one.examples[0] for one in snapshot.violations)
    assert "1 not to be found (images/3.png)" in " ".join(source.notes)


def test_a_column_of_parts_is_found(tmp_path: Path) -> None:
    path = table_of(tmp_path, split=["train" if i < 14 else "test" for i in range(20)])
    assert data.stated(opened(path)).part == "split"
    assert not data.survey(opened(path), target="kind").schema.column("split").feature


def test_a_table_without_paths_is_refused_in_words(tmp_path: Path) -> None:
    path = table_of(tmp_path, "elsewhere-{}.gif")
    with pytest.raises(InputError, match="no column names pictures that lie in images"):
        opened(path)


ODD = {"Ärger (1).JPG": "Ärger (1).jpg", "Öl.png": "O\u0308l.png", "x%20y.png": "x%20y.png", "form.jpeg": "form.png"}


@pytest.mark.parametrize("written", [*ODD, "https://shop.example/images/Ärger%20(1).JPG?size=2"])
def test_a_picture_is_found_however_its_name_is_spelt(written: str, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for at, name in enumerate(ODD.values()):
        (tmp_path / "images" / name).write_bytes(picture(at))
    (tmp_path / "t.csv").write_text(f"image,kind\n{written},a\n", "utf-8")
    source = opened(tmp_path / "t.csv")
    frame = pl.concat([pl.from_arrow(batch) for batch in source.batches()])  # type: ignore[type-var]
    wanted = ODD.get(written, "Ärger (1).jpg")
    assert frame["picture"].to_list() == [hashlib.sha256(picture(list(ODD.values()).index(wanted))).hexdigest()]  # type: ignore[index]


def test_a_path_does_not_mean_the_picture_of_another_folder(tmp_path: Path) -> None:
    for at, name in enumerate(["a/1.png", "b/1.png", "b/2.png", "a/3.png"]):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / name).write_bytes(picture(at))
    (tmp_path / "t.csv").write_text("image,kind\na/1.png,x\nb/1.png,y\na/2.png,x\na/3.png,x\n", "utf-8")
    frame = pl.concat([pl.from_arrow(batch) for batch in opened(tmp_path / "t.csv").batches()])  # type: ignore[type-var]
    assert frame["picture"].is_null().to_list() == [False, False, True, False]  # type: ignore[index]


def test_names_that_several_files_have_are_refused_with_an_example(tmp_path: Path) -> None:
    for at, name in enumerate(["a/1.png", "b/1.png"]):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / name).write_bytes(picture(at))
    (tmp_path / "t.csv").write_text("image,kind\n1.png,x\n", "utf-8")
    with pytest.raises(InputError, match=r"`image` names files by what several are called, e.g. a/1.png and b/1.png"):
        opened(tmp_path / "t.csv")


def test_one_picture_under_two_labels_of_a_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for at in range(3):
        (tmp_path / "images" / f"{at}.png").write_bytes(picture(at))
    (tmp_path / "t.csv").write_text("image,kind\n0.png,x\n1.png,y\n2.png,x\n1.png,x\n", "utf-8")
    options = data.SourceOptions(images=str(tmp_path / "images"), target="kind")
    assert any("more than one label" in one for one in data.open_source(tmp_path / "t.csv", options).notes)
