"""A table with a row for each box: what its columns are called says what they hold, whatever tool wrote it."""

from __future__ import annotations

import csv
import io
import json
import math
import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from palio.core.errors import InputError
from palio.core.words import counted, listed
from palio.data.boxes.formats.numbers import NO_PLACE, four, number, size_of
from palio.data.boxes.sheets import Annotations, Form, Mark, Notation, Place, Sheet, Unit
from palio.data.pictures.albums import PICTURES

_FILE = (
    "filename", "file", "imagepath", "imagefilename", "path", "image", "img", "imageid", "imagename",
    "picture", "frame", "framename", "filepath", "imgpath", "imagefile", "imgname", "imgid", "name",
    "imagefilepath", "fname", "photo", "photoid", "patientid",
)  # fmt: skip
_LABEL = (
    "class", "label", "classname", "labelname", "category", "categoryname", "name", "species", "object",
    "objectclass", "cls", "type", "tag",
)  # fmt: skip
_NUMBER = ["classid", "labelid", "categoryid", "classindex"]
_PART = ["part", "split", "subset", "set", "partition"]
_IGNORED = ["isgroupof", "iscrowd", "difficult", "isdifficult", "ignore", "ignored"]
_WIDTH, _HEIGHT = (["imagewidth", "imgwidth", "picturewidth"], ["imageheight", "imgheight", "pictureheight"])
_BOX = ["bbox", "box", "boundingbox", "boxes"]
_CORNERS: tuple[tuple[str, ...], ...] = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("x1", "y1", "x2", "y2"),
    ("x0", "y0", "x1", "y1"),
    ("left", "top", "right", "bottom"),
    ("xtl", "ytl", "xbr", "ybr"),
    ("minx", "miny", "maxx", "maxy"),
    ("topleftx", "toplefty", "bottomrightx", "bottomrighty"),
    ("boxxmin", "boxymin", "boxxmax", "boxymax"),
    ("bboxxmin", "bboxymin", "bboxxmax", "bboxymax"),
    ("bboxx1", "bboxy1", "bboxx2", "bboxy2"),
    ("roix1", "roiy1", "roix2", "roiy2"),
    ("xstart", "ystart", "xend", "yend"),
)
_SIZED: tuple[tuple[str, ...], ...] = (
    ("x", "y", "width", "height"),
    ("x", "y", "w", "h"),
    ("left", "top", "width", "height"),
    ("xmin", "ymin", "width", "height"),
    ("xmin", "ymin", "w", "h"),
    ("bboxx", "bboxy", "bboxwidth", "bboxheight"),
    ("bboxx", "bboxy", "bboxw", "bboxh"),
    ("boxx", "boxy", "boxwidth", "boxheight"),
)
_CENTRED: tuple[tuple[str, ...], ...] = (
    ("cx", "cy", "w", "h"),
    ("cx", "cy", "width", "height"),
    ("xcenter", "ycenter", "width", "height"),
    ("xcenter", "ycenter", "w", "h"),
    ("centerx", "centery", "width", "height"),
    ("xc", "yc", "w", "h"),
    ("xc", "yc", "width", "height"),
    ("xcentre", "ycentre", "width", "height"),
)
_SHAPES: tuple[tuple[Form, tuple[tuple[str, ...], ...]], ...] = (
    ("corners", _CORNERS),
    ("centre and size", _CENTRED),
    ("corner and size", _SIZED),
)
_MARKS = str.maketrans("", "", "_- .()[]/")
_UNITS = re.compile(r"(px|pixels?|norm(?:alized|alised|ed)?|rel(?:ative)?)$")
_SIGNS = ",;\t|"
_LONGEST = 10_000_000
_THING = "object"


class _Head(NamedTuple):
    """Which cell of a row says what; -1: none does."""

    file: int
    label: int
    number: int
    box: tuple[int, ...]
    form: Form
    is_sure: bool
    """Whether the names say whether a corner or the centre is meant."""
    size: tuple[int, int] = (-1, -1)
    part: int = -1
    ignored: tuple[int, ...] = ()
    kind: str = ""
    """`one`: the box is one cell; `via`: the box and its class are JSON, as VGG's annotator writes them."""


