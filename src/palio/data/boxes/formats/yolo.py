"""YOLO: a text file for each picture, with a line a box: number of the class, centre and size in fractions.

Names of classes stand in a YAML file, in `classes.txt` or in `obj.names`, the one nearest to the texts; without any,
classes are known by their numbers.
"""

from __future__ import annotations

import math
import posixpath
import re
from collections import Counter
from collections.abc import Mapping

from palio import measure
from palio.core.errors import InputError
from palio.core.words import counted
from palio.data.boxes.formats import classes
from palio.data.boxes.formats.numbers import number
from palio.data.boxes.names import Value, lines_of, named, yaml_of
from palio.data.boxes.sheets import Annotations, Mark, Notation, Sheet, around
from palio.data.pictures.layout import PART_WORDS

_NAMES = ("classes.txt", "predefined_classes.txt", "obj.names", "_darknet.labels", "labels.names")
_ALIKE = 0.5
"""Share of the texts beside pictures that must hold boxes for them to be annotation."""
_BLANK = 0.3
"""Share of the pictures of a folder that may have no text, for these to be empty. Where surely more have none (the 95 %
interval of the share lies above it), or all, they are not annotated yet."""
_LONGEST = 10_000_000
_KEYS = re.compile(rb"^(names|nc|kpt_shape|train|val)\s*:", re.MULTILINE)


