"""Read text files as UTF-8 bytes, whatever their encoding and compression, and say clearly what is wrong with them."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import msgspec

from palio.core.errors import InputError, NotFoundError
from palio.data.source import check_magic

BLOCK_BYTES = 1 << 20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with theirs
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """What one pass over a text file found out."""

    encoding: str
    digest: str
    size_bytes: int
    n_quotes: int
    opening_quotes: int
    """Quotes at the beginning of a tab-separated cell."""
    closing_quotes: int


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading, through gzip if it is compressed, whatever its name says.

    Raises:
        InputError: truncated or broken compression, or the file may not be read.
    """
    try:
        with path.open("rb") as raw:
            compressed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            yield cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if compressed else raw
    except EOFError:
        raise InputError(f"{path.name}: the compressed file is cut off", hint="copy or download it again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path.name}: the compression is broken: {error}", hint="copy or download it again") from None
    except FileNotFoundError:
        raise NotFoundError(f"{path}: there is no such file", hint="check the path") from None
    except PermissionError:
        raise InputError(f"{path}: may not be read", hint="give yourself the right to read it") from None


def sniff_encoding(head: bytes, path: Path, wanted: str) -> str:
    """Tell the encoding from the first bytes; `utf-8` may still turn out wrong further down.

    Raises:
        InputError: the content is not text, or `wanted` is no encoding.
    """
    if wanted != "auto":
        try:
            codecs.lookup(wanted)
        except LookupError:
            raise InputError(
                f"{path.name}: `{wanted}` is no encoding", hint="use auto, utf-8, utf-16, latin-1 or cp1252"
            ) from None
        return "utf-8-sig" if codecs.lookup(wanted).name == "utf-8" else wanted
    check_magic(head, path)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = max(1, len(head) // 2)
    if odd > 0.4 * half and even < 0.05 * half:
        return "utf-16-le"
    if even > 0.4 * half and odd < 0.05 * half:
        return "utf-16-be"
    return "utf-8-sig"


def scan(path: Path, wanted: str) -> Scan:
    """Read the whole file once: its encoding, identity and quotes.

    A file that is not UTF-8 and does not say what it is, is taken for Windows text (cp1252), or Latin-1 where that
    has gaps.

    Raises:
        InputError: empty, not text, or not in the encoding that was asked for.
    """
    with opened(path) as stream:
        encoding = sniff_encoding(stream.read(BLOCK_BYTES // 4), path, wanted)
    candidates = [encoding] if wanted != "auto" or encoding != "utf-8-sig" else [encoding, "cp1252", "latin-1"]
    for candidate in candidates[:-1]:
        try:
            return _scan_as(path, candidate)
        except UnicodeDecodeError:
            continue
    try:
        return _scan_as(path, candidates[-1])
    except UnicodeError as error:
        raise InputError(
            f"{path.name}: not text in the encoding {candidates[-1]}: {error}",
            hint="set [data] encoding to `auto`, or to the true one",
        ) from None


def utf8_blocks(path: Path, encoding: str) -> Iterator[bytes]:
    """Yield the content as UTF-8, about a megabyte at a time, without a byte order mark."""
    decoder = codecs.getincrementaldecoder(encoding)()
    plain = codecs.lookup(encoding).name.startswith("utf-8")
    with opened(path) as stream:
        while block := stream.read(BLOCK_BYTES):
            # checking ASCII is ten times as fast as decoding; anything else goes through the decoder
            if plain and block.isascii() and not decoder.getstate()[0]:
                yield block
            elif text := decoder.decode(block):
                yield text.encode()
        if text := decoder.decode(b"", final=True):
            yield text.encode()


def _scan_as(path: Path, encoding: str) -> Scan:
    sha, n_quotes, opening, closing, n_bytes = hashlib.sha256(), 0, 0, 0, 0
    last = b"\n"
    for block in utf8_blocks(path, encoding):
        if (at := block.find(0)) >= 0:
            raise InputError(
                f"{path.name}: a zero byte after {n_bytes + at:,} bytes: this is not a text file",
                hint="export the table as CSV or Parquet, or set [data] encoding if it is UTF-16",
            )
        sha.update(block)
        n_bytes += len(block)
        n_quotes_here = block.count(b'"')
        n_quotes += n_quotes_here
        if n_quotes_here or last == b'"':
            joined = last + block
            opening += joined.count(b'\t"') + joined.count(b'\n"')
            closing += joined.count(b'"\t') + joined.count(b'"\n') + joined.count(b'"\r')
        last = block[-1:]
    if last == b'"':
        closing += 1
    if n_bytes == 0:
        raise InputError(f"{path.name}: the file is empty", hint="name a file with a header and rows")
    return Scan(
        encoding=encoding,
        digest=sha.hexdigest(),
        size_bytes=n_bytes,
        n_quotes=n_quotes,
        opening_quotes=opening,
        closing_quotes=closing,
    )


class Utf8File(io.RawIOBase):
    """A readable, file-like view of `utf8_blocks`, for readers that want one."""

    def __init__(self, path: Path, encoding: str) -> None:
        super().__init__()
        self._blocks = utf8_blocks(path, encoding)
        self._rest = b""

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes; all that is left if negative."""
        if size is None or size < 0:
            parts = [self._rest, *self._blocks]
            self._rest = b""
            return b"".join(parts)
        parts, n_bytes = [self._rest], len(self._rest)
        while n_bytes < size and (block := next(self._blocks, b"")):
            parts.append(block)
            n_bytes += len(block)
        joined = b"".join(parts)
        self._rest = joined[size:]
        return joined[:size]

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill `buffer` and return how many bytes were written."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Let go of the file."""
        self._blocks.close()  # type: ignore[attr-defined]
        super().close()
