"""Tell labels and parts from the folders that pictures lie in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from palio.core.errors import InputError
from palio.core.words import counted, listed

PART_WORDS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "holdout"), "test"),
}
"""What a folder, or a cell, is called → the part that it means."""


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
    has_parts: bool
    has_folders: bool
    """Whether some pictures lie deeper than in the folder of their class."""

    def place(self, key: str) -> Placed:
        """Return what the folders of a picture say."""
        folders = _folders(key)[self.depth :]
        part = ""
        if self.has_parts and folders:
            part = PART_WORDS.get(folders[0].lower(), "")
            folders = folders[1:] if part else folders
        return Placed(folders[0] if folders else "", part, "/".join(folders[1:]))


def layout_of(keys: Sequence[str], where: str, *, needs_classes: bool = True) -> Layout:
    """Find out what the folders mean: one for each class, perhaps below one for each part.

    Raises:
        InputError: they tell no two classes apart, which is asked for unless the classes are known already.
    """
    paths = [_folders(key) for key in keys]
    depth = _shared(paths)
    firsts = Counter(path[depth] for path in paths if len(path) > depth)
    parts = {name for name in firsts if name.lower() in PART_WORDS}
    below = [path for path in paths if len(path) > depth + 1 and path[depth] in parts]
    has_parts = len(parts) >= 2 and len(parts) == len(firsts) and bool(below)
    layout = Layout(depth, has_parts, has_folders=False)
    placed = [layout.place(key) for key in keys]
    if needs_classes:
        _check_labels(placed, where)
    return Layout(depth, has_parts, any(one.folder for one in placed))


def _check_labels(placed: Sequence[Placed], where: str) -> None:
    labels = sorted({one.label for one in placed if one.label})
    if len(labels) >= 2:
        return
    how = "put the pictures of each class into a folder of its own, or name a table of their labels with --images"
    if not labels:
        raise InputError(
            f"{where}: {counted(len(placed), 'picture')} in one folder: nothing tells which class each has", hint=how
        )
    raise InputError(f"{where}: every picture is of one class, `{labels[0]}`: at least two are needed", hint=how)


def _shared(paths: Sequence[tuple[str, ...]]) -> int:
    """Count the folders that all pictures lie in, the one of their class left out."""
    if not paths:
        return 0
    shortest = min(len(path) for path in paths)
    depth = 0
    while depth < shortest - 1 and len({path[depth] for path in paths}) == 1:
        depth += 1
    return depth


def _folders(key: str) -> tuple[str, ...]:
    return tuple(part for part in PurePosixPath(key).parts[:-1] if part not in ("/", "..", "."))


def told(layout: Layout, placed: Sequence[Placed], where: str) -> list[str]:
    """Say what the folders were taken for, one sentence each."""
    labels = Counter(one.label for one in placed if one.label)
    shown = listed([f"{label} ({n:,})" for label, n in labels.most_common(8)]) + (" …" if len(labels) > 8 else "")
    said = [f"{where}: the folders are taken for classes, {len(labels):,} of them: {shown}"]
    parts = Counter(one.part for one in placed if one.part)
    if parts:
        counts = ", ".join(f"{part} {parts[part]:,}" for part in ("train", "validation", "test") if parts[part])
        said.append(f"{where}: the folders cut the pictures into parts ({counts}); [split] method `given` keeps them")
    if layout.has_folders:
        n = len({(one.label, one.folder) for one in placed if one.folder})
        said.append(
            f"{where}: pictures lie in {counted(n, 'folder')} below those of their classes; if each holds one scene, "
            "person or film, keep it together with [data] group `folder`"
        )
    return said
