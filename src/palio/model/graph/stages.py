"""Take a graph apart where its columns first meet: features, column by column, then answers from the features.

Whoever changes one column of many rows then computes that column's features alone, and what follows from them: the cost
no longer grows with the square of the columns. Needs the package `onnx`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.errors import IntegrityError
from palio.model.cells.names import PREDICTION, PROBABILITIES
from palio.model.graph.session import Feeds, Graph, Outputs
from palio.model.reading.readers import METADATA, Readers, decode_readings

Array = npt.NDArray[Any]
Origin = npt.NDArray[np.int64]
"""Shape (k,): the input that each column of a tensor (n, k) is computed from."""

_COLUMNWISE = frozenset(
    (
        *("Abs", "Add", "Cast", "Ceil", "Clip", "Cos", "Div", "Equal", "Exp", "Floor"),
        *("Greater", "GreaterOrEqual", "Identity", "IsNaN", "LabelEncoder", "Less", "LessOrEqual", "Log", "Max", "Min"),
        *("Mul", "Neg", "Not", "Pow", "Sign", "Sin", "Sqrt", "Sub", "Where"),
    )
)
"""Operators that compute a cell from the cells at the same place."""


@dataclass(frozen=True)
class Stages:
    """A graph in two: `features` column by column, then `answer` from all of them."""

    front: Graph
    head: Graph
    column_of: tuple[str, ...]
    """Feature → the input of the graph that it is computed from."""
    is_read: npt.NDArray[np.bool_]
    """Shape (n_features,): False where the answer cannot depend on the feature."""

    @property
    def read(self) -> frozenset[str]:
        """Inputs that the answer may depend on."""
        return frozenset(name for name, is_read in zip(self.column_of, self.is_read, strict=True) if is_read)

    def features(self, feeds: Feeds) -> Array:
        """Compute the features, float64 (n_rows, n_features)."""
        (found,) = self.front.compute_rows(feeds).values()
        return found

    def answer(self, features: Array) -> Outputs:
        """Answer from features, as the whole graph answers from what they are computed from."""
        (name,) = (spec.name for spec in self.head.inputs)
        outputs = self.head.compute_rows({name: features})
        return Outputs(prediction=outputs[PREDICTION], probabilities=outputs.get(PROBABILITIES))


def stages_of(model: bytes, *, threads: int = 1) -> Stages | None:
    """Take a graph apart; None if what its columns meet in are not float64 features.

    Columns may meet in several places (numbers made of two columns, models side by side): the features are then what
    enters all of them, side by side.
    """
    import onnx
    from onnx import helper, numpy_helper

    whole = onnx.load_model_from_string(model)
    graph = whole.graph
    constants = {value.name: value for value in graph.initializer}
    known = {name: numpy_helper.to_array(value) for name, value in constants.items()}
    metadata = {prop.key: prop.value for prop in whole.metadata_props}
    column_of = Readers(decode_readings(metadata.get(METADATA, "[]"))).column_of
    inputs, outputs = [value.name for value in graph.input], [value.name for value in graph.output]
    walk = _Walk(inputs, column_of, set(outputs), known)
    for node in graph.node:
        walk.take(node)
    if not walk.met or any(name not in walk.origin for name in walk.met):
        return None
    met, joint = list(walk.met), next(iter(walk.met))
    origins = [walk.origin[name] for name in met]
    front_nodes, head_nodes = _needed(walk.columnwise, met), list(walk.joint)
    sizes = numpy_helper.from_array(np.array([len(origin) for origin in origins]), _unused("sizes", graph))
    if len(met) > 1:
        joint = _unused("met", graph)
        front_nodes.append(helper.make_node("Concat", met, [joint], axis=1))
        head_nodes.insert(0, helper.make_node("Split", [joint, sizes.name], met, axis=1))
    origin = np.concatenate(origins)
    between = helper.make_tensor_value_info(joint, onnx.TensorProto.DOUBLE, ["n", len(origin)])

    def part(nodes: list[Any], takes: Iterable[Any], gives: Iterable[Any], props: Mapping[str, str]) -> Graph:
        used = {name for node in nodes for name in node.input}
        kept = [value for value in (*graph.initializer, sizes) if value.name in used]
        made = helper.make_model(
            helper.make_graph(nodes, "palio", list(takes), list(gives), kept),
            opset_imports=whole.opset_import,
            ir_version=whole.ir_version,
        )
        helper.set_model_props(made, dict(props))
        return Graph(made.SerializeToString(deterministic=True), threads)

    try:
        front = part(front_nodes, graph.input, [between], metadata)
        head = part(head_nodes, [between], graph.output, {})
    except IntegrityError:  # e.g. the features are not float64
        return None
    is_read = _reads(walk.joint, dict(zip(met, map(len, origins), strict=True)), known, outputs)
    names = [column_of.get(name, name) for name in inputs]
    return Stages(front, head, tuple(names[index] for index in origin.tolist()), is_read)


def _unused(name: str, graph: Any) -> str:
    taken = {output for node in graph.node for output in node.output} | {value.name for value in graph.input}
    taken |= {value.name for value in graph.initializer}
    while name in taken:
        name += "'"
    return name


class _Walk:
    """Follow the nodes of a graph in their order, and tell apart those that compute column by column."""

    def __init__(
        self, inputs: list[str], column_of: Mapping[str, str], outputs: set[str], constants: dict[str, Array]
    ) -> None:
        self.origin: dict[str, Origin] = {
            name: np.array([index]) for index, name in enumerate(inputs) if name not in column_of
        }
        self.of_text: dict[str, str] = {name: column_of[name] for name in inputs if name in column_of}
        """Tensor of any shape that is computed from one text column alone → that column."""
        self._place = {column: inputs.index(name) for name, column in reversed(self.of_text.items())}
        self.columnwise: list[Any] = []
        self.joint: list[Any] = []
        self._outputs = outputs
        self._constants = constants
        self.met: dict[str, None] = {}
        """Tensors of one column's own that nodes mix, in the order in which they are met."""

    def take(self, node: Any) -> None:
        """Follow one node."""
        if self._stays_in_text(node):
            self.columnwise.append(node)
            return
        found = self._of(node)
        if found is not None:
            self.columnwise.append(node)
            self.origin[node.output[0]] = found
            return
        self.joint.append(node)
        for name in node.input:
            if name in self.origin or name in self.of_text:
                self.met[name] = None

    def _stays_in_text(self, node: Any) -> bool:
        """Follow a node that computes from one text column alone; reshaped to rows, what it computes are features."""
        columns = {self.of_text[name] for name in node.input if name in self.of_text}
        is_alone = len(columns) == 1 and not any(name in self.origin for name in node.input)
        is_known = all(name in self.of_text or name in self._constants or not name for name in node.input)
        if not (is_alone and is_known) or len(node.output) != 1 or node.output[0] in self._outputs:
            return False
        (column,) = columns
        shape = self._constants.get(node.input[1]) if node.op_type == "Reshape" else None
        if shape is not None and len(shape) == 2 and shape[0] == -1 and shape[1] > 0:
            self.origin[node.output[0]] = np.full(int(shape[1]), self._place[column])
        else:
            self.of_text[node.output[0]] = column
        return True

    def _of(self, node: Any) -> Origin | None:
        """Return where the columns of a node's output come from; None if it mixes columns, or is the answer."""
        if len(node.output) != 1 or node.output[0] in self._outputs:
            return None
        if not any(name in self.origin for name in node.input):
            return None
        if node.op_type == "Concat" and _attribute(node, "axis") == 1:
            parts = [self.origin.get(name) for name in node.input]
            return None if any(part is None for part in parts) else np.concatenate([p for p in parts if p is not None])
        if node.op_type == "Gather" and _attribute(node, "axis") == 1 and node.input[0] in self.origin:
            picked = self._constants.get(node.input[1])
            return None if picked is None or picked.ndim != 1 else self.origin[node.input[0]][picked]
        return self._side_by_side(node) if node.op_type in _COLUMNWISE else None

    def _side_by_side(self, node: Any) -> Origin | None:
        """Do the same for an operator on cells at the same place, whose arguments may be a row of constants."""
        found: Origin | None = None
        width = 1
        for name in node.input:
            if name in self.origin:
                one = self.origin[name]
                if found is None or (len(found) == 1 and (one == found).all()):
                    found = one
                elif len(one) not in (1, len(found)) or (one != found).any():
                    return None
            elif name in self._constants:
                shape = self._constants[name].shape
                if len(shape) > 2 or any(size != 1 for size in shape[:-1]):
                    return None
                width = max(width, *shape[-1:], 1)
            elif name:  # an empty name is an argument left out
                return None
        if found is None or (width > 1 and len(found) not in (1, width)):
            return None
        return np.repeat(found, width) if len(found) == 1 else found


