"""COCO JSON: `images`, `annotations` with `bbox` (left, top, width, height in pixels), `categories`."""

from __future__ import annotations

import posixpath
from collections import Counter
from typing import Any

import msgspec

from palio.core.errors import InputError
from palio.core.words import counted, listed
from palio.data.boxes.formats import classes
from palio.data.boxes.formats.numbers import four, identity, size_of
from palio.data.boxes.sheets import Annotations, Mark, Notation, Place, Sheet, around


class _Image(msgspec.Struct):
    id: Any = None
    file_name: Any = None
    width: Any = None
    height: Any = None
    coco_url: Any = None


class _Category(msgspec.Struct):
    id: Any = None
    name: Any = None


class _Annotation(msgspec.Struct):
    id: Any = None
    image_id: Any = None
    category_id: Any = None
    bbox: Any = None
    iscrowd: Any = 0
    ignore: Any = 0
    area: Any = None
    segmentation: msgspec.Raw = msgspec.Raw(b"null")


class _File(msgspec.Struct):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category] = []


class Coco:
    """Reads COCO JSON; several files, as one a part, are one set, whose classes are known by name."""

    def __init__(self) -> None:
        self._found = Annotations("COCO JSON", Notation("pixels", "corner and size"))

    def takes(self, key: str, data: bytes) -> bool:
        """Take in a file that holds images and annotations."""
        if not key.lower().endswith(".json") or not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
            return False
        has_boxes = b'"annotations"' in data and b'"image_id"' in data
        if b'"images"' not in data or not (has_boxes or b'"categories"' in data):
            return False
        try:
            held = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=_File)
        except msgspec.ValidationError:
            return False
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise InputError(f"{key}: broken JSON: {error}", hint="export the annotation again") from None
        if held.annotations and all(
            one.bbox is None and bytes(one.segmentation) in _NOTHING for one in held.annotations
        ):
            return False  # captions, or marks of whole pictures
        self._add(key, held)
        self._found.read.add(key)
        return True

    def finish(self, pictures: list[str]) -> Annotations | None:  # noqa: ARG002 - files name them
        """Return what was found."""
        return self._found if self._found.sheets else None

    def _add(self, key: str, held: _File) -> None:
        names = _names(held.categories, key)
        self._found.names.update(dict.fromkeys(names.values()))
        sheets: dict[str, Sheet] = {}
        for image in held.images:
            name = identity(image.id)
            if not isinstance(image.file_name, str) or not image.file_name:
                raise InputError(f"{key}: image `{name}` has no `file_name`", hint="export the annotation again")
            sheet = Sheet(image.file_name, key, size=size_of(image.width, image.height), base=posixpath.dirname(key))
            if name in sheets and sheets[name].file == sheet.file:
                continue  # there twice, and the same
            if name in sheets:
                raise InputError(
                    f"{key}: two images have the id {name}: `{sheets[name].file}` and `{image.file_name}`, so that "
                    "nobody knows whose boxes are whose",
                    hint="give each image an id of its own",
                )
            sheets[name] = sheet
        numbers = Counter(identity(one.category_id) for one in held.annotations)
        if numbers and not names:
            raise InputError(
                f"{key}: no `categories` name the classes {listed(f'`{number}`' for number in sorted(numbers))}",
                hint="export the annotation again, with its categories",
            )
        classes.check(numbers, names, key)
        told, lost = _Told(key), 0
        for place, one in enumerate(held.annotations):
            found = sheets.get(identity(one.image_id))
            if found is None:
                lost += 1
                continue
            number = identity(one.category_id)
            where = f"annotation {identity(one.id) or place}"
            found.marks.append(
                Mark(
                    names.get(number, ""), told.place(one), _is_true(one.iscrowd) or _is_true(one.ignore), where, number
                )
            )
        self._found.told += [*told.sentences(), *classes.never(names, numbers, key)]
        if lost:
            self._about_lost(key, lost, len(held.annotations), sheets)
        self._found.sheets += sheets.values()

    def _about_lost(self, key: str, lost: int, n: int, sheets: dict[str, Sheet]) -> None:
        if lost > n / 2:
            raise InputError(
                f"{key}: {counted(lost, 'annotation')} of {n:,} name an image that is not among its `images`",
                hint="the ids of images and annotations do not belong together: export them again",
            )
        empty = [sheet for sheet in sheets.values() if not sheet.marks]
        for sheet in empty:
            sheet.is_looked_at = False
        said = f"; {counted(len(empty), 'picture')} without any box may have lost theirs, and count as not looked at"
        self._found.told.append(
            f"{key}: {counted(lost, 'annotation')} of {n:,} {'names' if lost == 1 else 'name'} an image that is not "
            f"among its `images`: left out{said if empty else ''}"
        )


