"""CVAT XML 1.1: pictures with boxes, or the tracks of a film; corners in pixels."""

from __future__ import annotations

import math
import posixpath
from typing import NamedTuple

from palio.data.boxes.formats.numbers import number, size_of
from palio.data.boxes.markup import Element, parsed
from palio.data.boxes.sheets import Annotations, Mark, Notation, Place, Sheet, Size, around, turned

_START = 4_000
_MOST_FRAMES = 10_000_000


class _At(NamedTuple):
    frame: int
    place: Place
    is_outside: bool
    where: str


class Cvat:
    """Reads CVAT XML for images and for video. Between two places of a track a thing moves evenly."""

    def __init__(self) -> None:
        self._found = Annotations("CVAT XML", Notation("pixels", "corners"))
        self._films: list[tuple[str, str, int, int, Size | None, dict[int, list[Mark]]]] = []
        self._n_turned = self._n_outlines = self._n_between = self._n_others = self._n_open = 0

    def takes(self, key: str, data: bytes) -> bool:
        """Take in an XML file of CVAT."""
        if not key.lower().endswith(".xml") or b"<annotations" not in data[:_START]:
            return False
        top = parsed(data, key)
        if top.tag != "annotations" or not (any(top.all("image")) or any(top.all("track"))):
            return False
        for image in top.all("image"):
            self._found.sheets.append(self._sheet(key, image))
        tracks = list(top.all("track"))
        if tracks:
            self._add_film(key, top, tracks)
        self._found.names.update(dict.fromkeys(_names(top)))
        self._found.read.add(key)
        return True

    def finish(self, pictures: list[str]) -> Annotations | None:
        """Return what was found; the frames of a film are found by their numbers, or by their order."""
        for key, name, start, n_frames, size, marks in self._films:
            self._found.sheets += _frames(key, name, start, n_frames, size, marks, pictures, self._found)
        if not self._found.sheets:
            return None
        self._found.tell(
            (self._n_turned, "turned box", "read as the box around it"),
            (self._n_outlines, "outline", "read as the box around it"),
            (self._n_others, "mark", "neither a box nor an outline, left out"),
            (self._n_open, "track", "ends before the film does, though nobody noted that the thing is gone: is it?"),
            (self._n_between, "box", "between two places of a track: laid there as if the thing moved evenly"),
        )
        return self._found

    def _sheet(self, key: str, image: Element) -> Sheet:
        about = image.attributes
        sheet = Sheet(
            about.get("name", ""), key, size=size_of(about.get("width"), about.get("height")),
            part=about.get("subset", ""), base=posixpath.dirname(key),
        )  # fmt: skip
        for place, one in enumerate(image.children):
            corners = self._place(one)
            if corners is not None:
                sheet.marks.append(
                    Mark(one.attributes.get("label", "").strip(), corners, where=f"{one.tag} {place + 1}")
                )
        return sheet

    def _place(self, one: Element) -> Place | None:
        about = one.attributes
        if one.tag == "box":
            a, b, c, d = (number(about.get(word)) for word in ("xtl", "ytl", "xbr", "ybr"))
            angle = number(about.get("rotation", 0))
            if not angle % 360:
                return a, b, c, d
            self._n_turned += 1
            return turned((a, b, c, d), angle, ((a + c) / 2, (b + d) / 2))
        if one.tag == "polygon":
            points = [tuple(map(number, pair.split(","))) for pair in about.get("points", "").split(";")]
            self._n_outlines += 1
            return around([(pair[0], pair[1]) for pair in points if len(pair) == 2] or [(math.nan, math.nan)])
        if one.tag == "mask":
            left, top, width, height = (number(about.get(word)) for word in ("left", "top", "width", "height"))
            self._n_outlines += 1
            return left, top, left + width, top + height
        if one.tag == "ellipse":
            x, y, across, down = (number(about.get(word)) for word in ("cx", "cy", "rx", "ry"))
            self._n_outlines += 1
            return x - across, y - down, x + across, y + down
        self._n_others += one.tag in ("points", "polyline", "cuboid", "skeleton")
        return None

    def _add_film(self, key: str, top: Element, tracks: list[Element]) -> None:
        task = top.first("meta", "task") or top.first("meta", "job") or Element("", {})
        marks: dict[int, list[Mark]] = {}
        for track in tracks:
            label = track.attributes.get("label", "").strip()
            for at in self._places(track):
                marks.setdefault(at.frame, []).append(Mark(label, at.place, where=at.where))
        start = number(task.said("start_frame") or 0)
        size = number(task.said("size"))
        last = max(marks, default=0)
        n_frames = int(size) if 0 < size < _MOST_FRAMES else last + 1
        self._n_open += sum(_is_open(track, n_frames - 1) for track in tracks)
        if task.said("frame_filter"):
            self._found.told.append(
                f"{key}: frames were left out when the film was annotated (`{task.said('frame_filter')}`): make sure "
                "that the numbers of the pictures are those of the frames"
            )
        shown = size_of(task.said("original_size", "width"), task.said("original_size", "height"))
        name = task.said("name") or posixpath.basename(key)
        self._films.append((key, name, int(start) if start == start else 0, max(n_frames, last + 1), shown, marks))

    def _places(self, track: Element) -> list[_At]:
        """Return where a thing is in each frame in which it can be seen."""
        about = f"track {track.attributes.get('id', '')}".strip()
        known = []
        for one in track.children:
            corners, frame = self._place(one), number(one.attributes.get("frame"))
            if corners is not None and frame == frame and 0 <= frame < _MOST_FRAMES:
                known.append(
                    _At(int(frame), corners, one.attributes.get("outside") == "1", f"{about} frame {int(frame)}")
                )
        known.sort(key=lambda at: at.frame)
        found: list[_At] = []
        for at, after in zip(known, [*known[1:], None], strict=True):
            if at.is_outside:
                continue
            found.append(at)
            gap = range(at.frame + 1, after.frame) if after is not None and not after.is_outside else range(0)
            for frame in gap:
                assert after is not None  # noqa: S101 - else there is no gap
                share = (frame - at.frame) / (after.frame - at.frame)
                a, b, c, d = (p + share * (q - p) for p, q in zip(at.place, after.place, strict=True))
                found.append(_At(frame, (a, b, c, d), False, f"{about} frame {frame}"))
            self._n_between += len(gap)
        return found


