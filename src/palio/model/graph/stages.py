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
from palio.model.reading.reader import METADATA, Readers, decode_readings

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
    """Take a graph apart; None if its columns do not meet in one matrix of float64 features."""
    import onnx
    from onnx import helper, numpy_helper

    whole = onnx.load_model_from_string(model)
    graph = whole.graph
    constants = {value.name: value for value in graph.initializer}
    metadata = {prop.key: prop.value for prop in whole.metadata_props}
    column_of = Readers(decode_readings(metadata.get(METADATA, "[]"))).column_of
    inputs = [value.name for value in graph.input]
    walk = _Walk(
        inputs,
        column_of,
        {value.name for value in graph.output},
        {name: numpy_helper.to_array(value) for name, value in constants.items()},
    )
    for node in graph.node:
        walk.take(node)
    meeting = walk.meeting
    if meeting is None:
        return None
    origin = walk.origin[meeting]
    joint = helper.make_tensor_value_info(meeting, onnx.TensorProto.DOUBLE, ["n", len(origin)])

    def part(nodes: list[Any], takes: Iterable[Any], gives: Iterable[Any], props: Mapping[str, str]) -> Graph:
        used = {name for node in nodes for name in node.input}
        kept = [value for name, value in constants.items() if name in used]
        made = helper.make_model(
            helper.make_graph(nodes, "palio", list(takes), list(gives), kept),
            opset_imports=whole.opset_import,
            ir_version=whole.ir_version,
        )
        helper.set_model_props(made, dict(props))
        return Graph(made.SerializeToString(deterministic=True), threads)

    try:
        front = part(_needed(walk.columnwise, meeting), graph.input, [joint], metadata)
        head = part(walk.joint, [joint], graph.output, {})
    except IntegrityError:  # e.g. the features are not float64
        return None
    names = [column_of.get(name, name) for name in inputs]
    return Stages(front, head, tuple(names[index] for index in origin.tolist()), walk.is_read(meeting))


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
        self._met: dict[str, list[Any]] = {}
        """Tensor of one column's own → the first nodes that mix its columns."""

    @property
    def meeting(self) -> str | None:
        """The one tensor from which all that is joint is computed; None if there are several."""
        met = next(iter(self._met)) if len(self._met) == 1 else None
        return met if met in self.origin else None

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
                self._met.setdefault(name, []).append(node)

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

    def is_read(self, meeting: str) -> npt.NDArray[np.bool_]:
        """Tell which features the nodes that mix them look at."""
        n_features = len(self.origin[meeting])
        found = np.zeros(n_features, dtype=bool)
        for node in self._met[meeting]:
            found |= self._looks_at(node, n_features)
        return found

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

    def _looks_at(self, node: Any, n_features: int) -> npt.NDArray[np.bool_]:
        found = np.ones(n_features, dtype=bool)
        if node.op_type == "TreeEnsemble":
            ids = np.asarray(_attribute(node, "nodes_featureids"), dtype=np.int64)
            found = np.zeros(n_features, dtype=bool)
            found[ids] = True
        elif node.op_type == "MatMul" and node.input[1] in self._constants:
            weights = self._constants[node.input[1]]
            if weights.shape[:1] == (n_features,):
                found = np.any(weights != 0, axis=tuple(range(1, weights.ndim)))
        return found


def _attribute(node: Any, name: str) -> Any:
    from onnx import helper

    return next((helper.get_attribute_value(one) for one in node.attribute if one.name == name), None)


def _needed(nodes: list[Any], tensor: str) -> list[Any]:
    """Keep the nodes that `tensor` is computed by."""
    wanted, kept = {tensor}, []
    for node in reversed(nodes):
        if node.output[0] in wanted:
            kept.append(node)
            wanted.update(node.input)
    return kept[::-1]
