"""Where files of pictures lie: in a folder, a ZIP archive or a tar archive, none of which is unpacked."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from palio.core.errors import InputError, NotFoundError
from palio.core.ids import digest_of

PICTURES = frozenset(
    f".{ending}"
    for ending in (
        *("jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "dib", "gif", "tif", "tiff"),
        *("heic", "heif", "avif", "jp2", "jxl", "svg", "ico", "psd", "raw", "cr2", "nef", "dng", "ppm", "pgm"),
    )
)
"""Endings of files that somebody takes for pictures; some of a form that is not read, which is then said."""
TARS = (".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
NO_PICTURE = "no picture by its name"
_HIDDEN = frozenset(
    (
        *("__macosx", "thumbs.db", "desktop.ini", "icon\r", "lost+found", "system volume information", "__pycache__"),
        *("@eadir", "@__thumb", "#recycle", "$recycle.bin"),
    )
)
"""What systems, and devices for storage, put among the files of people; in lower case."""
_BOMB_FREE, _BOMB_RATIO = 1 << 30, 100
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of an album."""

    key: str
    """Its path inside, with `/` between."""
    size: int
    stamp: str
    """Changes when the content does."""


class Album(ABC):
    """Files of pictures in one place, in natural order: `2.jpg` stands before `10.jpg`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self.entries: list[Entry] = []
        self.others: list[Entry] = []
        """Files that are no pictures by their names; they may say something about pictures."""
        self.passed_over: Counter[str] = Counter()
        """Why a file was not taken → how many."""
        self.examples: dict[str, str] = {}

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Identity of names and contents, as far as can be told without reading the files."""

    @abstractmethod
    def read(self, keys: Collection[str], *, most: int) -> Iterator[tuple[Entry, bytes | None]]:
        """Yield files in the order in which they lie; None for one that is larger than `most`, or cannot be read."""

    def _take(self, key: str, size: int, stamp: str) -> None:
        parts = PurePosixPath(key).parts
        why = ""
        if any((part.startswith(".") and part != "..") or part.lower() in _HIDDEN for part in parts):
            why = "hidden"
        elif PurePosixPath(key).suffix.lower() not in PICTURES:
            why = NO_PICTURE
        if why == NO_PICTURE:
            self.others.append(Entry(key, size, stamp))
        if why:
            self.passed_over[why] += 1
            self.examples.setdefault(why, key)
        else:
            self.entries.append(Entry(key, size, stamp))

    def _finish(self) -> None:
        for entries in (self.entries, self.others):
            entries.sort(key=lambda entry: natural(entry.key))


