"""Write graphs of networks with smaller numbers: half floats, or integers of eight bits for each channel.

Whether they are worth it (size, latency on the target, and the metric) is measured by who makes them candidates: on a
CPU without instructions for them, neither is faster.
"""

from __future__ import annotations

import importlib
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from palio import model
from palio.core.records import Precision
from palio.train.family import Array, Examples

CALIBRATED_ON = 200
"""Rows from which the range of each tensor is learned, at most."""
_BATCH = 16
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
    """Return a graph that computes in float16; what it takes and answers stays as it is. Half the size."""
    import onnx

    model.onnx_runtime()
    convert = importlib.import_module("onnxruntime.transformers.float16").convert_float_to_float16
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numbers that are too small for a half are cut, and the check sees what of it
        made = convert(onnx.load_model_from_string(graph), keep_io_types=True)
    return bytes(made.SerializeToString(deterministic=True))


def quantised(graph: bytes, rows: Iterable[Mapping[str, Array]]) -> bytes:
    """Return a graph whose convolutions and products are of integers of eight bits, scaled for each channel.

    The last product, which gives the scores, stays as it is. About a quarter of the size.

    Args:
        graph: Of a network.
        rows: Some batches like those that it will see (input → rows); ranges are learned from them.

    Source: Nagel et al. 2021 (a scale for each channel of the weights; one for all breaks depthwise convolutions).
    """
    import onnx

    runtime: Any = model.onnx_runtime()
    tools = importlib.import_module(f"{runtime.__name__}.quantization")
    whole = onnx.load_model_from_string(graph)
    counted = [node for node in whole.graph.node if node.op_type in _COUNTED]
    for place, node in enumerate(whole.graph.node):
        node.name = node.name or f"{node.op_type} {place}"
    with tempfile.TemporaryDirectory(prefix="palio-") as folder:
        before, after = Path(folder) / "before.onnx", Path(folder) / "after.onnx"
        before.write_bytes(whole.SerializeToString())
        tools.quantize_static(
            str(before),
            str(after),
            _Rows(rows),
            quant_format=tools.QuantFormat.QDQ,
            op_types_to_quantize=list(_COUNTED),
            per_channel=True,
            activation_type=tools.QuantType.QUInt8,
            weight_type=tools.QuantType.QInt8,
            nodes_to_exclude=[counted[-1].name] if counted else [],
            extra_options={"ActivationSymmetric": False},
        )
        made = onnx.load_model_from_string(after.read_bytes())
    del made.graph.value_info[:]
    return bytes(made.SerializeToString(deterministic=True))


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
