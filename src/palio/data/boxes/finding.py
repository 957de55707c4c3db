"""Read the files of annotation that lie in an album, or beside it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from palio.core.errors import InputError
from palio.core.words import counted
from palio.data.boxes.formats import ENDINGS, MOST_BYTES, formats
from palio.data.boxes.sheets import Annotations
from palio.data.pictures.albums import Album, is_album, open_album

_HEAD = 1 << 20
_WORDS = re.compile(rb'"(images|annotations|categories|info|licenses|rectanglelabels|rectangle|polygonlabels)"')
"""One of these stands near the beginning of every JSON of annotation."""


def read_annotations(album: Album, file: Path | None = None) -> list[Annotations]:
    """Return what the files in an album say of boxes, by format; those of one file alone where it is named.

    Raises:
        InputError: a file is broken, or what files say contradicts itself.
    """
    readers = formats()
    for key, data in _files(album, file):
        any(reader.takes(key, data) for reader in readers)
    pictures = [entry.key for entry in album.entries]
    return [found for reader in readers if (found := reader.finish(pictures)) is not None]


def is_annotation(file: Path) -> bool:
    """Tell whether a file holds boxes, be the pictures where they are.

    Raises:
        InputError: it does, but is broken.
    """
    if file.suffix.lower() not in ENDINGS or not file.is_file():
        return False
    if file.suffix.lower() == ".json":
        with file.open("rb") as held:
            if not _WORDS.search(held.read(_HEAD)):
                return False
    readers = formats()
    taken = any(reader.takes(file.name, _bytes(file)) for reader in readers)
    return taken or file.suffix.lower() in (".yaml", ".yml")


def _files(album: Album, file: Path | None) -> Iterator[tuple[str, bytes]]:
    if file is not None and is_album(file):
        album, file = open_album(file), None
    if file is not None and file.suffix.lower() not in (".yaml", ".yml"):
        yield file.name, _bytes(file)
        return
    if file is not None and not _lies_in(file, album):
        yield file.name, _bytes(file)
    wanted = {entry.key for entry in album.others if posixpath.splitext(entry.key)[1].lower() in ENDINGS}
    wanted |= {entry.key for entry in album.others if posixpath.basename(entry.key) == "_darknet.labels"}
    for entry, data in album.read(wanted, most=MOST_BYTES) if wanted else ():
        if data is None:
            raise InputError(
                f"{entry.key}: cannot be read, or is larger than {counted(MOST_BYTES, 'byte')}",
                hint="check the file, or take it away if it is no annotation",
            )
        yield entry.key, data


def _bytes(file: Path) -> bytes:
    if file.stat().st_size > MOST_BYTES:
        raise InputError(f"{file.name}: more than {counted(MOST_BYTES, 'byte')}", hint="cut it into smaller files")
    return file.read_bytes()


def _lies_in(file: Path, album: Album) -> bool:
    return album.path.is_dir() and file.resolve().is_relative_to(album.path.resolve())
