"""Pictures with boxes as a source of rows: a picture a row, what is where in it as a cell."""

from __future__ import annotations

import hashlib
import posixpath
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from palio.core.cells import cell_of
from palio.core.cells import counted as count_things
from palio.core.errors import InputError
from palio.core.ids import digest_of
from palio.core.progress import SILENT, Progress
from palio.core.records import Column, Form, Specimen
from palio.core.words import counted
from palio.data.boxes import looks, sequences
from palio.data.boxes import specimens as drawing
from palio.data.boxes.assembling import Assembled, Named, assembled, part_of, settle
from palio.data.boxes.columns import BOXES, FILE, PART, PICTURE, SEQUENCE
from palio.data.boxes.finding import read_annotations
from palio.data.boxes.frames import Frame, frame_of
from palio.data.boxes.merging import merged
from palio.data.boxes.places import Places
from palio.data.boxes.telling import Row, about_files, about_films, about_rows, printable
from palio.data.pictures import copies
from palio.data.pictures.albums import Album, Entry, natural, open_album
from palio.data.pictures.columns import PROBLEM, arrays_of, columns_of, names_of
from palio.data.pictures.notes import Note, Notes
from palio.data.pictures.reading import known, read_all
from palio.data.pictures.source import nothing_in
from palio.data.pictures.table import Finder
from palio.data.source import Skipped, SourceOptions, Stated
from palio.pixels import Limits, decoded

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

_BATCH_ROWS = 2_000
_ENOUGH_PARTS = 0.9
_GONE = Note(problem="there is no such file", kind="gone")


