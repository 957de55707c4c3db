"""Read text files as UTF-8 bytes, whatever their encoding and compression, and say clearly what is wrong with them."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterator

import msgspec

from palio.core.errors import InputError
from palio.data.sources.blocks import count
from palio.data.sources.content import Content

BLOCK_BYTES = 1 << 20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with theirs
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ZERO_SHARE = 0.001
"""More zero bytes than this, and the file is no text."""
_ANY_WORD = re.compile(rb"[A-Za-z\x80-\xff]+")
_TWICE = re.compile(rb"\xc3[\x82\x83]\xc2[\x80-\xbf]")
_LEAST_TWICE = 3
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]+")
_RUN = re.compile(rb"[\x80-\xff]{2,}")
_SIGN_WITHIN = re.compile(rb"(?<=[A-Za-z])[\x80-\x90\x93-\xb3\xb5\xb6\xb8-\xbf](?=[A-Za-z])")
_LETTER_WITHIN = re.compile(rb"(?<=[A-Za-z])[\xc0-\xff](?=[A-Za-z])")
"""Within words of Windows text stand letters from 0xC0 on, apart from apostrophes and the like."""
_MIXED = 0.1
"""From this share on, lines in UTF-8 among others are no chance: hardly any other text is valid UTF-8."""
_KEPT_LINES = 8


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """What one pass over a text file found out."""

    encoding: str
    digest: str
    size_bytes: int
    n_quotes: int
    opening_quotes: int
    """Quotes at the beginning of a tab-separated cell."""
    closing_quotes: int
    errors: str = "strict"
    """`replace` where some lines are not in the encoding, `WINDOWS` where a good part of them is Windows text."""
    remarks: tuple[str, ...] = ()
    """What a person should know, without the name of the file."""


class _UndecodableError(Exception):
    """The file is not text in an encoding."""


def scan(content: Content, wanted: str, *, may_be_empty: bool = False) -> Scan:
    """Read the whole file once: its encoding, identity and quotes.

    A file that does not say what it is, is UTF-8 as long as most lines with letters beyond ASCII are; the others are
    named and their bytes become U+FFFD. Else it is taken for Windows text (cp1252), or Latin-1 where that has gaps.

    Raises:
        InputError: empty, not text, or not in the encoding that was asked for.
    """
    if not content.head:
        if not may_be_empty:
            raise InputError(f"{content.name}: the file is empty", hint="name a file with a header and rows")
        return Scan(encoding="utf-8", digest="", size_bytes=0, n_quotes=0, opening_quotes=0, closing_quotes=0)
    encoding = _told(content.head, content.name, wanted)
    if encoding == "utf-8-sig":
        return _scan_utf8(content, may_differ=wanted == "auto")
    if wanted != "auto" and _is_single_byte(encoding):
        n_good, bad = _lines_in_utf8(content)
        if n_good and not bad:
            found = _pass(content, "utf-8-sig")
            remark = f"the encoding should be {wanted}, but it is UTF-8 and read as such"
            return msgspec.structs.replace(found, remarks=(*found.remarks, remark))
    try:
        found = _pass(content, encoding)
    except _UndecodableError as error:
        raise _wrong(content.name, encoding, error) from None
    if wanted == "auto":
        return msgspec.structs.replace(found, remarks=(*found.remarks, f"read as {encoding}"))
    return found


def utf8_blocks(content: Content, encoding: str, errors: str = "strict") -> Iterator[bytes]:
    """Yield the content as UTF-8, about a megabyte at a time, without byte order mark and zero bytes."""
    for block in _decoded(content, encoding, errors):
        if b"\0" not in block or (block := block.replace(b"\0", b"")):
            yield block


def _decoded(content: Content, encoding: str, errors: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    plain = codecs.lookup(encoding).name.startswith("utf-8")
    with content.opened() as stream:
        while block := stream.read(BLOCK_BYTES):
            # checking ASCII is ten times as fast as decoding; anything else goes through the decoder
            if plain and block.isascii() and not decoder.getstate()[0]:
                yield block
            elif text := decoder.decode(block):
                yield text.encode("utf-8", "replace")
        if text := decoder.decode(b"", final=True):
            yield text.encode("utf-8", "replace")


def _told(head: bytes, name: str, wanted: str) -> str:
    """Tell the encoding from what was asked for and the first bytes; `utf-8-sig` may still turn out wrong."""
    marked = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), "")
    if wanted != "auto":
        try:
            info = codecs.lookup(wanted)
            if not info._is_text_encoding:
                raise LookupError
        except LookupError:
            raise InputError(
                f"{name}: `{wanted}` is no encoding", hint="use auto, utf-8, utf-16, latin-1 or cp1252"
            ) from None
        if info.name.startswith("utf-16-") and marked == "utf-16":
            return "utf-16"
        return "utf-8-sig" if info.name in ("utf-8", "utf-8-sig") else wanted
    if marked:
        return marked
    quarters = [head[i::4].count(0) for i in range(4)]
    n = max(1, len(head) // 4)
    nearly, hardly = 0.9 * n, 0.05 * n
    if min(quarters[2], quarters[3]) > nearly and quarters[0] < hardly:
        return "utf-32-le"
    if min(quarters[0], quarters[1]) > nearly and quarters[3] < hardly:
        return "utf-32-be"
    even, odd = quarters[0] + quarters[2], quarters[1] + quarters[3]
    half = max(1, len(head) // 2)
    if odd > 0.4 * half and even < 0.05 * half:
        return "utf-16-le"
    if even > 0.4 * half and odd < 0.05 * half:
        return "utf-16-be"
    return "utf-8-sig"


def _scan_utf8(content: Content, *, may_differ: bool) -> Scan:
    try:
        found = _pass(content, "utf-8-sig")
        remarks = (*found.remarks, *_about_twice_encoded(content.head))
        return msgspec.structs.replace(found, remarks=remarks) if remarks else found
    except _UndecodableError as error:
        n_good, bad = _lines_in_utf8(content)
        if len(bad) <= n_good:
            shown = ", ".join(f"{line:,}" for line in bad[:_KEPT_LINES]) + (" …" if len(bad) > _KEPT_LINES else "")
            where = f"line {shown} is" if len(bad) == 1 else f"{len(bad):,} lines are"
            which = "" if len(bad) == 1 else f" ({shown})"
            remark = f"{where} not UTF-8{which}; the bytes that are not are read as \ufffd"
            found = _pass(content, "utf-8-sig", errors="replace")
            return msgspec.structs.replace(found, remarks=(*found.remarks, remark))
        if not may_differ:
            raise _wrong(content.name, "utf-8", error) from None
        if n_good > _MIXED * len(bad):
            found = _pass(content, "utf-8-sig", errors=WINDOWS)
            remark = (
                f"of the lines with letters beyond ASCII, {n_good:,} are UTF-8; {len(bad):,} are not, read as cp1252"
            )
            return msgspec.structs.replace(found, remarks=(*found.remarks, remark))
    for candidate in ("cp1252", "latin-1"):
        try:
            found = _pass(content, candidate)
        except _UndecodableError:
            continue
        doubt = _doubt(content.head, candidate)
        return msgspec.structs.replace(
            found, remarks=(*found.remarks, f"not UTF-8, so it is read as {candidate}; {doubt}")
        )
    raise AssertionError("Latin-1 reads every byte")


def _about_twice_encoded(head: bytes) -> list[str]:
    """Say of UTF-8 that was read as Windows text once and saved so that it was."""
    found = _TWICE.findall(head)
    if len(found) < _LEAST_TWICE or 2 * len(found) < len(_BEYOND_ASCII.findall(head)):
        return []
    once = found[0].decode().encode("cp1252", "ignore").decode("utf-8", "replace")
    return [f"letters seem to have been encoded twice, as `{found[0].decode()}` for `{once}`: export it again"]


def _doubt(head: bytes, taken: str) -> str:
    """Say how sure it is that a file is written in `taken`: a single byte a letter, most of them of ASCII."""
    words = [word for word in _ANY_WORD.findall(head) if len(word) > 1 and not word.isascii()]
    other = sum(2 * sum(map(len, _RUN.findall(word))) > len(word) for word in words)  # few letters of ASCII beside them
    if 2 * other > len(words):
        return (
            "it looks like letters of another alphabet: set [data] encoding, e.g. `cp1251`, `gbk`, `shift_jis` or "
            "`euc_jp`"
        )
    within = len(_SIGN_WITHIN.findall(head))
    if taken == "latin-1" or within > len(_LETTER_WITHIN.findall(head)):
        return "some of its signs are no letters there: set [data] encoding, e.g. `mac_roman`, `cp850` or `cp437`"
    return "if letters look wrong, set [data] encoding"


def _as_windows(error: UnicodeError) -> tuple[str, int]:
    """Decode what is not UTF-8 as Windows text."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


