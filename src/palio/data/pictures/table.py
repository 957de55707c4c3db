"""A table that names a picture in each row, as a source: the rows of the table, and what the pictures give."""

from __future__ import annotations

import itertools
import posixpath
import re
import unicodedata
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from palio.core.errors import InputError
from palio.core.ids import digest_of
from palio.core.progress import SILENT, Progress
from palio.core.records import Column, Form
from palio.core.words import counted
from palio.data.pictures import copies
from palio.data.pictures.albums import PICTURES, Album, Entry, open_album
from palio.data.pictures.columns import PROBLEM, arrays_of, columns_of, names_of
from palio.data.pictures.layout import PART_WORDS
from palio.data.pictures.notes import Note, Notes
from palio.data.pictures.reading import known, read_all
from palio.data.source import Skipped, Source, SourceOptions, Stated
from palio.pixels import Limits

if TYPE_CHECKING:
    import pyarrow as pa

_LOOKED_AT = 500
_ENOUGH = 0.5
"""Share of the first cells of a column that must name pictures for it to be the one that does."""
_ENDINGS = ("", ".jpg", ".jpeg", ".png", ".webp", ".JPG", ".JPEG", ".PNG")
_PARTS = ("part", "split", "subset", "set", "partition")
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts before the name of a file that was uploaded."""
MASKS = re.compile(r"mask|segmentation|depth|label|annotation", re.IGNORECASE)
"""What folders are called that hold what was drawn of pictures, under the names of these."""
_GONE = Note(problem="there is no such file", kind="gone")


class TableOfPictures:
    """The rows of a table, each with its picture.

    Args:
        table: One of its columns names files.
        options: `images` says where they lie.

    Raises:
        InputError: no column names files that are there.
    """

    def __init__(self, table: Source, options: SourceOptions) -> None:
        self._table = table
        self.name, self.loose, self.missing = table.name, table.loose, table.missing
        self.form: Form = table.form
        self.progress: Progress = SILENT
        self._album: Album = open_album(Path(options.images))
        self._finder = Finder(self._album)
        self._path, self._part = self._look()
        self._label = options.target if options.target in table.columns else ""
        free = itertools.chain(["picture"], (f"picture_{i}" for i in itertools.count(2)))
        self.picture = next(name for name in free if name not in table.columns)
        self._limits = Limits()
        self._notes = Notes(Path(options.notes) if options.notes else None, self._limits)
        weakref.finalize(self, self._notes.close)
        self.fingerprint = digest_of(["pictures", table.fingerprint, self._album.fingerprint])
        self.columns: tuple[str, ...] = (*table.columns, *names_of(self.picture))

    @property
    def skipped(self) -> Skipped:
        """Rows that the last reading of the table had to leave out."""
        return self._table.skipped

    @property
    def passed_over(self) -> Mapping[str, str]:
        """Columns of the table that cannot be read."""
        return self._table.passed_over

    @property
    def stated(self) -> Stated:
        """What the columns of pictures are; those of the table are to be found out."""
        path = Column(name=self._path, type="text", feature=False, missing=(), note="names the picture")
        part = Column(name=self._part, type="category", feature=False, note="the part that the table names")
        return Stated(
            columns={self._path: path, **({self._part: part} if self._part else {}), **columns_of(self.picture)},
            id=self._path,
            part=self._part,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What is odd about the table, and about its pictures; each of them is looked at for that."""
        return (*self._table.notes, *self._found)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows; each picture is decoded, unless it is known already."""
        import pyarrow as pa

        self._read()
        names = [*self.columns, f"{self.picture}.{PROBLEM}"]
        for batch in self._table.batches():
            found = [self._known(cell) for cell in _cells(batch, self._path)]
            yield pa.RecordBatch.from_arrays([*batch.columns, *arrays_of(found)], names=names)

    def bring(self, put: Callable[[bytes], str], has: Callable[[str], bool], progress: Progress) -> None:
        """Keep the bytes of every picture that a row names."""
        read_all(self._album, self._entries, self._notes, self._limits, progress=progress, put=put, has=has)

    def _read(self) -> None:
        read_all(self._album, self._entries, self._notes, self._limits, progress=self.progress)

    def _known(self, cell: str | None) -> tuple[str, Note]:
        entry = self._finder.entry(cell)
        if entry is None:
            return "", Note(problem="no file is named", kind="unnamed") if not cell else _GONE
        return known(self._album, entry, self._notes)

    @cached_property
    def _entries(self) -> list[Entry]:
        """Files that rows name."""
        named: dict[str, Entry] = {}
        for batch in self._table.batches():
            for cell in _cells(batch, self._path):
                entry = self._finder.entry(cell)
                if entry is not None:
                    named[entry.key] = entry
        return list(named.values())

    @cached_property
    def _found(self) -> list[str]:
        self._read()
        pictures = []
        for batch in self._table.batches():
            cells = _cells(batch, self._path)
            parts = _cells(batch, self._part) if self._part else [None] * len(cells)
            labels = _cells(batch, self._label) if self._label else [None] * len(cells)
            for cell, part, label in zip(cells, parts, labels, strict=True):
                digest, note = self._known(cell)
                pictures.append(copies.Picture(cell or "", digest, label or "", part or "", note))
        said = [f"{self.name}: `{self._path}` names the pictures in {self._album.name}"]
        surplus = len(self._album.entries) - len(self._entries)
        if surplus:
            said.append(f"{self._album.name}: {counted(surplus, 'picture')} that no row names")
        if self._part:
            said.append(f"{self.name}: `{self._part}` cuts the rows into parts; [split] method `given` keeps them")
        return [*said, *copies.about(pictures, self.name)]

    def _look(self) -> tuple[str, str]:
        """Find the column that names pictures, and one that names parts, by the first rows."""
        cells: dict[str, list[str]] = {name: [] for name in self._table.columns}
        for batch in self._table.batches():
            for name in cells:
                cells[name] += [cell for cell in _cells(batch.slice(0, _LOOKED_AT), name) if cell]
            if max(map(len, cells.values()), default=0) >= _LOOKED_AT:
                break
        best = ""
        for find in (self._finder.named, self._finder.entry):  # a mask may be called as its picture is
            shares = {
                name: sum(find(cell) is not None for cell in some) / len(some) for name, some in cells.items() if some
            }
            best = max(shares, key=lambda name: shares[name], default="")
            if best and shares[best] >= _ENOUGH:
                break
        else:
            raise self._nothing_named(cells)
        part = next((name for name in _PARTS if name in cells and _are_parts(cells[name])), "")
        return best, part

    def _nothing_named(self, cells: Mapping[str, Sequence[str]]) -> InputError:
        hint = "name the folder that the paths in the table start from"
        for name, some in cells.items():
            twice = next((keys for cell in some if len(keys := self._finder.several(cell)) > 1), None)
            if twice:
                said = f"`{name}` names files by what several are called, e.g. {twice[0]} and {twice[1]}"
                return InputError(f"{self.name}: {said}", hint="write the folder into the column, too")
        return InputError(f"{self.name}: no column names pictures that lie in {self._album.name}", hint=hint)


class Finder:
    """Finds the file that a cell means: a path from the folder, the end of a longer path, a name without ending.

    What is written otherwise than the file is called (case, umlauts taken apart, the ending of another form) is met
    where no other file can be meant.
    """

    def __init__(self, album: Album) -> None:
        self._by_key = {entry.key: entry for entry in album.entries}
        self._by_name = _single((PurePosixPath(entry.key).name, entry) for entry in album.entries)
        self._folders = {file_spelling(PurePosixPath(entry.key).parent.name) for entry in album.entries}
        self._by_spelling = _single((file_spelling(entry.key), entry) for entry in album.entries)
        shown = [entry for entry in album.entries if not MASKS.search(posixpath.dirname(entry.key))]
        self._by_stem = _single((file_spelling(PurePosixPath(entry.key).stem), entry) for entry in shown)
        self._by_bare_path = _single((file_spelling(_bare(entry.key)), entry) for entry in shown)

    def entry(self, cell: Any) -> Entry | None:
        """Return the file; None if there is none, or no single one."""
        return next((found for find in (self._named, self._alike) for way in _ways(cell) if (found := find(way))), None)

    def named(self, cell: Any) -> Entry | None:
        """Return the file that is called just so; None if there is none, or no single one."""
        return next((found for way in _ways(cell) if (found := self._named(way))), None)

    def several(self, cell: Any) -> list[str]:
        """Return the paths of the files that are called as the last part of a cell."""
        names = {way[-1] for way in _ways(cell)}
        return [key for key in self._by_key if PurePosixPath(key).name in names]

    def _named(self, parts: tuple[str, ...]) -> Entry | None:
        for ending in _ENDINGS:
            for start in range(len(parts)):
                found = self._by_key.get("/".join(parts[start:]) + ending)
                if found is not None:
                    return found
            if not self.denies(parts) and (found := self._by_name.get(parts[-1] + ending)) is not None:
                return found
        return None

    def denies(self, parts: Sequence[str]) -> bool:
        """Tell whether a path names a folder whose pictures are here: then a file of another one is not meant."""
        return len(parts) > 1 and file_spelling(parts[-2]) in self._folders

    def _alike(self, parts: tuple[str, ...]) -> Entry | None:
        paths = ["/".join(parts[start:]) for start in range(len(parts))]
        for path in paths:
            if (found := self._by_spelling.get(file_spelling(path))) is not None:
                return found
        if PurePosixPath(parts[-1]).suffix.lower() not in PICTURES:
            return None
        for path in paths:
            if (found := self._by_bare_path.get(file_spelling(_bare(path)))) is not None:
                return found
        return None if self.denies(parts) else self._by_stem.get(file_spelling(PurePosixPath(parts[-1]).stem))


def _ways(cell: Any) -> Iterator[tuple[str, ...]]:
    """Yield what a cell may mean as a path."""
    text = str(cell).strip() if cell else ""
    for way in dict.fromkeys((text, unquote(text), unquote(urlsplit(text).path) if "://" in text else text)):
        plain, _, named = way.partition("?d=")  # as Label Studio names files of its own disk
        parts = PurePosixPath((named or plain).replace("\\", "/")).parts
        if parts:
            yield parts
            if (bare := _UPLOADED.sub("", parts[-1])) != parts[-1]:
                yield (*parts[:-1], bare)


def file_spelling(name: str) -> str:
    """Return a name as all systems spell it: some tell no case apart, some take umlauts apart."""
    return unicodedata.normalize("NFC", name).lower()


def _bare(path: str) -> str:
    return posixpath.splitext(path)[0]


def _single(pairs: Iterable[tuple[str, Entry]]) -> dict[str, Entry]:
    """Return what only one file is called."""
    found: dict[str, list[Entry]] = {}
    for name, entry in pairs:
        found.setdefault(name, []).append(entry)
    return {name: some[0] for name, some in found.items() if len(some) == 1}


def _cells(batch: pa.RecordBatch, name: str) -> Sequence[Any]:
    cells = batch.column(name).to_pylist()
    return [None if cell is None else str(cell) for cell in cells]


def _are_parts(cells: Sequence[str]) -> bool:
    named = {cell.strip().lower() for cell in cells}
    return len(named) >= 2 and named <= PART_WORDS.keys()