def _reads(
    nodes: list[Any], widths: dict[str, int], constants: dict[str, Array], answers: list[str]
) -> npt.NDArray[np.bool_]:
    """Tell which columns of the tensors `widths` the answer of `nodes` may depend on, side by side.

    Goes from the end to the beginning; what it does not know is taken for read.
    """
    known = dict(widths)
    for node in nodes:
        _measure(node, known, constants)
    read: dict[str, npt.NDArray[np.bool_]] = {name: np.zeros(width, bool) for name, width in known.items()}
    for name in read.keys() & set(answers):
        read[name][:] = True
    for node in reversed(nodes):
        for name, looked_at in _looks_at(node, known, read, constants):
            read[name] |= looked_at
    return np.concatenate([read[name] for name in widths])


def _measure(node: Any, widths: dict[str, int], constants: dict[str, Array]) -> None:
    """Note how many columns a node's output has, if that can be told."""
    if len(node.output) != 1:
        return
    found: list[int | None] = [_width(name, widths, constants) for name in node.input if name]
    if node.op_type in ("Concat", "Gather") and _attribute(node, "axis") == 1:
        found = [sum(w for w in found if w is not None)] if None not in found else [None]
        if node.op_type == "Gather":
            found = [constants[node.input[1]].size] if node.input[1] in constants else [None]
    elif node.op_type == "ReduceSum" and _attribute(node, "keepdims") == 1:
        found = [1] if constants.get(node.input[1], np.empty(0)).tolist() == [1] else [None]
    elif node.op_type not in _COLUMNWISE:
        return
    sizes = [width for width in found if width is not None]
    if len(sizes) == len(found):
        widths[node.output[0]] = max(sizes)


