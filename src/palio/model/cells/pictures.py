"""Turn the cells of a picture column into a feed: the bytes of files, however they travel."""

from __future__ import annotations

import base64
import binascii
import urllib.parse
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from palio.core.errors import ContractError, InputError
from palio.core.records import Column
from palio.model.cells.columns import Flags
from palio.model.cells.names import input_name

Array = npt.NDArray[Any]
RULE = "picture"
"""What the violations of such cells are called."""
_LEAST = 64
"""Shorter texts without `=` are names and paths, no pictures."""


@runtime_checkable
class Kept(Protocol):
    """A picture that is read when it is needed."""

    def read(self) -> bytes:
        """Return the bytes of its file."""


def bytes_of(cell: Any) -> bytes:
    """Return the bytes of a picture's file. Raises `InputError` for a cell that holds none.

    Example:
        >>> bytes_of("data:image/gif;base64,R0lGODlhAQABAAAAACw=")[:6]
        b'GIF89a'
    """
    if isinstance(cell, bytes | bytearray | memoryview):
        return bytes(cell)
    if isinstance(cell, Kept):
        return cell.read()
    if isinstance(cell, dict) and set(cell) == {"b64"}:  # as TensorFlow Serving and its clients write bytes
        cell = cell["b64"]
    if isinstance(cell, str):
        data = _of_base64(cell)
        if data:
            return data
    raise InputError(
        "picture: this is none, wanted are the bytes of its file, or these in base64",
        hint="send a JPEG, PNG or WebP file as it is, or in base64",
        facts={"problem": "not a picture"},
    )


def _of_base64(text: str) -> bytes | None:
    """Read base64 in either alphabet, with or without `=` at its end, also as a `data:` URL; None: it is none."""
    if text[:5].lower() == "data:":
        text = text.partition(",")[2]
        text = urllib.parse.unquote(text) if "%" in text else text
    text = "".join(text.split())
    if "-" in text or "_" in text:
        text = text.replace("-", "+").replace("_", "/")
    if len(text) % 4 and len(text) >= _LEAST:
        text += "=" * (-len(text) % 4)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


class PictureColumn:
    """Reads cells of one picture column into a feed of shape (n_rows, 1): bytes of files. What they show is seen later.

    Example:
        >>> reader = PictureColumn(Column(name="photo", type="image"))
        >>> reader.read(["R0lGODlh", b"GIF89a"])[0][:, 0].tolist()
        [b'GIF89a', b'GIF89a']
    """

    def __init__(self, column: Column) -> None:
        self.column = column
        self.input = input_name(column.name)
        """Name of the graph's input that takes the feed."""

    def read(self, cells: Sequence[Any]) -> tuple[Array, Flags]:
        """Read bytes, or the same as text: base64, also as a `data:` URL.

        Raises:
            ContractError: a cell is missing, or neither; `facts["violations"]` names column, rule and row; cells are
                never repeated.
        """
        feed = np.empty((len(cells), 1), object)
        for row, cell in enumerate(cells):
            if cell is None or (isinstance(cell, str | bytes) and not cell):
                raise self.refusal(row, "is missing, but must be given", "give a picture", rule="missing")
            try:
                feed[row, 0] = bytes_of(cell)
            except InputError as error:
                raise self.refusal(row, f"is no picture, {error.message.partition(', ')[2]}", error.hint) from None
        return feed, []

    def refusal(self, row: int, why: str, hint: str, *, rule: str = RULE) -> ContractError:
        """Make the error for a picture that cannot be used."""
        return ContractError(
            f"row {row}: `{self.column.name}` {why}",
            hint=hint,
            facts={"violations": [{"column": self.column.name, "rule": rule, "row": row}]},
        )