WINDOWS = "palio-windows"
"""What the decoder is told to do with bytes that are not UTF-8, in files of which both are a good part."""
codecs.register_error(WINDOWS, _as_windows)


def _lines_in_utf8(content: Content) -> tuple[int, list[int]]:
    """Count the lines with letters beyond ASCII that are UTF-8, and number those that are not, from 1."""
    n_good, bad, number, rest = 0, list[int](), 0, b""
    with content.opened() as stream:
        while True:
            block = stream.read(BLOCK_BYTES)
            lines = (rest + block).split(b"\n")
            rest = lines.pop() if block else b""
            if b"".join(lines).isascii():
                number += len(lines)
            else:
                for line in lines:
                    number += 1
                    if not line.isascii():
                        try:
                            line.decode()
                            n_good += 1
                        except UnicodeDecodeError:
                            bad.append(number)
            if not block:
                return n_good, bad


def _pass(content: Content, encoding: str, errors: str = "strict") -> Scan:
    sha, n_quotes, opening, closing, n_bytes = hashlib.sha256(), 0, 0, 0, 0
    n_zero, last = 0, b"\n"
    try:
        for block in _decoded(content, encoding, errors):
            if b"\0" in block:
                n_zero += block.count(0)
                block = block.replace(b"\0", b"") or last
            sha.update(block)
            n_bytes += len(block)
            n_quotes += count(block, b'"') if b'"' in block else 0
            if b"\t" in block and (b'"' in block or last == b'"'):
                joined = last + block
                opening += joined.count(b'\t"') + joined.count(b'\n"') + joined.count(b'\r"')
                closing += joined.count(b'"\t') + joined.count(b'"\n') + joined.count(b'"\r')
            last = block[-1:]
    except UnicodeError as error:
        raise _UndecodableError(str(error)) from None
    if n_bytes == 0:
        raise InputError(f"{content.name}: the file is empty", hint="name a file with a header and rows")
    if n_zero > _ZERO_SHARE * n_bytes + 4:
        raise InputError(
            f"{content.name}: {n_zero:,} zero bytes: this is not a text file",
            hint="export the table as CSV or Parquet, or set [data] encoding if it is UTF-16",
        )
    return Scan(
        encoding=encoding,
        digest=sha.hexdigest(),
        size_bytes=n_bytes,
        n_quotes=n_quotes,
        opening_quotes=opening,
        closing_quotes=closing + (last == b'"'),
        errors=errors,
        remarks=(f"{n_zero:,} zero {'byte is' if n_zero == 1 else 'bytes are'} left out",) if n_zero else (),
    )


def _is_single_byte(encoding: str) -> bool:
    name = codecs.lookup(encoding).name
    return name.startswith(("iso8859", "cp12", "cp8", "mac-", "koi8", "latin"))


def _wrong(name: str, encoding: str, error: BaseException) -> InputError:
    return InputError(
        f"{name}: not text in the encoding {encoding}: {error}",
        hint="set [data] encoding to `auto`, or to the true one",
    )
