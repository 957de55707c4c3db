"""Boxes go out: one row a box, or a document in the form of COCO, which every tool for boxes reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from palio.core.records import Box

if TYPE_CHECKING:
    import polars as pl

COLUMNS = ("file", "label", "score", "left", "top", "right", "bottom", "problem")
"""Of a table with one row a box."""


class Found(NamedTuple):
    """What is found in one picture."""

    file: str
    boxes: tuple[Box, ...]
    size: tuple[int, int] | None = None
    """Width and height in pixels; None: nobody knows."""
    problem: str = ""
    """Why it could not be looked at."""


def box_rows(found: Iterable[Found]) -> pl.DataFrame:
    """Return one row a box, in order; a picture without any keeps a row that says of which nothing is known.

    Example:
        >>> box_rows([Found("a.jpg", (Box(label="cat", box=(1, 2, 3, 4), score=0.5),)), Found("b.jpg", ())]).rows()
        [('a.jpg', 'cat', 0.5, 1.0, 2.0, 3.0, 4.0, None), ('b.jpg', None, None, None, None, None, None, None)]
    """
    import polars as pl

    rows: list[tuple[Any, ...]] = []
    for one in found:
        rows += [(one.file, box.label, box.score, *box.box, None) for box in one.boxes]
        if not one.boxes:
            rows.append((one.file, *[None] * 6, one.problem or None))
    kinds: dict[str, Any] = dict.fromkeys(COLUMNS, pl.Float64)
    kinds |= dict.fromkeys(("file", "label", "problem"), pl.String)
    return pl.DataFrame(rows, schema=kinds, orient="row")


def coco(found: Sequence[Found], classes: Sequence[str]) -> bytes:
    """Write a document in the form of COCO: pictures, categories, and one annotation a box, with its score.

    Pictures and categories are counted from 1, in order. Those that could not be looked at stand in `problems`, which
    is ours; the others are pictures, with boxes or without.

    Args:
        found: Of each picture.
        classes: In the order of the task.

    Source: cocodataset.org, data format and results format.
    """
    numbers = {label: place for place, label in enumerate(classes, 1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for one in found:
        if one.problem:
            continue
        width, height = one.size or (None, None)
        images.append({"id": len(images) + 1, "file_name": one.file, "width": width, "height": height})
        for box in one.boxes:
            left, top, right, bottom = box.box
            wide, high = right - left, bottom - top
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": len(images),
                    "category_id": numbers[box.label],
                    "bbox": [left, top, wide, high],
                    "area": wide * high,
                    "iscrowd": 0,
                    "score": box.score,
                }
            )
    told = {
        "images": images,
        "categories": [{"id": place, "name": label} for label, place in numbers.items()],
        "annotations": annotations,
        "problems": [{"file_name": one.file, "problem": one.problem} for one in found if one.problem],
    }
    return msgspec.json.encode(told)
