"""Small ONNX graphs from elsewhere: the ones that clients of the protocol are tried with, and a classifier."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, helper

KINDS = {
    "BOOL": TensorProto.BOOL,
    "INT8": TensorProto.INT8,
    "INT16": TensorProto.INT16,
    "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64,
    "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16,
    "UINT32": TensorProto.UINT32,
    "UINT64": TensorProto.UINT64,
    "FP16": TensorProto.FLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
}
INT, TEXT, FLOAT = TensorProto.INT32, TensorProto.STRING, TensorProto.FLOAT


def _model(graph: object) -> bytes:
    opsets = [helper.make_opsetid("", 19), helper.make_opsetid("ai.onnx.ml", 3)]
    model: ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    return bytes(model.SerializeToString())


def simple() -> bytes:
    """INPUT0 and INPUT1, INT32 [1, 16]; OUTPUT0 is their sum, OUTPUT1 their difference."""
    info = helper.make_tensor_value_info
    inputs = [info(f"INPUT{i}", INT, [1, 16]) for i in (0, 1)]
    outputs = [info(f"OUTPUT{i}", INT, [1, 16]) for i in (0, 1)]
    names = ["INPUT0", "INPUT1"]
    nodes = [helper.make_node("Add", names, ["OUTPUT0"]), helper.make_node("Sub", names, ["OUTPUT1"])]
    return _model(helper.make_graph(nodes, "simple", inputs, outputs))


def simple_string() -> bytes:
    """The same with texts that hold whole numbers."""
    info = helper.make_tensor_value_info
    inputs = [info(f"INPUT{i}", TEXT, [1, 16]) for i in (0, 1)]
    outputs = [info(f"OUTPUT{i}", TEXT, [1, 16]) for i in (0, 1)]
    nodes = [helper.make_node("Cast", [f"INPUT{i}"], [f"number{i}"], to=INT) for i in (0, 1)]
    for i, kind in enumerate(("Add", "Sub")):
        nodes.append(helper.make_node(kind, ["number0", "number1"], [f"result{i}"]))
        nodes.append(helper.make_node("Cast", [f"result{i}"], [f"OUTPUT{i}"], to=TEXT))
    return _model(helper.make_graph(nodes, "simple_string", inputs, outputs))


def identity(datatype: str, shape: tuple[str | int, ...] = ("n", "k")) -> bytes:
    """INPUT0 comes back as OUTPUT0."""
    kind = KINDS[datatype]
    inputs = [helper.make_tensor_value_info("INPUT0", kind, shape)]
    outputs = [helper.make_tensor_value_info("OUTPUT0", kind, shape)]
    node = helper.make_node("Identity", ["INPUT0"], ["OUTPUT0"])
    return _model(helper.make_graph([node], "identity", inputs, outputs))


def lookup() -> bytes:
    """INPUT0, INT64 [n, 1], are places in a table of five numbers; others are none."""
    info = helper.make_tensor_value_info
    table = helper.make_tensor("table", FLOAT, [5], [0.0, 1.0, 2.0, 3.0, 4.0])
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "INPUT0"], ["OUTPUT0"])],
        "lookup",
        [info("INPUT0", TensorProto.INT64, ["n", 1])],
        [info("OUTPUT0", FLOAT, ["n", 1])],
        [table],
    )
    return _model(graph)


def classifier(*, zipmap: bool = True, labels: tuple[str, ...] | tuple[int, ...] = ("cat", "dog", "eel")) -> bytes:
    """A linear classifier of three classes over x, FP32 [n, 4], with the ZipMap that exporters put at its end."""
    texts = isinstance(labels[0], str)
    weights = np.arange(12, dtype=np.float32).reshape(3, 4) / 10 - 0.5
    key = "classlabels_strings" if texts else "classlabels_ints"
    nodes = [
        helper.make_node(
            "LinearClassifier",
            ["x"],
            ["label", "scores"],
            domain="ai.onnx.ml",
            coefficients=weights.reshape(-1).tolist(),
            intercepts=[0.1, 0.0, -0.1],
            post_transform="SOFTMAX",
            multi_class=0,
            **{key: list(labels)},
        )
    ]
    info = helper.make_tensor_value_info
    outputs = [info("label", TEXT if texts else TensorProto.INT64, ["n"])]
    if zipmap:
        key = "classlabels_strings" if texts else "classlabels_int64s"
        nodes.append(
            helper.make_node("ZipMap", ["scores"], ["probabilities"], domain="ai.onnx.ml", **{key: list(labels)})
        )
        value = helper.make_tensor_type_proto(FLOAT, [])
        entry = helper.make_map_type_proto(TEXT if texts else TensorProto.INT64, value)
        outputs.append(helper.make_value_info("probabilities", helper.make_sequence_type_proto(entry)))
    else:
        outputs.append(info("scores", FLOAT, ["n", 3]))
    return _model(helper.make_graph(nodes, "classifier", [info("x", FLOAT, ["n", 4])], outputs))


def write(folder: Path, name: str, model: bytes) -> Path:
    """Write a graph to `folder/name.onnx`."""
    path = folder / f"{name}.onnx"
    path.write_bytes(model)
    return path