def _width(name: str, widths: dict[str, int], constants: dict[str, Array]) -> int | None:
    if name in constants:
        return constants[name].shape[-1] if constants[name].ndim else 1
    return widths.get(name)


def _looks_at(
    node: Any, widths: dict[str, int], read: dict[str, npt.NDArray[np.bool_]], constants: dict[str, Array]
) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    """Return which columns of its inputs a node needs for those columns of its output that are read."""
    asked = read.get(node.output[0])
    takes = [name for name in node.input if name in widths]
    if node.op_type == "TreeEnsemble":
        found = np.zeros(widths.get(node.input[0], 0), bool)
        found[np.asarray(_attribute(node, "nodes_featureids"), np.int64)] = True
        return [(node.input[0], found)] if takes else []
    if node.op_type == "MatMul" and takes == [node.input[0]] and node.input[1] in constants:
        weights = constants[node.input[1]]
        if weights.shape[:1] == (widths[takes[0]],):
            return [(takes[0], np.any(weights != 0, axis=tuple(range(1, weights.ndim))))]
    if asked is not None and node.op_type == "Concat":
        ends = np.cumsum([widths[name] for name in node.input])[:-1]
        return list(zip(node.input, np.split(asked, ends), strict=True))
    if asked is not None and node.op_type == "Gather" and takes == [node.input[0]]:
        found = np.zeros(widths[node.input[0]], bool)
        found[constants[node.input[1]][asked]] = True
        return [(node.input[0], found)]
    if asked is not None and node.op_type in _COLUMNWISE:
        return [(name, asked if widths[name] == len(asked) else np.array([asked.any()])) for name in takes]
    is_needed = asked is None or bool(asked.any())
    return [(name, np.full(widths[name], is_needed)) for name in takes]


def _attribute(node: Any, name: str) -> Any:
    from onnx import helper

    return next((helper.get_attribute_value(one) for one in node.attribute if one.name == name), None)


def _needed(nodes: list[Any], tensors: Iterable[str]) -> list[Any]:
    """Keep the nodes that `tensors` are computed by."""
    wanted, kept = set(tensors), []
    for node in reversed(nodes):
        if node.output[0] in wanted:
            kept.append(node)
            wanted.update(node.input)
    return kept[::-1]
