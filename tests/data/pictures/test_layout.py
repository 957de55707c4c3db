"""Folders mean classes, parts, wrappers of archives, or nothing: what is meant is told from how they are called."""

from __future__ import annotations

from collections import Counter

import pytest

from palio.core.errors import InputError
from palio.data.pictures.layout import Layout, Placed, layout_of, told


def album(*folders: str, n: int = 6) -> list[str]:
    return [f"{folder}/{at}.jpg" if folder else f"stray {at}.jpg" for folder in folders for at in range(n)]


def placed(keys: list[str]) -> tuple[Layout, list[Placed]]:
    layout = layout_of(keys, "album")
    return layout, [layout.place(key) for key in keys]


@pytest.mark.parametrize("cut", ["training_set test_set", "train_images val_images", "trainset testset", "Train Test"])
def test_parts_are_known_by_the_word_in_their_names(cut: str) -> None:
    layout, found = placed(album(*(f"top/{part}/{label}" for part in cut.split() for label in ("cats", "dogs"))))
    assert {one.label for one in found} == {"cats", "dogs"}
    assert layout.has_parts
    assert min(Counter(one.part for one in found).values()) == 12


@pytest.mark.parametrize("inner", ["seg_{0}/seg_{0}", "{0}/images", "{0}_set/{0}_set"])
def test_folders_around_all_classes_of_a_part_mean_nothing(inner: str) -> None:
    folders = [f"{inner.format(part)}/{label}" for part in ("train", "test") for label in ("cats", "dogs")]
    _, found = placed(album(*folders))
    assert {(one.label, one.part, one.folder) for one in found} == {
        (label, part, "") for label in ("cats", "dogs") for part in ("train", "test")
    }


def test_what_lies_beside_the_parts_is_no_class_and_has_no_label() -> None:
    keys = album("train/cats", "train/dogs", "val/cats", "val/dogs") + album("unlabeled", "", n=1)
    layout, found = placed(keys)
    assert Counter(one.label for one in found) == {"cats": 12, "dogs": 12, "": 2}
    assert {one.part for one in found if not one.label} == {""}
    assert any("2 pictures lie in no folder of a class, in `unlabeled`" in one for one in told(layout, found, "album"))


def test_pictures_that_nobody_sorted_beside_those_to_learn_from_are_no_class() -> None:
    layout, found = placed(album("train/cats", "train/dogs", "unsorted"))
    assert not layout.has_parts
    assert Counter(one.label for one in found) == {"cats": 6, "dogs": 6, "": 6}


def test_a_copy_of_the_whole_inside_itself_keeps_classes_and_parts() -> None:
    folders = [f"{part}/{label}" for part in ("train", "test") for label in ("cats", "dogs")]
    _, found = placed(album(*folders, *(f"album/{folder}" for folder in folders)))
    assert Counter((one.label, one.part) for one in found) == dict.fromkeys(
        ((label, part) for label in ("cats", "dogs") for part in ("train", "test")), 12
    )


def test_a_few_pictures_outside_do_not_hide_what_the_folders_mean() -> None:
    keys = [*album("data/train/cats", "data/train/dogs", "data/test/cats", "data/test/dogs"), "cover.png"]
    layout, found = placed(keys)
    assert layout.has_parts
    assert Counter(one.label for one in found) == {"cats": 12, "dogs": 12, "": 1}


def test_parts_may_lie_within_classes() -> None:
    layout, found = placed(album("cats/train", "cats/test/film 1", "dogs/train", "dogs/test"))
    assert layout.has_parts
    assert {(one.label, one.part) for one in found} == {(c, p) for c in ("cats", "dogs") for p in ("train", "test")}
    assert {one.folder for one in found} == {"", "film 1"}


@pytest.mark.parametrize("labels", [["test", "disc"], ["train", "car", "bus"], ["test tube", "train station"]])
def test_a_class_may_be_called_as_a_part(labels: list[str]) -> None:
    layout, found = placed(album(*labels))
    assert not layout.has_parts
    assert {one.label for one in found} == set(labels)


def test_parts_without_a_class_are_told() -> None:
    layout, found = placed(album("train/cats", "train/dogs", "test/cats", "test/birds"))
    said = " ".join(told(layout, found, "album"))
    assert "the part train has no picture of `birds`, which test has" in said
    assert "the part test has no picture of `dogs`, which train has" in said


def test_folders_of_the_same_names_below_every_class_may_be_the_classes() -> None:
    layout, found = placed(album(*(f"fold{fold}/{label}" for fold in "123" for label in ("cats", "dogs"))))
    assert any("--target folder" in one for one in told(layout, found, "album"))


def test_what_lies_beside_pictures_of_no_class_is_pointed_at() -> None:
    with pytest.raises(InputError) as caught:
        layout_of(album("images"), "album", beside="look into train.csv")
    assert caught.value.hint == "look into train.csv"
