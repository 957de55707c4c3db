"""Join graphs over the same columns into one: what their answers make together, and what they share only once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from palio.core.errors import InputError
from palio.core.records import Calibration, Layer, Schema, Task
from palio.model.cells.names import PREDICTION, PROBABILITIES
from palio.model.graph.builder import GraphBuilder
from palio.model.graph.calibrating import emit_calibrated
from palio.model.graph.heads import emit_answers
from palio.model.graph.stacking import emit_stacked
from palio.model.reading.readers import METADATA, coarser, decode_readings, precision_of, tensors_of


def join(
    models: Sequence[bytes],
    weights: Sequence[float],
    *,
    schema: Schema,
    task: Task,
    layer: Layer | None = None,
    calibration: Calibration | None = None,
    threshold: float | None = None,
) -> bytes:
    """Return one graph that answers the weighted sum of what `models` answer, or what a layer makes of it.

    Nodes that compute the same from the same columns stand in it once, e.g. the features of two members.

    Args:
        models: Graphs that Palio made, over the features of `schema`, for `task`.
        weights: One for each.
        schema: The contract.
        task: What is predicted.
        layer: What stacks the probabilities of the models; None: their weighted sum is the answer.
        calibration: How the answer is corrected at the end.
        threshold: From which probability on the second of two classes is said.

    Raises:
        InputError: no model, or not one weight for each.
    """
    if not models or len(models) != len(weights):
        raise InputError(f"join: {len(models)} graphs and {len(weights)} weights", hint="give one weight for each")
    builder = GraphBuilder(schema)
    answers = [take_in(builder, model, task) for model in models]
    total = _sum_of(builder, answers, weights) if layer is None else emit_stacked(builder, answers, weights, layer)
    if calibration is not None:
        total = emit_calibrated(builder, total, calibration)
    emit_answers(builder, total, task, threshold=threshold)
    return builder.build()


def _sum_of(builder: GraphBuilder, answers: Sequence[str], weights: Sequence[float]) -> str:
    total = ""
    for answer, weight in zip(answers, weights, strict=True):
        part = answer if weight == 1.0 else builder.node("Mul", answer, builder.constant(float(weight)))
        total = builder.node("Add", total, part) if total else part
    return total


def take_in(builder: GraphBuilder, model: bytes, task: Task) -> str:
    """Add the nodes of a finished graph; return its probabilities (n, n_classes), or its values (n, 1)."""
    import onnx

    whole = onnx.load_model_from_string(model)
    graph = whole.graph
    wanted = PREDICTION if task.kind == "regression" else PROBABILITIES
    names: dict[str, str] = {"": ""} | {value.name: value.name for value in graph.input} | _read(builder, whole)
    constants = {value.name: value for value in graph.initializer}
    for node in _needed(graph.node, wanted):
        for name in node.input:
            if name not in names:
                names[name] = builder.share_constant(constants[name])
        made = builder.share_node(node, [names[name] for name in node.input])
        names |= dict(zip(node.output, made, strict=True))
    answer = names[wanted]
    if task.kind == "regression":
        return builder.node("Reshape", answer, builder.constant([-1, 1], "int64"))
    return answer


def _read(builder: GraphBuilder, whole: Any) -> dict[str, str]:
    """Let what a graph reads before it enter so; return its tensors' names → those of `builder`."""
    metadata = {prop.key: prop.value for prop in whole.metadata_props}
    builder.precision = coarser(builder.precision, precision_of(metadata))
    names: dict[str, str] = {}
    for own in decode_readings(metadata.get(METADATA, "[]")):
        here = builder.reading(msgspec.structs.replace(own, tensor=""))
        names |= dict(zip(tensors_of(own), tensors_of(here), strict=True))
    return names


def _needed(nodes: Any, output: str) -> list[Any]:
    """Keep the nodes that `output` is computed by, in their order."""
    wanted, kept = {output}, []
    for node in reversed(nodes):
        if any(name in wanted for name in node.output):
            kept.append(node)
            wanted.update(node.input)
    return kept[::-1]
