"""Folders and archives of pictures are rows: a picture a row, its label by its folder."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from palio import data
from palio.core.errors import InputError
from palio.data.pictures import reading
from palio.pixels import STATISTICS
from palio.store import Store
from tests.data.pictures.albums import pets, picture, write, write_folder, write_zip
from tests.pixels.files import GOOD, saved, soft

KINDS = ["folder", "zip", "tar", "tar.gz"]


def rows_of(source: data.Source) -> pl.DataFrame:
    frame = pl.concat([pl.from_arrow(batch) for batch in source.batches()])  # type: ignore[type-var]
    assert isinstance(frame, pl.DataFrame)
    return frame


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_a_row_wherever_it_lies(kind: str, tmp_path: Path) -> None:
    files = pets(12)
    source = data.open_source(write(tmp_path, kind, files))
    frame = rows_of(source)
    assert frame["file"].to_list() == [f"{label}/{at}.png" for label in ("cats", "dogs") for at in range(1, 13)]
    assert frame["picture"].to_list() == [hashlib.sha256(files[key]).hexdigest() for key in frame["file"]]
    assert frame["label"].to_list() == ["cats"] * 12 + ["dogs"] * 12
    assert [name for name in source.columns if name.startswith("picture.")][:9] == [f"picture.{n}" for n in STATISTICS]
    assert frame.select(f"picture.{name}" for name in STATISTICS).null_count().sum_horizontal().item() == 0
    assert source.form.kind == "pictures"


def test_parts_and_deeper_folders_are_columns(tmp_path: Path) -> None:
    files = pets(parts=True) | {"train/cats/film 3/7.png": picture(500)}
    frame = rows_of(data.open_source(write_folder(tmp_path / "top" / "pets", files).parent))
    assert frame["part"].value_counts(sort=True).rows() == [("train", 13), ("validation", 4)]
    assert frame.filter(pl.col("folder").is_not_null())["folder"].to_list() == ["film 3"]
    assert set(frame["label"]) == {"cats", "dogs"}


def test_what_is_no_picture_is_passed_over_or_set_aside_and_counted(tmp_path: Path) -> None:
    files = pets() | {
        "LICENSE.txt": b"free",
        "cats/.DS_Store": b"x",
        "__MACOSX/cats/1.png": b"x",
        "cats/broken.jpg": GOOD["jpeg"][:800],
        "dogs/empty.png": b"",
        "dogs/diary.jpg": b"dear diary",
        "dogs/moving.gif": GOOD["animated gif"],
    }
    source = data.open_source(write_zip(tmp_path / "a.zip", files))
    frame = rows_of(source)
    assert frame.filter(pl.col("picture").is_null())["file"].to_list() == [
        "cats/broken.jpg",
        "dogs/diary.jpg",
        "dogs/empty.png",
    ]
    told = " ".join(source.notes)
    assert "3 of 20 files are set aside" in told
    assert "1 cut off (cats/broken.jpg)" in told
    assert "1 file: no picture by its name, e.g. LICENSE.txt" in told
    assert "2 files: hidden" in told
    assert "1 file with several pictures" in told


def test_copies_and_torn_labels_are_told(tmp_path: Path) -> None:
    files = pets() | {
        "cats/copy.png": picture(0),
        "dogs/same as cat 2.jpg": saved(soft(1).resize((70, 60)), "JPEG", quality=70),
    }
    told = " ".join(data.open_source(write_folder(tmp_path / "a", files)).notes)
    assert "1 picture is a copy of another, byte for byte, e.g. cats/1.png and cats/copy.png" in told
    assert "1 picture is much like another" in told
    assert "cats/2.png (`cats`) and dogs/same as cat 2.jpg (`dogs`)" in told


def test_of_pictures_that_hold_hardly_more_than_a_hash_none_is_called_a_copy_with_another_label(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def digit(kind: int) -> bytes:
        made = np.zeros((8, 8), np.uint8)
        made[1:7, 2:6] = 40 * kind + rng.integers(100, 140, (6, 4))
        return saved(Image.fromarray(made).convert("RGB"), "PNG")

    files = {f"{kind}/{at}.png": digit(kind) for kind in range(3) for at in range(40)}
    told = " ".join(data.open_source(write_folder(tmp_path / "a", files)).notes)
    assert "too many pictures resemble each other" in told
    assert "more than one label" not in told


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "holds no pictures"),
        ({"notes.txt": b"x"}, "holds no pictures .1 file: no picture by its name"),
        ({f"cats/{i}.png": picture(i) for i in range(3)}, "of one class, `cats`"),
        ({f"{i}.png": picture(i) for i in range(3)}, "nothing tells which class"),
    ],
)
def test_an_album_without_classes_is_refused_in_words(files: Any, said: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(InputError, match=said) as caught:
        data.open_source(write_folder(tmp_path / "a", files))
    assert caught.value.hint


def test_an_album_of_no_picture_at_all_is_refused(tmp_path: Path) -> None:
    source = data.open_source(write_folder(tmp_path / "a", {f"{c}/{i}.png": b"x" for c in "ab" for i in range(9)}))
    with pytest.raises(InputError, match="none of 18 files is a picture that can be read"):
        data.survey(source, target="label")


def test_one_picture_alone_is_told_what_to_name(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture(0))
    with pytest.raises(InputError, match="one picture alone"):
        data.open_source(tmp_path / "a.png")


def test_nothing_is_written_outside_whatever_an_archive_names(tmp_path: Path) -> None:
    files = pets() | {"../../cats/evil.png": picture(99), "/abs/cats/evil.png": picture(98)}
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    for kind in ("zip", "tar"):
        assert rows_of(data.open_source(write(tmp_path, kind, files))).height == 18
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} - before == {"album.zip", "album.tar"}


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_file_that_unpacks_beyond_the_limit_is_not_read(kind: str, tmp_path: Path) -> None:
    files = pets() | {"cats/bomb.png": bytes(60_000_000)}
    frame = rows_of(data.open_source(write(tmp_path, kind, files)))
    said = frame.filter(pl.col("file") == "cats/bomb.png")["picture.problem"].item()
    assert said.startswith("too large: 60,000,000 bytes")


def test_each_picture_is_decoded_once_for_good(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    album = write_folder(tmp_path / "a", pets())
    options = data.SourceOptions(notes=str(tmp_path / "notes.db"))
    seen: list[int] = []
    look = reading.note_of
    monkeypatch.setattr(reading, "note_of", lambda *args: seen.append(1) or look(*args))  # type: ignore[func-returns-value]
    source = data.open_source(album, options)
    survey = data.survey(source, target="label")
    assert len(seen) == 16
    data.ingest(data.open_source(album, options), store=store, schema=survey.schema)
    (album / "cats" / "new.png").write_bytes(picture(777))
    rows_of(data.open_source(album, options))
    assert len(seen) == 17


def test_a_fingerprint_tells_whether_anything_changed(tmp_path: Path) -> None:
    album = write_folder(tmp_path / "a", pets())
    first = data.open_source(album).fingerprint
    assert data.open_source(album).fingerprint == first
    (album / "cats" / "1.png").write_bytes(picture(31))
    second = data.open_source(album).fingerprint
    (album / "cats" / "1.png").rename(album / "dogs" / "x.png")
    assert len({first, second, data.open_source(album).fingerprint}) == 3


def test_a_survey_takes_the_columns_as_they_are_stated(tmp_path: Path) -> None:
    survey = data.survey(data.open_source(write_folder(tmp_path / "a", pets(60))), target="label")
    schema = survey.schema
    assert [column.name for column in schema.features] == ["picture"]
    assert schema.column("picture").type == "image"
    assert schema.modality == "image"
    assert (schema.target, schema.id) == ("label", "file")
    assert schema.column("picture.brightness").low is not None
    assert survey.task.classes == ("cats", "dogs")
    assert not [row.name for row in survey.readings if row.doubts]


def test_classes_may_be_called_anything(tmp_path: Path) -> None:
    files = {f"{label}/{i}.png": picture(10 * at + i) for at, label in enumerate(["None", "NA", "0"]) for i in range(8)}
    survey = data.survey(data.open_source(write_folder(tmp_path / "a", files)), target="label")
    assert survey.task.classes == ("0", "NA", "None")
    assert survey.n_unlabelled == 0


def test_ingest_keeps_bytes_and_sets_aside_what_is_none(tmp_path: Path, store: Store) -> None:
    files = pets() | {"cats/broken.jpg": GOOD["jpeg"][:800]}
    source = data.open_source(write_zip(tmp_path / "a.zip", files))
    snapshot = data.ingest(source, store=store, schema=data.survey(source, target="label").schema)
    assert (snapshot.n_rows, snapshot.n_quarantined) == (16, 1)
    frame = data.read(store, snapshot, columns=["file", "picture"])
    assert all(store.blobs.get(digest) == files[file] for file, digest in frame.rows())
    (found,) = [violation for violation in snapshot.violations if violation.rule == "picture"]
    assert found.n_rows == 1
    assert found.examples[0].startswith("truncated: the file ends early (row ")
    cited = store.blobs.get(snapshot.media).decode().split()
    assert set(cited) == {hashlib.sha256(data_).hexdigest() for key, data_ in files.items() if "broken" not in key}
    line = store.ledger.events(kind="data.ingest", subject=snapshot.id, limit=1)[0]
    aside = store.blobs.get(line.payload["quarantine"]).decode()
    assert "picture: truncated: the file ends early" in aside
    assert "cats/broken.jpg" in aside


def test_identity_covers_bytes_and_labels(tmp_path: Path, store: Store) -> None:
    files = pets()
    moved = {key.replace("cats/8", "dogs/x8"): data_ for key, data_ in files.items()}
    other = files | {"cats/8.png": picture(4711)}
    ids = []
    for at, some in enumerate((files, moved, other, files)):
        source = data.open_source(write_folder(tmp_path / str(at), some))
        ids.append(data.ingest(source, store=store, target="label").id)
    assert len(set(ids)) == 3
    assert ids[0] == ids[3]


def test_folders_below_those_of_classes_may_be_the_target(tmp_path: Path) -> None:
    files = {f"day {day}/{pet}.png": data for day in range(3) for pet, data in pets(4).items()}
    options = data.SourceOptions(target="folder")
    survey = data.survey(data.open_source(write_folder(tmp_path / "a", files), options), target="folder")
    assert [column.name for column in survey.schema.features] == ["picture"]
    assert survey.schema.column("folder").categories == ("cats", "dogs")


@pytest.mark.parametrize("name", ["@eaDir/1.png", "cats/thumbs.db", "Desktop.ini", "$RECYCLE.BIN/cats/1.png"])
def test_what_systems_put_among_files_is_no_class(name: str, tmp_path: Path) -> None:
    source = data.open_source(write_folder(tmp_path / "a", pets(4) | {name: picture(1)}))
    assert set(rows_of(source)["label"]) == {"cats", "dogs"}
    assert any("passed over 1 file: hidden" in one for one in source.notes)


def test_a_table_beside_pictures_of_no_class_is_named_in_the_hint(tmp_path: Path) -> None:
    files = {f"img/{at}.png": picture(at) for at in range(3)} | {"train.csv": b"img/1.png,cat\n"}
    with pytest.raises(InputError) as caught:
        data.open_source(write_folder(tmp_path / "a", files))
    assert "train.csv" in (caught.value.hint or "")
    assert "--images" in (caught.value.hint or "")