class Rows:
    """Reads CSV files with a row a box; a row with a picture alone says that there is nothing in it."""

    def __init__(self) -> None:
        self._found = Annotations("CSV of boxes", Notation("pixels", "corners"))

    def takes(self, key: str, data: bytes) -> bool:
        """Take in a table whose columns are those of boxes."""
        if not key.lower().endswith((".csv", ".tsv", ".txt")):
            return False
        first = data[:_LONGEST].lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")[0]
        if first.count(b",") + first.count(b";") + first.count(b"\t") + first.count(b"|") < 2:
            return False
        text = _text(data)
        sign = max(_SIGNS, key=text.partition("\n")[0].count)
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=sign)
        try:
            head = next((row for row in rows if any(cell.strip() for cell in row)), [])
            found, begun = _head(head), [] if _head(head) else [head]
            found = found or _headless(head)
            if found is None:
                return False
            self._add(key, found, [*begun, *rows])
        except csv.Error as error:
            raise InputError(f"{key}: no CSV: {error}", hint="export the table again") from None
        self._found.read.add(key)
        return True

    def finish(self, pictures: list[str]) -> Annotations | None:  # noqa: ARG002 - rows name them
        """Return what was found."""
        return self._found if self._found.sheets else None

    def _add(self, key: str, head: _Head, rows: Sequence[Sequence[str]]) -> None:
        sheets: dict[str, Sheet] = {}
        n_short = 0
        for place, row in enumerate(rows):
            if not any(cell.strip() for cell in row):
                continue
            if len(row) <= max(head.file, *head.box):
                n_short += 1
                continue
            file = row[head.file].strip()
            sheet = sheets.setdefault(file, Sheet(file, key, base=posixpath.dirname(key)))
            sheet.size = sheet.size or size_of(*(row[at] if 0 <= at < len(row) else None for at in head.size))
            part = row[head.part].strip() if 0 <= head.part < len(row) else ""
            sheet.part = sheet.part or part
            self._mark(sheet, head, row, f"data row {place + 1}")
        if n_short:
            raise InputError(
                f"{key}: {counted(n_short, 'row')} {'has' if n_short == 1 else 'have'} too few cells",
                hint="check what parts cells, and quotes",
            )
        if head.label < 0 and head.number < 0 and head.kind != "via" and any(sheet.marks for sheet in sheets.values()):
            self._found.told.append(f"{key}: no column says what the boxes hold, so all of it is called `{_THING}`")
        self._found.sheets += sheets.values()
        self._found.notations[key] = _meanings(head)

    def _mark(self, sheet: Sheet, head: _Head, row: Sequence[str], where: str) -> None:
        cells = [row[at].strip() for at in head.box]
        label = row[head.label].strip() if 0 <= head.label < len(row) else ""
        numbered = row[head.number].strip() if 0 <= head.number < len(row) else ""
        if all(cell.lower() in ("", "nan", "null", "none", "{}", "[]", "na") for cell in cells):
            return  # somebody looked, and there is nothing
        if head.kind == "via":
            place, label = _via(cells[0], label)
        else:
            place = _one(cells[0]) if head.kind == "one" else four([_decimal(cell) for cell in cells])
        if any(map(math.isnan, place)):
            sheet.problem = sheet.problem or f"{where}: no four numbers: {listed(f'`{cell[:30]}`' for cell in cells)}"
            return
        is_ignored = any(row[at].strip().lower() in ("1", "true", "yes") for at in head.ignored if at < len(row))
        if not label and not numbered and head.label >= 0:
            sheet.problem = sheet.problem or f"{where} has no label"
        one = "" if head.label >= 0 or head.number >= 0 else _THING
        sheet.marks.append(Mark(label or one, place, is_ignored, where, numbered))


