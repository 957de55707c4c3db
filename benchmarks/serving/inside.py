"""Measure what one request costs inside the server, without sockets: read, compute, write.

    python benchmarks/serving/inside.py [--onnx FILE] [--repeats 400]

Without a file the model is LightGBM, 100 trees of 31 leaves, over 12 numbers and 8 categories, as a bundle, by a tensor
per column; and a linear classifier over one input [N, 30] as a foreign graph. Each figure is the shortest of many short
blocks on one thread: what else the machine does only adds to it. Limit: 25 µs for the foreign graph.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bundle_model import make_bundle, tensors_of

from palio import model, serve
from palio.core.records import Deployment
from palio.serve.protocols import rows, tensors
from palio.serve.protocols.wire import Asked, Caps, Request
from palio.serve.served import Served, prepare

CAPS = Caps()
LIMIT_US = 25.0
BLOCK = 200


def shortest_us(work: Callable[[], Any], repeats: int) -> float:
    """Return the time of one call in µs, from the least disturbed block."""
    return min(timeit.repeat(work, number=BLOCK, repeat=repeats)) / BLOCK * 1e6


def show(name: str, served: Served, body: bytes, read: Callable[[Served, Request, Caps], Asked], repeats: int) -> float:
    """Print the parts and return the whole."""
    request = Request(body, None)
    asked = read(served, request, CAPS)
    outputs = served.run(asked.feeds)

    def whole() -> None:
        now = read(served, request, CAPS)
        now.write(served.run(now.feeds), "0123456789abcdef-1f")

    total = shortest_us(whole, repeats)
    parts = {
        "read": shortest_us(lambda: read(served, request, CAPS), repeats),
        "compute": shortest_us(lambda: served.run(asked.feeds), repeats),
        "write": shortest_us(lambda: asked.write(outputs, "0123456789abcdef-1f"), repeats),
    }
    told = "  ".join(f"{part} {cost:5.1f}" for part, cost in parts.items())
    print(f"{name:24} {len(body):5} bytes  {told}  whole {total:5.1f} µs")
    return total


def make_graph(path: Path) -> Path:
    """Write a linear classifier over one input [N, 30]."""
    from onnx import TensorProto, helper

    random = np.random.default_rng(0)
    node = helper.make_node(
        "LinearClassifier",
        ["input"],
        ["label", "probabilities"],
        domain="ai.onnx.ml",
        coefficients=random.normal(size=60).tolist(),
        intercepts=[0.0, 0.1],
        classlabels_ints=[0, 1],
        post_transform="SOFTMAX",
    )
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node],
        "linear",
        [info("input", TensorProto.FLOAT, ["n", 30])],
        [info("label", TensorProto.INT64, ["n"]), info("probabilities", TensorProto.FLOAT, ["n", 2])],
    )
    opsets = [helper.make_opsetid("", 19), helper.make_opsetid("ai.onnx.ml", 3)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())
    return path


def main() -> int:
    """Measure, print, and say whether the limit holds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--onnx", type=Path, help="a graph with one input FP32 [N, k]")
    parser.add_argument("--repeats", type=int, default=400)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        provider = serve.any_onnx(options.onnx or make_graph(folder / "linear.onnx"))
        foreign = provider.served
        (spec,) = foreign.inputs
        values = np.random.default_rng(1).normal(size=spec.shape[1]).round(4).tolist()
        tensor = {"name": spec.name, "shape": [1, spec.shape[1]], "datatype": spec.datatype, "data": values}
        whole = show("foreign, flat", foreign, json.dumps({"inputs": [tensor]}).encode(), tensors.read, options.repeats)
        tensor["data"] = [values]
        show("foreign, nested", foreign, json.dumps({"inputs": [tensor]}).encode(), tensors.read, options.repeats)
        show("foreign, /predict", foreign, json.dumps({"record": values}).encode(), rows.read, options.repeats)
        record = make_bundle(folder)
        bundle = model.open_folder(folder / "bundle")
        served = prepare(bundle, Deployment(model="bench", version=1, bundle=bundle.id))
        listed = tensors_of(record)
        show("bundle, 20 tensors", served, json.dumps({"inputs": listed}).encode(), tensors.read, options.repeats)
        show("bundle, /predict", served, json.dumps({"records": [record]}).encode(), rows.read, options.repeats)
    print(f"limit: {LIMIT_US} µs for the foreign graph, flat")
    return int(whole > LIMIT_US)


if __name__ == "__main__":
    sys.exit(main())
