"""Read pictures that ask for an answer: a file, a folder, an archive, or a list of paths; each keeps its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from palio.core.errors import ContractError, InputError
from palio.core.records import Column, Schema
from palio.core.words import counted
from palio.data.pictures.albums import PICTURES, Album, Entry, Tar, is_album, open_album
from palio.data.pictures.table import Finder

if TYPE_CHECKING:
    from collections import Counter

    import polars as pl

    from palio.data.source import Source

LISTS = (".txt", ".lst")
"""Files with a path a line."""
ROWS, BYTES = 64, 64 * 2**20
"""Of pictures that are in memory together, at most."""
_LOOKED_AT = 500
_GONE = "there is no such file"


@dataclass(slots=True)
class Asking:
    """Some pictures that ask for an answer, in order."""

    files: list[str] = field(default_factory=list)
    """As the list writes them, or their paths in the folder."""
    pictures: list[bytes] = field(default_factory=list)
    """Empty for one that cannot be read."""
    problems: list[str] = field(default_factory=list)
    """Why one cannot be answered; empty: it may be."""
    frame: pl.DataFrame | None = None
    """Other columns that the model reads; None: there are none."""
    flags: Counter[tuple[str, str]] | None = None
    flagged: Counter[str] | None = None
    examples: dict[tuple[str, str], str] | None = None

    @property
    def is_full(self) -> bool:
        """Whether these are enough to be answered together."""
        return len(self.files) >= ROWS or sum(map(len, self.pictures)) >= BYTES

    def add(self, file: str, data: bytes | None, problem: str = "") -> None:
        """Put one behind the others."""
        self.files.append(file)
        self.pictures.append(data or b"")
        self.problems.append(problem)


def holds_pictures(path: Path) -> bool:
    """Tell whether a path names pictures, not a table: a folder, an archive, a list of paths or a picture."""
    return is_album(path) or path.suffix.lower() in PICTURES or path.suffix.lower() in LISTS


class PicturesAsking:
    """The pictures of a file, a folder, an archive or a list.

    Args:
        path: Where they are.
        images: Folder that the paths in a list start from; None: that of the list.
        most_bytes: Larger files are not read.

    Raises:
        NotFoundError: there is nothing.
        InputError: nothing in it is a picture by its name.
    """

    def __init__(self, path: Path, *, images: Path | None = None, most_bytes: int) -> None:
        self._most = most_bytes
        self._album: Album | None = None
        self._paths: list[tuple[str, Path]] = []
        self.notes: tuple[str, ...] = ()
        if is_album(path):
            self._album = album = open_album(path)
            passed = album.passed_over.most_common()
            self.notes = tuple(
                f"passed over {counted(n, 'file')}: {why}, e.g. {album.examples[why]}" for why, n in passed
            )
            if not album.entries:
                raise InputError(f"{path}: holds no pictures", hint="; ".join(self.notes) or "name another folder")
        elif path.suffix.lower() in LISTS:
            base = images or path.parent
            lines = (line.strip() for line in path.read_text("utf-8-sig", "replace").splitlines())
            self._paths = [(line, _file_of(line, base)) for line in lines if line]
            if not self._paths:
                raise InputError(f"{path}: is empty", hint="write a path a line")
        else:
            self._paths = [(path.name, path)]

    def __len__(self) -> int:
        return len(self._paths) if self._album is None else len(self._album.entries)

    @property
    def places(self) -> dict[str, int] | None:
        """Place of each file among the answers; None: they come in this order. A tar archive has one of its own."""
        if not isinstance(self._album, Tar):
            return None
        return {_printable(entry.key): place for place, entry in enumerate(self._album.entries)}

    def chunks(self) -> Iterator[Asking]:
        """Yield all pictures, once."""
        some = Asking()
        for file, data, problem in self._read():
            some.add(file, data, problem)
            if some.is_full:
                yield some
                some = Asking()
        if some.files:
            yield some

    def _read(self) -> Iterator[tuple[str, bytes | None, str]]:
        if self._album is None:
            for file, path in self._paths:
                yield file, *_from_disk(path, self._most)
            return
        entries = {entry.key: entry for entry in self._album.entries}
        for entry, data in self._album.read(entries, most=self._most):
            yield _printable(entry.key), data, "" if data is not None else _unread(entry.size, self._most)


def _printable(key: str) -> str:
    return key.encode("utf-8", "replace").decode()


def _from_disk(path: Path, most: int) -> tuple[bytes | None, str]:
    try:
        size = path.stat().st_size
        if not path.is_file():
            return None, _GONE
        return (path.read_bytes(), "") if size <= most else (None, _unread(size, most))
    except FileNotFoundError:
        return None, _GONE
    except (OSError, ValueError) as error:
        return None, f"cannot be read ({getattr(error, 'strerror', None) or 'no path'})"


def _unread(size: int, most: int) -> str:
    return f"too large: {size:,} bytes, at most {most:,} are read" if size > most else "cannot be read"


class TableAsking:
    """The rows of a table, each of which names a picture.

    Args:
        source: The table.
        schema: The contract of the model.
        bases: Folders that paths start from, the first in which a file lies; or one archive.
        most_bytes: Larger files are not read.
        strict: Refuse the source for the first row whose other columns cannot be answered.
        images: The base that holds pictures alone: there, files are found that paths name otherwise.

    Raises:
        ContractError: no column names files that are there.
    """

    def __init__(
        self,
        source: Source,
        schema: Schema,
        bases: Sequence[Path],
        *,
        most_bytes: int,
        strict: bool = False,
        images: Path | None = None,
    ) -> None:
        self._source, self._most, self._strict = source, most_bytes, strict
        self._images = images if images is not None and images.is_dir() else None
        self._bases = [base for base in bases if base.is_dir()]
        self._album = next((open_album(base) for base in bases if is_album(base) and not base.is_dir()), None)
        if isinstance(self._album, Tar):
            raise InputError(f"{self._album.name}: a table cannot pick files out of a tar archive", hint="unpack it")
        self._finder = None if self._album is None else Finder(self._album)
        self._others: tuple[Album, Finder] | None = None
        self._column = self._look(schema)
        features = tuple(column for column in schema.features if column.type != "image")
        self._is_alone = not features
        path = Column(name=self._column, type="text", feature=False, missing=())
        columns = (*(column for column in features if column.name != self._column), path)
        self._schema = msgspec.structs.replace(
            schema, columns=columns, id=self._column, target=None, time=(), group=None
        )
        self.notes = source.notes

    places = None

    def __len__(self) -> int:
        return 0

    def chunks(self) -> Iterator[Asking]:
        """Yield all rows, in order."""
        from palio.data.arrivals import scan

        for arrivals in scan(self._source, self._schema, strict=self._strict):
            files = [cell or "" for cell in arrivals.frame[self._column].cast(str).to_list()]
            start = 0
            while start < len(files):
                some = Asking()
                for file, problem in zip(files[start:], arrivals.problems[start:], strict=True):
                    found, why = (None, problem) if problem else self._find(file)
                    some.add(file, found, why)
                    if some.is_full:
                        break
                if not self._is_alone:
                    some.frame = arrivals.frame[start : start + len(some.files)].drop(self._column)
                if start == 0:
                    some.flags, some.flagged, some.examples = arrivals.flags, arrivals.flagged, arrivals.examples
                start += len(some.files)
                yield some

    def _find(self, cell: str) -> tuple[bytes | None, str]:
        if not cell.strip():
            return None, "no file is named"
        if self._album is not None and self._finder is not None:
            entry: Entry | None = self._finder.entry(cell)
            if entry is None:
                return None, _GONE
            data = next((data for _, data in self._album.read({entry.key}, most=self._most)), None)
            return data, "" if data is not None else _unread(entry.size, self._most)
        for base in self._bases:
            found = _from_disk(_file_of(cell.strip(), base), self._most)
            if found[1] != _GONE:
                return found
        file = self._written_otherwise(cell)
        return (None, _GONE) if file is None else _from_disk(file, self._most)

    def _is_there(self, cell: str) -> bool:
        if self._finder is not None:
            return self._finder.entry(cell) is not None
        try:
            is_there = any(_file_of(cell.strip(), base).is_file() for base in self._bases)
        except (OSError, ValueError):
            return False
        return is_there or self._written_otherwise(cell) is not None

    def _written_otherwise(self, cell: str) -> Path | None:
        """Return the file that a cell means as a table of truths would: by the end of its path, without its ending."""
        if self._images is None:
            return None
        if self._others is None:
            album = open_album(self._images)
            self._others = album, Finder(album)
        entry = self._others[1].entry(cell)
        return None if entry is None else self._images / entry.key

    def _look(self, schema: Schema) -> str:
        """Find the column that names files, by the first rows; where none does, the row id is taken for it."""
        batch = next(iter(self._source.batches()), None)
        found: dict[str, float] = {}
        for name in self._source.columns if batch is not None else ():
            cells = [str(cell) for cell in batch.column(name).slice(0, _LOOKED_AT).to_pylist() if cell]  # type: ignore[union-attr]
            found[name] = sum(map(self._is_there, cells)) / max(1, len(cells))
        best = max(found, key=lambda name: found[name], default="")
        if best and found[best] > 0:
            return best
        if schema.id is not None and schema.id in self._source.columns:
            return schema.id
        raise ContractError(
            f"{self._source.name}: no column names pictures that are there",
            hint="name the folder that the paths start from: --images FOLDER",
        )


def _file_of(line: str, base: Path) -> Path:
    """Return the file that a line of a list names, on whatever system it was written."""
    file = base / line
    return base / line.replace("\\", "/") if "\\" in line and not file.exists() else file
