"""Pictures with boxes are rows, wherever and however the files lie."""

from __future__ import annotations

import json
import re
import unicodedata
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from PIL import Image

from palio import data
from palio.core.cells import boxes_of
from palio.core.errors import InputError
from palio.core.records import Box
from palio.store import Store
from tests.data.boxes import writers
from tests.data.boxes.test_formats import read, same
from tests.data.boxes.writers import box, pictures, scene
from tests.data.pictures.albums import pets, write_folder, write_zip
from tests.pixels.files import SCENE, saved, soft, turned


def parts_of(source: data.Source) -> dict[str, str | None]:
    frame = pl.concat([pl.from_arrow(batch) for batch in source.batches()])  # type: ignore[type-var]
    assert isinstance(frame, pl.DataFrame)
    return dict(frame["file", "part"].rows()) if "part" in frame.columns else {}


def moved(files: dict[str, Any], place: str) -> dict[str, Any]:
    return {f"{place}{name}": held for name, held in files.items()}


def test_yolo_as_it_is_laid_out_by_those_who_train_it(tmp_path: Path) -> None:
    files: dict[str, bytes] = {}
    things: dict[str, list[Box]] = {}
    for at, part in enumerate(("train", "val")):
        some, sizes = scene(10, seed=at)
        files |= moved(pictures(some, sizes), f"set/images/{part}/")
        texts = writers.yolo(some, sizes, names="")
        files |= moved(texts, f"set/labels/{part}/")
        things |= {f"set/images/{part}/{name}": boxes for name, boxes in some.items()}
    files["set/data.yaml"] = (
        b"path: ../set # root\ntrain: images/train\nval: images/val\n\nnames:\n  0: ape\n  1: 'bee'\n  2: cat\n"
    )
    files["set/labels/train.cache"] = b"x"
    source, found = read(write_zip(tmp_path / "a.zip", files))
    assert same(found, things), source.notes
    assert {part for name, part in parts_of(source).items()} == {"train", "validation"}
    assert data.stated(source).part == "part"


def test_coco_as_it_is_laid_out_by_those_who_share_it(tmp_path: Path) -> None:
    files: dict[str, bytes] = {}
    things = {}
    for at, part in enumerate(("train2017", "val2017")):
        some, sizes = scene(10, seed=at)
        files |= moved(pictures(some, sizes), f"{part}/")
        files |= writers.coco(some, sizes, first=3, file=f"annotations/instances_{part}.json")
        things |= {f"{part}/{name}": boxes for name, boxes in some.items()}
    files["annotations/captions_val2017.json"] = json.dumps(
        {"images": [{"id": 1, "file_name": "x.png"}], "annotations": [{"image_id": 1, "id": 1, "caption": "a cat"}]}
    ).encode()
    source, found = read(write_folder(tmp_path / "a", files))
    assert same(found, things), source.notes
    assert set(parts_of(source).values()) == {"train", "validation"}


def test_voc_as_it_is_laid_out_by_its_makers(tmp_path: Path) -> None:
    things, sizes = scene(12)
    names = [name.partition(".")[0] for name in things]
    files = moved(pictures(things, sizes), "VOC2012/JPEGImages/") | moved(
        writers.voc(things, sizes), "VOC2012/Annotations/"
    )
    files["VOC2012/ImageSets/Main/train.txt"] = "\n".join(names[:8]).encode()
    files["VOC2012/ImageSets/Main/val.txt"] = "\n".join(names[8:]).encode()
    files["VOC2012/ImageSets/Main/ape_train.txt"] = f"{names[0]} -1".encode()
    files |= {f"VOC2012/SegmentationClass/{name}.png": saved(soft(5), "PNG") for name in names[:3]}
    source, found = read(write_folder(tmp_path / "a", files))
    assert same(found, moved(dict(things), "VOC2012/JPEGImages/")), source.notes
    assert list(parts_of(source).values()).count("validation") == 4
    assert any("3 pictures: in folders of masks" in note for note in source.notes)


