"""Tell labels and parts from the folders that pictures lie in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from palio.core.errors import InputError
from palio.core.words import counted, listed

PART_WORDS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "holdout"), "test"),
}
"""What a folder, or a cell, is called → the part that it means."""
_WORDS = re.compile(r"[_\-. ]+|(?<=[a-z])(?=\d)|(?<=\d)(?=[a-z])")
_YEAR = re.compile(r"(19|20)\d\d$")
_FILLERS = frozenset(("set", "data", "dataset", "image", "images", "img", "imgs", "picture", "pictures", "photos"))
_FEW = 0.1
"""Share of the pictures that may lie beside the folders of all others without telling what these mean."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What the folders say of one picture; empty: nothing."""

    label: str
    part: str
    folder: str
    """Below that of its class."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the folders of an album mean."""

    depth: int
    """Folders that all pictures share."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """Folder → the part that it means."""
    wraps: Mapping[str, int] = field(default_factory=dict)
    """Folder of a part → folders below it that hold all of it, and mean nothing."""
    classes: frozenset[str] = frozenset()
    """What lies in the folders of parts."""
    is_below: bool = False
    """Whether parts lie in the folders of classes, not classes in those of parts."""
    has_folders: bool = False
    """Whether some pictures lie deeper than in the folder of their class."""

    @property
    def has_parts(self) -> bool:
        """Whether folders cut the pictures into parts."""
        return len(set(self.parts.values())) > 1

    def place(self, key: str) -> Placed:
        """Return what the folders of a picture say."""
        folders = _folders(key)[self.depth :]
        if not self.parts:
            return Placed(folders[0] if folders else "", "", "/".join(folders[1:]))
        if self.is_below:
            part = self.parts.get(folders[1], "") if len(folders) > 1 else ""
            return Placed(folders[0] if folders else "", part, "/".join(folders[2 if part else 1 :]))
        if folders and folders[0] in self.parts:
            inside = folders[1 + self.wraps.get(folders[0], 0) :]
            return Placed(inside[0] if inside else "", self._part(folders[:1]), "/".join(inside[1:]))
        at = next((at for at, name in enumerate(folders) if name in self.classes), None)
        if at is None:  # beside the parts: it has no label
            return Placed("", "", "/".join(folders))
        return Placed(folders[at], self._part(folders[:at]), "/".join(folders[at + 1 :]))

    def _part(self, above: Sequence[str]) -> str:
        return next((self.parts[name] for name in above if name in self.parts), "") if self.has_parts else ""


def part_named(name: str) -> str:
    """Return the part that a folder or file means by what it is called; empty: none.

    Example:
        >>> part_named("Training_Set"), part_named("val2017"), part_named("test-images"), part_named("train station")
        ('train', 'validation', 'test', '')
    """
    part, rest = _part_and_rest(name)
    return part if not rest else ""


def layout_of(keys: Sequence[str], where: str, *, needs_classes: bool = True, beside: str = "") -> Layout:
    """Find out what the folders mean: one for each class, perhaps below, or above, one for each part.

    Args:
        keys: Paths of the pictures.
        where: The album, for people.
        needs_classes: Whether there must be two classes at least.
        beside: What to do with files that lie beside the pictures; a hint.

    Raises:
        InputError: they tell no two classes apart, which is asked for unless the classes are known already.
    """
    paths = [_folders(key) for key in keys]
    depth = _shared(paths)
    below = [path[depth:] for path in paths if len(path) > depth]
    parts = _parts(below)
    layout = Layout(depth)
    if parts:
        wraps = _wraps(below, parts)
        inside = [path[1 + wraps[path[0]] :] for path in below if path[0] in parts]
        layout = Layout(depth, parts, wraps, frozenset(path[0] for path in inside if path))
    elif parts := _parts_below(below):
        layout = Layout(depth, parts, is_below=True)
    placed = [layout.place(key) for key in keys]
    if needs_classes:
        _check_labels(placed, where, beside)
    has_folders = any(one.folder for one in placed if one.label)
    return Layout(depth, layout.parts, layout.wraps, layout.classes, layout.is_below, has_folders)


def _parts(paths: Sequence[tuple[str, ...]]) -> dict[str, str]:
    """Return the folders that mean parts: called alike but for the word, with folders of classes in them."""
    firsts = {path[0] for path in paths}
    ways: dict[tuple[str, ...], dict[str, str]] = {}
    for name in sorted(firsts):
        part, rest = _part_and_rest(name)
        if part:
            ways.setdefault(rest, {})[name] = part
    found = max(ways.values(), key=lambda way: (len(set(way.values())), len(way)), default={})
    inside = {name: {folder for path in paths if path[0] == name for folder in path[1:]} for name in firsts}
    classes = Counter(label for name in found for label in inside[name])
    if not classes:
        return {}
    beside = firsts - found.keys()
    if len(set(found.values())) < 2:  # pictures to learn from, and others that nobody has sorted
        is_alone = len(classes) > 1 and beside and not any(inside[name] for name in beside)
        return found if is_alone or (len(found) > 1 and not beside) else {}
    is_shared = any(n > 1 for n in classes.values()) or sum(bool(inside[name]) for name in found) == 1
    return found if not beside or (len(classes) > 1 and is_shared) else {}


def _parts_below(paths: Sequence[tuple[str, ...]]) -> dict[str, str]:
    """Return the folders that mean parts where each class has some of its own."""
    seconds = {path[1] for path in paths if len(path) > 1}
    found = {name: part_named(name) for name in seconds}
    n_deep = sum(len(path) > 1 for path in paths)
    is_so = len({path[0] for path in paths}) > 1 and len(set(found.values())) > 1 and all(found.values())
    return found if is_so and n_deep >= (1 - _FEW) * len(paths) else {}


def _wraps(paths: Sequence[tuple[str, ...]], parts: Mapping[str, str]) -> dict[str, int]:
    """Count the folders in each part that only repeat its name, or that every part has around all of its classes."""
    inside = {name: [path[1:] for path in paths if path[0] == name and len(path) > 1] for name in parts}
    shared = {name: some[0][: _shared(some)] if some else () for name, some in inside.items()}
    everywhere = set.intersection(*(set(names) for names in shared.values()))
    found = {}
    for name, names in shared.items():
        known = [one in everywhere or _part_and_rest(one)[0] == parts[name] for one in names]
        found[name] = known.index(False) if False in known else len(known)
    return found


def _check_labels(placed: Sequence[Placed], where: str, beside: str) -> None:
    labels = sorted({one.label for one in placed if one.label})
    if len(labels) >= 2:
        return
    how = beside or (
        "put the pictures of each class into a folder of its own, or name a table of their labels with --images"
    )
    if not labels:
        raise InputError(
            f"{where}: {counted(len(placed), 'picture')} in one folder: nothing tells which class each has", hint=how
        )
    raise InputError(f"{where}: every picture is of one class, `{labels[0]}`: at least two are needed", hint=how)


def _shared(paths: Sequence[tuple[str, ...]]) -> int:
    """Count the folders that all pictures but a few lie in, the one of their class left out."""
    depth = 0
    while True:
        deeper = [path for path in paths if len(path) > depth + 1]
        n_beside = len(paths) - len(deeper)
        if not deeper or n_beside > max(n_beside == 1, _FEW * len(paths)) or len({path[depth] for path in deeper}) > 1:
            return depth
        beside = {path[depth] for path in paths if len(path) == depth + 1}
        if len(beside - {deeper[0][depth]}) > 0:  # a folder of its own: of a class
            return depth
        depth += 1


def _folders(key: str) -> tuple[str, ...]:
    return tuple(part for part in PurePosixPath(key).parts[:-1] if part not in ("/", "..", "."))


def _part_and_rest(name: str) -> tuple[str, tuple[str, ...]]:
    """Return the part that a name means, and its other words; no part where it holds none, or several."""
    text = _YEAR.sub("", name.strip().casefold())
    words = [word for word in _WORDS.split(text) if word]
    words = [word.removesuffix("set") if word.removesuffix("set") in PART_WORDS else word for word in words]
    known = [word for word in words if word in PART_WORDS]
    rest = tuple(word for word in words if word not in PART_WORDS and word not in _FILLERS)
    return (PART_WORDS[known[0]], rest) if len(known) == 1 else ("", rest)


def told(layout: Layout, placed: Sequence[Placed], where: str) -> list[str]:
    """Say what the folders were taken for, one sentence each."""
    labels = Counter(one.label for one in placed if one.label)
    shown = listed([f"{label} ({n:,})" for label, n in labels.most_common(8)]) + (" …" if len(labels) > 8 else "")
    said = [f"{where}: the folders are taken for classes, {len(labels):,} of them: {shown}"]
    parts = Counter(one.part for one in placed if one.part)
    if parts:
        counts = ", ".join(f"{part} {parts[part]:,}" for part in ("train", "validation", "test") if parts[part])
        said.append(f"{where}: the folders cut the pictures into parts ({counts}); [split] method `given` keeps them")
        said += _about_classes_of_parts(placed, where)
    without = [one for one in placed if not one.label]
    if without:
        lie = sorted({f"`{one.folder or one.part}`" for one in without if one.folder or one.part})
        places = f", in {listed(lie[:4])}" if lie else ""
        said.append(
            f"{where}: {counted(len(without), 'picture')} {'lies' if len(without) == 1 else 'lie'} in no folder of a "
            f"class{places}: without a label"
        )
    return [*said, *_about_folders(layout, placed, where)]


def _about_folders(layout: Layout, placed: Sequence[Placed], where: str) -> list[str]:
    """Say what lies below the classes, and whether it might be the classes."""
    if not layout.has_folders:
        return []
    within: dict[str, set[str]] = {}
    for one in placed:
        if one.label and one.folder:
            within.setdefault(one.label, set()).add(one.folder)
    n = sum(map(len, within.values()))
    n_labels = len({one.label for one in placed if one.label})
    same = set.intersection(*within.values()) if len(within) == n_labels else set()
    if len(same) > 1 and len(same) * len(within) == n:
        shown = listed(f"`{name}`" for name in sorted(same)[:4]) + (" …" if len(same) > 4 else "")
        return [
            f"{where}: below every class lie folders of the same names ({shown}): if these are the classes, name "
            "`folder` as the target (--target folder)"
        ]
    return [
        f"{where}: pictures lie in {counted(n, 'folder')} below those of their classes; if each holds one scene, "
        "person or film, keep it together with [data] group `folder`"
    ]


def _about_classes_of_parts(placed: Sequence[Placed], where: str) -> list[str]:
    """Say which classes cannot be learned, or are not tested, since a part has none of them."""
    by_part: dict[str, set[str]] = {}
    for one in placed:
        if one.part and one.label:
            by_part.setdefault(one.part, set()).add(one.label)
    learned = by_part.get("train")
    said = []
    for part, labels in sorted(by_part.items()):
        if learned is None or part == "train":
            continue
        for lacking, there in ((labels - learned, "train"), (learned - labels, part)):
            if lacking:
                names = listed(f"`{name}`" for name in sorted(lacking)[:4]) + (" …" if len(lacking) > 4 else "")
                other = part if there == "train" else "train"
                said.append(f"{where}: the part {there} has no picture of {names}, which {other} has")
    return said
