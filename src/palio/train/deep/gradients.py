"""See pictures without having been taught: edges by direction, a thumbnail and colours, as a graph on pixels.

Some convolutions with fixed filters, written as ONNX: no package beyond `onnx` is needed, and no weights.
Measured on 5,000 + 1,000 pictures of CIFAR-10 with a linear layer: accuracy .53 in seconds.

Source: Dalal and Triggs 2005, CVPR (histograms of oriented gradients); directions and shades are soft here.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from palio import model
from palio.train.deep.features import PIXELS
from palio.train.deep.pictured import Front
from palio.train.examples import Array

SIZES = (32, 64)
N_DIRECTIONS, FIELDS = 8, 8
"""Directions of edges, and fields of a side in which they are counted; a thumbnail has as many spots of a side."""
N_SHADES, COLOUR_FIELDS = 6, 2
LEAST_EDGE = 4e-4
"""Squared: what is fainter is noise."""
SCORES = "scores"
_LUMA = (0.299, 0.587, 0.114)
_COLOURS = (_LUMA, (0.5, 0.0, -0.5), (-0.25, 0.5, -0.25))
"""Light, warmth, and green against purple; and what they range over."""
_RANGES = ((0.0, 1.0), (-0.4, 0.4), (-0.3, 0.3))


@cache
def gradients_front(size: int) -> Front:
    """Return the graph from `pixels`, uint8 (n, size, size, 3), to what is seen of them, float32 (n, n_features).

    Args:
        size: Side of the square, one of `SIZES`.
    """
    writer = _Writer(size)
    data = writer.written(_seen(writer))
    probe = model.Graph(data).run({PIXELS: np.zeros((1, size, size, 3), np.uint8)})
    return Front(data, size, 0, int(probe[SCORES].shape[1]))


def _seen(to: _Writer) -> list[str]:
    """Add all that is seen; return the flat tensors of it."""
    shown = to.node("Transpose", to.node("Cast", PIXELS, to=1), perm=[0, 3, 1, 2])
    shown = to.node("Mul", shown, to.constant(1 / 255))
    grey = to.node("Conv", shown, to.constant(np.array(_LUMA).reshape(1, 3, 1, 1)))
    parts = [to.flat(_edges(to, grey)), to.flat(to.pooled(shown, FIELDS))]
    colours = to.node("Conv", shown, to.constant(np.array(_COLOURS).reshape(3, 3, 1, 1)))
    low, high = (np.array([one[end] for one in _RANGES]).reshape(1, 3, 1, 1) for end in (0, 1))
    for shade in range(N_SHADES):
        middle = low + (high - low) * shade / (N_SHADES - 1)
        away = to.node("Abs", to.node("Sub", colours, to.constant(middle)))
        steps = to.node("Mul", away, to.constant((N_SHADES - 1) / (high - low)))
        tent = to.node("Relu", to.node("Sub", to.constant(1.0), steps))
        parts.append(to.flat(to.pooled(tent, COLOUR_FIELDS)))
    return parts


def _edges(to: _Writer, grey: str) -> str:
    """Add how strong edges of each direction are in each field, beside those around it."""
    turns = np.arange(N_DIRECTIONS) * 2 * np.pi / N_DIRECTIONS
    filters = np.zeros((N_DIRECTIONS, 1, 3, 3))
    filters[:, 0, 1, 2], filters[:, 0, 1, 0] = np.cos(turns) / 2, -np.cos(turns) / 2
    filters[:, 0, 2, 1], filters[:, 0, 0, 1] = np.sin(turns) / 2, -np.sin(turns) / 2
    pads = to.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1]), whole=True)
    edges = to.node("Relu", to.node("Conv", to.node("Pad", grey, pads, mode="edge"), to.constant(filters)))
    channels = to.constant(np.array([1]), whole=True)
    squares = to.node("ReduceSum", to.node("Mul", edges, edges), channels, keepdims=1)
    squares = to.node("Add", squares, to.constant(1e-6))
    cubes = to.node("Mul", to.node("Mul", edges, edges), edges)  # the nearest direction has most of it
    fields = to.pooled(to.node("Div", cubes, squares), FIELDS)
    strength = to.node("ReduceSum", to.node("Mul", fields, fields), channels, keepdims=1)
    around = to.node("AveragePool", strength, kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4, count_include_pad=1)
    scale = to.node("Sqrt", to.node("Add", around, to.constant(LEAST_EDGE)))
    return to.node("Sqrt", to.node("Div", fields, scale))


class _Writer:
    """Writes one graph on pixels."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def constant(self, value: Array | float, *, whole: bool = False) -> str:
        """Add numbers; return their name."""
        from onnx import numpy_helper

        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.array(value, np.int64 if whole else np.float32), name))
        return name

    def node(self, kind: str, *inputs: str, **how: Any) -> str:
        """Add a node; return the name of its output."""
        from onnx import helper

        name = f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **how))
        return name

    def pooled(self, values: str, fields: int) -> str:
        """Add the means of so many fields of a side."""
        side = self._size // fields
        return self.node("AveragePool", values, kernel_shape=[side, side], strides=[side, side])

    def flat(self, values: str) -> str:
        """Add rows of numbers."""
        return self.node("Flatten", values)

    def written(self, parts: list[str]) -> bytes:
        """Return the graph that gives `parts` side by side."""
        from onnx import TensorProto, helper

        self._nodes.append(helper.make_node("Concat", parts, [SCORES], axis=1))
        taken = helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, ["n", self._size, self._size, 3])
        given = helper.make_tensor_value_info(SCORES, TensorProto.FLOAT, ["n", None])
        graph = helper.make_graph(self._nodes, "gradients", [taken], [given], self._constants)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        return model.at_our_opset(made.SerializeToString())
