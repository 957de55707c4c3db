"""Boxes go out: one row a box, or a document in the form of COCO, which every tool for boxes reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import msgspec

from palio.core.records import Box

if TYPE_CHECKING:
    import polars as pl

COLUMNS = ("file", "label", "score", "left", "top", "right", "bottom", "problem")
"""Of a table with one row a box."""
_DIGITS = 4
"""Behind the point of sides and areas, as places have."""


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


class Coco:
    """Writes a document in the form of COCO: pictures, categories, and one annotation a box, with its score.

    Pictures and categories are counted from 1, in order. Those that could not be looked at stand in `problems`, which
    is ours; the others are pictures, with boxes or without. Boxes are written as they come: memory holds no more of a
    picture than its name and size.

    Args:
        file: Where to.
        classes: In the order of the task.

    Source: cocodataset.org, data format and results format.
    """

    def __init__(self, file: BinaryIO, classes: Sequence[str]) -> None:
        self._file, self._numbers = file, {label: place for place, label in enumerate(classes, 1)}
        self._images: list[bytes] = []
        self._problems: list[bytes] = []
        self._n_boxes = 0
        categories = [{"id": place, "name": label} for label, place in self._numbers.items()]
        file.write(b'{"categories":' + _json(categories) + b',"annotations":[')

    def add(self, found: Iterable[Found]) -> None:
        """Write what is found in some more pictures."""
        for one in found:
            if one.problem:
                self._problems.append(_json({"file_name": one.file, "problem": one.problem}))
                continue
            width, height = one.size or (None, None)
            number = len(self._images) + 1
            self._images.append(_json({"id": number, "file_name": one.file, "width": width, "height": height}))
            for box in one.boxes:
                self._file.write(b"," * bool(self._n_boxes) + _json(self._annotation(box, number)))

    def _annotation(self, box: Box, picture: int) -> dict[str, Any]:
        self._n_boxes += 1
        left, top, right, bottom = box.box
        wide, high = right - left, bottom - top
        return {
            "id": self._n_boxes,
            "image_id": picture,
            "category_id": self._numbers[box.label],
            "bbox": [left, top, *(round(side, _DIGITS) for side in (wide, high))],
            "area": round(wide * high, _DIGITS),
            "iscrowd": 0,
            "score": box.score,
        }

    def end(self) -> None:
        """Write the rest."""
        images, problems = b",".join(self._images), b",".join(self._problems)
        self._file.write(b'],"images":[' + images + b'],"problems":[' + problems + b"]}")


_json = msgspec.json.encode
