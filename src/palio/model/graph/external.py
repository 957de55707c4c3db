"""Bring weights that an exporter put into a file beside the graph back into it; what else is wanted is refused.

Exporters of large models, and torch by default, keep tensors in `model.onnx.data`. The name of that file stands in the
graph, and could be any path: only a plain file in the folder of the graph is read.

Source: onnx/onnx.proto, TensorProto.external_data; onnx.ai/onnx/repo-docs/ExternalData.html.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from palio.core.errors import IntegrityError
from palio.model.graph.zipmap import read_fields, write_field

_MODEL_GRAPH, _GRAPH_TENSOR = 7, 5
_TENSOR_NAME, _TENSOR_RAW, _TENSOR_ELSEWHERE, _TENSOR_LOCATION = 8, 9, 13, 14
_ENTRY_KEY, _ENTRY_VALUE = 1, 2

Load = Callable[[str, int, int | None], bytes]
"""Reads a part of a file by name, offset and length (None: to its end)."""


def with_weights(model: bytes, folder: Path, *, max_bytes: int) -> bytes:
    """Return a model that holds its weights itself; one that does already comes back as it is.

    Raises:
        IntegrityError: a tensor names no plain file of `folder`, or more than there is; or all is too large.
    """
    if b"location" not in model:
        return model
    left = max_bytes - len(model)

    def load(name: str, offset: int, length: int | None) -> bytes:
        nonlocal left
        data = _read(folder, name, offset, length, most=left)
        left -= len(data)
        return data

    try:
        return b"".join(
            write_field(_MODEL_GRAPH, _graph(value, load))
            if number == _MODEL_GRAPH and isinstance(value, bytes)
            else whole
            for number, whole, value in read_fields(model)
        )
    except (IndexError, UnicodeDecodeError):
        return model  # whoever opens it says what is wrong with it


def _graph(graph: bytes, load: Load) -> bytes:
    return b"".join(
        write_field(_GRAPH_TENSOR, _tensor(value, load))
        if number == _GRAPH_TENSOR and isinstance(value, bytes)
        else whole
        for number, whole, value in read_fields(graph)
    )


def _tensor(tensor: bytes, load: Load) -> bytes:
    fields = list(read_fields(tensor))
    about = dict(
        _entry(value) for number, _, value in fields if number == _TENSOR_ELSEWHERE and isinstance(value, bytes)
    )
    if not any(number == _TENSOR_LOCATION and value for number, _, value in fields):
        return tensor
    try:
        offset, length = int(about.get("offset") or 0), int(about["length"]) if about.get("length") else None
    except ValueError:
        raise _refused("it says where in numbers that are none") from None
    kept = [whole for number, whole, _ in fields if number not in (_TENSOR_RAW, _TENSOR_ELSEWHERE, _TENSOR_LOCATION)]
    return b"".join((*kept, write_field(_TENSOR_RAW, load(about.get("location", ""), offset, length))))


def _entry(entry: bytes) -> tuple[str, str]:
    found = {number: value.decode() for number, _, value in read_fields(entry) if isinstance(value, bytes)}
    return found.get(_ENTRY_KEY, ""), found.get(_ENTRY_VALUE, "")


def _read(folder: Path, name: str, offset: int, length: int | None, *, most: int) -> bytes:
    if not name or name in (".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise _refused("its name is no plain file name, and only a file beside the graph is read")
    try:
        handle = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise _refused(f"`{name[:80]}` cannot be read: {(error.strerror or 'failed').lower()}") from None
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        length = about.st_size - offset if length is None else length
        if not stat.S_ISREG(about.st_mode) or offset < 0 or length < 0 or offset + length > about.st_size:
            raise _refused(f"`{name[:80]}` does not hold what the graph says")
        if length > most:
            raise IntegrityError("model: with its weights it is too large", hint="make it smaller than 2 GiB")
        file.seek(offset)
        return file.read(length)


def _refused(why: str) -> IntegrityError:
    return IntegrityError(
        f"model: a tensor keeps its data in another file: {why}",
        hint="put that file beside the graph, or save both as one: onnx.save(onnx.load(FILE), NEW_FILE)",
    )