class _Told:
    """Finds the place of each annotation, and remembers what is odd about it."""

    def __init__(self, key: str) -> None:
        self._key = key
        self.n_outlines = self.n_apart = self.n_areas = 0
        self.example = ""

    def place(self, one: _Annotation) -> Place:
        """Return the numbers of a box; those of the outline where there is no box."""
        outline = _outline(one.segmentation)
        if one.bbox is None and outline is not None:
            self.n_outlines += 1
            return outline[0], outline[1], outline[2] - outline[0], outline[3] - outline[1]
        place = four(one.bbox)
        if outline is not None and outline[2] > outline[0] and outline[3] > outline[1]:
            left, top, width, height = place
            off = max(
                abs(left - outline[0]), abs(top - outline[1]), abs(left + width - outline[2]),
                abs(top + height - outline[3]),
            )  # fmt: skip
            if not off <= 2 + 0.1 * max(outline[2] - outline[0], outline[3] - outline[1]):
                self.n_apart += 1
                self.example = self.example or f"annotation {identity(one.id)}"
        elif (
            isinstance(one.area, int | float)
            and one.area > 1
            and outline is None
            and bytes(one.segmentation) in _NOTHING
        ):
            area = place[2] * place[3]
            if not abs(area - one.area) <= 2 + 0.02 * max(area, one.area):
                self.n_areas += 1
                self.example = self.example or f"annotation {identity(one.id)}"
        return place

    def sentences(self) -> list[str]:
        """Say what was odd."""
        said = []
        if self.n_outlines:
            said.append(f"{self._key}: {counted(self.n_outlines, 'outline')} without a box: read as the box around it")
        if self.n_apart:
            said.append(
                f"{self._key}: {counted(self.n_apart, 'box')} {'lies' if self.n_apart == 1 else 'lie'} elsewhere than "
                f"the outline beside, e.g. {self.example}: are `bbox` left, top, width, height?"
            )
        if self.n_areas:
            said.append(
                f"{self._key}: {counted(self.n_areas, 'box')} of another area than `area` says, e.g. {self.example}: "
                "are `bbox` left, top, width, height in pixels?"
            )
        return said


_NOTHING = (b"null", b"[]")


class _Runs(msgspec.Struct):
    size: tuple[int, int]
    counts: list[int] | str


def _outline(raw: msgspec.Raw) -> Place | None:
    """Return the box around polygons, or a mask in runs; None: there are none, or they hold nothing."""
    if not bytes(raw).lstrip().startswith(b"[["):
        return _around_mask(raw)
    try:
        polygons = msgspec.json.decode(raw, type=list[list[float]])
    except msgspec.MsgspecError:
        return None
    points = [pair for one in polygons for pair in zip(one[::2], one[1::2], strict=False)]
    return around(points) if points else None


def _around_mask(raw: msgspec.Raw) -> Place | None:
    """Return the box around a mask in runs: of nothing and of something by turns, down each column of pixels."""
    if not bytes(raw).lstrip().startswith(b"{"):
        return None
    try:
        held = msgspec.json.decode(raw, type=_Runs)
    except msgspec.MsgspecError:
        return None
    height, width = held.size
    runs = held.counts if isinstance(held.counts, list) else _unpacked(held.counts)
    if runs is None or height < 1 or width < 1 or any(run < 0 for run in runs) or sum(runs) > height * width:
        return None
    columns: list[int] = []
    tops, bottoms, at = height, 0, 0
    for turn, run in enumerate(runs):
        if turn % 2 and run:
            first, last = divmod(at, height), divmod(at + run - 1, height)
            columns += (first[0], last[0])
            is_whole = first[0] != last[0]
            tops = min(tops, 0 if is_whole else first[1])
            bottoms = max(bottoms, height if is_whole else last[1] + 1)
        at += run
    return (float(min(columns)), float(tops), float(max(columns) + 1), float(bottoms)) if columns else None


def _unpacked(text: str) -> list[int] | None:
    """Return runs that are written in signs: five bits each, the lowest first; from the fourth on the growth of each.

    None: the signs are none of these.
    """
    runs: list[int] = []
    value = shift = 0
    for sign in text:
        code = ord(sign) - 48
        if not 0 <= code < 64 or shift > 60:
            return None
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return None if shift else runs


def _names(categories: list[_Category], key: str) -> dict[str, str]:
    names: dict[str, str] = {}
    for one in categories:
        number, name = identity(one.id), str(one.name).strip() if one.name is not None else ""
        if names.get(number, name) != name:
            raise InputError(
                f"{key}: category {number} has two names, `{names[number]}` and `{name}`",
                hint="give each category an id of its own",
            )
        if name:
            names[number] = name
    twice = [name for name, n in Counter(names.values()).items() if n > 1]
    if twice:
        shown = listed(f"`{name}`" for name in twice)
        raise InputError(
            f"{key}: {shown} {'names' if len(twice) == 1 else 'name'} more than one category",
            hint="give each category a name of its own, or make them one",
        )
    return names


def _is_true(value: Any) -> bool:
    return value in (1, True, "1", "true")
