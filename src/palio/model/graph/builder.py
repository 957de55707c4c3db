"""Build one ONNX graph in float64, node by node (needs the package `onnx`; loading a graph does not)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

from palio.core.cells import KINDS, carries_text
from palio.core.errors import InputError
from palio.core.records import Schema
from palio.model.cells.names import input_name

ONNX_OPSET = 21
ML_OPSET = 5
"""The first version of ai.onnx.ml whose `TreeEnsemble` compares and adds in float64."""
IR_VERSION = 10
ML = "ai.onnx.ml"
_TYPES = {"double": TensorProto.DOUBLE, "float": TensorProto.FLOAT, "int64": TensorProto.INT64}
_OUTPUT_TYPES = {**_TYPES, "string": TensorProto.STRING}


class GraphBuilder:
    """Collect nodes and constants over the feature columns of a schema, then `build` the bytes of a model.

    Each feature is an input of shape (n, 1): float64 (number, integer, datetime) or string (boolean, category, text).
    Tensors are named `#0`, `#1`, … so that they never collide with a column. Equal calls give equal bytes.

    Example:
        >>> from palio.core.records import Column, Schema
        >>> builder = GraphBuilder(Schema(columns=(Column(name="x", type="number"),)))
        >>> builder.output("prediction", builder.node("Neg", builder.input("x")), "double", (None, 1))
        >>> type(builder.build()).__name__
        'bytes'
    """

    def __init__(self, schema: Schema) -> None:
        if not schema.features:
            raise InputError("schema: no column is a feature", hint="let at least one column be a feature")
        self.schema = schema
        self._inputs = []
        for column in schema.features:
            if column.type not in KINDS:
                raise InputError(
                    f"column `{column.name}`: type `{column.type}` cannot enter a graph of tabular columns",
                    hint="exclude the column, or train a family for its modality",
                )
            kind = TensorProto.STRING if carries_text(column) else TensorProto.DOUBLE
            self._inputs.append(helper.make_tensor_value_info(input_name(column.name), kind, ["n", 1]))
        self._nodes: list[Any] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._initializers: list[Any] = []
        self._outputs: list[Any] = []
        self._counter = 0
        self._taken = {value.name for value in self._inputs}

    def _name(self) -> str:
        while True:
            self._counter += 1
            name = f"#{self._counter - 1}"
            if name not in self._taken:
                return name

    def input(self, column: str) -> str:
        """Return the tensor that carries `column`, shape (n, 1)."""
        return input_name(column)

    def constant(self, value: npt.ArrayLike, dtype: str | None = None) -> str:
        """Return a tensor that holds `value`; equal constants are stored once. Text needs `dtype="object"`."""
        array = np.asarray(value, dtype=dtype or np.float64)
        raw = repr(array.tolist()).encode() if array.dtype == object else array.tobytes()
        key = (str(array.dtype), array.shape, raw)
        if key not in self._constants:
            self._constants[key] = name = self._name()
            self._initializers.append(numpy_helper.from_array(array, name))
        return self._constants[key]

    def node(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add one node with one output and return that tensor's name.

        Attributes are Python values, numpy arrays (become tensors of their own dtype) or TensorProtos.
        """
        name = self._name()
        values = {
            key: numpy_helper.from_array(value, key) if isinstance(value, np.ndarray) else value
            for key, value in attributes.items()
        }
        self._nodes.append(helper.make_node(op, list(inputs), [name], domain=domain, **values))
        return name

    def cast(self, tensor: str, to: str) -> str:
        """Add a Cast to `double`, `float` or `int64`."""
        return self.node("Cast", tensor, to=_TYPES[to])

    def concat(self, tensors: list[str]) -> str:
        """Join tensors of shape (n, k) side by side; a single one is returned as it is."""
        return tensors[0] if len(tensors) == 1 else self.node("Concat", *tensors, axis=1)

    def columns(self, tensor: str, indices: list[int]) -> str:
        """Pick columns of a (n, k) tensor, in this order."""
        return self.node("Gather", tensor, self.constant(indices, "int64"), axis=1)

    def sorted_least(self, tensor: str, count: int) -> str:
        """Return the smallest numbers of each row of a (n, k) tensor, the least one first."""
        values, places = self._name(), self._name()
        size = self.constant([count], "int64")
        node = helper.make_node("TopK", [tensor, size], [values, places], axis=1, largest=0, sorted=1)
        self._nodes.append(node)
        return values

    def labels(self, tensor: str, keys: list[str], values: list[float], default: float) -> str:
        """Map strings to float64 numbers; a string that is no key gets `default`."""
        return self.node(
            "LabelEncoder",
            tensor,
            domain=ML,
            keys_tensor=np.array(keys, dtype=object),
            values_tensor=np.array(values, dtype=np.float64),
            default_tensor=np.array([default], dtype=np.float64),
        )

    def ones(self) -> str:
        """Return a tensor of ones, shape (n, 1), for a graph that looks at no column."""
        column = self.schema.features[0]
        value = self.input(column.name)
        if carries_text(column):
            return self.labels(value, [""], [1.0], 1.0)
        one = self.constant(1.0)
        return self.node("Where", self.node("IsNaN", value), one, one)

    def result(self, tensor: str, kind: str, shape: tuple[int | None, ...]) -> None:
        """Declare `tensor` the only output of a graph that nobody else sees, under a name that no column has."""
        self.output(self._name(), tensor, kind, shape)

    def output(self, name: str, tensor: str, kind: str, shape: tuple[int | None, ...]) -> None:
        """Declare `tensor` an output called `name`; `kind` is `double`, `float`, `int64` or `string`, None is n."""
        self._nodes.append(helper.make_node("Identity", [tensor], [name]))
        dimensions = ["n" if size is None else size for size in shape]
        self._outputs.append(helper.make_tensor_value_info(name, _OUTPUT_TYPES[kind], dimensions))

    def build(self) -> bytes:
        """Return the model: one self-contained ONNX file, opset 21, ai.onnx.ml 5, no external data."""
        graph = helper.make_graph(self._nodes, "palio", self._inputs, self._outputs, self._initializers)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", ONNX_OPSET), helper.make_opsetid(ML, ML_OPSET)],
            ir_version=IR_VERSION,
            producer_name="palio",
        )
        return bytes(model.SerializeToString(deterministic=True))
