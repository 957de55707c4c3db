"""Read JSON that is one document: a list of objects, an object around one, or a frame as pandas writes it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from palio.core.errors import InputError
from palio.core.ids import digest_of
from palio.core.records import Form
from palio.data.source import Skipped, SourceOptions
from palio.data.sources import json_lines, objects, text_stream
from palio.data.sources.content import Content

_LARGEST_VALUE = 256 << 20
"""Bytes of one object; a list is read object by object and may be of any size."""
_BLANKS = re.compile(r"[ \t\r\n,]*")


def is_lines(content: Content, called_lines: bool) -> bool:
    """Tell whether a file holds one object a line, from its beginning."""
    head = content.head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if b"\0" in head[:64]:
        return called_lines  # UTF-16: the name decides
    if not head.startswith(b"{"):
        return called_lines and not re.match(rb"\[\s*[{\]]", head)
    line, _, after = head.partition(b"\n")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return called_lines and not re.fullmatch(rb'\{\s*("[^"]*"\s*:\s*[\[{]?)?\s*', line)
    return isinstance(value, dict) and (called_lines or after.lstrip().startswith(b"{"))


class JsonDocumentSource:
    """Objects in a JSON document, every cell as text; a key that is absent is a missing cell."""

    loose = True

    def __init__(self, content: Content, options: SourceOptions) -> None:
        self.name = content.name
        self.missing = options.missing
        self.skipped = Skipped()
        self.remarks: tuple[str, ...] = ()
        self._content = content
        self._scan = text_stream.scan(content, options.encoding, may_be_empty=True)
        self._about: list[str] = []
        self._found = objects.Unfolder(content.name)
        for row in self._objects():
            self._found.see(row)
        self._tidied = json_lines.columns_of(self._found, options)
        self.columns, self.passed_over = self._tidied.columns, self._found.passed_over()
        self.form = Form(kind="lines", encoding=self._scan.encoding.removesuffix("-sig"))
        self.fingerprint = digest_of([self._scan.digest, options.missing])

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found out about the form of the file."""
        about_text = [f"{self.name}: {remark}" for remark in self._scan.remarks]
        about = dict.fromkeys(self._about)
        return (*self.remarks, *about_text, *about, *self._found.notes(), *self._tidied.notes)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows as text.

        Raises:
            InputError: the document is broken, or holds no list of objects.
        """
        yield from json_lines.batches(self._objects(), self._found, self._tidied, self.name)

    def _objects(self) -> Iterator[Mapping[str, Any]]:
        text = _Text(text_stream.utf8_blocks(self._content, self._scan.encoding, self._scan.errors), self.name)
        if text.peek() == "[":
            text.at += 1
            while (sign := text.peek()) not in ("]", ""):
                yield self._as_object(text.value())
            if not sign:
                raise InputError(f"{self.name}: the list never ends: the file is cut off", hint="write it again")
            return
        first = text.value()
        if not text.peek():
            yield from (self._as_object(row) for row in self._inside(first))
            return
        yield self._as_object(first)
        while text.peek():
            yield self._as_object(text.value())

    def _as_object(self, value: Any) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise InputError(
                f"{self.name}: the document holds {_kind_of(value)} where an object is wanted",
                hint='write rows as objects: [{"a": 1, "y": 2}, …]',
            )
        return value

    def _inside(self, value: Any) -> list[dict[str, Any]]:
        """Find the rows in an object."""
        if not isinstance(value, dict):
            raise self._no_rows(f"the document is {_kind_of(value)}")
        keys = set(value)
        if {"columns", "data"} <= keys <= {"columns", "data", "index"} and _is_list_of(value["data"], list):
            self._about.append(f"{self.name} is read as a frame that pandas wrote by `split`")
            if any(len(row) != len(value["columns"]) for row in value["data"]):
                raise self._no_rows("rows of `data` have another length than `columns`")
            return [dict(zip(map(str, value["columns"]), row, strict=True)) for row in value["data"]]
        tables = [key for key, inner in value.items() if _is_list_of(inner, dict) and inner]
        if len(tables) == 1:
            others = [key for key in value if key != tables[0]]
            beside = f"; beside it {', '.join(f'`{key}`' for key in others[:6])} is passed over" if others else ""
            self._about.append(f"{self.name}: the rows are the objects in `{tables[0]}`{beside}")
            return list(value[tables[0]])
        if len(tables) > 1:
            raise self._no_rows(f"there are several lists of objects: {', '.join(f'`{t}`' for t in tables[:8])}")
        inner = list(value.values())
        if inner and all(isinstance(v, list) for v in inner) and len({len(v) for v in inner}) == 1 and len(inner[0]):
            self._about.append(f"{self.name}: each key is read as a column")
            return [dict(zip(value, row, strict=True)) for row in zip(*inner, strict=True)]
        if inner and all(isinstance(v, dict) for v in inner):
            return self._of_nested(value)
        if inner and not any(isinstance(v, list | dict) for v in inner):
            return [value]  # one row
        if not inner or any(v == [] for v in inner):
            return []
        raise self._no_rows("the object holds no list of objects")

    def _of_nested(self, value: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
        """Read `{column: {row: cell}}` or `{row: {column: cell}}`, told apart by what counts."""
        rows = list(dict.fromkeys(key for inner in value.values() for key in inner))
        if all(key.isdecimal() for key in rows) and not all(key.isdecimal() for key in value):
            self._about.append(f"{self.name}: each key is read as a column, as pandas writes frames by `columns`")
            return [{name: cells.get(row) for name, cells in value.items()} for row in rows]
        if all(key.isdecimal() for key in value):
            self._about.append(f"{self.name}: each key is read as a row, as pandas writes frames by `index`")
            return list(value.values())
        raise self._no_rows("the object holds objects, and neither of them are counted")

    def _no_rows(self, what: str) -> InputError:
        return InputError(
            f"{self.name}: no table is found: {what}", hint='write rows as objects: [{"a": 1, "y": 2}, …]'
        )


class _Text:
    """A document that is read value by value."""

    def __init__(self, stream: Iterator[bytes], name: str) -> None:
        self.at = 0
        self._held, self._stream, self._name = "", stream, name

    def peek(self) -> str:
        """Return the next sign that is no blank and no comma, without passing it; empty at the end."""
        while True:
            match = _BLANKS.match(self._held, self.at)
            self.at = match.end() if match else self.at
            if self.at < len(self._held):
                return self._held[self.at]
            if not self._more(1):
                return ""

    def value(self) -> Any:
        """Read the next value.

        Raises:
            InputError: it is broken, or longer than 256 MB.
        """
        self.peek()
        wanted = 1 << 20
        while True:
            try:
                value, end = objects.PARSER.raw_decode(self._held, self.at)
            except RecursionError:
                raise InputError(f"{self._name}: the document is nested too deep", hint="flatten it") from None
            except ValueError as error:
                if len(self._held) - self.at > _LARGEST_VALUE:
                    raise InputError(
                        f"{self._name}: an object is longer than {_LARGEST_VALUE >> 20} MB",
                        hint="write one object a line and call it .jsonl",
                    ) from None
                if not self._more(wanted):
                    raise InputError(
                        f"{self._name}: not readable as JSON: {getattr(error, 'msg', error)}",
                        hint="write it again, or check where it is cut off",
                    ) from None
                wanted *= 2
                continue
            if end == len(self._held) and isinstance(value, str) and self._more(1):
                continue  # a number may go on
            self.at = end
            return value

    def _more(self, n: int) -> bool:
        blocks, size = [], 0
        while size < n and (block := next(self._stream, b"")):
            blocks.append(block)
            size += len(block)
        if blocks:
            self._held, self.at = self._held[self.at :] + b"".join(blocks).decode(), 0
        return bool(blocks)


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(inner, kind) for inner in value)


def _kind_of(value: Any) -> str:
    kinds: tuple[tuple[type, str], ...] = (
        (list, "a list"),
        (dict, "an object"),
        (objects.Written, "a number"),
        (str, "a text"),
    )
    return next((called for kind, called in kinds if isinstance(value, kind)), "a literal")
