"""Read bodies of `/predict` that hold files instead of JSON: one picture as it is, or a form with several."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from palio.serve.pictures import Sight
from palio.serve.protocols.wire import BINARY, Caps, Request, WireError

FORM = b"multipart/form-data"
_BOUNDARY = re.compile(rb'boundary="?([0-9A-Za-z\'()+_,./:=? -]{1,70})"?', re.IGNORECASE)
_NAME = re.compile(rb'[;\s]name="([^"\r\n]{1,300})"', re.IGNORECASE)
_FILE = re.compile(rb"[;\s]filename\*?=", re.IGNORECASE)
_MOST_HEAD_BYTES = 4096
"""Of the headers of one part of a form."""


def records_of(request: Request, sight: Sight, caps: Caps) -> list[dict[str, Any]] | None:
    """Read a body by its content type; None if that is none of these, so that it is taken for JSON.

    Raises:
        WireError: 400, a form that is none, or a model that cannot be asked like this; 413, too many rows.
    """
    kind, _, rest = request.content_type.partition(b";")
    kind = kind.strip().lower()
    if kind.startswith(b"image/") or kind == BINARY:
        if len(sight.columns) > 1:
            raise WireError(400, f"this model takes {len(sight.columns)} pictures a row; send a form")
        return [{sight.columns[0].name: request.body}]
    return _rows(request.body, rest, sight, caps) if kind == FORM else None


def _rows(body: bytes, parameters: bytes, sight: Sight, caps: Caps) -> list[dict[str, Any]]:
    """Make a row of each file; a field that is given once goes for all rows, else the n-th goes for the n-th."""
    pictures = [column.name for column in sight.columns]
    columns: dict[str, list[Any]] = {name: [] for name in pictures}
    for name, is_file, value in _parts(body, parameters, most=caps.max_rows * 2 + 1000):
        if is_file and name not in columns and len(pictures) == 1:
            name = pictures[0]  # whatever a form calls its file
        columns.setdefault(name, []).append(value if name in pictures else _text(value))
    n_rows = max(len(columns[name]) for name in pictures)
    if not n_rows:
        raise WireError(400, f"the form holds no picture; send a file as `{pictures[0]}`", fields=(pictures[0],))
    if n_rows > caps.max_rows:
        raise WireError(413, f"{n_rows} pictures are more than the {caps.max_rows} rows of one request")
    for name, values in columns.items():
        if len(values) not in (1, n_rows) or (name in pictures and len(values) != n_rows):
            what = f"{len(values)} parts for {n_rows} rows; send one for each row"
            shown = (name,) if name in pictures else ()
            raise WireError(400, f"`{name}`: {what}" if shown else f"a field has {what}, or one for all", fields=shown)
    return [{name: values[row if len(values) > 1 else 0] for name, values in columns.items()} for row in range(n_rows)]


def _parts(body: bytes, parameters: bytes, *, most: int) -> Iterator[tuple[str, bool, bytes]]:
    """Yield name, whether it is a file, and content of each part. Source: RFC 7578, RFC 2046 section 5.1."""
    found = _BOUNDARY.search(parameters)
    if found is None:
        raise WireError(400, "the content type of a form must name its boundary")
    mark = b"--" + found[1].rstrip(b" ")
    at = 0 if body.startswith(mark) else body.find(b"\r\n" + mark)
    if at < 0:
        raise _broken()
    at = body.index(mark, at) + len(mark)
    n_parts = 0
    while not body.startswith(b"--", at):
        n_parts += 1
        if n_parts > most:
            raise WireError(413, f"the form has more than {most} parts")
        end_of_head = body.find(b"\r\n\r\n", at, at + _MOST_HEAD_BYTES)
        end = body.find(b"\r\n" + mark, max(at, end_of_head + 2))
        if end_of_head < 0 or end < 0:
            raise _broken()
        head = next((line for line in body[at:end_of_head].split(b"\r\n") if _is_disposition(line)), b"")
        name = _NAME.search(head)
        if name is None:
            raise _broken()
        yield name[1].decode("utf-8", "replace"), _FILE.search(head) is not None, body[end_of_head + 4 : end]
        at = end + 2 + len(mark)


def _is_disposition(line: bytes) -> bool:
    return line.lower().startswith(b"content-disposition:")


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise WireError(400, "a field of the form is not UTF-8") from None


def _broken() -> WireError:
    return WireError(400, "the form is damaged: a part has no name or no end")