class BoxesSource:
    """Pictures and what is where in them. Columns: `file`, `picture`, `boxes`, perhaps `part` and `sequence`.

    Args:
        path: Folder or archive of the pictures.
        options: As for `PicturesSource`; `classes` names classes that files know by number alone.
        file: The one file of annotation that counts; None: all that lie among the pictures.

    Raises:
        InputError: there is no picture, no file says what is in one, or files contradict themselves.
    """

    loose = False
    form = Form(kind="pictures")
    missing: tuple[str, ...] = ()

    def __init__(self, path: Path, options: SourceOptions, *, file: Path | None = None) -> None:
        self.skipped = Skipped()
        self.passed_over: Mapping[str, str] = {}
        self.remarks: tuple[str, ...] = ()
        self.progress: Progress = SILENT
        self._album: Album = open_album(path)
        self._file, self._options = file, options
        self.name = self._album.name if file is None else file.name
        if not self._album.entries:
            raise nothing_in(self._album)
        self._limits = Limits()
        self._notes = Notes(Path(options.notes) if options.notes else None, self._limits)
        weakref.finalize(self, self._notes.close)

    @cached_property
    def fingerprint(self) -> str:
        """Identity of the pictures and of all that may be said of them."""
        others = [[entry.key, entry.size, entry.stamp] for entry in self._album.others]
        own = "" if self._file is None else hashlib.sha256(self._file.read_bytes()).hexdigest()
        return digest_of(["boxes", self._album.fingerprint, others, own, self._options.classes])

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        wanted = self._options.expected
        has_parts = any(row.part for row in self._rows) or PART in wanted
        has_films = any(row.sequence for row in self._rows) or SEQUENCE in wanted
        return (FILE, PICTURE, BOXES, *[PART] * has_parts, *[SEQUENCE] * has_films, *names_of(PICTURE)[1:])

    @property
    def stated(self) -> Stated:
        """What the columns are: nothing about them is to be guessed."""
        found = {
            FILE: Column(name=FILE, type="text", feature=False, missing=(), note="names the picture"),
            BOXES: Column(name=BOXES, type="boxes", feature=False, missing=(), note="what is where"),
            PART: Column(
                name=PART, type="category", feature=False, missing=(), note="the part that came with the data"
            ),
            SEQUENCE: Column(name=SEQUENCE, type="category", feature=False, missing=(), note="frames of one film"),
            **columns_of(PICTURE),
        }
        return Stated(
            columns={name: found[name] for name in self.columns},
            target=BOXES,
            id=FILE,
            group=SEQUENCE if SEQUENCE in self.columns else "",
            part=PART if PART in self.columns else "",
            n_aside=sum(bool(row.problem) or row.entry is None for row in self._rows),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """How the boxes were read, and what is odd about them and their pictures."""
        return (*self.remarks, *self._found)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows; each picture is decoded, unless it is known already."""
        import pyarrow as pa

        told = [f"{PICTURE}.{PROBLEM}", f"{BOXES}.{PROBLEM}"]
        for start in range(0, len(self._rows), _BATCH_ROWS):
            some = self._rows[start : start + _BATCH_ROWS]
            cells = {
                FILE: [printable(row.file) for row in some],
                BOXES: [row.cell for row in some],
                PART: [row.part or None for row in some],
                SEQUENCE: [row.sequence or None for row in some],
                told[1]: [f"annotation: {row.problem}" if row.problem else None for row in some],
            }
            found = {name: pa.array(held, pa.string()) for name, held in cells.items()}
            seen = arrays_of([self._known(row.entry) for row in some])
            found |= dict(zip((*names_of(PICTURE), told[0]), seen, strict=True))
            names = [*self.columns, *told]
            yield pa.RecordBatch.from_arrays([found[name] for name in names], names=names)

    def bring(self, put: Callable[[bytes], str], has: Callable[[str], bool], progress: Progress) -> None:
        """Keep the bytes of every picture that can be used; those that `has` knows are not read again."""
        entries = [row.entry for row in self._rows if row.entry is not None]
        read_all(self._album, entries, self._notes, self._limits, progress=progress, put=put, has=has)

    def specimens(self, most: int) -> list[Specimen]:
        """Draw the boxes of some pictures, for a person to check how they were read."""
        by_key = {entry.key: entry for entry in self._album.entries}
        frames = {key: frame for key in self._settled if (frame := self._frame(by_key[key])) is not None}
        return drawing.specimens(self._album, self._settled, frames, most)

    @cached_property
    def has_boxes(self) -> bool:
        """Whether any file says what is where."""
        return bool(self._annotations)

    @cached_property
    def _annotations(self) -> list[Assembled]:
        found = read_annotations(self._album, self._file)
        places = Places(self._album.entries, Finder(self._album))
        return [assembled(one, places, self.name, self._options.classes) for one in found]

    @cached_property
    def _settled(self) -> dict[str, Named]:
        read_all(self._album, self._album.entries, self._notes, self._limits, progress=self.progress)
        if not self._annotations and not self._options.expected:
            raise InputError(
                f"{self.name}: no file says what is where in {counted(len(self._album.entries), 'picture')}",
                hint="put COCO or Label Studio JSON, VOC or CVAT XML, texts of YOLO or a CSV of boxes beside them",
            )
        by_key = {entry.key: entry for entry in self._album.entries}
        for one in self._annotations:
            settle(one, lambda key: self._frame(by_key[key]), self.name)
        return merged(self._annotations, self.name) if self._annotations else {}

    def _frame(self, entry: Entry) -> Frame | None:
        return frame_of(known(self._album, entry, self._notes)[1])

    def _known(self, entry: Entry | None) -> tuple[str, Note]:
        return ("", _GONE) if entry is None else known(self._album, entry, self._notes)

    @cached_property
    def _taken(self) -> list[Entry]:
        """The pictures, without those in folders that hold masks of the annotated ones."""
        named, entries = self._settled, self._album.entries
        stems = {posixpath.splitext(posixpath.basename(key))[0]: posixpath.dirname(key) for key in named}
        folders: dict[str, bool] = {}
        for entry in entries:
            folder, name = posixpath.split(entry.key)
            is_mask = entry.key not in named and stems.get(posixpath.splitext(name)[0], folder) != folder
            folders[folder] = folders.get(folder, True) and is_mask
        return [entry for entry in entries if not folders[posixpath.dirname(entry.key)]]

    @cached_property
    def _rows(self) -> list[Row]:
        named = self._settled
        parts = self._parts()
        films = {key: one.sheet.sequence for key, one in named.items() if one.sheet.sequence}
        keys = [entry.key for entry in self._taken]
        films |= {key: film for key, film in self._films(keys).items() if key not in films}
        films = sequences.in_stretches({key: films[key] for key in keys if key in films})
        rows = []
        for entry in self._taken:
            one = named.get(entry.key)
            cell = None if one is None or one.boxes is None else cell_of(one.boxes)
            problem = "" if one is None else one.problem
            rows.append(Row(entry.key, entry, cell, problem, parts.get(entry.key, ""), films.get(entry.key, "")))
        there = {row.file for row in rows}
        strangers = {sheet.file: sheet for one in self._annotations for sheet in one.strangers if sheet.is_looked_at}
        for file in strangers:
            name = file if file not in there else f"{file} (of another folder)"
            rows.append(Row(name or "(without a name)", None, None, "", "", ""))
        return rows

    def _parts(self) -> dict[str, str]:
        lists = {key: part for one in self._annotations for key, part in one.parts.items()}
        found = {}
        for entry in self._taken:
            named = self._settled.get(entry.key)
            found[entry.key] = part_of(entry.key, named.sheet if named else None, lists)
        counts = Counter(part for part in found.values() if part)
        if len(counts) < 2 or counts.total() < _ENOUGH_PARTS * len(found):
            return {}
        return found

    def _films(self, keys: list[str]) -> dict[str, str]:
        by_key = {entry.key: entry for entry in self._album.entries}

        def likeness(key: str) -> int | None:
            note = known(self._album, by_key[key], self._notes)[1]
            return None if note.problem else int(note.likeness, 16)

        return sequences.sequences(keys, likeness)

    @cached_property
    def _found(self) -> list[str]:
        rows, n_masks = self._rows, len(self._album.entries) - len(self._taken)
        pictures = []
        for row in rows:
            digest, note = self._known(row.entry)
            things = (
                sorted(self._settled[row.file].boxes or (), key=lambda box: box.label) if row.cell is not None else None
            )
            label = "" if things is None else count_things(things)
            pictures.append(copies.Picture(printable(row.file), digest, label, row.part, note))
        if all(one.note.problem for one in pictures):
            raise InputError(
                f"{self.name}: none of {counted(len(pictures), 'file')} is a picture that can be read, e.g. "
                f"{pictures[0].file}: {pictures[0].note.problem}",
                hint="check that these are the right files",
            )
        return [
            *dict.fromkeys(one for found in self._annotations for one in found.told),
            *(f"{self.name}: {doubt}" for doubt in self._doubts()),
            *about_rows(rows, self._settled, self.name, is_annotated=bool(self._annotations)),
            *about_films(rows, self.name),
            *about_files(self._album, {file for one in self._annotations for file in one.read}, n_masks),
            *copies.about(pictures, self.name, is_counted=True),
        ]

    def _doubts(self) -> list[str]:
        """Hold boxes against what is seen in some of the pictures."""
        by_key = {entry.key: entry for entry in self._album.entries}
        seen = [
            looks.Seen(key, frame, [box.box for box in named.boxes])
            for key, named in self._settled.items()
            if named.boxes and (frame := self._frame(by_key[key])) is not None
        ]
        seen.sort(key=lambda one: natural(one.key))

        def decode(keys: Collection[str]) -> Iterator[tuple[str, NDArray[np.uint8]]]:
            for entry, data in self._album.read(set(keys), most=self._limits.max_bytes):
                if data is not None:
                    yield entry.key, decoded(data, limits=self._limits)

        return looks.doubts(seen, decode)