class Yolo:
    """Reads texts of YOLO: boxes, outlines and turned boxes (read as the box around them), with or without points."""

    def __init__(self) -> None:
        self._found = Annotations("YOLO text", Notation("fractions", "centre and size"), is_by_file=False)
        self._texts: dict[str, bytes] = {}
        self._names: dict[str, dict[str, str]] = {}
        self._yaml: dict[str, dict[str, Value]] = {}
        self._n_outlines = self._n_sure = 0

    def takes(self, key: str, data: bytes) -> bool:
        """Take in a text, or a file of names; which texts are annotation is told by the pictures."""
        name = posixpath.basename(key).lower()
        if name.endswith((".yaml", ".yml")) and _KEYS.search(data):
            held = yaml_of(data, key)
            if any(word in held for word in ("names", "train", "val", "kpt_shape")):
                self._yaml[key] = held
                if "names" in held:
                    self._add_names(key, named(held["names"]), held)
        elif name in _NAMES or name.endswith(".names"):
            self._add_names(key, {str(at): line for at, line in enumerate(lines_of(data))}, {})
        elif name.endswith(".txt") and len(data) <= _LONGEST:
            self._texts[key] = data
        return False

    def finish(self, pictures: list[str]) -> Annotations | None:
        """Return what was found in the texts that belong to pictures, and in others that look like them."""
        places = _Places(pictures)
        n_points = self._n_points()
        alike = Counter[bool]()
        strays: list[Sheet] = []
        for key, data in self._texts.items():
            picture = places.of(key)
            part = PART_WORDS.get(posixpath.splitext(posixpath.basename(key))[0].lower())
            if part and picture is None and not _holds_boxes(data):
                self._found.parts |= {line.strip(): part for line in data.decode("utf-8-sig", "replace").splitlines()}
                self._found.read.add(key)
                continue
            text = data.decode("utf-8-sig", "replace")
            if picture is None:
                if _holds_boxes(data):
                    strays.append(self._sheet(key, posixpath.splitext(key)[0], text, n_points))
                continue
            if text.strip():
                alike[_holds_boxes(data)] += 1
            self._found.sheets.append(self._sheet(key, picture, text, n_points))
        if not alike[True] or alike[True] < _ALIKE * alike.total():
            return None
        self._found.sheets += strays
        self._add_empty(pictures)
        self._found.read |= {sheet.origin for sheet in self._found.sheets} | set(self._names) | set(self._yaml)
        self._name()
        self._add_parts(pictures)
        return self._found

    def _add_names(self, key: str, names: dict[str, str], held: Mapping[str, Value]) -> None:
        count = held.get("nc")
        if isinstance(count, str) and count.isdecimal() and int(count) != len(names):
            raise InputError(
                f"{key}: `nc` says {counted(int(count), 'class')}, `names` holds {len(names)}",
                hint="correct the one that is wrong",
            )
        self._names[key] = {number: name.strip() for number, name in names.items() if name.strip()}

    def _n_points(self) -> int:
        """Return how many numbers of points follow each box; 0: none do."""
        for held in self._yaml.values():
            shape = held.get("kpt_shape")
            if isinstance(shape, list) and all(one.isdecimal() for one in shape):
                return math.prod(map(int, shape))
        return 0

    def _sheet(self, key: str, picture: str, text: str, n_points: int) -> Sheet:
        sheet = Sheet(picture, key)
        for place, line in enumerate(text.splitlines()):
            words = line.replace(",", " ").split()
            if not words:
                continue
            where = f"line {place + 1}"
            numbers = [number(word) for word in words]
            if len(words) < 5 or not numbers[0].is_integer() or any(math.isnan(one) for one in numbers):
                sheet.problem = sheet.problem or f"{where} is no box: `{line.strip()[:60]}`"
                continue
            a, b, c, d, *more = numbers[1:]
            if len(more) > 1 and len(more) != n_points and len(more) % 2 == 0:
                self._n_outlines += 1
                points = numbers[1:]
                left, top, right, bottom = around(list(zip(points[::2], points[1::2], strict=True)))
                a, b, c, d = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
            elif len(more) == 1:
                self._n_sure += 1
            elif more and len(more) != n_points:
                sheet.problem = (
                    sheet.problem or f"{where}: {len(words)} numbers, which are neither a box nor an outline"
                )
                continue
            sheet.marks.append(Mark("", (a, b, c, d), where=where, number=str(int(numbers[0]))))
        return sheet

    def _name(self) -> None:
        """Give the classes their names."""
        found, counts = self._found, dict[str, Counter[str]]()
        by_folder: dict[str, str] = {}
        for sheet in found.sheets:
            folder = posixpath.dirname(sheet.origin)
            if folder not in by_folder:
                by_folder[folder] = self._nearest(folder)
            source = by_folder[folder]
            names = self._names.get(source, {})
            counts.setdefault(source, Counter()).update(mark.number for mark in sheet.marks)
            sheet.marks = [mark._replace(label=names.get(mark.number, "")) for mark in sheet.marks]
        for source, numbers in counts.items():
            names = self._names.get(source, {})
            if names:
                classes.check(numbers, names, source)
                found.told += classes.never(names, numbers, source)
                found.names.update(dict.fromkeys(names.values()))
        if self._n_outlines:
            found.told.append(f"{counted(self._n_outlines, 'outline')}: read as the box around it")
        if self._n_sure:
            found.told.append(
                f"{counted(self._n_sure, 'box')} with a sixth number, as models write how sure they are: make sure "
                "that these are truths"
            )

    def _nearest(self, folder: str) -> str:
        """Return the file whose names count in a folder: the nearest above it, else the only one."""
        above = [key for key in self._names if _is_above(posixpath.dirname(key), folder)]
        deepest = max((_depth(key) for key in above), default=-1)
        near = [key for key in above if _depth(key) == deepest] or list(self._names)
        if not near:
            return ""
        for other in near[1:]:
            if self._names[other] != self._names[near[0]]:
                raise InputError(
                    f"{near[0]} and {other}: the same numbers are called differently",
                    hint="keep the file that is right",
                )
        return near[0]

    def _add_empty(self, pictures: list[str]) -> None:
        """Take pictures without a text for such in which nothing is, where a YAML file names their folder.

        So it is by definition of the format. A folder in which surely many have none is not annotated yet: few pictures
        are no evidence of that. What is thought of each folder is told.
        """
        known = {sheet.file for sheet in self._found.sheets}
        n_added = 0
        for key, held in self._yaml.items():
            tails = [_tail(one) for word in ("train", "val", "test") for one in _listed(held.get(word))]
            folders: dict[str, list[str]] = {}
            for picture in pictures:
                if any(tail and f"/{picture}".find(f"/{tail}/") >= 0 for tail in tails):
                    folders.setdefault(posixpath.dirname(picture), []).append(picture)
            for folder, some in folders.items():
                without = [picture for picture in some if picture not in known]
                if not without:
                    continue
                told = f"{folder or 'the folder'}: {len(without):,} of {counted(len(some), 'picture')} "
                told += "has no text" if len(without) == 1 else "have no text"
                if len(without) == len(some) or measure.wilson(len(without), len(some))[0] > _BLANK:
                    self._found.told.append(
                        f"{told}, too many for pictures in which nothing is: taken as not annotated yet; where nothing "
                        "is, say so by an empty text"
                    )
                    continue
                if len(without) > _BLANK * len(some):
                    self._found.told.append(
                        f"{told}: many, but of so few pictures that it is no sign of unfinished annotation; taken as "
                        "pictures in which nothing is"
                    )
                self._found.sheets += [Sheet(picture, key) for picture in without]
                known.update(without)
                n_added += len(without)
        if n_added:
            have, them = ("has", "it") if n_added == 1 else ("have", "them")
            self._found.told.append(
                f"YOLO text: {counted(n_added, 'picture')} {have} no text, which in this form says that nothing is in "
                f"{them}: take away those that nobody has looked at"
            )

    def _add_parts(self, pictures: list[str]) -> None:
        """Take the parts that a YAML file names by folder."""
        for held in self._yaml.values():
            folders: dict[str, set[str]] = {}
            for word in ("train", "val", "test"):
                for one in _listed(held.get(word)):
                    folders.setdefault(_tail(one), set()).add(PART_WORDS[word])
            for picture in pictures:
                of = [parts for tail, parts in folders.items() if tail and f"/{picture}".find(f"/{tail}/") >= 0]
                if len(of) == 1 and len(of[0]) == 1:
                    self._found.parts.setdefault(picture, *of[0])