def test_each_folder_has_its_own_names_where_a_tool_writes_them_beside(tmp_path: Path) -> None:
    some, sizes = scene(10, seed=1)
    files = moved(pictures(some, sizes) | writers.yolo(some, sizes), "one/")
    others, its = scene(10, seed=2)
    files |= moved(pictures(others, its), "two/")
    files |= {
        f"two/{name.rpartition('.')[0]}.txt": writers.yolo_of(held, its[name], ["cat", "ape", "bee"])
        for name, held in others.items()
    }
    files["two/classes.txt"] = b"cat\nape\nbee\n"
    source, found = read(write_folder(tmp_path / "a", files))
    assert same(found, moved(dict(some), "one/") | moved(dict(others), "two/")), source.notes


def test_what_nobody_looked_at_is_missing_and_what_is_empty_is_not(tmp_path: Path) -> None:
    things, sizes = scene(12)
    files = pictures(things, sizes) | writers.yolo(things, sizes)
    empty, unseen = list(things)[-1], next(iter(things))
    del files[unseen.replace(".png", ".txt")]
    source, found = read(write_folder(tmp_path / "a", files))
    assert found[empty] == []
    assert found[unseen] is None
    assert any("of 1 picture nobody said what is in it" in note for note in source.notes)
    assert any("1 picture without any box: kept" in note for note in source.notes)


def test_crowds_and_difficult_things_are_ignored(tmp_path: Path) -> None:
    things, sizes = scene(12)
    name = next(iter(things))
    things[name] = [box("ape", 3, 3, 30, 40, ignored=True), box("bee", 5, 5, 20, 20)]
    for at, format in enumerate(("coco", "voc")):
        source, found = read(
            write_folder(tmp_path / str(at), pictures(things, sizes) | writers.WRITERS[format](things, sizes))
        )
        assert same(found, things), source.notes


@pytest.mark.parametrize("orientation", range(2, 9))
def test_boxes_of_a_picture_as_stored_are_turned_with_it(orientation: int, tmp_path: Path) -> None:
    things, sizes = scene(12)
    files = pictures(things, sizes) | writers.voc(things, sizes)
    files["turned.jpg"] = turned(orientation)
    stored = Image.open(BytesIO(files["turned.jpg"])).size
    pixels = np.asarray(Image.open(BytesIO(files["turned.jpg"])).convert("RGB"))
    red = np.argwhere((pixels[..., 0] > 190) & (pixels[..., 1] < 100) & (pixels[..., 2] < 100))
    (top, left), (bottom, right) = red.min(axis=0).tolist(), (red.max(axis=0) + 1).tolist()
    files |= writers.voc({"turned.jpg": [box("ape", left, top, right, bottom)]}, {"turned.jpg": stored})
    source, found = read(write_folder(tmp_path / "a", files))
    (one,) = found["turned.jpg"] or ()
    if orientation >= 5:
        assert one.box == pytest.approx((0, 0, 15, 10), abs=1.5)
        assert any("as stored, not as shown" in note for note in source.notes)
    else:  # both frames are of one size: nothing tells them apart, which is said
        assert any("fit both as stored and as shown" in note for note in source.notes)


def test_a_picture_with_nothing_in_it_is_kept_though_nobody_knows_how_others_are_turned(tmp_path: Path) -> None:
    shown, stored = SCENE, SCENE[::-1]
    things = {"a.jpg": [box("ape", 1, 1, 9, 9)], "b.jpg": [box("ape", 2, 2, 8, 9)], "c.jpg": [], "d.jpg": []}
    files = {name: turned(6) for name in things}
    held = writers.coco_of(things, {"a.jpg": shown, "b.jpg": stored, "c.jpg": shown, "d.jpg": shown})
    for image in held["images"][2:]:
        del image["width"], image["height"]
    _, found = read(write_folder(tmp_path / "a", files | {"boxes.json": json.dumps(held).encode()}))
    assert found["c.jpg"] == [] and found["d.jpg"] == []