def _head(cells: Sequence[str]) -> _Head | None:
    """Tell the columns by their names; None: they are not those of boxes."""
    names = [cell.strip().strip('"').casefold().translate(_MARKS) for cell in cells]
    bare = [_UNITS.sub("", name) or name for name in names]

    def at(words: Sequence[str], *, but: Sequence[int] = ()) -> int:
        return next((names.index(word) for word in words if word in names and names.index(word) not in but), -1)

    if "regionshapeattributes" in names and "filename" in names:
        return _Head(
            names.index("filename"), at(["regionattributes"]), -1, (names.index("regionshapeattributes"),),
            "corner and size", True, kind="via",
        )  # fmt: skip
    box, form, kind = _box_of(bare)
    if not box:
        return None
    file = at(_FILE, but=box)
    if file < 0:
        return None
    size = at(_WIDTH, but=box), at(_HEIGHT, but=box)
    if size == (-1, -1):
        size = at(["width"], but=box), at(["height"], but=box)
    ignored = tuple(names.index(word) for word in _IGNORED if word in names)
    label = at(_LABEL, but=(*box, file))
    is_sure = kind != "one" and not (form == "corner and size" and bare[box[0]] in ("x", "bboxx", "boxx"))
    return _Head(file, label, at(_NUMBER), box, form, is_sure, size, at(_PART, but=(file, label)), ignored, kind)


def _box_of(names: Sequence[str]) -> tuple[tuple[int, ...], Form, str]:
    for form, ways in _SHAPES:
        for way in ways:
            if all(word in names for word in way):
                return tuple(names.index(word) for word in way), form, ""
    one = next((names.index(word) for word in _BOX if word in names), -1)
    return ((one,), "corner and size", "one") if one >= 0 else ((), "corners", "")


def _headless(cells: Sequence[str]) -> _Head | None:
    """Tell the columns of a table without names by what its first row holds, in the orders that tools write.

    A picture, four numbers and a class; a class, four numbers, a picture and its size; a part, a picture, a class and
    four corners, of which two may be left out.
    """

    def is_picture(at: int) -> bool:
        return f".{cells[at].strip().rpartition('.')[2].lower()}" in PICTURES

    def are_numbers(*places: int) -> bool:
        return not any(cells[at].strip() and math.isnan(number(cells[at])) for at in places)

    if len(cells) == 6 and is_picture(0) and are_numbers(1, 2, 3, 4):
        return _Head(0, 5, -1, (1, 2, 3, 4), "corners", False)
    if len(cells) == 8 and is_picture(5) and are_numbers(1, 2, 3, 4, 6, 7):
        return _Head(5, 0, -1, (1, 2, 3, 4), "corner and size", True, (6, 7))
    if len(cells) == 11 and is_picture(1) and are_numbers(*range(3, 11)):
        return _Head(1, 2, -1, (3, 4, 7, 8), "corners", True, part=0)
    return None


def _meanings(head: _Head) -> tuple[Notation, ...]:
    units: tuple[Unit, ...] = ("pixels", "fractions")
    forms: tuple[Form, ...] = (head.form,)
    if not head.is_sure:
        forms = (head.form, *(one for one in ("corners", "corner and size", "centre and size") if one != head.form))
    return tuple(Notation(unit, form) for form in forms for unit in units)


def _via(shape: str, attributes: str) -> tuple[Place, str]:
    try:
        held, about = json.loads(shape or "{}"), json.loads(attributes or "{}")
    except (ValueError, RecursionError):
        return NO_PLACE, ""
    if not isinstance(held, Mapping) or not isinstance(about, Mapping):
        return NO_PLACE, ""
    names = [str(value).strip() for value in about.values() if isinstance(value, str)]
    return four([held.get(word) for word in ("x", "y", "width", "height")]), names[0] if names else ""


def _one(cell: str) -> Place:
    try:
        return four(msgspec.json.decode(cell))
    except msgspec.MsgspecError:
        return four(re.split(r"[\s,;]+", cell.strip("[](){} ")))


def _decimal(cell: str) -> str:
    return cell.replace(",", ".") if cell.count(",") == 1 and "." not in cell else cell


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
