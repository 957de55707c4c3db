"""Tell what the runtime does not: which inputs and outputs of a graph declare no shape at all.

To ONNX Runtime such a tensor looks like a single value (shape `[]`), which is something else: its shape may be any.

Source: onnx/onnx.proto, ValueInfoProto and TypeProto.
"""

from __future__ import annotations

from palio.model.graph.zipmap import read_fields

_MODEL_GRAPH, _GRAPH_INPUT, _GRAPH_OUTPUT = 7, 11, 12
_NAME, _TYPE, _TENSOR_TYPE, _SHAPE = 1, 2, 1, 2


def shapeless(model: bytes) -> frozenset[str]:
    """Return the names of the inputs and outputs that declare no shape. Raises IndexError: the model is cut off."""
    names: set[str] = set()
    for graph in _inside(model, _MODEL_GRAPH):
        for number, _, value in read_fields(graph):
            if number in (_GRAPH_INPUT, _GRAPH_OUTPUT) and isinstance(value, bytes):
                tensors = [tensor for kind in _inside(value, _TYPE) for tensor in _inside(kind, _TENSOR_TYPE)]
                if any(not list(_inside(tensor, _SHAPE)) for tensor in tensors):
                    names.update(name.decode("utf-8", "replace") for name in _inside(value, _NAME))
    return frozenset(names)


def _inside(message: bytes, wanted: int) -> list[bytes]:
    return [value for number, _, value in read_fields(message) if number == wanted and isinstance(value, bytes)]
