"""Look into the bytes of an ONNX model without the package `onnx`, and refuse what a bundle must not hold.

An ONNX file is a protocol buffer: fields of (number, wire type, value). This reads just enough of it to find operator
domains and tensors that point to other files. Source: onnx/onnx.proto; protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from palio.core.errors import IntegrityError

ALLOWED_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
MAX_NODES = 200_000
LOOPS = frozenset({b"Loop", b"Scan", b"SequenceMap"})
"""Operators that compute a graph again and again: how long that takes, the file or the request decides."""
_NOTHING = frozenset({b"Constant", b"Identity", b"Cast"})
"""Operators that the runtime may take away. It looks whether to stop before each operator, so a loop must keep one."""
MAX_DEPTH = 16
"""Graphs inside graphs (If, Loop); ours have none."""

_INTS = re.compile(rb"(?:\x40[\x80-\xff]{0,9}+[\x00-\x7f])++")
_FLOATS = re.compile(rb"(?:\x3d.{4})++", re.DOTALL)
# Fields of the messages that are followed: number → message inside.
_MODEL = {7: "graph", 8: "opset", 20: "training", 25: "function"}
_TRAINING = {1: "graph", 2: "graph"}
_FUNCTION = {7: "node", 9: "opset", 11: "attribute"}
_GRAPH = {1: "node", 5: "tensor", 15: "sparse"}
_NODE = {5: "attribute"}
_ATTRIBUTE = {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"}
_SPARSE = {1: "tensor", 2: "tensor"}
_INSIDE = {
    "model": _MODEL,
    "training": _TRAINING,
    "function": _FUNCTION,
    "graph": _GRAPH,
    "node": _NODE,
    "attribute": _ATTRIBUTE,
    "sparse": _SPARSE,
    "tensor": {},
    "opset": {},
}
_DOMAIN_FIELD = {"opset": 1, "node": 7, "function": 10}
_OP_TYPE, _EXTERNAL_DATA, _DATA_LOCATION = 4, 13, 14


def check_wire(model: bytes, *, max_bytes: int) -> bool:
    """Refuse bytes that are no ONNX model, or a model that needs more than itself and the standard operators.

    Returns:
        Whether it loops, anywhere: branches and functions are looked into.

    Raises:
        IntegrityError: too large, not a protocol buffer with a graph, a custom operator domain, external data,
            a loop around nothing.
    """
    if len(model) > max_bytes:
        raise IntegrityError(
            f"model: {len(model)} bytes, at most {max_bytes} are allowed", hint="train a smaller model or raise the cap"
        )
    seen = {"graph": 0, "node": 0, "loop": 0, "hollow": 0}
    try:
        _walk(model, 0, len(model), "model", 0, seen)
    except (IndexError, RecursionError):
        raise _refuse("the file is broken or truncated") from None
    if not seen["graph"]:
        raise _refuse("there is no graph in it")
    return seen["loop"] > 0


def _refuse(what: str) -> IntegrityError:
    return IntegrityError(
        f"model: not a self-contained ONNX model: {what}", hint="restore the file from the store, or export it again"
    )


def _walk(data: bytes, start: int, end: int, kind: str, depth: int, seen: dict[str, int]) -> bool:
    """Look through one message; tell whether something is computed in it, if it is a graph or a node."""
    if depth > MAX_DEPTH:
        raise _refuse(f"graphs are nested more than {MAX_DEPTH} deep")
    if kind in seen:
        seen[kind] += 1
        if seen[kind] > MAX_NODES:
            raise _refuse(f"it has more than {MAX_NODES} nodes")
    inside = _INSIDE[kind]
    domain_field = _DOMAIN_FIELD.get(kind)
    computes = kind == "node"
    is_loop, n_hollow = False, seen["hollow"]
    for number, value, low, high in _fields(data, start, end, kind):
        if number == domain_field and low is not None:
            domain = data[low:high].decode("utf-8", "replace")
            if domain not in ALLOWED_DOMAINS:
                raise _refuse(f"it uses the operator domain `{domain[:60]}`")
        elif kind == "node" and number == _OP_TYPE and low is not None:
            operator = data[low:high]
            computes = computes and operator not in _NOTHING
            is_loop = is_loop or operator == b"Loop"
            seen["loop"] += operator in LOOPS
        elif kind == "tensor" and (number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value)):
            raise _refuse("a tensor keeps its data in another file")
        elif number in inside and low is not None and high is not None:
            child = inside[number]
            found = _walk(data, low, high, child, depth + (child == "graph"), seen)
            computes = computes or (kind == "graph" and found)
    if kind == "node":
        if is_loop and seen["hollow"] > n_hollow:
            raise _refuse("a loop in it computes nothing, so that nothing could end it")
        seen["hollow"] = n_hollow
    elif kind == "graph":
        seen["hollow"] += not computes
    return computes


def _fields(data: bytes, start: int, end: int, kind: str) -> Iterator[tuple[int, int, int | None, int | None]]:
    """Yield (number, varint value, start, end) of each field; start and end are None for plain numbers."""
    at = start
    while at < end:
        if kind == "attribute" and data[at] in (0x40, 0x3D):  # long lists of numbers, passed over at C speed
            match = (_INTS if data[at] == 0x40 else _FLOATS).match(data, at, end)
            if match:
                at = match.end()
                continue
        key, at = _varint(data, at, end)
        number, wire = key >> 3, key & 7
        value, low, high = 0, None, None
        if wire == 0:
            value, at = _varint(data, at, end)
        elif wire == 1:
            at += 8
        elif wire == 5:
            at += 4
        elif wire == 2:
            size, low = _varint(data, at, end)
            at = high = low + size
        else:
            raise _refuse("the file is broken or truncated")
        if at > end or number == 0:
            raise _refuse("the file is broken or truncated")
        yield number, value, low, high


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= end or shift > 63:
            raise _refuse("the file is broken or truncated")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