class Folder(Album):
    """A folder on this disk; links are followed, but no folder is entered twice."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        seen: set[tuple[int, int]] = set()
        for place, folders, files in os.walk(path, followlinks=True):
            here = os.stat(place)  # noqa: PTH116 - once a folder, of millions of files
            if (here.st_dev, here.st_ino) in seen:
                folders.clear()
                continue
            seen.add((here.st_dev, here.st_ino))
            for name in files:
                self._add(Path(place, name))
        self._finish()

    def _add(self, file: Path) -> None:
        key = file.relative_to(self.path).as_posix()
        try:
            about = file.stat()
        except OSError:
            self.passed_over["a link that leads nowhere"] += 1
            self.examples.setdefault("a link that leads nowhere", key)
            return
        if stat.S_ISREG(about.st_mode):
            self._take(key, about.st_size, f"{about.st_mtime_ns}-{about.st_ctime_ns}")

    @property
    def fingerprint(self) -> str:
        """Identity of names, sizes and times."""
        whole = hashlib.sha256()
        for entry in self.entries:
            whole.update(f"{entry.key}\0{entry.size}\0{entry.stamp}\n".encode("utf-8", "surrogateescape"))
        return whole.hexdigest()

    def read(self, keys: Collection[str], *, most: int) -> Iterator[tuple[Entry, bytes | None]]:
        """Yield files; errors as in `Album.read`."""
        for entry in (*self.entries, *self.others):
            if entry.key in keys:
                try:
                    yield entry, None if entry.size > most else (self.path / entry.key).read_bytes()
                except OSError:
                    yield entry, None


class Zip(Album):
    """A ZIP archive. What its directory says of sizes is not believed: a file is read up to the limit."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with self._opened() as archive:
            infos = {info.filename.replace("\\", "/"): info for info in archive.infolist() if not info.is_dir()}
        if any(info.flag_bits & 1 for info in infos.values()):
            raise InputError(f"{self.name}: the archive is encrypted", hint="unpack it first")
        self._inside = {key: info.filename for key, info in infos.items()}
        for key, info in infos.items():
            self._take(key, info.file_size, f"{info.CRC:08x}")
        self._finish()

    @property
    def fingerprint(self) -> str:
        """Identity of names, sizes and checksums."""
        return digest_of([[entry.key, entry.size, entry.stamp] for entry in self.entries])

    def read(self, keys: Collection[str], *, most: int) -> Iterator[tuple[Entry, bytes | None]]:
        """Yield files; errors as in `Album.read`."""
        with self._opened() as archive:
            for entry in (*self.entries, *self.others):
                if entry.key not in keys:
                    continue
                try:
                    with archive.open(self._inside[entry.key]) as file:
                        data = file.read(most + 1)
                    yield entry, None if len(data) > most else data
                except (*_BROKEN, KeyError, ValueError):
                    yield entry, None

    def _opened(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise InputError(f"{self.name}: a broken ZIP archive", hint="copy or download it again") from error


class Tar(Album):
    """A tar archive, packed or not. It has no directory: each look goes through all of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with path.open("rb") as file:
            self._digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._most = max(_BOMB_FREE, _BOMB_RATIO * path.stat().st_size)
        for archive_member in self._members():
            member = archive_member[1]
            self._take(_key(member), member.size, self._digest[:16])
        # of several files of one name, the last one counts
        self.entries = list({entry.key: entry for entry in self.entries}.values())
        self.others = list({entry.key: entry for entry in self.others}.values())
        self._finish()

    @property
    def fingerprint(self) -> str:
        """Identity of the bytes of the archive."""
        return self._digest

    def read(self, keys: Collection[str], *, most: int) -> Iterator[tuple[Entry, bytes | None]]:
        """Yield files; errors as in `Album.read`."""
        by_key = {entry.key: entry for entry in (*self.entries, *self.others)}
        for archive, member in self._members():
            key = _key(member)
            if key not in keys or key not in by_key:
                continue
            if member.size > most:
                yield by_key[key], None
                continue
            try:
                file = archive.extractfile(member)
                yield by_key[key], None if file is None else file.read()
            except _BROKEN:
                yield by_key[key], None

    def _members(self) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
        try:
            with tarfile.open(self.path, "r|*") as archive:
                for member in archive:
                    if member.offset_data > self._most:
                        raise InputError(
                            f"{self.name}: unpacks to more than {self._most:,} bytes, which is taken for a bomb",
                            hint="unpack it, and name the folder",
                        )
                    archive.members = []  # type: ignore[attr-defined]  # else the archive remembers every one of them
                    if member.isreg():
                        yield archive, member
        except _BROKEN as error:
            raise InputError(f"{self.name}: a tar archive that is broken or cut off", hint="copy it again") from error


def open_album(path: Path) -> Album:
    """Open a folder or an archive.

    Raises:
        NotFoundError: there is nothing.
        InputError: an archive that is broken, encrypted, or a bomb.
    """
    try:
        if path.is_dir():
            return Folder(path)
        return Tar(path) if path.name.lower().endswith(TARS) else Zip(path)
    except FileNotFoundError:
        raise NotFoundError(f"{path}: there is no such file", hint="check the path") from None
    except PermissionError:
        raise InputError(f"{path}: may not be read", hint="give yourself the right to read it") from None


def is_album(path: Path) -> bool:
    """Tell whether a path names a folder, a tar archive, or a ZIP archive that holds pictures."""
    if path.is_dir() or (path.name.lower().endswith(TARS) and path.is_file()):
        return True
    try:
        with path.open("rb") as file:
            if file.read(4) != b"PK\x03\x04":
                return False
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    n_pictures = sum(PurePosixPath(name).suffix.lower() in PICTURES for name in names)
    return n_pictures > len(names) / 4 and "[Content_Types].xml" not in names and "mimetype" not in names


def natural(text: str) -> tuple[list[tuple[int, str]], str]:
    """Return what sorts texts as people do.

    Example:
        >>> sorted(["b/10.jpg", "b/9.jpg", "a/11.jpg"], key=natural)
        ['a/11.jpg', 'b/9.jpg', 'b/10.jpg']
    """
    parts = _DIGITS.split(text)
    return [(int(part), "") if i % 2 and len(part) < 19 else (-1, part) for i, part in enumerate(parts)], text


def _key(member: tarfile.TarInfo) -> str:
    return PurePosixPath(member.name).as_posix().removeprefix("./")
