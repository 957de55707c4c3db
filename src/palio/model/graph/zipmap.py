"""Take the `ZipMap` off a classifier that was exported elsewhere: maps of Python floats become one tensor.

Exporters of scikit-learn, LightGBM, XGBoost and CatBoost end a classifier with a ZipMap: one dictionary per row, class
to probability. The tensor that goes into it says the same, in the order of its class labels, and needs no Python
object per number. So the node becomes an Identity, and its output a tensor.

Source: onnx.ai/onnx/operators/onnx_aionnxml_ZipMap.html; onnx/onnx.proto; protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from palio.core.errors import IntegrityError
from palio.model.graph.wire import check_wire

_MODEL_GRAPH, _GRAPH_NODE, _GRAPH_OUTPUT, _GRAPH_VALUE = 7, 1, 12, 13
_NODE_INPUT, _NODE_OUTPUT, _NODE_OP, _NODE_ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_INTS, _ATTRIBUTE_STRINGS = 1, 8, 9

Field = tuple[int, bytes, bytes | int]
"""Number, the whole field as it stands, and its value: bytes of a message or text, or a number."""


def without_zipmap(model: bytes, *, max_bytes: int = 1 << 30) -> tuple[bytes, Mapping[str, tuple[str, ...]]]:
    """Return the model with tensors in place of maps, and the class labels of each such output, in order.

    A model without a ZipMap comes back as it is.

    Raises:
        IntegrityError: the bytes are no plain, self-contained ONNX model.
    """
    if b"ZipMap" not in model:
        return model, {}
    check_wire(model, max_bytes=max_bytes)
    labels: dict[str, tuple[str, ...]] = {}
    try:
        parts = []
        for number, whole, value in read_fields(model):
            if number == _MODEL_GRAPH and isinstance(value, bytes):
                parts.append(write_field(_MODEL_GRAPH, _graph(value, labels)))
            else:
                parts.append(whole)
    except (IndexError, UnicodeDecodeError):
        raise IntegrityError(
            "model: not a self-contained ONNX model: the file is broken or truncated", hint="export it again"
        ) from None
    return (b"".join(parts), labels) if labels else (model, {})


def _graph(graph: bytes, labels: dict[str, tuple[str, ...]]) -> bytes:
    fields = list(read_fields(graph))
    nodes = [_node(value, labels) if number == _GRAPH_NODE else b"" for number, _, value in fields]
    parts = []
    for (number, whole, value), node in zip(fields, nodes, strict=True):
        name = _text(value, 1) if number in (_GRAPH_OUTPUT, _GRAPH_VALUE) else ""
        if node:
            parts.append(write_field(_GRAPH_NODE, node))
        elif name in labels and number == _GRAPH_OUTPUT:
            parts.append(write_field(_GRAPH_OUTPUT, _matrix(name, len(labels[name]))))
        elif name not in labels:
            parts.append(whole)
    return b"".join(parts)


def _node(node: bytes | int, labels: dict[str, tuple[str, ...]]) -> bytes:
    """Return an Identity in place of a ZipMap, and note its labels; nothing for any other node."""
    if not isinstance(node, bytes) or _text(node, _NODE_OP) != "ZipMap":
        return b""
    source, target = _text(node, _NODE_INPUT), _text(node, _NODE_OUTPUT)
    classes: list[str] = []
    for number, _, attribute in read_fields(node):
        if number == _NODE_ATTRIBUTE and isinstance(attribute, bytes):
            classes += _labels(attribute)
    if not (source and target and classes):
        return b""
    labels[target] = tuple(classes)
    texts = ((_NODE_INPUT, source), (_NODE_OUTPUT, target), (_NODE_OP, "Identity"))
    return b"".join(write_field(number, text.encode()) for number, text in texts)


def _labels(attribute: bytes) -> list[str]:
    name = _text(attribute, _ATTRIBUTE_NAME)
    found: list[str] = []
    for number, _, value in read_fields(attribute):
        if name == "classlabels_strings" and number == _ATTRIBUTE_STRINGS and isinstance(value, bytes):
            found.append(value.decode())
        elif name == "classlabels_int64s" and number == _ATTRIBUTE_INTS:
            numbers = _packed(value) if isinstance(value, bytes) else [value]
            found += [str(n - (1 << 64) if n >> 63 else n) for n in numbers]
    return found


def _matrix(name: str, n_columns: int) -> bytes:
    """Describe an output: float, any number of rows, `n_columns` columns."""
    shape = write_field(1, b"") + write_field(1, b"\x08" + _varint_of(n_columns))
    tensor = b"\x08\x01" + write_field(2, shape)
    return write_field(1, name.encode()) + write_field(2, write_field(1, tensor))


def _text(message: bytes | int, wanted: int) -> str:
    """Return the first text of a message under the field `wanted`; empty if there is none."""
    if isinstance(message, bytes):
        for number, _, value in read_fields(message):
            if number == wanted and isinstance(value, bytes):
                return value.decode()
    return ""


def read_fields(data: bytes) -> Iterator[Field]:
    """Yield the fields of a message; raises IndexError if it is cut off."""
    at, end = 0, len(data)
    while at < end:
        start = at
        key, at = _varint(data, at)
        wire, value = key & 7, b""
        if wire == 0:
            number, at = _varint(data, at)
            yield key >> 3, data[start:at], number
            continue
        if wire == 2:
            size, at = _varint(data, at)
            value = data[at : at + size]
            at += size
        else:
            at += 8 if wire == 1 else 4
        yield key >> 3, data[start:at], value


def _packed(data: bytes) -> list[int]:
    numbers, at = [], 0
    while at < len(data):
        number, at = _varint(data, at)
        numbers.append(number)
    return numbers


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7


def _varint_of(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def write_field(number: int, data: bytes) -> bytes:
    """Write a field of bytes: a message or a text."""
    return _varint_of(number << 3 | 2) + _varint_of(len(data)) + data
