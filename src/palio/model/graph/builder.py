"""Build one ONNX graph in float64, node by node (needs the package `onnx`; loading a graph does not)."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import msgspec
import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from palio.core.cells import KINDS, carries_text
from palio.core.errors import InputError
from palio.core.records import PictureReading, Precision, Reading, Schema, TokenReading, WordReading
from palio.model.cells.names import input_name
from palio.model.reading.readers import BOX_CLASSES, METADATA, PRECISION, encode_readings, specs_of, tensors_of

ONNX_OPSET = 21
ML_OPSET = 5
"""The first version of ai.onnx.ml whose `TreeEnsemble` compares and adds in float64."""
IR_VERSION = 10
ML = "ai.onnx.ml"
_TYPES = {"double": TensorProto.DOUBLE, "float": TensorProto.FLOAT, "int64": TensorProto.INT64}
_DATATYPES = {"FP64": TensorProto.DOUBLE, "INT64": TensorProto.INT64, "UINT8": TensorProto.UINT8}
_CASTS = {**_DATATYPES, "FP32": TensorProto.FLOAT, "FP16": TensorProto.FLOAT16, "INT32": TensorProto.INT32}
_OUTPUT_TYPES = {**_TYPES, "string": TensorProto.STRING}


R = TypeVar("R", bound=WordReading | PictureReading | TokenReading)


class GraphBuilder:
    """Collect nodes and constants over the feature columns of a schema, then `build` the bytes of a model.

    Each feature is an input of shape (n, 1): float64 (number, integer, datetime) or string (boolean, category, text).
    In place of a text or picture that is read before the graph (`reading`) stand the tensors of its readings.
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
            if column.type not in KINDS or column.type == "boxes":  # these are answers
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
        self._shared: dict[tuple[Any, ...], list[str]] = {}
        self._taken = {value.name for value in self._inputs}
        self._readings: dict[Reading, Reading] = {}
        self.precision: Precision = "float64"
        """What it computes in; whoever adds a network in float32 says so."""
        self.classes: tuple[str, ...] = ()
        """Names of what it finds in pictures, if it does."""

    def _name(self) -> str:
        while True:
            self._counter += 1
            name = f"#{self._counter - 1}"
            if name not in self._taken:
                return name

    def input(self, column: str) -> str:
        """Return the tensor that carries `column`, shape (n, 1)."""
        return input_name(column)

    def reading(self, reading: R) -> R:
        """Let a column enter as its reading says; return the reading with the names of its tensors.

        The same reading is made once, whoever asks for it.
        """
        if reading.input not in self._taken:
            raise InputError(f"reading: `{reading.input}` is no input", hint="read a column of the schema")
        if reading not in self._readings:
            named = msgspec.structs.replace(reading, tensor=self._name())
            while not self._taken.isdisjoint(tensors_of(named)):
                named = msgspec.structs.replace(reading, tensor=self._name())
            self._readings[reading] = named
        return cast(R, self._readings[reading])

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

    def share_constant(self, value: Any) -> str:
        """Return a tensor that holds what an initializer of another graph does; equal ones are stored once."""
        return self.constant(numpy_helper.to_array(value), str(numpy_helper.to_array(value).dtype))

    def share_node(self, node: Any, inputs: list[str]) -> list[str]:
        """Add a node of another graph on these inputs, or find the one that is there; return its outputs."""
        attributes = tuple(sorted(one.SerializeToString(deterministic=True) for one in node.attribute))
        key = (node.op_type, node.domain, tuple(inputs), len(node.output), attributes)
        if key not in self._shared:
            made = onnx.NodeProto()
            made.CopyFrom(node)
            self._shared[key] = names = [self._name() for _ in node.output]
            del made.input[:], made.output[:]
            made.input.extend(inputs)
            made.output.extend(names)
            made.name = ""
            self._nodes.append(made)
        return self._shared[key]

    def cast(self, tensor: str, to: str) -> str:
        """Add a Cast to `double`, `float` or `int64`."""
        return self.node("Cast", tensor, to=_TYPES[to])

    def cast_to(self, tensor: str, datatype: str) -> str:
        """Add a Cast to a type that is named as in the open inference protocol, e.g. `FP16`."""
        return self.node("Cast", tensor, to=_CASTS[datatype])

    def concat(self, tensors: list[str]) -> str:
        """Join tensors of shape (n, k) side by side; a single one is returned as it is."""
        return tensors[0] if len(tensors) == 1 else self.node("Concat", *tensors, axis=1)

    def columns(self, tensor: str, indices: list[int]) -> str:
        """Pick columns of a (n, k) tensor, in this order."""
        return self.node("Gather", tensor, self.constant(indices, "int64"), axis=1)

    def greatest(self, tensor: str, count: int) -> tuple[str, str]:
        """Return the greatest numbers of each row of a (n, k) tensor, the greatest first, and where they stand."""
        values, places = self._name(), self._name()
        size = self.constant([count], "int64")
        node = helper.make_node("TopK", [tensor, size], [values, places], axis=1, largest=1, sorted=1)
        self._nodes.append(node)
        return values, places

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
        column = next((c for c in self.schema.features if not carries_text(c)), self.schema.features[0])
        value, one = self.input(column.name), self.constant(1.0)
        if column.type == "text":  # read as no words at all: a text itself may not be fit to be fed
            counts = f"{self.reading(WordReading(input=value, words=(0, 0), pieces=(0, 0))).tensor}.counts"
            return self.node("Add", self.node("ReduceSum", counts, self.constant([1], "int64"), keepdims=1), one)
        if column.type == "image":  # read as a single pixel
            pixel = f"{self.reading(PictureReading(input=value, size=1, fit='squash')).tensor}.pixels"
            flat = self.node("Reshape", self.cast(pixel, "double"), self.constant([-1, 3], "int64"))
            return self.node("Add", self.node("Mul", self.columns(flat, [0]), self.constant(0.0)), one)
        if carries_text(column):
            return self.labels(value, [""], [1.0], 1.0)
        return self.node("Where", self.node("IsNaN", value), one, one)

    def result(self, tensor: str, kind: str, shape: tuple[int | None, ...]) -> None:
        """Declare `tensor` the only output of a graph that nobody else sees, under a name that no column has."""
        self.output(self._name(), tensor, kind, shape)

    def output(self, name: str, tensor: str, kind: str, shape: tuple[int | str | None, ...]) -> None:
        """Declare `tensor` an output called `name`; `kind` is `double`, `float`, `int64` or `string`, None is n."""
        self._nodes.append(helper.make_node("Identity", [tensor], [name]))
        dimensions = ["n" if size is None else size for size in shape]
        self._outputs.append(helper.make_tensor_value_info(name, _OUTPUT_TYPES[kind], dimensions))

    def build(self) -> bytes:
        """Return the model: one self-contained ONNX file, opset 21, ai.onnx.ml 5, no external data."""
        graph = helper.make_graph(self._nodes, "palio", self._taken_inputs(), self._outputs, self._initializers)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", ONNX_OPSET), helper.make_opsetid(ML, ML_OPSET)],
            ir_version=IR_VERSION,
            producer_name="palio",
        )
        told = {METADATA: encode_readings(list(self._readings.values()))} if self._readings else {}
        if self.precision != "float64":
            told[PRECISION] = self.precision
        if self.classes:
            told[BOX_CLASSES] = msgspec.json.encode(self.classes).decode()
        if told:
            helper.set_model_props(model, told)
        return bytes(model.SerializeToString(deterministic=True))

    def _taken_inputs(self) -> list[Any]:
        """List the inputs in the order of the columns; what is read is no string, unless a node asks for it."""
        found = []
        asked = {name for node in self._nodes for name in node.input}
        for value in self._inputs:
            mine = [reading for reading in self._readings.values() if reading.input == value.name]
            if not mine or value.name in asked:
                found.append(value)
            for spec in (spec for reading in mine for spec in specs_of(reading)):
                sizes = [f"{spec.name} of the longest" if size < 0 else size for size in spec.shape[1:]]
                found.append(helper.make_tensor_value_info(spec.name, _DATATYPES[spec.datatype], ["n", *sizes]))
        return found