class _Places:
    """Finds the picture that a text belongs to: beside it, below `images` for `labels`, or the only one of its name."""

    def __init__(self, pictures: list[str]) -> None:
        self._by_stem: dict[str, list[str]] = {}
        self._by_path: dict[str, str] = {}
        for picture in pictures:
            path = posixpath.splitext(picture)[0]
            self._by_path.setdefault(path, picture)
            self._by_stem.setdefault(posixpath.basename(path), []).append(picture)

    def of(self, key: str) -> str | None:
        path = posixpath.splitext(key)[0]
        if path in self._by_path:
            return self._by_path[path]
        parts = path.split("/")
        for at in range(len(parts) - 2, -1, -1):
            if parts[at].lower() in ("labels", "label", "annotations"):
                for other in ("images", "image", "JPEGImages", "imgs"):
                    found = self._by_path.get("/".join([*parts[:at], other, *parts[at + 1 :]]))
                    if found:
                        return found
        same = self._by_stem.get(parts[-1], [])
        return same[0] if len(same) == 1 else None


def _holds_boxes(data: bytes) -> bool:
    """Tell whether the first line is the number of a class and at least four numbers."""
    for line in data[:100_000].decode("utf-8-sig", "replace").splitlines():
        words = line.replace(",", " ").split()
        if words:
            numbers = [number(word) for word in words]
            return len(words) >= 5 and numbers[0].is_integer() and all(map(math.isfinite, numbers))
    return False


def _listed(value: Value | None) -> list[str]:
    """Return what a YAML file names in one place: nothing, one or several."""
    return value if isinstance(value, list) else [value] if isinstance(value, str) else []


def _is_above(folder: str, other: str) -> bool:
    return not folder or other == folder or other.startswith(folder + "/")


def _depth(key: str) -> int:
    return len(posixpath.dirname(key).split("/")) if posixpath.dirname(key) else 0


def _tail(path: str) -> str:
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return "/".join(parts[-2:])
