"""Graphs that compute until they are told to stop, or as often as a request asks."""

from __future__ import annotations

from typing import Any

from onnx import TensorProto, helper

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def loop_graph(*, times: int | None = None, inside: str = "") -> bytes:
    """Add `x` to itself `turns` times, which is an input, or `times` times; the answer is `y`.

    Args:
        times: Turns; None takes them from the input `turns` of shape (n, 1): those of its first row.
        inside: `if` puts the loop into a branch, `function` into a function.
    """
    info = helper.make_tensor_value_info
    nodes = []
    if times is None:
        nodes.append(helper.make_node("ReduceMax", ["turns"], ["count"], keepdims=0))
    else:
        nodes.append(helper.make_node("Constant", [], ["count"], value=helper.make_tensor("c", INT64, [], [times])))
    nodes.append(helper.make_node("Constant", [], ["go"], value=helper.make_tensor("g", BOOL, [], [True])))
    loop = _loop()
    functions: list[Any] = []
    if inside == "if":
        branches = {
            name: helper.make_graph([_loop()], name, [], [info("y", FLOAT, ["n", 1])])
            for name in ("then_branch", "else_branch")
        }
        loop = helper.make_node("If", ["go"], ["y"], **branches)
    elif inside == "function":
        opsets = [helper.make_opsetid("", 17)]
        functions = [helper.make_function("ai.onnx.ml", "Turn", ["count", "go", "x"], ["y"], [_loop()], opsets)]
        loop = helper.make_node("Turn", ["count", "go", "x"], ["y"], domain="ai.onnx.ml")
    inputs = [info("x", FLOAT, ["n", 1]), *([info("turns", INT64, ["n", 1])] if times is None else [])]
    graph = helper.make_graph([*nodes, loop], "loops", inputs, [info("y", FLOAT, ["n", 1])])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=8)
    return bytes(model.SerializeToString())


def plain_graph() -> bytes:
    """Take the inputs of `loop_graph`, and answer without a loop."""
    info = helper.make_tensor_value_info
    inputs = [info("x", FLOAT, ["n", 1]), info("turns", INT64, ["n", 1])]
    nodes = [helper.make_node("Cast", ["turns"], ["times"], to=FLOAT), helper.make_node("Mul", ["x", "times"], ["y"])]
    graph = helper.make_graph(nodes, "plain", inputs, [info("y", FLOAT, ["n", 1])])
    opsets = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def _loop() -> Any:
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go_on"], ["goes_on"]), helper.make_node("Add", ["sum", "x"], ["more"])],
        "body",
        [info("turn", INT64, []), info("go_on", BOOL, []), info("sum", FLOAT, None)],
        [info("goes_on", BOOL, []), info("more", FLOAT, None)],
    )
    return helper.make_node("Loop", ["count", "go", "x"], ["y"], body=body)
