"""Label Studio: its JSON, whole or in the short form (JSON-MIN); boxes in percent of the picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import msgspec

from palio.core.errors import InputError
from palio.data.boxes.formats.numbers import number, size_of
from palio.data.boxes.sheets import Annotations, Mark, Notation, Place, Sheet, Size, around, turned
from palio.data.pictures.albums import PICTURES

_SHAPES = ("rectanglelabels", "polygonlabels", "ellipselabels")
_FLAT = ("keypointlabels", "brushlabels", "vectorlabels")


class LabelStudio:
    """Reads exports of Label Studio. Of several annotations of one picture the newest counts, a ground truth first."""

    def __init__(self) -> None:
        self._found = Annotations("Label Studio JSON", Notation("percent", "corner and size"))
        self._n_many = self._n_turned = self._n_outlines = self._n_others = self._n_guesses = 0

    def takes(self, key: str, data: bytes) -> bool:
        """Take in a list of tasks, or one task, of pictures with boxes."""
        if not key.lower().endswith(".json") or not any(word.encode() in data for word in (*_SHAPES, "rectangle")):
            return False
        try:
            held = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise InputError(f"{key}: broken JSON: {error}", hint="export the annotation again") from None
        tasks = held if isinstance(held, list) else [held]
        sheets = [sheet for task in tasks if isinstance(task, dict) and (sheet := self._sheet(key, task)) is not None]
        if not any(sheet.marks for sheet in sheets):
            return False
        self._found.sheets += sheets
        self._found.read.add(key)
        return True

    def finish(self, pictures: list[str]) -> Annotations | None:  # noqa: ARG002 - tasks name them
        """Return what was found."""
        if not self._found.sheets:
            return None
        self._found.tell(
            (self._n_turned, "turned box", "read as the box around it"),
            (self._n_outlines, "outline", "read as the box around it"),
            (self._n_others, "mark", "neither a box nor an outline, left out"),
            (self._n_many, "picture", "annotated more than once: a ground truth counts, else the newest"),
            (self._n_guesses, "picture", "with predictions alone: nobody has looked at it"),
        )
        return self._found

    def _sheet(self, key: str, task: Mapping[str, Any]) -> Sheet | None:
        data = task.get("data")
        file = _picture(data if isinstance(data, Mapping) else task)
        if not file:
            return None
        sheet = Sheet(file, key)
        made = task.get("annotations", task.get("completions"))
        if isinstance(made, list):
            done = [one for one in made if isinstance(one, Mapping) and not one.get("was_cancelled")]
            self._n_many += len(done) > 1
            self._n_guesses += not done and bool(task.get("predictions"))
            if not done:
                sheet.is_looked_at = False
                return sheet
            best = max(done, key=lambda one: (bool(one.get("ground_truth")), str(one.get("updated_at") or "")))
            self._add(sheet, _whole(best.get("result")))
        else:
            short = [one for value in task.values() for one in _short(value)]
            sheet.is_looked_at = bool(short) or "annotation_id" in task or "annotator" in task
            self._add(sheet, short)
        return sheet

    def _add(self, sheet: Sheet, results: Sequence[Mapping[str, Any]]) -> None:
        labels = {str(one.get("id")): _labels(one) for one in results if one.get("id") and _labels(one)}
        for at, one in enumerate(results):
            value = one.get("value", one)
            if not isinstance(value, Mapping) or not ({"x", "y"} <= value.keys() or "points" in value):
                continue
            size = size_of(one.get("original_width"), one.get("original_height"))
            sheet.size = sheet.size or size
            place = self._place(value, size)
            if place is None:
                self._n_others += 1
                continue
            names = _labels(one) or labels.get(str(one.get("id")), ())
            where = f"region {one.get('id') or at + 1}"
            if not names:
                sheet.problem = sheet.problem or f"{where} has no label"
            sheet.marks += [Mark(name, place, where=where) for name in names]

    def _place(self, value: Mapping[str, Any], size: Size | None) -> Place | None:
        points = value.get("points")
        if isinstance(points, list) and points:
            self._n_outlines += 1
            left, top, right, bottom = around([(number(one[0]), number(one[1])) for one in points if len(one) == 2])
            return left, top, right - left, bottom - top
        x, y = number(value.get("x")), number(value.get("y"))
        if "radiusX" in value:
            self._n_outlines += 1
            across, down = number(value.get("radiusX")), number(value.get("radiusY"))
            return x - across, y - down, 2 * across, 2 * down
        if "width" not in value or "height" not in value:
            return None
        width, height, angle = number(value["width"]), number(value["height"]), number(value.get("rotation") or 0)
        if not angle % 360:
            return x, y, width, height
        self._n_turned += 1
        across, down = (one / 100 for one in size) if size else (1.0, 1.0)
        left, top, right, bottom = turned(
            (x * across, y * down, (x + width) * across, (y + height) * down), angle, (x * across, y * down)
        )
        return left / across, top / down, (right - left) / across, (bottom - top) / down


def _labels(one: Mapping[str, Any]) -> tuple[str, ...]:
    value = one.get("value", one)
    if not isinstance(value, Mapping):
        return ()
    for key in (*_SHAPES, *_FLAT, "labels"):
        held = value.get(key)
        if isinstance(held, list) and held:
            return tuple(str(name).strip() for name in held)
    return ()


def _whole(result: Any) -> list[Mapping[str, Any]]:
    return [one for one in result if isinstance(one, Mapping)] if isinstance(result, list) else []


def _short(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, str) and value.startswith("[{"):
        try:
            value = msgspec.json.decode(value)
        except msgspec.MsgspecError:
            return
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, Mapping) and ("x" in one or "points" in one))


def _picture(data: Mapping[str, Any]) -> str:
    """Return the value that names a picture: by its ending, else by its key."""
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    for value in texts.values():
        path = unquote(value).partition("?d=")[2] or unquote(value).partition("?")[0]
        if f".{path.rpartition('.')[2].lower()}" in PICTURES:
            return value if "?d=" in value else value.partition("?")[0]
    return next((texts[key] for key in ("image", "img", "picture", "url") if key in texts), "")
