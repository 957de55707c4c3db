"""How a picture travels in a tensor: as bytes of its file, the same in base64, or as pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from palio.serve.protocols.datatypes import array_of, array_of_bytes, chunks_of, values_of
from palio.serve.protocols.plans import Fed
from palio.serve.protocols.wire import WireError

if TYPE_CHECKING:
    from palio.serve.pictures import Sight


class PicturePlan:
    """An input of a bundle that holds pictures: `BYTES` of shape [n] or [n, 1], or `UINT8` of shape [n, S, S, 3].

    Args:
        name: Of the input.
        sight: Of the model.
    """

    datatype: str = "BYTES"
    shape: tuple[int, ...] = (-1, 1)

    def __init__(self, name: str, sight: Sight) -> None:
        self.name = name
        self._column = sight.inputs[name]
        self._sizes = sight.size_of(name)

    def of_json(self, datatype: str, shape: Sequence[int], data: msgspec.Raw) -> Fed:
        """Make a feed of JSON: base64, or numbers from 0 to 255."""
        self._fit(datatype, shape)
        values = values_of(data, datatype, len(shape), self.name)
        self._count(shape, len(values))
        if datatype == "UINT8":
            return array_of(values, datatype, shape, self.name), ()
        return self._column.read(values)

    def of_bytes(self, datatype: str, shape: Sequence[int], raw: memoryview) -> Fed:
        """Make a feed of the protocol's bytes: files with their lengths before them, or pixels."""
        self._fit(datatype, shape)
        if datatype == "UINT8":
            pixels = array_of_bytes(raw, datatype, self.name)
            self._count(shape, len(pixels))
            return pixels.reshape(shape), ()
        files = chunks_of(raw, self.name)
        self._count(shape, len(files))
        return self._column.read([_plain(file) for file in files])

    def of_file(self, body: bytes) -> Fed:
        """Make a feed of one file."""
        return self._column.read([body])

    def _fit(self, datatype: str, shape: Sequence[int]) -> None:
        if datatype == "UINT8":
            if len(shape) == 4 and shape[0] >= 0 and shape[3] == 3 and shape[1] == shape[2] in self._sizes:
                return
            size = self._sizes[0] if self._sizes else 0
            what = f"shape must be [rows, {size}, {size}, 3] for pixels"
        elif datatype == "BYTES":
            if min(shape, default=-1) >= 0 and (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)):
                return
            what = "shape must be [rows, 1] or [rows]"
        else:
            what = "datatype must be BYTES (files), or UINT8 (pixels)"
        raise WireError(400, f"input `{self.name}`: {what}", fields=(self.name,))

    def _count(self, shape: Sequence[int], n_values: int) -> None:
        if math.prod(shape) != n_values:
            raise WireError(400, f"input `{self.name}`: its shape is not that of its data", fields=(self.name,))


def _plain(file: memoryview) -> bytes | str:
    """Return the bytes of a file; base64, which clients send who only know texts, as text.

    No format of pictures begins with letters and digits alone for as long as that.
    """
    head = bytes(file[:64])
    if head.startswith(b"data:") or (len(head) >= 16 and not head.translate(None, _BASE64)):
        try:
            return str(file, "ascii")
        except UnicodeDecodeError:
            pass
    return bytes(file)


_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n"
