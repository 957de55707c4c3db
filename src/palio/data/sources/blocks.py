"""Cut a stream of UTF-8 text into blocks of whole rows, so that each can be parsed by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from palio.core.errors import InputError

Places = np.ndarray[Any, np.dtype[np.intp]]
BLOCK_BYTES = 8 << 20
"""Size of the blocks that are parsed at once; no row may be longer."""


def whole_rows(
    stream: Iterable[bytes], *, quote: str, separator: str, name: str, escape: bool = False, n_bytes: int = BLOCK_BYTES
) -> Iterator[bytes]:
    """Yield blocks of `n_bytes` or more that end where a row ends; the last one ends with the file.

    Raises:
        InputError: a row is longer than a block.
    """
    rest: list[bytes] = []
    size = 0
    for block in stream:
        rest.append(block)
        size += len(block)
        if size < n_bytes:
            continue
        joined = b"".join(rest)
        if not (end := last_row_end(joined, quote.encode(), separator.encode(), escape=escape)):
            if size < BLOCK_BYTES:
                rest = [joined]
                continue
            raise InputError(
                f"{name}: a row is longer than {BLOCK_BYTES >> 20} MB, or a quote never closes",
                hint="look for a cell that begins with a quote and does not end with one",
            )
        yield joined[:end]
        rest, size = [joined[end:]], len(joined) - end
    if size:
        yield b"".join(rest)


def last_row_end(block: bytes, quote: bytes, separator: bytes, *, escape: bool = False) -> int:
    r"""Return the position behind the last end of a row in `block`, which begins with a row; 0 if there is none.

    A quote encloses a cell if it stands at its beginning; a quote inside one is written twice.

    Example:
        >>> last_row_end(b'1,2\n3,"x\ny"', b'"', b","), last_row_end(b'1,5" pipe\n2,', b'"', b",")
        (4, 10)
    """
    if not quote or quote not in block:
        return _line_end(block, 0, len(block))
    codes = np.frombuffer(block, np.uint8)
    at = np.flatnonzero(codes == quote[0])
    if escape:
        at = at[[not _is_escaped(block, p) for p in at.tolist()]]
        if not len(at):
            return _line_end(block, 0, len(block))
    openings = at[::2]
    before = codes[openings - 1]
    fits = (before == separator[-1]) | (before == 10) | (before == 13) | (openings == 0)
    fits[1:] |= openings[1:] == at[1::2][: len(openings) - 1] + 1  # the second of two quotes inside a cell
    # where every other quote opens a cell, it is enough to count them; a stray one (5" pipe) needs a closer look
    stretches = _counted(at, len(block)) if fits.all() else _walked(block, at, separator[-1])
    for start, end in stretches:
        if found := _line_end(block, start, end):
            return found
    return 0


def _is_escaped(block: bytes, at: int) -> bool:
    before = block[max(0, at - 64) : at]
    return (len(before) - len(before.rstrip(b"\\"))) % 2 == 1


def _line_end(block: bytes, start: int, end: int) -> int:
    at = max(block.rfind(b"\n", start, end), block.rfind(b"\r", start, end))
    return at + 1 if at >= 0 else 0


def _counted(at: Places, n_bytes: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches outside quotes where quotes open and close in turn, the last one first."""
    n = len(at)
    if n % 2 == 0:
        yield int(at[n - 1]) + 1, n_bytes
    for i in range(n - 1 if n % 2 else n - 2, -1, -2):  # quotes that open
        yield (int(at[i - 1]) + 1 if i else 0), int(at[i])


def _walked(block: bytes, at: Places, separator: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches outside quotes, the last one first, by following them one after the other."""
    stretches = list[tuple[int, int]]()
    start, inside, passed = 0, False, -1
    edges = (separator, 10, 13)
    for p in at.tolist():
        if not inside:
            if p == 0 or block[p - 1] in edges:
                inside = True
                stretches.append((start, p))
        elif p != passed:
            if block[p + 1 : p + 2] == block[p : p + 1]:
                passed = p + 1
            else:
                inside, start = False, p + 1
    if not inside:
        stretches.append((start, len(block)))
    return reversed(stretches)


def from_position(stream: Iterable[bytes], position: int) -> Iterator[bytes]:
    """Leave out the first bytes of a stream."""
    for block in stream:
        if position >= len(block):
            position -= len(block)
        else:
            yield block[position:] if position else block
            position = 0


class WithoutComments:
    """A stream of text in which lines that begin with `sign` are blank, outside of quotes; they are counted."""

    def __init__(self, stream: Iterable[bytes], sign: str, quote: str, *, escape: bool = False) -> None:
        self.n_lines = 0
        self._stream, self._sign, self._quote = stream, sign.encode(), quote.encode()
        self._escaped = b"\\" + self._quote if escape else b""

    def __iter__(self) -> Iterator[bytes]:
        """Yield blocks of whole lines."""
        rest, inside = b"", False
        for block in self._stream:
            if b"\n" not in block and b"\r" in block:  # lines end as on old Macs: what is no row is found later
                yield rest + block
                rest = b""
                continue
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            inside = self._blank(lines, inside)
            lines.append(b"")
            yield b"\n".join(lines)
        last = [rest]
        self._blank(last, inside)
        if last[0]:
            yield last[0]

    def _blank(self, lines: list[bytes], inside: bool) -> bool:
        for i, line in enumerate(lines):
            if not inside and line.startswith(self._sign):
                lines[i] = b""
                self.n_lines += 1
            elif self._quote and (line.count(self._quote) - self._n_escaped(line)) % 2:
                inside = not inside
        return inside

    def _n_escaped(self, line: bytes) -> int:
        return line.count(self._escaped) if self._escaped else 0


def without_blanks_before_quotes(stream: Iterable[bytes], separator: str, quote: str) -> Iterator[bytes]:
    """Draw quotes to the separators before them: `1, "a, b"` means `1,"a, b"`."""
    wide, narrow, rest = f"{separator} {quote}".encode(), f"{separator}{quote}".encode(), b""
    for block in stream:
        whole, end, rest = (rest + block).rpartition(b"\n")
        yield (whole + end).replace(wide, narrow)
    if rest:
        yield rest.replace(wide, narrow)


def n_line_ends(text: bytes) -> int:
    """Count the ends of lines, however they are written."""
    feeds = count(text, b"\n")
    return feeds + text.count(b"\r") - text.count(b"\r\n") if b"\r" in text else feeds


def count(text: bytes, sign: bytes) -> int:
    """Count a single byte; several times as fast as `bytes.count` where there are many."""
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == sign[0]))