def test_films_are_kept_together(tmp_path: Path) -> None:
    files = {}
    things = {}
    for film in range(4):
        for frame in range(6):
            name = f"street{film}_{frame:06}.jpg"
            picture = soft(film).crop((frame, 0, 100 + frame, 90))
            files[name] = saved(picture, "JPEG")
            things[name] = [box("ape", 10 + frame, 10, 40, 60)]
    for at in range(8):
        files[f"photo_{at:04}.jpg"] = saved(soft(100 + at), "JPEG")
        things[f"photo_{at:04}.jpg"] = [box("bee", 10, 10, 40, 60)]
    sizes = {name: Image.open(BytesIO(held)).size for name, held in files.items()}
    source = data.open_source(write_folder(tmp_path / "a", files | writers.rows(things, sizes)))
    frame = pl.concat([pl.from_arrow(batch) for batch in source.batches()])  # type: ignore[type-var]
    films = dict(frame["file", "sequence"].rows())  # type: ignore[index]
    assert {films[f"street{film}_{at:06}.jpg"] for film in range(4) for at in range(6)} == {
        f"street{i}" for i in range(4)
    }
    assert {films[f"photo_{at:04}.jpg"] for at in range(8)} == {None}
    schema = data.survey(source, target="boxes").schema
    assert schema.group == "sequence"


@pytest.mark.parametrize("name", ["img{:03}.png", "{:06}.png", "2007{:03}.png"])
def test_numbers_alone_make_no_film(name: str, tmp_path: Path) -> None:
    things, sizes = scene(12)
    renamed = {name.format(at): held for at, held in enumerate(things.values())}
    its = {name.format(at): size for at, size in enumerate(sizes.values())}
    source, _ = read(write_folder(tmp_path / "a", pictures(renamed, its) | writers.coco(renamed, its)))
    assert "sequence" not in source.columns


def test_frames_are_a_film_whatever_their_folder_is_called(tmp_path: Path) -> None:
    things, sizes = scene(12)
    renamed = {f"lobby/frame_{at:03}.png": held for at, held in enumerate(things.values())}
    its = {f"lobby/frame_{at:03}.png": size for at, size in enumerate(sizes.values())}
    source, _ = read(write_folder(tmp_path / "a", pictures(renamed, its) | writers.coco(renamed, its)))
    assert "sequence" in source.columns


