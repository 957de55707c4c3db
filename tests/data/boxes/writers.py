"""Albums of tiny pictures with boxes, written as every tool writes them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image

from palio.core.records import Box
from tests.pixels.files import saved

Scene = Mapping[str, Sequence[Box]]
"""Picture → what is in it."""
Sizes = Mapping[str, tuple[int, int]]
CLASSES = ("ape", "bee", "cat")


def box(label: str, *corners: float, ignored: bool = False) -> Box:
    left, top, right, bottom = corners
    return Box(label=label, box=(left, top, right, bottom), ignored=ignored)


def scene(n: int = 12, *, seed: int = 0, folder: str = "") -> tuple[dict[str, list[Box]], dict[str, tuple[int, int]]]:
    """Lay one to four things into each of some pictures; the last one is empty."""
    rng = np.random.default_rng(seed)
    things: dict[str, list[Box]] = {}
    sizes = {}
    for at in range(n):
        name = f"{folder}p{'abcdefghijklmnopqrstuvwxyz'[at % 26]}{at * 7 % 100}.png"
        width, height = int(rng.integers(90, 140)), int(rng.integers(60, 85))
        sizes[name] = width, height
        things[name] = []
        for _ in range(int(rng.integers(1, 5)) if at < n - 1 else 0):
            w, h = rng.uniform(0.2, 0.5) * width, rng.uniform(0.2, 0.5) * height
            left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
            things[name].append(box(CLASSES[int(rng.integers(3))], left, top, left + w, top + h))
    return things, sizes


def pictures(things: Scene, sizes: Sizes) -> dict[str, bytes]:
    """Paint each picture: a soft ground, and each thing in the colour of its class."""
    files = {}
    for at, (name, boxes) in enumerate(things.items()):
        width, height = sizes[name]
        rough = np.random.default_rng(at).integers(0, 256, (6, 7, 3)).astype(np.uint8)
        pixels = np.array(Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC))
        for one in boxes:
            left, top, right, bottom = (max(0, round(number)) for number in one.box)
            pixels[top:bottom, left:right] = [(250, 20, 20), (20, 250, 20), (20, 20, 250)][len(one.label) % 3]
        files[name] = saved(Image.fromarray(pixels), "PNG")
    return files


def coco(things: Scene, sizes: Sizes, *, first: int = 1, file: str = "annotations.json") -> dict[str, bytes]:
    """Write COCO JSON."""
    return {file: json.dumps(coco_of(things, sizes, first=first)).encode()}


def coco_of(things: Scene, sizes: Sizes, *, first: int = 1) -> dict[str, list[dict[str, object]]]:
    names = sorted({one.label for boxes in things.values() for one in boxes})
    annotations: list[dict[str, object]] = []
    images: list[dict[str, object]] = []
    for at, (name, boxes) in enumerate(things.items()):
        images.append({"id": at + 1, "file_name": name, "width": sizes[name][0], "height": sizes[name][1]})
        for one in boxes:
            left, top, right, bottom = one.box
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": at + 1,
                    "category_id": names.index(one.label) + first,
                    "bbox": [left, top, right - left, bottom - top],
                    "iscrowd": int(one.ignored),
                }
            )
    categories: list[dict[str, object]] = [{"id": at + first, "name": name} for at, name in enumerate(names)]
    return {"images": images, "annotations": annotations, "categories": categories}


def voc(things: Scene, sizes: Sizes) -> dict[str, bytes]:
    """Write an XML file of Pascal VOC beside each picture."""
    files = {}
    for name, boxes in things.items():
        objects = "".join(
            f"<object><name>{escape(one.label)}</name><difficult>{int(one.ignored)}</difficult><bndbox>"
            + "".join(f"<{tag}>{value!r}</{tag}>" for tag, value in zip(_CORNERS, one.box, strict=True))
            + "</bndbox></object>"
            for one in boxes
        )
        size = f"<size><width>{sizes[name][0]}</width><height>{sizes[name][1]}</height><depth>3</depth></size>"
        text = f"<annotation><filename>{escape(name.split('/')[-1])}</filename>{size}{objects}</annotation>"
        files[name.rpartition(".")[0] + ".xml"] = text.encode()
    return files


_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def yolo(things: Scene, sizes: Sizes, *, names: str = "classes.txt") -> dict[str, bytes]:
    """Write a text of YOLO beside each picture, and perhaps the names of the classes."""
    labels = sorted({one.label for boxes in things.values() for one in boxes})
    files = {name.rpartition(".")[0] + ".txt": yolo_of(boxes, sizes[name], labels) for name, boxes in things.items()}
    if names.endswith(".yaml"):
        files[names] = f"path: .\nnc: {len(labels)}\nnames: [{', '.join(labels)}]\n".encode()
    elif names:
        files[names] = "".join(f"{label}\n" for label in labels).encode()
    return files


def yolo_of(boxes: Sequence[Box], size: tuple[int, int], labels: Sequence[str]) -> bytes:
    lines = []
    for one in boxes:
        left, top, right, bottom = one.box
        numbers = (
            (left + right) / 2 / size[0],
            (top + bottom) / 2 / size[1],
            (right - left) / size[0],
            (bottom - top) / size[1],
        )
        lines.append(f"{labels.index(one.label)} " + " ".join(f"{number!r}" for number in numbers))
    return "\n".join(lines).encode()


def label_studio(things: Scene, sizes: Sizes) -> dict[str, bytes]:
    """Write the whole JSON of Label Studio, as of files that were uploaded."""
    tasks = []
    for at, (name, boxes) in enumerate(things.items()):
        regions = [
            {
                "id": f"r{at}-{i}",
                "type": "rectanglelabels",
                "from_name": "label",
                "to_name": "image",
                "original_width": sizes[name][0],
                "original_height": sizes[name][1],
                "value": {**_percent(one, sizes[name]), "rotation": 0, "rectanglelabels": [one.label]},
            }
            for i, one in enumerate(boxes)
        ]
        address = f"/data/upload/3/0a1b2c3d-{name}"
        tasks.append({"id": at, "data": {"image": address}, "annotations": [{"id": at, "result": regions}]})
    return {"export.json": json.dumps(tasks).encode()}


def label_studio_min(things: Scene, sizes: Sizes) -> dict[str, bytes]:
    """Write the short JSON of Label Studio, as of files on its own disk."""
    tasks = []
    for at, (name, boxes) in enumerate(things.items()):
        marks = [
            {
                **_percent(one, sizes[name]),
                "rotation": 0,
                "rectanglelabels": [one.label],
                "original_width": sizes[name][0],
                "original_height": sizes[name][1],
            }
            for one in boxes
        ]
        about = {"image": f"/data/local-files/?d=set/{name}", "id": at, "annotator": 1, "annotation_id": at}
        tasks.append({**about, **({"label": marks} if marks else {})})
    return {"min.json": json.dumps(tasks).encode()}


def _percent(one: Box, size: tuple[int, int]) -> dict[str, float]:
    left, top, right, bottom = one.box
    across, down = 100 / size[0], 100 / size[1]
    return {"x": left * across, "y": top * down, "width": (right - left) * across, "height": (bottom - top) * down}


def cvat(things: Scene, sizes: Sizes) -> dict[str, bytes]:
    """Write CVAT XML for images."""
    images = "".join(
        f'<image id="{at}" name="{name}" width="{sizes[name][0]}" height="{sizes[name][1]}">'
        + "".join(
            f'<box label="{one.label}" occluded="0" xtl="{one.box[0]!r}" ytl="{one.box[1]!r}" xbr="{one.box[2]!r}" '
            f'ybr="{one.box[3]!r}" z_order="0"></box>'
            for one in boxes
        )
        + "</image>"
        for at, (name, boxes) in enumerate(things.items())
    )
    return {"annotations.xml": f"<annotations><version>1.1</version>{images}</annotations>".encode()}


def rows(
    things: Scene, sizes: Sizes, *, head: Sequence[str] = ("filename", "class", "xmin", "ymin", "xmax", "ymax")
) -> dict[str, bytes]:
    """Write a CSV with a row a box, corners in pixels."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    for name, boxes in things.items():
        writer.writerows([name, one.label, *map(repr, one.box)] for one in boxes)
        if not boxes:
            writer.writerow([name, "", "", "", "", ""])
    return {"boxes.csv": text.getvalue().encode()}


WRITERS: dict[str, Callable[[Scene, Sizes], dict[str, bytes]]] = {
    "coco": coco,
    "voc": voc,
    "yolo": yolo,
    "yolo with yaml": lambda things, sizes: yolo(things, sizes, names="data.yaml"),
    "label studio": label_studio,
    "label studio min": label_studio_min,
    "cvat": cvat,
    "csv": rows,
}
