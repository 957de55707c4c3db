"""Faults of annotation that go unseen elsewhere are refused, set aside with a reason, or told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

from palio import data
from palio.core.errors import InputError
from tests.data.boxes import writers
from tests.data.boxes.writers import Sizes, box, pictures, scene
from tests.data.pictures.albums import write_folder
from tests.pixels.files import saved

Files = dict[str, bytes]
Plant = Callable[[dict[str, Any], Sizes], Any]


def in_coco(plant: Plant, *, inner: bool = False) -> Callable[[], Files]:
    """Plant a fault in COCO JSON; of boxes that lie near the upper left corner, where no edge is near."""

    def made() -> Files:
        things, sizes = scene(seed=1)
        if inner:
            near = [box("ape", 4 + at % 5, 3 + at % 7, 34 + at % 5, 23 + at % 7) for at in range(len(things))]
            things = {name: [one] for name, one in zip(things, near, strict=True)}
        held = writers.coco_of(things, sizes)
        return pictures(things, sizes) | {"annotations.json": json.dumps(plant(held, sizes) or held).encode()}

    return made


def in_texts(plant: Callable[[str, list[float], int], list[float]], **how: Any) -> Callable[[], Files]:
    """Plant a fault in the lines of YOLO."""

    def made() -> Files:
        things, sizes = scene(seed=1)
        files = writers.yolo(things, sizes, **how)
        for name, text in files.items():
            if name.endswith(".txt") and not name.startswith("classes"):
                lines = [
                    plant(name, [float(word) for word in line.split()], at)
                    for at, line in enumerate(text.decode().splitlines())
                ]
                files[name] = "\n".join(
                    f"{int(number)} " + " ".join(map(repr, more)) for number, *more in lines
                ).encode()
        return pictures(things, sizes) | files

    return made


def in_xml(
    find: str, plant: Callable[[re.Match[str]], str], writer: Any = writers.voc, only: int = 0
) -> Callable[[], Files]:
    """Plant a fault in XML, where a pattern matches."""

    def made() -> Files:
        things, sizes = scene(seed=1)
        files = {
            name: re.sub(find, plant, text.decode(), count=only).encode()
            for name, text in writer(things, sizes).items()
        }
        return pictures(things, sizes) | files

    return made


def each(change: Callable[[list[float], tuple[int, int]], list[float]]) -> Plant:
    """Change every box of COCO JSON, given the size of its picture."""

    def plant(held: dict[str, Any], sizes: Sizes) -> None:
        of = {image["id"]: (image["width"], image["height"]) for image in held["images"]}
        for one in held["annotations"]:
            one["bbox"] = change(one["bbox"], of[one["image_id"]])

    return plant


def first(**changes: Any) -> Plant:
    return lambda held, sizes: held["annotations"][0].update(changes)


def ids(by: int) -> Plant:
    def plant(held: dict[str, Any], sizes: Sizes) -> None:
        for one in held["annotations"]:
            one["category_id"] += by

    return plant


def category(at: int, **changes: Any) -> Plant:
    return lambda held, sizes: held["categories"][at].update(changes)


def image_ids(change: Callable[[int], int]) -> Plant:
    def plant(held: dict[str, Any], sizes: Sizes) -> None:
        for one in held["annotations"]:
            one["image_id"] = change(one["image_id"])

    return plant


def declared(width: int, height: int) -> Plant:
    def plant(held: dict[str, Any], sizes: Sizes) -> None:
        for one in held["images"]:
            one.update(width=width, height=height)

    return plant


def twice(held: dict[str, Any], sizes: Sizes) -> None:
    held["annotations"].append({**held["annotations"][3], "id": 999})


def torn(held: dict[str, Any], sizes: Sizes) -> None:
    held["annotations"].append(
        {**held["annotations"][3], "id": 999, "category_id": held["annotations"][3]["category_id"] % 3 + 1}
    )


def image_twice(held: dict[str, Any], sizes: Sizes) -> None:
    held["images"].append({**held["images"][0], "id": 77})
    held["annotations"].append({**held["annotations"][0], "id": 999, "image_id": 77, "bbox": [1, 1, 20, 20]})


def stranger(held: dict[str, Any], sizes: Sizes) -> None:
    held["images"].append({"id": 77, "file_name": "gone.png", "width": 100, "height": 80})


def in_turned(writer: Any, *, drop_size: bool, orientation: int = 6) -> Callable[[], Files]:
    """Let the camera turn every picture, but not the boxes, which are those of the stored one."""

    def made() -> Files:
        things, sizes = scene(seed=1)
        files = pictures(things, sizes)
        exif = Image.Exif()
        exif[0x0112] = orientation
        for name, held in files.items():
            files[name] = saved(Image.open(BytesIO(held)), "PNG", exif=exif)
        notes = writer(things, sizes)
        if drop_size:
            notes = {name: re.sub(rb"<size>.*?</size>", b"", text) for name, text in notes.items()}
        return files | notes

    return made


def spelt(file: str, old: str, new: str) -> Callable[[], Files]:
    things, sizes = scene(seed=1)
    files = writers.rows(things, sizes)
    return lambda: pictures(things, sizes) | {file: files[file].replace(old.encode(), new.encode(), 3)}


def two_formats() -> Files:
    things, sizes = scene(seed=1)
    others = {name: [box("ape", 1, 1, 30, 30)] for name in things}
    return pictures(things, sizes) | writers.coco(things, sizes) | writers.voc(others, sizes)


def renamed() -> Files:
    things, sizes = scene(seed=1)
    names = list(things)
    files = writers.voc(things, sizes)
    key = names[0].replace(".png", ".xml")
    return pictures(things, sizes) | files | {key: files[key].replace(names[0].encode(), names[1].encode())}


def bomb() -> Files:
    things, sizes = scene(seed=1)
    files = writers.voc(things, sizes)
    head = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    key = next(iter(files))
    return pictures(things, sizes) | files | {key: head + files[key].replace(b"<name>", b"<name>&b;")}


def outside(name: str, line: list[float], at: int) -> list[float]:
    return [line[0], line[1] + 0.9, *line[2:]] if name == "pa0.txt" and at == 0 else line


FAULTS: dict[str, tuple[Callable[[], Files], str]] = {
    "w and h are x2 and y2": (
        in_coco(each(lambda b, s: [b[0], b[1], b[0] + b[2], b[1] + b[3]])), "read as corners in pixels, which fits all",
    ),
    "x2 and y2 are w and h": (
        in_xml(r"<xmin>(.*?)</xmin><ymin>(.*?)</ymin><xmax>(.*?)</xmax><ymax>(.*?)</ymax>", lambda m: (
            f"<xmin>{m[1]}</xmin><ymin>{m[2]}</ymin><xmax>{float(m[3]) - float(m[1])}</xmax>"
            f"<ymax>{float(m[4]) - float(m[2])}</ymax>"
        )), "read as corner and size in pixels, which fits all",
    ),
    "centre for corner": (
        in_coco(each(lambda b, s: [b[0] + b[2] / 2, b[1] + b[3] / 2, b[2], b[3]])), "read as centre and size in pixels",
    ),
    "corner for centre": (
        in_texts(lambda name, n, at: [n[0], n[1] - n[3] / 2, n[2] - n[4] / 2, n[3], n[4]]),
        "read as corner and size in fract",
    ),
    "corners for centre and size": (
        in_texts(lambda name, n, at: [n[0], n[1] - n[3] / 2, n[2] - n[4] / 2, n[1] + n[3] / 2, n[2] + n[4] / 2]),
        "read as corners in fractions",
    ),
    "fractions for pixels": (
        in_coco(each(lambda b, s: [b[0] / s[0], b[1] / s[1], b[2] / s[0], b[3] / s[1]])), "read in fractions",
    ),
    "pixels for fractions": (
        in_texts(lambda name, n, at: [n[0], n[1] * 110, n[2] * 60, n[3] * 90, n[4] * 60]), "read in pixels",
    ),
    "fractions times 640": (
        in_texts(lambda name, n, at: [n[0], *(640 * x for x in n[1:])]), "do not lie in their pictures",
    ),
    "pixels of a picture of 640": (
        in_coco(each(lambda b, s: [b[0] / s[0] * 640, b[1] / s[1] * 640, b[2] / s[0] * 640, b[3] / s[1] * 640])),
        "do not lie in their pictures",
    ),
    "one picture in pixels": (
        in_texts(lambda name, n, at: [n[0], *(90 * x for x in n[1:])] if name == "pa0.txt" else n),
        "are no fractions|are written in fractions, the others are not",
    ),
    "one box in fractions": (in_coco(first(bbox=[0.1, 0.2, 0.5, 0.5])), "are fractions, the other boxes are in pixels"),
    "x and y exchanged": (
        in_coco(each(lambda b, s: [b[1], b[0], b[3], b[2]])), "if x and y were exchanged",
    ),
    "sizes exchanged": (in_coco(declared(70, 115)), "annotated as a picture of 70 × 115"),
    "another size": (in_coco(declared(640, 640)), "annotated as a picture of 640 × 640"),
    "class numbers off by one": (in_coco(ids(1)), "by 1: the boxes count from another number"),
    "class numbers off by one down": (in_coco(ids(-1)), "by 1: the boxes count from another number"),
    "class numbers from 1 in texts": (
        in_texts(lambda name, n, at: [n[0] + 1, *n[1:]]), "by 1: the boxes count from another number",
    ),
    "class numbers from 1, two of three classes": (
        in_texts(lambda name, n, at: [min(n[0] + 1, 2), *n[1:]]), "`ape` is named, but of no box",
    ),
    "a class without a name": (in_coco(first(category_id=17)), "class 17 has no name"),
    "texts without names": (in_texts(lambda name, n, at: n, names=""), "no file names the classes"),
    "two categories of one name": (in_coco(category(0, name="bee")), "names more than one category"),
    "a category with two names": (in_coco(category(0, id=2)), "category 2 has two names"),
    "classes that differ in spelling": (spelt("boxes.csv", ",ape,", ",Ape,"), "differ only in case"),
    "a box without size": (in_coco(first(bbox=[5, 5, 0, 0])), "is a box without size"),
    "a box of negative size": (in_coco(first(bbox=[25, 25, -9, -9])), "ends before it begins"),
    "a box outside": (in_texts(outside), "lies outside of the picture"),
    "a box that is no number": (in_coco(first(bbox=["a", 1, 2, 3])), "no four numbers"),
    "a box off by one pixel at the edge": (
        in_coco(each(lambda b, s: [s[0] - b[2] + 1, b[1], b[2], b[3]])), "reached beyond the edge",
    ),
    "all boxes off by one pixel": (
        in_coco(each(lambda b, s: [b[0] + 1, b[1] + 1, b[2], b[3]])), "edges of boxes lie 1 pixel beside edges",
    ),
    "left and right exchanged": (
        in_coco(each(lambda b, s: [s[0] - b[0] - b[2], b[1], b[2], b[3]])), "if left and right were exchanged",
    ),
    "top and bottom exchanged": (
        in_texts(lambda name, n, at: [n[0], n[1], 1 - n[2], n[3], n[4]]), "if top and bottom were exchanged",
    ),
    "x and y exchanged in fractions": (
        in_texts(lambda name, n, at: [n[0], n[2], n[1], n[4], n[3]]), "if x and y were exchanged",
    ),
    "centre for corner, away from the edge": (
        in_coco(each(lambda b, s: [b[0] + b[2] / 2, b[1] + b[3] / 2, b[2], b[3]]), inner=True),
        "if what is read as a corner were the centre",
    ),
    "stored upside down": (
        in_turned(writers.coco, drop_size=False, orientation=3), "pictures as stored, before they are",
    ),
    "a box twice": (in_coco(twice), "is there twice"),
    "a box of two classes": (in_coco(torn), "is exactly that of another class"),
    "a picture twice": (in_coco(image_twice), "says two things of"),
    "a picture that is not there": (in_coco(stranger), "not there, e.g. gone.png"),
    "image ids of nobody": (in_coco(image_ids(lambda one: one + 500)), "name an image that is not among its"),
    "an image id of nobody": (in_coco(first(image_id=500)), "names an image that is not among its"),
    "image ids shifted": (
        in_coco(image_ids(lambda one: one % 12 + 1)),
        "do not lie in|annotated as|those of the picture before or behind",
    ),
    "two images of one id": (in_coco(lambda held, s: held["images"][1].update(id=1)), "two images have the id 1"),
    "turned by the camera, sizes as stored": (in_turned(writers.coco, drop_size=False), "as stored, not as shown"),
    "turned by the camera, no sizes": (in_turned(writers.voc, drop_size=True), "as stored, not as shown"),
    "turned by the camera, fractions": (in_turned(writers.yolo, drop_size=False), "fit both as stored and as shown"),
    "x before y in one corner alone": (
        in_xml(
            r"<xmin>(.*?)</xmin>(.*?)<xmax>(.*?)</xmax>",
            lambda m: f"<xmin>{m[3]}</xmin>{m[2]}<xmax>{m[1]}</xmax>",
            only=1,
        ),
        "do not lie in their pictures|ends before it begins",
    ),
    "a file that names another picture": (renamed, "names another picture than the one"),
    "two formats that differ": (two_formats, "say different things of"),
    "entities that grow": (bomb, "declares a document type or entities"),
    "broken JSON": (
        lambda: pictures(*scene(seed=1)) | {"a.json": b'{"images": [], "annotations": [{"image_id": 1'}, "broken JSON",
    ),
    "a line of four numbers": (in_texts(lambda name, n, at: n[:-1] if name == "pa0.txt" else n), "is no box"),
}  # fmt: skip


def said(files: Files, where: Path) -> str:
    """Return all that is said of an album: a refusal, what is set aside, and the notes."""
    album = write_folder(where / "album", files)
    try:
        source = data.open_source(album)
        frame = pl.concat([pl.from_arrow(batch) for batch in source.batches()])  # type: ignore[type-var]
        assert isinstance(frame, pl.DataFrame)
        found = data.survey(source, target="boxes")
    except InputError as error:
        assert error.hint
        return f"{error.message} {error.hint}"
    aside = [cell for cell in frame["boxes.problem"].to_list() if cell]
    return " | ".join([*aside, *found.notes])


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_of_annotation_is_silent(fault: str, tmp_path: Path) -> None:
    plant, pattern = FAULTS[fault]
    found = said(plant(), tmp_path)
    assert re.search(pattern, found), found


def test_nothing_is_said_of_boxes_without_fault(tmp_path: Path) -> None:
    things, sizes = scene(seed=1)
    text = said(pictures(things, sizes) | writers.coco(things, sizes), tmp_path)
    assert {pattern for _, pattern in FAULTS.values() if re.search(pattern, text)} == set()
