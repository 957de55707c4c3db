"""Make a good graph worse: other answers, slow answers, or none at all for some rows."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def swap_classes(graph: bytes, classes: tuple[str, str]) -> bytes:
    """Let a graph of two classes say the other one, always."""
    model = onnx.load_from_string(graph)
    _rename_outputs(model, "prediction", "probabilities")
    _constant(model, "swap_order", np.array([1, 0]))
    model.graph.node.append(
        helper.make_node(
            "LabelEncoder",
            ["prediction_before"],
            ["prediction"],
            domain="ai.onnx.ml",
            keys_strings=list(classes),
            values_strings=list(classes[::-1]),
        )
    )
    model.graph.node.append(
        helper.make_node("Gather", ["probabilities_before", "swap_order"], ["probabilities"], axis=1)
    )
    return bytes(model.SerializeToString())


def slow_down(graph: bytes, *, size: int = 700, times: int = 4) -> bytes:
    """Let a graph multiply large matrices before it answers the same: some milliseconds each."""
    model = onnx.load_from_string(graph)
    _rename_outputs(model, "probabilities")
    _constant(model, "slow_matrix", np.full((size, size), 1.0 / size, np.float32))
    _constant(model, "slow_nothing", np.array(0.0))
    add = model.graph.node.append
    add(helper.make_node("ReduceMax", ["probabilities_before"], ["slow_start_wide"], keepdims=0))
    add(helper.make_node("Cast", ["slow_start_wide"], ["slow_start"], to=TensorProto.FLOAT))
    add(helper.make_node("Mul", ["slow_matrix", "slow_start"], ["slow_0"]))
    for turn in range(times):
        add(helper.make_node("MatMul", [f"slow_{turn}", "slow_matrix"], [f"slow_{turn + 1}"]))
    add(helper.make_node("ReduceMax", [f"slow_{times}"], ["slow_end"], keepdims=0))
    add(helper.make_node("Cast", ["slow_end"], ["slow_end_wide"], to=TensorProto.DOUBLE))
    add(helper.make_node("Mul", ["slow_end_wide", "slow_nothing"], ["slow_zero"]))
    add(helper.make_node("Add", ["probabilities_before", "slow_zero"], ["probabilities"]))
    return bytes(model.SerializeToString())


def fail_above(graph: bytes, column: str, limit: float) -> bytes:
    """Let a graph look beyond the end of a list for rows whose `column` is above `limit`."""
    model = onnx.load_from_string(graph)
    _rename_outputs(model, "probabilities")
    _constant(model, "fail_limit", np.array(limit))
    _constant(model, "fail_list", np.array([0.0]))
    _constant(model, "fail_beyond", np.array(1000))
    _constant(model, "fail_within", np.array(0))
    add = model.graph.node.append
    add(helper.make_node("Greater", [column, "fail_limit"], ["fail_is_above"]))
    add(helper.make_node("Where", ["fail_is_above", "fail_beyond", "fail_within"], ["fail_place"]))
    add(helper.make_node("Gather", ["fail_list", "fail_place"], ["fail_zero"]))
    add(helper.make_node("Add", ["probabilities_before", "fail_zero"], ["probabilities"]))
    return bytes(model.SerializeToString())


def _rename_outputs(model: onnx.ModelProto, *names: str) -> None:
    for node in model.graph.node:
        for values in (node.input, node.output):
            for number, name in enumerate(values):
                if name in names:
                    values[number] = f"{name}_before"


def _constant(model: onnx.ModelProto, name: str, value: np.ndarray) -> None:  # type: ignore[type-arg]
    model.graph.initializer.append(numpy_helper.from_array(value, name))
