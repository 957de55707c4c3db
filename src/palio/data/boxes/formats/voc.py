"""Pascal VOC: an XML file for each picture, with `xmin`, `ymin`, `xmax`, `ymax` in pixels."""

from __future__ import annotations

import math
import posixpath

from palio.core.words import counted
from palio.data.boxes.formats.numbers import number, size_of
from palio.data.boxes.markup import BrokenXmlError, Element, parsed
from palio.data.boxes.sheets import Annotations, Mark, Notation, Sheet, around, turned
from palio.data.pictures.layout import PART_WORDS

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_START = 4_000
_TRUE = ("1", "true")
_FLAGS = ("1", "0", "-1")
"""Behind a name in a list: whether a class is in the picture, difficult ones alone, or not."""


class Voc:
    """Reads XML of Pascal VOC, and the lists of parts below `ImageSets`."""

    def __init__(self) -> None:
        self._found = Annotations("Pascal VOC XML", Notation("pixels", "corners"), is_by_file=False)
        self._lists: dict[str, bytes] = {}
        self._n_turned = self._n_outlines = 0
        self._renamed: list[str] = []

    def takes(self, key: str, data: bytes) -> bool:
        """Take in the XML of a picture, or a list of pictures."""
        folder, name = posixpath.split(key)
        ending = posixpath.splitext(name.lower())[1]
        if ending == ".txt" and "imagesets" in folder.lower():
            self._lists[key] = data
            return False  # it may be that of another format, too
        if ending != ".xml" or b"<annotation" not in data[:_START] or b"<annotations" in data[:_START]:
            return False
        stem = posixpath.splitext(name)[0]
        try:
            top = parsed(data, key)
        except BrokenXmlError as error:  # one of many: its picture is set aside
            self._found.read.add(key)
            problem = error.message.removeprefix(f"{key}: ")
            self._found.sheets.append(Sheet(stem, key, problem=problem, base=folder))
            return True
        if top.tag != "annotation":
            return False
        self._found.read.add(key)
        self._found.sheets.append(self._sheet(key, top))
        return True

    def finish(self, pictures: list[str]) -> Annotations | None:
        """Return what was found; a picture that a file does not name is found by the file's own name."""
        found = self._found
        if not found.sheets:
            return None
        known = {posixpath.basename(one) for one in pictures}
        stems = {posixpath.splitext(one)[0] for one in known}
        for sheet in found.sheets:
            named = posixpath.basename(sheet.file.replace("\\", "/"))
            own = posixpath.splitext(posixpath.basename(sheet.origin))[0]
            if posixpath.splitext(named)[0] != own and own in stems:
                # pictures are renamed, or copied, more often than what is said of them
                if named in known:
                    self._renamed.append(sheet.origin)
                sheet.file = own
        for key, data in self._lists.items():
            part = PART_WORDS.get(posixpath.splitext(posixpath.basename(key))[0].lower())
            found.read.add(key)  # others tell of a class in which pictures it is, as the XML does
            for line in data.decode("utf-8-sig", "replace").splitlines() if part else ():
                name, _, flag = line.strip().rpartition(" ")
                is_flagged = flag in _FLAGS and line.strip() not in stems
                if line.strip():
                    found.parts[name.strip() if is_flagged and name else line.strip()] = str(part)
        self._tell()
        return found

    def _tell(self) -> None:
        if self._n_turned:
            self._found.told.append(
                f"{counted(self._n_turned, 'turned box', 'turned boxes')}: read as the box around it"
            )
        if self._n_outlines:
            self._found.told.append(f"{counted(self._n_outlines, 'outline')} without a box: read as the box around it")
        if self._renamed:
            do = "names" if len(self._renamed) == 1 else "name"
            self._found.told.append(
                f"{counted(len(self._renamed), 'file')} {do} another picture "
                f"than the one that {'it is' if len(self._renamed) == 1 else 'they are'} called by, e.g. "
                f"{self._renamed[0]}: the file's own name counts"
            )

    def _sheet(self, key: str, top: Element) -> Sheet:
        size = size_of(top.said("size", "width"), top.said("size", "height"))
        name = top.said("filename") or posixpath.splitext(posixpath.basename(key))[0]
        sheet = Sheet(name, key, size=size, base=posixpath.dirname(key))
        for place, one in enumerate(top.all("object")):
            where = f"object {place + 1}"
            label = one.said("name")
            if not label:
                sheet.problem = sheet.problem or f"{where} has no name"
            found = self._place(one)
            if found is None:
                sheet.problem = sheet.problem or f"{where} has no box"
                continue
            sheet.marks.append(Mark(label, found, one.said("difficult").lower() in _TRUE, where))
        return sheet

    def _place(self, one: Element) -> tuple[float, float, float, float] | None:
        box = one.first("bndbox")
        if box is not None:
            a, b, c, d = (number(box.said(corner)) for corner in _CORNERS)
            return a, b, c, d
        tilted = one.first("robndbox")
        if tilted is not None:
            self._n_turned += 1
            x, y, w, h = (number(tilted.said(word)) for word in ("cx", "cy", "w", "h"))
            angle = math.degrees(number(tilted.said("angle")))
            return turned((x - w / 2, y - h / 2, x + w / 2, y + h / 2), angle, (x, y))
        outline = one.first("polygon")
        if outline is not None:
            points = _points(outline)
            if points:
                self._n_outlines += 1
                return around(points)
        return None


def _points(outline: Element) -> list[tuple[float, float]]:
    pairs = [(number(one.said("x")), number(one.said("y"))) for one in outline.all("pt")]
    if pairs:
        return pairs
    flat = {child.tag: number(child.text) for child in outline.children}
    places = sorted({tag[1:] for tag in flat if tag[:1] in "xy" and tag[1:].isdecimal()}, key=int)
    return [(flat[f"x{at}"], flat[f"y{at}"]) for at in places if f"x{at}" in flat and f"y{at}" in flat]
