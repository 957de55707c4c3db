"""Find the picture that a file of annotation means."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from palio.data.pictures.albums import Entry
from palio.data.pictures.layout import part_named
from palio.data.pictures.table import MASKS, Finder, file_spelling

_BESIDE = ("images", "JPEGImages", "Images", "imgs")
_WORDS = re.compile(r"[_\-. ]+")


class Places:
    """Finds pictures: from the folder of the file that names them, then anywhere.

    Of several of one name it is the one that lies below that folder, or in the part that the file is called by.
    """

    def __init__(self, entries: Sequence[Entry], finder: Finder) -> None:
        self._by_key = {entry.key: entry for entry in entries}
        self._finder = finder
        self._by_name: dict[str, list[Entry]] = {}
        self._by_lower: dict[str, list[Entry]] = {}
        for entry in entries:
            name = posixpath.basename(entry.key)
            for one in {name, posixpath.splitext(name)[0]}:
                self._by_name.setdefault(one, []).append(entry)
            self._by_lower.setdefault(file_spelling(name), []).append(entry)

    def entry(self, file: str, base: str, origin: str) -> Entry | None:
        """Return the picture that `file` names; None: there is none, or no single one.

        Args:
            file: As it is named.
            base: Folder of what names it.
            origin: What names it.
        """
        if "://" in file:
            file = file.partition("?")[0] if "?d=" not in file else file
        path = file.replace("\\", "/")
        for start in (
            base,
            *(posixpath.join(top, name) for top in (base, posixpath.dirname(base)) for name in _BESIDE),
        ):
            found = self._by_key.get(posixpath.normpath(posixpath.join(start, path)))
            if found is not None:
                return found
        found = self._finder.entry(file)
        if found is not None:
            return found
        if self._finder.denies(path.split("/")):
            return None
        same = self._by_name.get(posixpath.basename(path), [])
        for chosen in (
            [one for one in same if not MASKS.search(posixpath.dirname(one.key))],
            [one for one in same if base and one.key.startswith(base + "/")],
            [one for one in same if part_in(one.key) and part_in(one.key) == part_in(origin, names=True)],
        ):
            if len(chosen) == 1:
                return chosen[0]
        if same:
            return same[0] if len(same) == 1 else None
        alike = self._by_lower.get(file_spelling(posixpath.basename(path)), [])  # some systems tell no case apart
        return alike[0] if len(alike) == 1 else None


def part_in(path: str, *, names: bool = False) -> str:
    """Return the part that the folders of a path name, or with `names` the file itself; empty: none.

    Example:
        >>> part_in("coco/val2017/1.jpg"), part_in("images/1.jpg"), part_in("instances_train2017.json", names=True)
        ('validation', '', 'train')
    """
    *folders, name = path.replace("\\", "/").split("/")
    for folder in folders:
        found = part_named(folder)
        if found:
            return found
    if names:
        words = {part_named(word) for word in _WORDS.split(posixpath.splitext(name)[0])} - {""}
        return words.pop() if len(words) == 1 else ""
    return ""
