"""Write graphs of networks with smaller numbers: half floats, or integers of eight bits for each channel.

Whether they are worth it (size, latency on the target, and the metric) is measured by who makes them candidates: on a
CPU without instructions for them, neither is faster.
"""

from __future__ import annotations

import importlib
import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from palio import model
from palio.core.records import Precision
from palio.train.examples import Array, Examples

CALIBRATED_ON = 200
"""Rows from which the range of each tensor is learned, at most."""
_BATCH = 16
_SHORT = 16
_COUNTED = ("Conv", "MatMul", "Gemm")
"""Operators whose products are of integers."""


LIGHTER: tuple[Precision, ...] = ("float16", "int8")


def lightened(graph: bytes, precision: Precision, rows: Examples) -> bytes:
    """Return the graph of a network that computes in `float16` or `int8`; what it reads and answers stays as it is.

    Args:
        graph: From raw cells to answers.
        precision: What it is to compute in.
        rows: Some like those that it will see: of integers, the range of each tensor is learned from them.
    """
    import onnx

    if precision == "float16":
        made = halved(graph)
    else:
        some = rows.take(np.arange(min(CALIBRATED_ON, len(rows.target))))
        made = quantised(graph, list(model.Graph(graph).read(some.feeds())))
    whole, told = onnx.load_model_from_string(made), onnx.load_model_from_string(graph).metadata_props
    said = {prop.key: prop.value for prop in told} | {model.PRECISION: precision}
    onnx.helper.set_model_props(whole, said)
    return bytes(whole.SerializeToString(deterministic=True))


def halved(graph: bytes) -> bytes:
    """Return a graph that computes in float16; what it takes and answers stays as it is. Half the size.

    Of a graph that finds boxes, what comes after the convolutions stays in float32: corners need more digits.
    """
    import onnx

    model.onnx_runtime()
    whole = _unshared(onnx.load_model_from_string(graph))
    after = _after_convolutions(whole)[0] if _finds_boxes(whole) else set[int]()
    convert = importlib.import_module("onnxruntime.transformers.float16").convert_float_to_float16
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numbers that are too small for a half are cut, and the check sees what of it
        made = convert(_body_of(whole, after) if after else whole, keep_io_types=True)
    if after:
        _append(made, whole, after)
    return bytes(made.SerializeToString(deterministic=True))


def quantised(graph: bytes, rows: Iterable[Mapping[str, Array]]) -> bytes:
    """Return a graph whose convolutions and products are of integers of eight bits, scaled for each channel.

    The last product, which gives the scores, stays as it is; of a graph that finds boxes, the last convolution of each
    map, and all that comes after. About a quarter of the size.

    Args:
        graph: Of a network.
        rows: Some batches like those that it will see (input → rows); ranges are learned from them.

    Source: Nagel et al. 2021 (a scale for each channel of the weights; one for all breaks depthwise convolutions).
    """
    import onnx

    runtime: Any = model.onnx_runtime()
    tools = importlib.import_module(f"{runtime.__name__}.quantization")
    whole = _named(onnx.load_model_from_string(graph))
    counted = [node for node in whole.graph.node if node.op_type in _COUNTED]
    excluded = [counted[-1].name] if counted else []
    if _finds_boxes(whole):
        after, last = _after_convolutions(whole)
        excluded = [whole.graph.node[place].name for place in (*after, *last)]
    with tempfile.TemporaryDirectory(prefix="palio-") as folder:
        taught, made_at = Path(folder) / "before.onnx", Path(folder) / "after.onnx"
        taught.write_bytes(whole.SerializeToString())
        with _silence():  # it asks for a step that Palio has done
            tools.quantize_static(
                str(taught),
                str(made_at),
                _Rows(rows),
                quant_format=tools.QuantFormat.QDQ,
                op_types_to_quantize=list(_COUNTED),
                per_channel=True,
                activation_type=tools.QuantType.QUInt8,
                weight_type=tools.QuantType.QInt8,
                nodes_to_exclude=excluded,
                extra_options={"ActivationSymmetric": False},
            )
        made = onnx.load_model_from_string(made_at.read_bytes())
    del made.graph.value_info[:]
    return bytes(made.SerializeToString(deterministic=True))