def _is_open(track: Element, last: int) -> bool:
    """Tell whether a track just ends, without a place that says that the thing is gone."""
    ends = [(number(one.attributes.get("frame")), one.attributes.get("outside") == "1") for one in track.children]
    return bool(ends) and max(ends)[0] < last and not max(ends)[1]


def _frames(
    key: str,
    name: str,
    start: int,
    n_frames: int,
    size: Size | None,
    marks: dict[int, list[Mark]],
    pictures: list[str],
    found: Annotations,
) -> list[Sheet]:
    """Give each frame of a film its picture."""
    base = posixpath.dirname(key)
    mine = [one for one in pictures if not base or one.startswith(base + "/")] or pictures
    numbered = {_number(one): one for one in reversed(mine)}
    by_number = [numbered.get(frame) for frame in range(n_frames)]
    first = min(numbered, default=0)
    if first > 0 and sorted(numbered) == list(range(first, first + n_frames)) and len(mine) == n_frames:
        files: list[str | None] = [numbered[first + frame] for frame in range(n_frames)]
        found.told.append(f"{key}: the pictures count from {first}, the frames from 0: taken one by one in their order")
    elif len(numbered) == len(mine) and any(by_number):
        files = by_number
        if first == 1:
            found.told.append(
                f"{key}: the pictures count from 1, the frames from 0: taken by their numbers, so that the first frame "
                "has no picture; look whether the boxes are those of the picture before"
            )
    elif len(mine) == n_frames:
        files = list(mine)
        found.told.append(f"{key}: no numbers name the frames of the film, so the pictures are taken in their order")
    else:
        files = [None] * n_frames
    return [
        Sheet(file or f"{name} frame {frame + start}", key, marks.get(frame, []), size=size, sequence=name)
        for frame, file in enumerate(files)
        if file or marks.get(frame)
    ]


def _number(picture: str) -> int:
    stem = posixpath.splitext(posixpath.basename(picture))[0]
    digits = stem[len(stem.rstrip("0123456789")) :]
    return int(digits) if digits and len(digits) < 18 else -1


def _names(top: Element) -> list[str]:
    found = []
    for where in ("task", "job", "project"):
        labels = top.first("meta", where, "labels")
        found += [one.said("name") for one in (labels.all("label") if labels is not None else ())]
    return [name for name in found if name]
