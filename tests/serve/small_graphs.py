"""Graphs made elsewhere, so to speak: one operator, any datatype."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onnx import TensorProto, helper

KINDS = {
    **{f"INT{bits}": getattr(TensorProto, f"INT{bits}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": getattr(TensorProto, f"UINT{bits}") for bits in (8, 16, 32, 64)},
    "FP16": TensorProto.FLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "BOOL": TensorProto.BOOL,
    "BYTES": TensorProto.STRING,
}


def _write(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any]) -> Path:
    graph = helper.make_graph(nodes, "graph", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    return path


def write_identity(folder: Path, datatype: str, shape: list[Any]) -> Path:
    """Write a graph that gives back its input `x` as `y`."""
    kind = KINDS[datatype]
    x, y = (helper.make_tensor_value_info(name, kind, shape) for name in "xy")
    return _write(folder / f"identity_{datatype.lower()}.onnx", [helper.make_node("Identity", ["x"], ["y"])], [x], [y])


def write_simple(folder: Path) -> Path:
    """Write the model of Triton's examples: OUTPUT0 = INPUT0 + INPUT1, OUTPUT1 = INPUT0 - INPUT1; INT32 [n, 16]."""
    values = {
        name: helper.make_tensor_value_info(name, TensorProto.INT32, ["n", 16])
        for name in ("INPUT0", "INPUT1", "OUTPUT0", "OUTPUT1")
    }
    nodes = [
        helper.make_node("Add", ["INPUT0", "INPUT1"], ["OUTPUT0"]),
        helper.make_node("Sub", ["INPUT0", "INPUT1"], ["OUTPUT1"]),
    ]
    both = list(values.values())
    return _write(folder / "simple.onnx", nodes, both[:2], both[2:])
