"""Get at the bytes of a file, wherever it lies and however it is packed.

Compression is known by the first bytes, not by the name: gzip, bzip2, xz, zstd, and a ZIP archive that holds one file.
What lies behind a URL is fetched once; the copy goes when nobody needs it any more.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shutil
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

import pyarrow as pa

from palio.core.errors import InputError, NotFoundError

LARGEST_FREE = 1 << 30
LARGEST_RATIO = 100
"""Content that unpacks to more than 1 GiB *and* to more than a hundred times its file is taken for a bomb."""
_DEEPEST = 3
_GZIP, _BZIP2, _XZ, _ZSTD, _ZIP = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
PACKED = {".gz": "gzip", ".gzip": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd", ".zstd": "zstd", ".zip": "ZIP"}
_SHEETS = (".xlsx", ".xlsm", ".xlsb", ".ods")
_OFFICE = ("[Content_Types].xml", "mimetype", "xl/workbook.xml")
_NO_TABLE = ("__MACOSX/", ".DS_Store", "Thumbs.db")
HEAD_BYTES = 1 << 16


class Content:
    """The unpacked bytes of a file."""

    def __init__(self, path: Path, *, name: str = "") -> None:
        self.path = path
        self.name = name or path.name
        """What people see; it holds no credentials."""
        self.packed_bytes = path.stat().st_size
        self.ending = _ending(PurePosixPath(self.name))
        """Of the name of what is inside, in small letters, as `.csv`."""
        self.is_packed = False
        with self.opened() as stream:
            self.head = stream.read(HEAD_BYTES)

    @contextmanager
    def opened(self) -> Iterator[io.BufferedReader]:
        """Open it for reading from the beginning; it cannot be wound back.

        Raises:
            InputError: truncated or broken compression, a bomb, an archive of several tables, or no right to read.
            NotFoundError: the file is gone.
        """
        try:
            with ExitStack() as stack:
                self.ending = _ending(PurePosixPath(self.name))
                stream: io.BufferedReader = stack.enter_context(self.path.open("rb"))
                for _ in range(_DEEPEST):
                    inner = self._inside(stream, stack)
                    if inner is None:
                        break
                    stream, self.is_packed = io.BufferedReader(_Unpacked(inner, self), 1 << 18), True
                yield stream
        except EOFError:
            raise self._cut_off() from None
        except (gzip.BadGzipFile, zlib.error, lzma.LZMAError, zipfile.BadZipFile, pa.ArrowInvalid) as error:
            raise self._broken(error) from None
        except FileNotFoundError:
            raise NotFoundError(f"{self.path}: there is no such file", hint="check the path") from None
        except PermissionError:
            raise InputError(f"{self.path}: may not be read", hint="give yourself the right to read it") from None
        except OSError as error:
            if error.errno is None or not self.is_packed:  # of a library that unpacks
                raise self._broken(error) from None
            raise

    def on_disk(self) -> Path:
        """Return where the unpacked bytes lie, for readers that jump about in them."""
        if not self.is_packed:
            return self.path
        copy = tempfile.NamedTemporaryFile(suffix=self.ending, delete=False)  # noqa: SIM115 — lives as long as this
        weakref.finalize(self, Path(copy.name).unlink, missing_ok=True)
        with copy, self.opened() as stream:
            shutil.copyfileobj(stream, copy, 1 << 20)
        self.path, self.is_packed = Path(copy.name), False
        return self.path

    def _inside(self, stream: io.BufferedReader, stack: ExitStack) -> Any:
        """Return a stream of what is inside, or None if nothing is packed."""
        head = stream.peek(6)[:6]
        inner: Any
        if head.startswith(_GZIP):
            inner = gzip.GzipFile(fileobj=stream)
        elif head.startswith(_BZIP2):
            inner = bz2.BZ2File(stream)
        elif head.startswith(_XZ):
            inner = lzma.LZMAFile(stream)  # noqa: SIM115 — closed by the stack
        elif head.startswith(_ZSTD):
            inner = pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), "zstd")
        elif head.startswith((_ZIP, _EMPTY_ZIP)) and self.ending not in _SHEETS:
            try:
                whole = stream if stream.seekable() else stack.enter_context(_spooled(stream))
                archive = stack.enter_context(zipfile.ZipFile(whole))
            except zipfile.BadZipFile:
                raise InputError(
                    f"{self.name}: a ZIP archive or spreadsheet that is broken or cut off",
                    hint="copy or download it again",
                ) from None
            return self._member(archive, stream, stack)
        else:
            return None
        return stack.enter_context(inner)

    def _member(self, archive: zipfile.ZipFile, stream: io.BufferedReader, stack: ExitStack) -> Any:
        names = archive.namelist()
        if any(name in names for name in _OFFICE):
            if not stream.seekable():
                raise InputError(f"{self.name}: a spreadsheet inside an archive is not read", hint="unpack it first")
            stream.seek(0)
            return None  # a spreadsheet is an archive, too
        files = [
            info
            for info in archive.infolist()
            if not info.is_dir()
            and not any(part in info.filename for part in _NO_TABLE)
            and not PurePosixPath(info.filename).name.startswith(".")
        ]
        tables = [info for info in files if _ending(PurePosixPath(info.filename)) in TABLE_ENDINGS] or files
        if len(tables) > 1:  # a text beside a table is a note on it
            sure = [info for info in tables if _ending(PurePosixPath(info.filename)) not in _MAY_BE_NOTES]
            tables = sure if len(sure) == 1 else tables
        if len(tables) != 1:
            shown = ", ".join(info.filename for info in tables[:8]) + (" …" if len(tables) > 8 else "")
            raise InputError(
                f"{self.name}: the archive holds {len(tables)} tables{': ' if tables else ''}{shown}, one is wanted",
                hint="unpack it and name the table",
                facts={"files": [info.filename for info in tables[:100]]},
            )
        if tables[0].flag_bits & 1:
            raise InputError(f"{self.name}: the archive is encrypted", hint="unpack it first")
        self.ending = _ending(PurePosixPath(tables[0].filename))
        try:
            return stack.enter_context(archive.open(tables[0]))
        except NotImplementedError:
            raise InputError(
                f"{self.name}: the archive is packed in a way that is not read", hint="unpack it"
            ) from None

    def _broken(self, error: BaseException) -> InputError:
        if any(sign in str(error).lower() for sign in ("truncated", "end-of-stream", "ended before", "end of")):
            return self._cut_off()
        return InputError(
            f"{self.name}: the compression is broken: {str(error)[:120]}", hint="copy or download it again"
        )

    def _cut_off(self) -> InputError:
        return InputError(f"{self.name}: the compressed file is cut off", hint="copy or download it again")


class _Unpacked(io.RawIOBase):
    """What comes out of a stream that unpacks; it goes forward only, and refuses to grow without end."""

    def __init__(self, stream: Any, content: Content) -> None:
        super().__init__()
        self._stream, self._name = stream, content.name
        self._left = max(LARGEST_FREE, LARGEST_RATIO * content.packed_bytes)

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` and return how many bytes were written."""
        view, done = memoryview(buffer), 0
        while done < len(view) and (block := self._stream.read(len(view) - done)):
            view[done : done + len(block)] = block
            done += len(block)
        self._left -= done
        if self._left < 0:
            raise InputError(
                f"{self._name}: it unpacks to more than {LARGEST_RATIO} times its size", hint="unpack it yourself first"
            )
        return done


def _spooled(stream: Any) -> IO[bytes]:
    """Copy what cannot be wound back to a temporary file."""
    copy = tempfile.TemporaryFile()  # noqa: SIM115 — closed by who asked for it
    shutil.copyfileobj(stream, copy, 1 << 20)
    copy.seek(0)
    return copy


def _ending(name: PurePosixPath) -> str:
    suffixes = [suffix.lower() for suffix in name.suffixes]
    while len(suffixes) > 1 and suffixes[-1] in PACKED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


_MAY_BE_NOTES = frozenset((".txt", ".json", ".data", ".dat"))
TABLE_ENDINGS = (
    {".csv", ".tsv", ".tab", ".psv", ".txt", ".dat", ".data", ".arff", ".jsonl", ".ndjson", ".json"}
    | {".parquet", ".pq", ".feather", ".arrow", ".arrows", ".ipc"}
    | {".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"}
    | set(PACKED)
)