def test_tracks_of_a_film_become_boxes_of_its_frames(tmp_path: Path) -> None:
    files = {f"images/frame_{at:06}.png": saved(soft(at // 3).resize((80, 60)), "PNG") for at in range(12)}
    track = (
        '<track id="0" label="ape"><box frame="0" outside="0" xtl="0" ytl="0" xbr="10" ybr="20"/>'
        '<box frame="4" outside="0" xtl="20" ytl="8" xbr="30" ybr="28"/>'
        '<box frame="5" outside="1" xtl="0" ytl="0" xbr="9" ybr="9"/></track>'
        '<track id="1" label="bee"><box frame="2" outside="0" xtl="5" ytl="5" xbr="15" ybr="15"/></track>'
    )
    meta = "<meta><task><name>street</name><size>12</size>"
    meta += "<original_size><width>80</width><height>60</height></original_size></task></meta>"
    files["annotations.xml"] = f"<annotations><version>1.1</version>{meta}{track}</annotations>".encode()
    source, found = read(write_folder(tmp_path / "a", files))
    assert [one.box for one in found["images/frame_000001.png"] or ()] == [(5, 2, 15, 22)]
    assert [one.label for one in found["images/frame_000002.png"] or ()] == ["ape", "bee"]
    assert found["images/frame_000005.png"] == []
    assert any("between two places of a track" in note for note in source.notes)


@pytest.mark.parametrize("first", [1, 40])
def test_pictures_of_a_film_may_count_from_another_number_than_its_frames(first: int, tmp_path: Path) -> None:
    files = {f"frame_{first + at:06}.png": saved(soft(at), "PNG") for at in range(8)}
    meta = "<meta><task><name>street</name><size>8</size></task></meta>"
    boxes = "".join(
        f'<box frame="{at}" outside="{at // 7}" xtl="{at}" ytl="0" xbr="{at + 9}" ybr="9"/>' for at in range(8)
    )
    held = f'<annotations>{meta}<track id="0" label="ape">{boxes}</track></annotations>'
    source, found = read(write_folder(tmp_path / "a", files | {"annotations.xml": held.encode()}))
    lefts = [[one.box[0] for one in found[name] or ()] for name in sorted(files)]
    assert lefts == [[float(at)] for at in range(7)] + [[]]
    assert any(f"the pictures count from {first}" in note for note in source.notes)
    fewer = dict(list(files.items())[:6]) | {"annotations.xml": held.encode()}
    said = " ".join(read(write_folder(tmp_path / "b", fewer))[0].notes) if first == 1 else "the picture before"
    assert "the picture before" in said, "where pictures are missing, nothing but their numbers can tell"


def test_outlines_and_turned_boxes_are_read_as_the_box_around_them(tmp_path: Path) -> None:
    files = {f"{at}.png": saved(soft(at).resize((100, 50)), "PNG") for at in range(10)}
    region = {"type": "rectanglelabels", "original_width": 100, "original_height": 50}
    turned_by_90 = {"x": 50, "y": 20, "width": 10, "height": 40, "rotation": 90, "rectanglelabels": ["ape"]}
    outline = {"points": [[10, 10], [30, 20], [20, 60]], "polygonlabels": ["bee"]}
    tasks = [
        {
            "data": {"image": f"s3://pail/{at}.png"},
            "annotations": [{"result": [{**region, "value": turned_by_90}, {**region, "value": outline}]}],
        }
        for at in range(10)
    ]
    source, found = read(write_folder(tmp_path / "a", files | {"x.json": json.dumps(tasks).encode()}))
    first, second = found["3.png"] or ()
    assert first.box == pytest.approx((30, 10, 50, 20))
    assert second.box == pytest.approx((10, 5, 30, 30))
    assert any("10 turned boxes: read as the box around it" in note for note in source.notes)


@pytest.mark.parametrize(
    ("head", "change"),
    [
        (
            ("image_id", "label", "XMin", "YMin", "XMax", "YMax"),
            lambda b, s: (b[0] / s[0], b[1] / s[1], b[2] / s[0], b[3] / s[1]),
        ),
        (("image", "name", "x", "y", "width", "height"), lambda b, s: (b[0], b[1], b[2] - b[0], b[3] - b[1])),
        (
            ("path", "category", "x_center", "y_center", "w", "h"),
            lambda b, s: ((b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0], b[3] - b[1]),
        ),
        (("file", "class", "x1", "y1", "x2", "y2"), lambda b, s: b),
    ],
)  # fmt: skip
def test_columns_of_a_table_are_known_by_their_names(head: Any, change: Any, tmp_path: Path) -> None:
    things, sizes = scene(12)
    written = {
        name: [msgspec.structs.replace(one, box=change(one.box, sizes[name])) for one in held]
        for name, held in things.items()
    }
    source, found = read(
        write_folder(tmp_path / "a", pictures(things, sizes) | writers.rows(written, sizes, head=head))
    )
    assert same(found, things), source.notes


def test_a_table_of_pictures_stays_a_table_and_folders_of_classes_stay_classes(tmp_path: Path) -> None:
    album = write_folder(tmp_path / "a", pets() | {"notes.txt": b"1 2 3 4 5\n", "cats/1.txt": b"a cat on a mat"})
    assert data.stated(data.open_source(album)).target == "label"
    with pytest.raises(InputError, match="no file says what is where"):
        data.survey(data.open_source(album, data.SourceOptions(task="detection")), target="boxes")


def test_who_asks_for_classes_gets_no_boxes(tmp_path: Path) -> None:
    files = pets()
    sizes = dict.fromkeys(files, (35, 30))
    files |= writers.coco({name: [box("paw", 1, 1, 9, 9)] for name in files}, sizes)
    album = write_folder(tmp_path / "a", files)
    assert data.stated(data.open_source(album)).target == "boxes"
    assert data.stated(data.open_source(album, data.SourceOptions(task="classification"))).target == "label"


def test_new_pictures_are_appended_before_anybody_has_looked(tmp_path: Path, store: Store) -> None:
    things, sizes = scene(12)
    source = data.open_source(write_folder(tmp_path / "a", pictures(things, sizes) | writers.coco(things, sizes)))
    first = data.ingest(source, store=store, schema=data.survey(source, target="boxes").schema)
    assert (first.n_rows, first.n_unlabelled, first.schema.modality) == (12, 0, "image")
    others, its = scene(5, seed=9, folder="new/")
    expected = tuple(column.name for column in first.schema.columns)
    frames = data.open_source(
        write_folder(tmp_path / "b", pictures(others, its)), data.SourceOptions(expected=expected)
    )
    second = data.ingest(frames, store=store, parent=first)
    assert (second.n_rows, second.n_unlabelled) == (17, 5)
    task = data.infer_task(store, second)
    assert (task.kind, task.classes) == ("detection", ("ape", "bee", "cat"))


def test_a_picture_with_a_wrong_box_is_set_aside_with_the_reason(tmp_path: Path, store: Store) -> None:
    things, sizes = scene(12)
    held = writers.coco_of(things, sizes)
    held["annotations"][0]["bbox"] = [5, 5, -3, 4]
    files = pictures(things, sizes) | {"a.json": json.dumps(held).encode()}
    source = data.open_source(write_folder(tmp_path / "a", files))
    snapshot = data.ingest(source, store=store, schema=data.survey(source, target="boxes").schema)
    assert (snapshot.n_rows, snapshot.n_quarantined) == (11, 1)
    line = store.ledger.events(kind="data.ingest", subject=snapshot.id, limit=1)[0]
    aside = store.blobs.get(line.payload["quarantine"]).decode()
    assert "annotation 1: 5, 5, -3, 4 ends before it begins" in aside


def test_identity_covers_every_box(tmp_path: Path, store: Store) -> None:
    things, sizes = scene(12)
    ids, prints = [], []
    for at in range(3):
        if at == 2:
            name = next(iter(things))
            things[name] = [msgspec.structs.replace(things[name][0], label="bat"), *things[name][1:]]
        source = data.open_source(
            write_folder(tmp_path / str(at), pictures(things, sizes) | writers.coco(things, sizes))
        )
        ids.append(data.ingest(source, store=store, target="boxes").id)
        prints.append(source.fingerprint)
    assert ids[0] == ids[1] != ids[2]
    assert len(set(prints)) == 3  # times of files count, too


def test_names_may_be_given_where_there_are_only_numbers(tmp_path: Path) -> None:
    things, sizes = scene(12)
    album = write_folder(tmp_path / "a", pictures(things, sizes) | writers.yolo(things, sizes, names=""))
    _, found = read(album, classes=("ape", "bee", "cat"))
    assert same(found, things)
    _, found = read(album)
    assert {one.label for held in found.values() for one in held or ()} == {"class 0", "class 1", "class 2"}
    with pytest.raises(InputError, match="no name is given to"):
        read(album, classes=("ape",))


def test_a_missing_album_is_told_how_to_be_named(tmp_path: Path) -> None:
    things, sizes = scene(12)
    file = write_folder(tmp_path / "a", writers.coco(things, sizes)) / "annotations.json"
    with pytest.raises(InputError, match="holds no pictures"):
        data.open_source(file)
    other = write_folder(tmp_path / "b", {"x.png": saved(soft(1), "PNG")})
    source = data.open_source(file, data.SourceOptions(images=str(other)))
    with pytest.raises(InputError, match=r"none of the 12 pictures that annotations\.json speaks of is there"):
        assert source.columns


def test_boxes_can_be_read_back_by_whoever_reads_cells(tmp_path: Path) -> None:
    things, sizes = scene(12)
    source, _ = read(write_folder(tmp_path / "a", pictures(things, sizes) | writers.coco(things, sizes)))
    text = " ".join(source.notes)
    assert re.search(r"COCO JSON, \d+ boxes read as corner and size in pixels", text)
    assert boxes_of('[{"label":"a","box":[0,0,1,1]}]')


def test_lists_of_voc_may_name_pictures_with_blanks_or_flags(tmp_path: Path) -> None:
    things, sizes = scene(12)
    called = {name: f"Straße {at:02} (a).png" for at, name in enumerate(things)}
    things, sizes = ({called[name]: held for name, held in some.items()} for some in (things, sizes))
    names = [name.removesuffix(".png") for name in things]
    files = moved(pictures(things, sizes), "JPEGImages/") | moved(writers.voc(things, sizes), "Annotations/")
    files["ImageSets/Main/train.txt"] = "\n".join(names[:8]).encode()
    files["ImageSets/Main/val.txt"] = "\n".join(
        f"{name}  {flag}" for name, flag in zip(names[8:], (1, -1, 0, 1), strict=True)
    ).encode()
    files["ImageSets/Main/ape_trainval.txt"] = f"{names[0]} -1".encode()
    source, found = read(write_folder(tmp_path / "a", files))
    assert same(found, moved(dict(things), "JPEGImages/")), source.notes
    parts = list(parts_of(source).values())
    assert (parts.count("train"), parts.count("validation")) == (8, 4)
    assert not any("passed over" in note for note in source.notes)


def test_names_with_umlauts_are_met_however_a_system_spells_them(tmp_path: Path) -> None:
    things, sizes = scene(6)
    apart = {unicodedata.normalize("NFD", f"Bär {at}.png"): held for at, held in enumerate(things.values())}
    places = dict(zip(apart, sizes.values(), strict=True))
    together = {unicodedata.normalize("NFC", name): held for name, held in apart.items()}
    files = pictures(apart, places) | writers.coco(together, dict(zip(together, sizes.values(), strict=True)))
    source, found = read(write_folder(tmp_path / "a", files))
    assert same(found, apart), source.notes


def test_a_picture_without_a_text_is_empty_where_yolo_names_its_folder_and_most_have_one(tmp_path: Path) -> None:
    things, sizes = scene(10)
    texts = moved(writers.yolo(things, sizes, names=""), "labels/train/")
    files = moved(pictures(things, sizes), "images/train/") | texts
    files |= moved(pictures(*scene(5, seed=3)), "images/later/")
    files["data.yaml"] = b"train: images/train\nval: images/later\nnames: [ape, bee, cat]\n"
    unseen = next(name for name, held in things.items() if held)
    del files[f"labels/train/{unseen.removesuffix('.png')}.txt"]
    source, found = read(write_folder(tmp_path / "a", files))
    assert found[f"images/train/{unseen}"] == []
    assert all(held is None for name, held in found.items() if name.startswith("images/later/"))
    assert any("1 picture has no text" in note for note in source.notes)


@pytest.mark.parametrize(
    ("n_without", "n", "is_empty", "words"),
    [
        (3, 8, True, "3 of 8 pictures have no text: many, but of so few pictures"),
        (6, 30, True, "6 pictures have no text, which in this form says that nothing is in them"),
        (8, 10, False, "8 of 10 pictures have no text, too many"),
        (16, 30, False, "16 of 30 pictures have no text, too many"),
        (4, 4, False, "4 of 4 pictures have no text, too many"),
    ],
)
def test_pictures_without_a_text_are_not_annotated_where_there_are_surely_too_many(
    tmp_path: Path, n_without: int, n: int, is_empty: bool, words: str
) -> None:
    things, sizes = scene(n, seed=1)
    texts = writers.yolo(things, sizes, names="")
    others, other_sizes = ({f"other-{name}": one for name, one in some.items()} for some in scene(6, seed=2))
    files = moved(pictures(things, sizes) | texts, "part/") | moved(pictures(others, other_sizes), "rest/")
    files |= moved(writers.yolo(others, other_sizes, names=""), "rest/")
    files["data.yaml"] = b"train: part\nval: rest\nnames: [ape, bee, cat]\n"
    unseen = sorted(things)[:n_without]
    for name in unseen:
        del files[f"part/{name.removesuffix('.png')}.txt"]
    source, found = read(write_folder(tmp_path / "a", files))
    assert [found[f"part/{name}"] for name in unseen] == [[] if is_empty else None] * n_without
    assert any(words in note for note in source.notes), source.notes
