"""What breaks elsewhere, built small: each of these was reported of some tool for annotation or training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palio.core.errors import InputError
from palio.data.boxes.names import lines_of, named, yaml_of
from tests.data.boxes import writers
from tests.data.boxes.test_formats import read, same
from tests.data.boxes.writers import box, pictures, scene
from tests.data.pictures.albums import write_folder
from tests.pixels.files import saved, soft


def notes(source: Any) -> str:
    return " | ".join(source.notes)


def test_pictures_of_one_name_in_several_folders_keep_their_own_boxes(tmp_path: Path) -> None:
    things, sizes, files = {}, {}, {}
    for at, folder in enumerate(("a/", "b/")):
        some, its = scene(8, seed=at)
        things |= {f"{folder}{name}": held for name, held in some.items()}
        sizes |= {f"{folder}{name}": held for name, held in its.items()}
    files = pictures(things, sizes) | writers.coco(things, sizes, file="labels/all.json")
    source, found = read(write_folder(tmp_path / "a", files))
    assert same(found, things), source.notes


def test_masks_in_runs_beside_boxes_are_passed_over(tmp_path: Path) -> None:
    things, sizes = scene(10)
    held = writers.coco_of(things, sizes)
    for one in held["annotations"]:
        one["segmentation"] = (
            {"counts": "a0b", "size": [9, 9]} if one["id"] != 3 else {"counts": [1, 2], "size": [3, 1]}
        )
    source, found = read(write_folder(tmp_path / "a", pictures(things, sizes) | {"x.json": json.dumps(held).encode()}))
    assert same(found, things), source.notes


def test_numbers_of_categories_may_have_gaps_and_be_texts(tmp_path: Path) -> None:
    things, sizes = scene(10)
    held = writers.coco_of(things, sizes)
    odd = {1: "7", 2: "90", 3: "18"}
    for one in held["annotations"]:
        one["category_id"] = int(odd[int(one["category_id"])])  # type: ignore[call-overload]
    for kind in held["categories"]:
        kind["id"] = odd[int(kind["id"])]  # type: ignore[call-overload]
    held["categories"].append({"id": 0, "name": "Background", "supercategory": "none"})
    source, found = read(write_folder(tmp_path / "a", pictures(things, sizes) | {"x.json": json.dumps(held).encode()}))
    assert same(found, things), source.notes
    assert "`Background` is named, but of no box" in notes(source)


@pytest.mark.parametrize(
    "how", ["C:\\set\\{}", "http://localhost:8080/data/upload/1/0a1b2c3d-{}?x=1", "/abs/set/{}", "./{}"]
)
def test_pictures_are_found_by_paths_of_other_machines(how: str, tmp_path: Path) -> None:
    things, sizes = scene(10)
    held = writers.coco_of(things, sizes)
    for image in held["images"]:
        image["file_name"] = how.format(image["file_name"])
    source, found = read(write_folder(tmp_path / "a", pictures(things, sizes) | {"x.json": json.dumps(held).encode()}))
    assert same(found, things), source.notes


def test_names_may_have_dots_no_ending_or_another_case(tmp_path: Path) -> None:
    some, sizes = scene(6)
    dotted = {f"16705773{at}.0028.png": held for at, held in enumerate(some.values())}
    its = {f"16705773{at}.0028.png": held for at, held in enumerate(sizes.values())}
    source, found = read(write_folder(tmp_path / "a", pictures(dotted, its) | writers.yolo(dotted, its)))
    assert same(found, dotted), source.notes
    files = {name: held.replace(b".png</filename>", b"</filename>") for name, held in writers.voc(dotted, its).items()}
    source, found = read(write_folder(tmp_path / "b", pictures(dotted, its) | files))
    assert same(found, dotted), source.notes
    upper = {name.replace(".png", ".PNG"): held for name, held in pictures(dotted, its).items()}
    source, found = read(write_folder(tmp_path / "c", upper | writers.coco(dotted, its)))
    assert same(found, {name.replace(".png", ".PNG"): held for name, held in dotted.items()}), source.notes


def test_a_turned_box_in_percent_keeps_the_shape_of_the_picture(tmp_path: Path) -> None:
    region = {"original_width": 100, "original_height": 50, "type": "rectanglelabels"}
    value = {"x": 30, "y": 20, "width": 30, "height": 20, "rotation": 90, "rectanglelabels": ["a"]}
    tasks = [
        {"data": {"image": f"{at}.png"}, "annotations": [{"result": [{**region, "value": value}]}]} for at in range(6)
    ]
    files = {f"{at}.png": saved(soft(at).resize((100, 50)), "PNG") for at in range(6)}
    _, found = read(write_folder(tmp_path / "a", files | {"x.json": json.dumps(tasks).encode()}))
    assert next(one.box for one in found["2.png"] or ()) == pytest.approx((20, 10, 30, 40))


def test_results_that_are_no_boxes_do_no_harm(tmp_path: Path) -> None:
    things, sizes = scene(8)
    held = json.loads(writers.label_studio(things, sizes)["export.json"])
    for task in held:
        task["annotations"][0]["result"] += [{"type": "choices", "value": {"choices": ["good"]}}, {"type": "relation"}]
        for one in task["annotations"][0]["result"]:
            one.get("value", {}).pop("rotation", None)
    held[0]["annotations"].append({"was_cancelled": True, "result": []})
    source, found = read(write_folder(tmp_path / "a", pictures(things, sizes) | {"x.json": json.dumps(held).encode()}))
    assert same(found, things), source.notes


def test_a_broken_file_of_many_costs_its_picture_alone(tmp_path: Path) -> None:
    things, sizes = scene(10)
    files = pictures(things, sizes) | writers.voc(things, sizes)
    key = next(iter(things)).replace(".png", ".xml")
    files[key] = files[key].replace(b"</annotation>", b"")
    source, found = read(write_folder(tmp_path / "a", files))
    assert found.pop(key.replace(".xml", ".png")) is None
    assert same(found, {name: held for name, held in things.items() if name in found})
    assert "no well-formed XML" in notes(source)


def test_crowds_that_a_machine_made_are_told(tmp_path: Path) -> None:
    things, sizes = scene(8)
    things = {
        name: [box(one.label, *one.box, ignored=at % 2 == 0) for at, one in enumerate(held)]
        for name, held in things.items()
    }
    source, found = read(write_folder(tmp_path / "a", pictures(things, sizes) | writers.coco(things, sizes)))
    assert same(found, things)
    assert "marked as crowds or difficult: neither learned nor counted: is that meant?" in notes(source)


def test_changed_copies_of_a_picture_are_kept_together(tmp_path: Path) -> None:
    some, its = scene(12)
    names = [f"img{at // 3}_jpg.rf.{at:032x}.png" for at in range(12)]
    things, sizes = dict(zip(names, some.values(), strict=True)), dict(zip(names, its.values(), strict=True))
    source, _ = read(write_folder(tmp_path / "a", pictures(things, sizes) | writers.coco(things, sizes)))
    assert "sequence" in source.columns
    assert "in 4 groups" in notes(source)


def test_texts_with_the_points_of_a_pose_are_boxes(tmp_path: Path) -> None:
    things, sizes = scene(8)
    files = writers.yolo(things, sizes, names="")
    files = {
        name: b"\n".join(line + b" 0.5 0.5 2 0.4 0.4 1" for line in held.splitlines()) for name, held in files.items()
    }
    files["data.yaml"] = b"kpt_shape: [2, 3]\nnames:\n- ape\n- bee\n- cat\n"
    source, found = read(write_folder(tmp_path / "a", pictures(things, sizes) | files))
    assert same(found, things), source.notes


def test_outlines_of_yolo_are_read_as_the_box_around_them(tmp_path: Path) -> None:
    things, sizes = scene(8)
    files = {}
    for name, held in things.items():
        lines = []
        for one in held:
            (left, right), (top, bottom) = (
                [x / sizes[name][0] for x in one.box[::2]],
                [y / sizes[name][1] for y in one.box[1::2]],
            )
            points = (left, top, (left + right) / 2, top, right, (top + bottom) / 2, right, bottom, left, bottom)
            lines.append(f"{writers.CLASSES.index(one.label)} " + " ".join(map(repr, points)))
        files[name.replace(".png", ".txt")] = "\n".join(lines).encode()
    source, found = read(
        write_folder(tmp_path / "a", pictures(things, sizes) | files | {"classes.txt": b"ape\nbee\ncat\n\n"})
    )
    assert same(found, things), source.notes


def test_a_track_that_just_ends_is_told(tmp_path: Path) -> None:
    files = {f"frame_{at:06}.png": saved(soft(at).resize((80, 60)), "PNG") for at in range(10)}
    track = '<track id="0" label="ape"><box frame="0" outside="0" xtl="0" ytl="0" xbr="10" ybr="20"/></track>'
    meta = "<meta><task><size>10</size><frame_filter>step=5</frame_filter></task></meta>"
    files["annotations.xml"] = f"<annotations>{meta}{track}</annotations>".encode()
    source, _ = read(write_folder(tmp_path / "a", files))
    assert "1 track: ends before the film does" in notes(source)
    assert "frames were left out when the film was annotated (`step=5`)" in notes(source)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("names: ['a', \"b, c\", d] # three", {"0": "a", "1": "b, c", "2": "d"}),
        ("names:\n- a\n- 'it''s'\n-   c # third\n", {"0": "a", "1": "it's", "2": "c"}),
        ("names:\n    0: a\n    1: b: c\n", {"0": "a", "1": "b: c"}),
        ("names: {0: a, 1: 'b'}", {"0": "a", "1": "b"}),
        ("names: [\n  'a',\n  'b',\n]\nnc: 2", {"0": "a", "1": "b"}),
        ("\ufeffpath: /x\nnames:\n  0: a  # \n  2: c", {"0": "a", "2": "c"}),
        ("train: x\n", {}),
    ],
)
def test_names_in_yaml_are_read_however_they_are_written(text: str, wanted: dict[str, str]) -> None:
    assert named(yaml_of(text.encode(), "data.yaml").get("names")) == wanted


def test_nothing_in_yaml_is_executed() -> None:
    found = yaml_of(b"names: !!python/object/apply:os.system ['ls']\na: &x [1]\nb: *x\n", "x")
    assert found["names"] == "!!python/object/apply:os.system ['ls']"


def test_empty_lines_at_the_end_name_no_class() -> None:
    assert lines_of(b"cat\r\ndog\r\n\r\n\n") == ["cat", "dog"]


def packed(runs: list[int]) -> str:
    """Write runs in signs, as the makers of the form describe it."""
    text = ""
    for at, run in enumerate(runs):
        rest = run - (runs[at - 2] if at > 2 else 0)
        is_open = True
        while is_open:
            five, rest = rest & 31, rest >> 5
            is_open = rest != (-1 if five & 16 else 0)
            text += chr(48 + five + 32 * is_open)
    return text


@pytest.mark.parametrize("is_packed", [False, True])
def test_masks_in_runs_without_boxes_are_read_as_the_box_around_them(is_packed: bool, tmp_path: Path) -> None:
    things, sizes = scene(8)
    things = {
        name: [box(one.label, *map(float, map(round, one.box))) for one in boxes] for name, boxes in things.items()
    }
    held = writers.coco_of(things, sizes)
    names = {one["id"]: str(one["file_name"]) for one in held["images"]}
    for one in held["annotations"]:
        width, height = sizes[names[one["image_id"]]]
        left, top, across, down = map(round, one.pop("bbox"))  # type: ignore[call-overload]
        mask = np.zeros((height, width), np.uint8)
        mask[top : top + down, left : left + across] = 1
        steps = np.flatnonzero(np.diff(np.r_[0, mask.T.ravel()])).tolist()
        runs = np.diff([0, *steps, width * height]).tolist()
        one["segmentation"] = {"counts": packed(runs) if is_packed else runs, "size": [height, width]}
    files = pictures(things, sizes) | {"all.json": json.dumps(held).encode()}
    source, found = read(write_folder(tmp_path / "a", files))
    assert same(found, things), source.notes


@pytest.mark.parametrize("format", ["coco", "voc", "csv"])
def test_pictures_may_have_another_ending_than_when_they_were_annotated(format: str, tmp_path: Path) -> None:
    things, sizes = scene(8)
    files = pictures(things, sizes) | {
        name: text.replace(b".png", b".jpg") for name, text in writers.WRITERS[format](things, sizes).items()
    }
    source, found = read(write_folder(tmp_path / "a", files))
    assert same(found, things), source.notes


def test_sizes_that_are_written_height_by_width_are_told_and_cost_no_picture(tmp_path: Path) -> None:
    things, sizes = scene(12)
    files = pictures(things, sizes) | writers.voc(things, {name: size[::-1] for name, size in sizes.items()})
    source, found = read(write_folder(tmp_path / "a", files))
    assert same(found, things), source.notes
    assert "12 pictures are written height by width" in notes(source)


def test_an_image_that_stands_there_twice_is_one(tmp_path: Path) -> None:
    things, sizes = scene(8)
    held = writers.coco_of(things, sizes)
    held["images"] += held["images"][:3]
    files = pictures(things, sizes) | {"all.json": json.dumps(held).encode()}
    source, found = read(write_folder(tmp_path / "a", files))
    assert same(found, things), source.notes


def test_coco_without_categories_says_so(tmp_path: Path) -> None:
    things, sizes = scene(8)
    held = {name: some for name, some in writers.coco_of(things, sizes).items() if name != "categories"}
    files = pictures(things, sizes) | {"all.json": json.dumps(held).encode()}
    with pytest.raises(InputError, match="no `categories` name the classes `1`, `2` and `3`"):
        read(write_folder(tmp_path / "a", files))


def sized(name: str, label: str, left: float, top: float, right: float, bottom: float, size: tuple[int, int]) -> str:
    return f"{label},{left!r},{top!r},{right - left!r},{bottom - top!r},{name},{size[0]},{size[1]}"


def cloud(name: str, label: str, left: float, top: float, right: float, bottom: float, size: tuple[int, int]) -> str:
    x0, x1, y0, y1 = left / size[0], right / size[0], top / size[1], bottom / size[1]
    return f"TRAIN,gs://bucket/{name},{label},{x0!r},{y0!r},,,{x1!r},{y1!r},,"


@pytest.mark.parametrize("line", [sized, cloud])
def test_tables_without_a_header_are_known_by_their_first_row(line: Any, tmp_path: Path) -> None:
    things, sizes = scene(8)
    things = {name: boxes for name, boxes in things.items() if boxes}
    lines = [line(name, one.label, *one.box, sizes[name]) for name, boxes in things.items() for one in boxes]
    files = pictures(things, sizes) | {"boxes.csv": "\n".join(lines).encode()}
    source, found = read(write_folder(tmp_path / "a", files))
    assert same(found, things), source.notes


def test_boxes_that_no_column_names_are_told_to_be_called_alike(tmp_path: Path) -> None:
    things, sizes = scene(8)
    lines = [
        f'{name},"[{one.box[0]!r}, {one.box[1]!r}, {one.box[2] - one.box[0]!r}, {one.box[3] - one.box[1]!r}]"'
        for name, boxes in things.items()
        for one in boxes
    ]
    files = pictures(things, sizes) | {"boxes.csv": "\n".join(["image_id,bbox,source", *lines]).encode()}
    source, found = read(write_folder(tmp_path / "a", files))
    assert {one.label for boxes in found.values() for one in boxes or ()} == {"object"}
    assert "no column says what the boxes hold" in notes(source)


def test_it_is_told_how_many_things_of_each_class_there_are_and_in_how_many_pictures(tmp_path: Path) -> None:
    things, sizes = scene(4)
    names = list(things)
    held = {names[0]: [box("bee", 1, 1, 20, 20), box("bee", 30, 1, 60, 20)], names[1]: [box("bee", 1, 1, 20, 20)]}
    held |= {names[2]: [box("ape", 5, 5, 30, 30)], names[3]: []}
    source, _ = read(write_folder(tmp_path / "a", pictures(held, sizes) | writers.coco(held, sizes)))
    assert "`bee` 3 in 2, `ape` 1 in 1" in notes(source)


def test_digits_of_a_file_are_no_boxes_that_leave_their_picture(tmp_path: Path) -> None:
    things, sizes = scene(8)
    name = next(iter(things))
    width = sizes[name][0]
    things[name] = [box("ape", width - 20.0, 10, width + 0.01, 30)]
    source, found = read(write_folder(tmp_path / "a", pictures(things, sizes) | writers.coco(things, sizes)))
    assert "beyond the edge" not in notes(source)
    assert found[name][0].box == (width - 20, 10, width, 30)


def test_pictures_that_look_alike_may_hold_other_things_but_copies_may_not(tmp_path: Path) -> None:
    wide = soft(1).resize((120, 80))
    files = {"early.png": saved(wide, "PNG"), "late.png": saved(wide.point(lambda value: min(255, value + 2)), "PNG")}
    files |= {f"{at}.png": saved(soft(10 + at).resize((120, 80)), "PNG") for at in range(8)}
    files["again.png"] = files["0.png"]
    sizes = dict.fromkeys(files, (120, 80))
    ape, bee = box("ape", 5, 5, 30, 30), box("bee", 60, 20, 90, 60)
    things = {name: [ape, bee] for name in files} | {"early.png": [ape], "again.png": [bee, ape]}
    source, _ = read(write_folder(tmp_path / "a", files | writers.coco(things, sizes)))
    assert "1 picture is much like another that is said to hold other things, e.g. early.png (`1 ape`)" in notes(source)
    assert "correct them" not in notes(source)
    things["again.png"] = []
    source, _ = read(write_folder(tmp_path / "b", files | writers.coco(things, sizes)))
    assert "with copies that are said to hold other things" in notes(source)
