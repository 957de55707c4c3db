"""A folder or an archive of pictures as a source of rows: a picture a row, its label by the folder that it lies in."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from palio.core.errors import InputError
from palio.core.ids import digest_of
from palio.core.progress import SILENT, Progress
from palio.core.records import Column, Form
from palio.core.words import counted, listed
from palio.data.pictures import copies, layout
from palio.data.pictures.albums import Album, open_album
from palio.data.pictures.columns import PROBLEM, arrays_of, columns_of, names_of
from palio.data.pictures.notes import Notes
from palio.data.pictures.reading import known, read_all
from palio.data.source import Skipped, SourceOptions, Stated
from palio.data.sources.content import TABLE_ENDINGS
from palio.pixels import Limits

if TYPE_CHECKING:
    import pyarrow as pa

FILE, PICTURE, LABEL, PART, FOLDER = "file", "picture", "label", "part", "folder"
_BATCH_ROWS = 2_000
_FEW_TABLES = 3


class PicturesSource:
    """Pictures in folders. Columns: `file`, `picture`, `label`, perhaps `part` and `folder`, and what describes them.

    Args:
        path: The folder, or the ZIP or tar archive.
        options: `notes` names the file in which it is written down what is known of pictures; where columns are
            `expected`, the classes are known, and there may be pictures of one class alone, or of none.

    Raises:
        InputError: there is no picture, or nothing tells two classes apart.
    """

    loose = False
    form = Form(kind="pictures")
    missing: tuple[str, ...] = ()

    def __init__(self, path: Path, options: SourceOptions) -> None:
        self.skipped = Skipped()
        self.passed_over: Mapping[str, str] = {}
        self.remarks: tuple[str, ...] = ()
        self.progress: Progress = SILENT
        self._album: Album = open_album(path)
        self.name = self._album.name
        keys = [entry.key for entry in self._album.entries]
        if not keys:
            raise nothing_in(self._album)
        self._layout = layout.layout_of(
            keys, self.name, needs_classes=not options.expected, beside=_beside(self._album, options.task)
        )
        self._is_label = options.target in ("", LABEL)  # else it is the folder that the target lies in
        self._limits = Limits()
        self._notes = Notes(Path(options.notes) if options.notes else None, self._limits)
        weakref.finalize(self, self._notes.close)
        self.fingerprint = digest_of(["pictures", self._album.fingerprint])
        more = [PART] * self._layout.has_parts + [FOLDER] * self._layout.has_folders
        self.columns: tuple[str, ...] = (FILE, PICTURE, LABEL, *more, *names_of(PICTURE)[1:])

    @property
    def stated(self) -> Stated:
        """What the columns are: nothing about them is to be guessed."""
        parts = Column(name=PART, type="category", feature=False, missing=(), note="the part that its folder names")
        found = {
            FILE: Column(name=FILE, type="text", feature=False, missing=(), note="names the picture"),
            LABEL: Column(name=LABEL, type="category", feature=self._is_label, missing=()),
            PART: parts,
            FOLDER: Column(name=FOLDER, type="category", feature=False, missing=(), note="below that of its class"),
            **columns_of(PICTURE),
        }
        return Stated(
            columns={name: found[name] for name in self.columns},
            target=LABEL,
            id=FILE,
            part=PART if self._layout.has_parts else "",
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What the folders were taken for, and what is odd about the pictures; each of them is looked at for that."""
        return (*self.remarks, *self._found)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows; each picture is decoded, unless it is known already."""
        import pyarrow as pa

        self._read()
        entries = self._album.entries
        for start in range(0, len(entries), _BATCH_ROWS):
            some = entries[start : start + _BATCH_ROWS]
            placed = [self._layout.place(entry.key) for entry in some]
            told = {LABEL: "label", PART: "part", FOLDER: "folder"}
            found = {
                FILE: pa.array([_printable(entry.key) for entry in some], pa.string()),
                **{
                    name: pa.array([getattr(one, word) or None for one in placed], pa.string())
                    for name, word in told.items()
                },
            }
            seen = arrays_of([known(self._album, entry, self._notes) for entry in some])
            found |= dict(zip((*names_of(PICTURE), f"{PICTURE}.{PROBLEM}"), seen, strict=True))
            names = [*self.columns, f"{PICTURE}.{PROBLEM}"]
            yield pa.RecordBatch.from_arrays([found[name] for name in names], names=names)

    def bring(self, put: Callable[[bytes], str], has: Callable[[str], bool], progress: Progress) -> None:
        """Keep the bytes of every picture that can be used; those that `has` knows are not read again."""
        read_all(self._album, self._album.entries, self._notes, self._limits, progress=progress, put=put, has=has)

    def _read(self) -> None:
        read_all(self._album, self._album.entries, self._notes, self._limits, progress=self.progress)

    @cached_property
    def _found(self) -> list[str]:
        self._read()
        placed = [self._layout.place(entry.key) for entry in self._album.entries]
        pictures = []
        for entry, where in zip(self._album.entries, placed, strict=True):
            digest, note = known(self._album, entry, self._notes)
            pictures.append(copies.Picture(_printable(entry.key), digest, where.label, where.part, note))
        if all(one.note.problem for one in pictures):
            raise InputError(
                f"{self.name}: none of {counted(len(pictures), 'file')} is a picture that can be read, e.g. "
                f"{pictures[0].file}: {pictures[0].note.problem}",
                hint="check that these are the right files",
            )
        return [
            *layout.told(self._layout, placed, self.name),
            *_about_passed_over(self._album),
            *copies.about(pictures, self.name),
        ]


def nothing_in(album: Album) -> InputError:
    """Say that an album holds no pictures, and what it holds."""
    others = f" ({_passed(album)})" if album.passed_over else ""
    hint = "name a folder or archive with a folder of pictures for each class, or the file that holds a table"
    tables = [entry.key for entry in album.others if PurePosixPath(entry.key).suffix.lower() in TABLE_ENDINGS]
    if len(tables) > 1 and len(tables) == len(album.others):
        hint = f"of parts of one table, name one ({_printable(tables[0])}): `palio ingest --append FILE` adds others"
    return InputError(f"{album.name}: holds no pictures{others}", hint=hint)


def _beside(album: Album, task: str) -> str:
    """Say what lies beside the pictures that may tell of them; empty: nothing does."""
    endings = (*TABLE_ENDINGS, ".xml")
    found = [_printable(entry.key) for entry in album.others if PurePosixPath(entry.key).suffix.lower() in endings]
    if not found:
        return ""
    others = f" and {counted(len(found) - 1, 'other file')}" if len(found) > 1 else ""
    boxes = "" if task == "classification" else f"nothing in {found[0]}{others} is understood as boxes"
    tables = [key for key in found if PurePosixPath(key).suffix.lower() in TABLE_ENDINGS]
    if not 1 <= len(tables) <= _FEW_TABLES:
        return boxes
    where = _printable(str(album.path))
    how = f"if {tables[0]} tells their classes, say palio init {where}/{tables[0]} --images {where}"
    return f"{boxes}; {how}" if boxes else how


def _about_passed_over(album: Album) -> list[str]:
    return [f"{album.name}: passed over {_passed(album)}"] if album.passed_over else []


def _passed(album: Album) -> str:
    return listed(
        f"{counted(n, 'file')}: {why}, e.g. {_printable(album.examples[why])}"
        for why, n in album.passed_over.most_common()
    )


def _printable(key: str) -> str:
    return key.encode("utf-8", "replace").decode()
