"""Bring what files say of one picture into boxes of the shown picture, or say why that cannot be done."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from palio import measure
from palio.core.records import Box
from palio.data.boxes.frames import Frame, slack_of
from palio.data.boxes.meaning import FRACTION, largest
from palio.data.boxes.sheets import Mark, Notation, Place, Size

_SMALLEST_LEFT = 0.75
"""Share of a box that must lie in the picture for it to be cut off at the edge, and not refused."""
_ALIKE = 0.95
"""Overlap (intersection over union) from which on two boxes of one class are told to be one thing twice."""
_MOST_COMPARED = 500  # boxes of one picture; of more, none is held against all others
_WHOLE = 0.999
_ROUNDED = 0.5
"""Pixels beyond the edge that the digits of a file explain: nobody is told of less."""


@dataclass(slots=True)
class Remarks:
    """What was odd about the boxes of all pictures, but did no harm."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, what: str, where: str) -> None:
        """Count one."""
        self.counts[what] += 1
        self.examples.setdefault(what, where)


CUT, TWICE, NEARLY, TORN, SPECK, WHOLE = "cut", "twice", "nearly", "torn", "speck", "whole"


class Unusable(Exception):  # noqa: N818 - it is no error, but a verdict on a picture
    """Why what is said of a picture cannot be used."""


def boxes_in(
    marks: Sequence[Mark],
    notation: Notation,
    frame: Frame,
    *,
    is_stored: bool,
    names: Mapping[str, str],
    size: Size | None,
    file: str,
    remarks: Remarks,
) -> list[Box]:
    """Return the boxes of one picture.

    Args:
        marks: As they are written.
        notation: What the numbers mean.
        frame: Of the picture.
        is_stored: Whether they were made on the picture as it is stored, not as it is shown.
        names: Number of a class → name, for classes that the files leave without one.
        size: Of the picture, as the file says; None: it does not.
        file: The picture, for people.
        remarks: Hears what is odd.

    Raises:
        Unusable: something is wrong with one of them.
    """
    inside = frame.stored if is_stored else frame.shown
    placed = [(mark, _corners(mark, notation, inside)) for mark in marks]
    if notation.unit == "pixels" and placed:
        _check_size(size, inside, [corners for _, corners in placed])
    found: dict[Place, Box] = {}
    boxes: list[Box] = []
    wheres: list[str] = []
    for mark, corners in placed:
        label = mark.label or names.get(mark.number, "")
        if not label:
            raise Unusable(f"{mark.where}: class {mark.number or '(none)'} has no name")
        kept = _within(corners, inside, mark, file, remarks)
        before = found.get(kept)
        if before is not None:
            remarks.add(TWICE if before.label == label else TORN, f"{file} {mark.where}")
            if before.label == label:
                continue
        box = Box(label=label, box=frame.to_shown(kept) if is_stored else kept, ignored=mark.ignored)
        found.setdefault(kept, box)
        boxes.append(box)
        wheres.append(f"{file} {mark.where}")
    for place in _repeated(boxes[:_MOST_COMPARED]):
        remarks.add(NEARLY, wheres[place])
    return boxes


def _repeated(boxes: Sequence[Box]) -> list[int]:
    """Return the places of boxes that nearly are an earlier one of their class."""
    if len(boxes) < 2:
        return []
    covers = measure.boxes.overlaps(*[np.array([one.box for one in boxes], np.float64)] * 2)
    labels = np.array([one.label for one in boxes])
    is_again = np.tril((covers > _ALIKE) & (labels[:, None] == labels), -1)
    return np.flatnonzero(is_again.any(axis=1)).tolist()


def _corners(mark: Mark, notation: Notation, size: Size) -> Place:
    if not all(map(math.isfinite, mark.place)):
        raise Unusable(f"{mark.where}: its box has no four numbers")
    written = ", ".join(f"{number:g}" for number in mark.place)
    if notation.unit == "pixels" and any(mark.place) and largest(mark.place) <= FRACTION:
        raise Unusable(f"{mark.where}: {written} are fractions, the other boxes are in pixels")
    if notation.unit == "fractions" and largest(mark.place) > FRACTION:
        raise Unusable(f"{mark.where}: {written} are no fractions, as the other boxes are")
    left, top, right, bottom = corners = notation.corners(mark.place, size)
    if right < left or bottom < top:
        raise Unusable(f"{mark.where}: {written} ends before it begins, read as {notation}")
    if right - left < 1e-9 or bottom - top < 1e-9:
        raise Unusable(f"{mark.where}: {written} is a box without size")
    return corners


def _within(corners: Place, size: Size, mark: Mark, file: str, remarks: Remarks) -> Place:
    """Cut a box off at the edge of its picture.

    Raises:
        Unusable: much of it lies outside.
    """
    left, top, right, bottom = corners
    width, height = size
    if (right - left) * (bottom - top) < 1:
        remarks.add(SPECK, f"{file} {mark.where}")
    if left >= -1e-6 and top >= -1e-6 and right <= width + 1e-6 and bottom <= height + 1e-6:
        kept = max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))
        if (kept[2] - kept[0]) * (kept[3] - kept[1]) >= _WHOLE * width * height:
            remarks.add(WHOLE, f"{file} {mark.where}")
        return kept
    kept = max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))
    beyond = max(-left, -top, right - width, bottom - height)
    share = max(0.0, kept[2] - kept[0]) * max(0.0, kept[3] - kept[1]) / ((right - left) * (bottom - top))
    is_slip = beyond <= slack_of(size) and share > 0.5
    if not is_slip and share < _SMALLEST_LEFT:
        shown = ", ".join(f"{number:.6g}" for number in corners)
        raise Unusable(f"{mark.where}: {shown} lies outside of the picture of {width} × {height} pixels")
    if beyond >= _ROUNDED:
        remarks.add(CUT, f"{file} {mark.where}, {beyond:.3g} pixels")
    return kept


def _check_size(said: Size | None, real: Size, corners: Sequence[Place]) -> None:
    """Hold the size that a file says against that of the picture.

    Raises:
        Unusable: it is another one, and the boxes do not show that the file is wrong only there.
    """
    if said is None or (abs(said[0] - real[0]) <= 1 and abs(said[1] - real[1]) <= 1):
        return
    beyond_said = any(right > said[0] + 1 or bottom > said[1] + 1 for _, _, right, bottom in corners)
    beyond_real = any(right > real[0] + 1 or bottom > real[1] + 1 for _, _, right, bottom in corners)
    if not beyond_said or beyond_real:
        raise Unusable(f"annotated as a picture of {said[0]} × {said[1]} pixels, but it has {real[0]} × {real[1]}")
