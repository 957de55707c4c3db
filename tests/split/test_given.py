"""A cut that came with the data is kept, and what is to be thought of it is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from palio import data, split
from palio.core.errors import InputError
from palio.core.records import Parts, Schema, Snapshot, Task
from palio.store import Store
from tests.data.pictures.albums import picture, write_folder
from tests.pixels.files import saved, soft


def album(n: int = 20, *, parts: tuple[str, ...] = ("train", "val", "test")) -> dict[str, bytes]:
    shares = {"train": range(n - 8), "val": range(n - 8, n - 4), "test": range(n - 4, n)}
    return {
        f"{part}/{label}/{at}.png": picture(seed + at)
        for part in parts
        for at in shares[part]
        for label, seed in (("cats", 0), ("dogs", 100))
    }


def cut(store: Store, folder: Path, files: dict[str, bytes], **how: str) -> tuple[Snapshot, Parts]:
    source = data.open_source(write_folder(folder, files))
    survey = data.survey(source, target="label")
    snapshot = data.ingest(source, store=store, schema=survey.schema)
    return snapshot, split.cut(store, snapshot, task=survey.task, **{"method": "given", **how})  # type: ignore[arg-type]


def assigned(store: Store, parts: Parts) -> list[int]:
    return np.frombuffer(store.blobs.get(parts.assignment), np.uint8).tolist()


def test_rows_are_in_the_part_that_their_folder_names(store: Store, tmp_path: Path) -> None:
    snapshot, parts = cut(store, tmp_path / "a", album())
    words = data.read(store, snapshot, columns=["part"])["part"].to_list()
    assert assigned(store, parts) == [{"train": 0, "validation": 1, "test": 2}[word] for word in words]
    assert (parts.method, parts.policy) == ("given", "given")
    assert parts.counts == {"train": 24, "validation": 8, "test": 8}
    assert any("small: with 8 rows" in warning for warning in parts.warnings)


def test_without_a_test_part_the_validation_part_is_sealed(store: Store, tmp_path: Path) -> None:
    _, parts = cut(store, tmp_path / "a", album(parts=("train", "val")))
    assert parts.counts == {"train": 24, "validation": 0, "test": 8}
    assert parts.policy == "cv"
    assert any("its validation part is sealed" in warning for warning in parts.warnings)


def test_train_lacks_what_test_shows_too(store: Store, tmp_path: Path) -> None:
    files = album()
    copy = soft(18).resize((35, 30)).resize((70, 60))  # of a picture of the test
    files["train/cats/x.jpg"] = saved(copy, "JPEG", quality=80)
    snapshot, parts = cut(store, tmp_path / "a", files)
    places = data.read(store, snapshot, columns=["file"])["file"].to_list()
    assert assigned(store, parts)[places.index("train/cats/x.jpg")] == 255
    assert parts.n_duplicates_moved == 1
    assert parts.counts["test"] == 8


def test_another_mix_of_classes_is_told(store: Store, tmp_path: Path) -> None:
    files = {key: value for key, value in album(40).items() if not ("train/cats" in key and int(Path(key).stem) > 4)}
    _, parts = cut(store, tmp_path / "a", files)
    said = " ".join(parts.warnings)
    assert "another mix of classes: `cats` 14% of train, 50% of test" in said


def test_a_column_that_is_not_there_or_says_something_else_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column `fold`"):
        cut(store, tmp_path / "a", album(), by="fold")
    with pytest.raises(InputError, match="`label` says `cats`, allowed are train"):
        cut(store, tmp_path / "a", album(), by="label")
    with pytest.raises(InputError, match="the parts came with the data"):
        cut(store, tmp_path / "a", album(), policy="cv")


def test_copies_stay_in_one_part_and_in_one_fold_of_a_cut_by_chance(store: Store, tmp_path: Path) -> None:
    files = {}
    for at in range(40):
        for label, seed in (("cats", 0), ("dogs", 100)):
            image = soft(seed + at).resize((70, 60))
            files[f"{label}/{at}.png"] = saved(image, "PNG")
            files[f"{label}/{at} again.jpg"] = saved(image.resize((50, 44)), "JPEG", quality=80)
    snapshot, parts = cut(store, tmp_path / "a", files, method="random")
    where = assigned(store, parts)
    of_file = dict(zip(data.read(store, snapshot, columns=["file"])["file"].to_list(), where, strict=True))
    for file, part in of_file.items():
        if file.endswith(".png"):
            assert {part, of_file[file.replace(".png", " again.jpg")]} in ({part}, {part, 255})
    assert any("80 pictures show what an earlier one shows" in warning for warning in parts.warnings)
    train = split.read(store, snapshot, parts, "train")
    task = Task(kind="classification", target="label", classes=("cats", "dogs"))
    names = [name.replace(" again.jpg", "").replace(".png", "") for name in train["file"].to_list()]
    for learned, scored in split.folds(train, parts, task, schema=_schema(snapshot)):
        assert not {names[at] for at in learned} & {names[at] for at in scored}


def _schema(snapshot: Snapshot) -> Schema:
    return snapshot.schema


def test_copies_stay_together_where_each_picture_was_augmented_many_times(store: Store, tmp_path: Path) -> None:
    files = {
        f"{label}/{at}-{quality}.jpg": saved(soft(seed + at), "JPEG", quality=quality)
        for at in range(15)
        for label, seed in (("cats", 0), ("dogs", 100))
        for quality in (50, 60, 70, 80, 90)
    }
    snapshot, parts = cut(store, tmp_path / "a", files, method="random")
    names = data.read(store, snapshot, columns=["file"])["file"].to_list()
    of_scene: dict[str, set[int]] = {}
    for name, part in zip(names, assigned(store, parts), strict=True):
        of_scene.setdefault(name.split("-")[0], set()).add(part)
    assert all(len(where) == 1 for where in of_scene.values())
    assert parts.n_duplicates_across == 0


def test_pictures_of_a_camera_that_stands_still_are_not_taken_for_copies(store: Store, tmp_path: Path) -> None:
    files = {}
    for at in range(60):
        image = soft(0).resize((70, 60))
        image.putpixel((at, at % 60), (255, 0, 0))
        files[f"{'good' if at % 2 else 'bad'}/{at}.png"] = saved(image, "PNG")
    _, parts = cut(store, tmp_path / "a", files, method="random")
    assert parts.counts == {"train": 48, "validation": 0, "test": 12}
    assert any("does the camera stand still?" in warning for warning in parts.warnings)