@contextmanager
def _silence() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _unshared(whole: Any) -> Any:
    """Give each node its own copy of short constants: of two that share one, only one may become a half float."""
    short = {value.name: value for value in whole.graph.initializer if np.prod(value.dims) <= _SHORT}
    for place, node in enumerate(whole.graph.node):
        for which, name in enumerate(node.input):
            if name in short:
                own = whole.graph.initializer.add()
                own.CopyFrom(short[name])
                own.name = f"{name} {place} {which}"
                node.input[which] = own.name
    kept = [value for value in whole.graph.initializer if value.name not in short]
    del whole.graph.initializer[:]
    whole.graph.initializer.extend(kept)
    return whole


def _named(whole: Any) -> Any:
    """Give every node a name."""
    for place, node in enumerate(whole.graph.node):
        node.name = node.name or f"{node.op_type} {place}"
    return whole


def _finds_boxes(whole: Any) -> bool:
    return any(prop.key == model.BOX_CLASSES for prop in whole.metadata_props)


def _body_of(whole: Any, after: set[int]) -> Any:
    """Return the part of a graph that leads to its convolutions, as a graph of its own."""
    from onnx import TensorProto, helper

    body = [node for place, node in enumerate(whole.graph.node) if place not in after]
    made = {name for node in body for name in node.output}
    asked = [name for place in sorted(after) for name in whole.graph.node[place].input if name in made]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in dict.fromkeys(asked)]
    used = {name for node in body for name in node.input}
    held = [value for value in whole.graph.initializer if value.name in used]
    graph = helper.make_graph(body, "palio", list(whole.graph.input), outputs, held)
    return helper.make_model(graph, opset_imports=list(whole.opset_import), ir_version=whole.ir_version)


def _append(made: Any, whole: Any, after: set[int]) -> None:
    """Put nodes of a graph behind another one that gives what they ask for, in place."""
    held = {value.name for value in made.graph.initializer}
    nodes = [whole.graph.node[place] for place in sorted(after)]
    used = {name for node in nodes for name in node.input}
    made.graph.node.extend(nodes)
    made.graph.initializer.extend(v for v in whole.graph.initializer if v.name in used and v.name not in held)
    del made.graph.output[:], made.graph.value_info[:]
    made.graph.output.extend(whole.graph.output)
    for node in made.graph.node:
        node.name = ""


def _after_convolutions(whole: Any) -> tuple[set[int], set[int]]:
    """Return the places of nodes from which no convolution follows, and of the convolutions that are the last."""
    wanted: set[str] = set()
    after, last = set[int](), set[int]()
    for place in reversed(range(len(whole.graph.node))):
        node = whole.graph.node[place]
        leads_on = bool(wanted.intersection(node.output))
        if node.op_type == "Conv" and not leads_on:
            last.add(place)
        if node.op_type == "Conv" or leads_on:
            wanted.update(node.input)
        else:
            after.add(place)
    return after, last


class _Rows:
    """Gives rows to the calibration, a few at a time."""

    def __init__(self, batches: Iterable[Mapping[str, Array]]) -> None:
        self._batches = self._of(batches)

    @staticmethod
    def _of(batches: Iterable[Mapping[str, Array]]) -> Iterator[dict[str, Array]]:
        for rows in batches:
            for start in range(0, len(next(iter(rows.values()))), _BATCH):
                yield {name: values[start : start + _BATCH] for name, values in rows.items()}

    def get_next(self) -> dict[str, Array] | None:
        """Return the next rows; None after the last."""
        return next(self._batches, None)
