"""A logistic model of five columns, its graph written node by node."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from palio.core.ids import digest, digest_of
from palio.core.records import Column, ColumnShape, Manifest, Schema, Task, TensorSpec
from palio.model import Graph, Outputs

JOBS = ("admin", "student", "retired")
SCHEMA = Schema(
    target="y",
    columns=(
        Column(name="age", type="integer", low=18, high=90, missing_allowed=False, on_out_of_range="reject"),
        Column(name="balance", type="number", low=-1000.0, high=5000.0),
        Column(name="job", type="category", categories=JOBS),
        Column(name="level", type="category", categories=("low", "high"), on_unknown="reject"),
        Column(name="married", type="boolean", categories=("false", "true"), missing_allowed=False),
        Column(name="y", type="category", feature=False, categories=("no", "yes")),
    ),
)
TASK = Task(kind="classification", target="y", classes=("no", "yes"), positive="yes")
GOOD = {"age": 40, "balance": 120.5, "job": "student", "level": "high", "married": True}


def small_graph(shift: float = 0.0) -> bytes:
    """Write p = sigmoid(0.05·age + 0.001·balance + weight(job) + weight(level) + weight(married) − 2 + shift)."""
    nodes, constants = [], []

    def constant(name: str, value: Any) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def weight(column: str, table: dict[str, float]) -> str:
        keys = helper.make_tensor(f"{column}_keys", TensorProto.STRING, [len(table)], [k.encode() for k in table])
        values = numpy_helper.from_array(np.array(list(table.values())), f"{column}_values")
        default = numpy_helper.from_array(np.array([0.0]), f"{column}_default")
        nodes.append(
            helper.make_node(
                "LabelEncoder",
                [column],
                [f"{column}_w"],
                domain="ai.onnx.ml",
                keys_tensor=keys,
                values_tensor=values,
                default_tensor=default,
            )
        )
        return f"{column}_w"

    nodes.append(helper.make_node("IsNaN", ["balance"], ["no_balance"]))
    nodes.append(helper.make_node("Where", ["no_balance", constant("zero", 0.0), "balance"], ["known_balance"]))
    nodes.append(helper.make_node("Mul", ["age", constant("per_year", 0.05)], ["age_w"]))
    nodes.append(helper.make_node("Mul", ["known_balance", constant("per_euro", 0.001)], ["balance_w"]))
    parts = [
        "age_w",
        "balance_w",
        weight("job", {"admin": 0.3, "student": -0.2, "retired": 0.7}),
        weight("level", {"low": -0.5, "high": 0.5}),
        weight("married", {"true": 0.1, "false": -0.1}),
        constant("offset", shift - 2.0),
    ]
    nodes.append(helper.make_node("Sum", parts, ["z"]))
    nodes.append(helper.make_node("Sigmoid", ["z"], ["p"]))
    nodes.append(helper.make_node("Sub", [constant("one", 1.0), "p"], ["q"]))
    nodes.append(helper.make_node("Concat", ["q", "p"], ["probabilities"], axis=1))
    nodes.append(helper.make_node("ArgMax", ["probabilities"], ["index"], axis=1, keepdims=0))
    nodes.append(
        helper.make_node(
            "LabelEncoder",
            ["index"],
            ["prediction"],
            domain="ai.onnx.ml",
            keys_int64s=[0, 1],
            values_strings=list(TASK.classes),
        )
    )
    kinds = {
        c.name: TensorProto.DOUBLE if c.type in ("number", "integer") else TensorProto.STRING for c in SCHEMA.features
    }
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, kind, ["n", 1]) for name, kind in kinds.items()],
        [
            helper.make_tensor_value_info("prediction", TensorProto.STRING, ["n"]),
            helper.make_tensor_value_info("probabilities", TensorProto.DOUBLE, ["n", 2]),
        ],
        constants,
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 5)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return bytes(model.SerializeToString())


def feeds(n_rows: int = 7) -> dict[str, Any]:
    """Make rows that keep the contract, some with missing values."""
    random = np.random.default_rng(0)
    balance = random.normal(500, 300, n_rows)
    balance[::3] = np.nan
    columns = {
        "age": random.integers(18, 90, n_rows).astype(np.float64),
        "balance": balance,
        "job": np.array([JOBS[i % 3] if i % 4 else "" for i in range(n_rows)], object),
        "level": np.array([("low", "high")[i % 2] for i in range(n_rows)], object),
        "married": np.array([("true", "false")[i % 2] for i in range(n_rows)], object),
    }
    return {name: values.reshape(-1, 1) for name, values in columns.items()}


@dataclass
class SmallGolden:
    feeds: dict[str, Any]
    outputs: Outputs


@dataclass
class SmallBundle:
    """What the server needs of a bundle, without a store."""

    id: str
    manifest: Manifest
    model: bytes
    promoted_id: str = ""
    trouble: Exception | None = field(default=None)

    @cached_property
    def graph(self) -> Graph:
        return Graph(self.model)

    def golden(self) -> SmallGolden:
        rows = feeds()
        return SmallGolden(rows, self.graph.predict(rows))

    def shapes(self) -> tuple[ColumnShape, ...]:
        """What rows like those of `feeds` look like."""

        def category(name: str, **seen: int) -> ColumnShape:
            return ColumnShape(
                name=name, source=name, kind="category", values=tuple(seen), counts=(*seen.values(), 0, 0)
            )

        def number(name: str, low: float, edges: tuple[float, ...], counts: tuple[int, ...]) -> ColumnShape:
            return ColumnShape(name=name, source=name, kind="number", low=low, edges=edges, counts=counts)

        return (
            number("age", 18.0, (40.0, 60.0), (1, 2, 1, 0)),
            number("balance", -1000.0, (0.0,), (1, 2, 1)),
            category("job", admin=2, student=1, retired=1),
            category("level", low=3, high=1),
            category("married", true=3, false=1),
        )

    def fetch(self) -> SmallBundle:
        if self.trouble is not None:
            raise self.trouble
        return self


def manifest_of(model: bytes, schema: Schema, task: Task, *, family: str, n_parameters: int) -> Manifest:
    """Describe a graph of two classes over the features of a schema."""
    texts = {"boolean", "category", "image"}
    return Manifest(
        format=1,
        task=task,
        schema=schema,
        inputs=tuple(
            TensorSpec(name=c.name, datatype="BYTES" if c.type in texts else "FP64", shape=(-1, 1))
            for c in schema.features
        ),
        outputs=(
            TensorSpec(name="prediction", datatype="BYTES", shape=(-1,)),
            TensorSpec(name="probabilities", datatype="FP64", shape=(-1, 2)),
        ),
        family=family,
        params={},
        seed=0,
        n_parameters=n_parameters,
        snapshot="0" * 64,
        parts="0" * 64,
        trained_on=("train",),
        metrics={},
        parity=(),
        versions={},
        files={"model.onnx": digest(model)},
    )


def small_bundle(shift: float = 0.0) -> SmallBundle:
    model = small_graph(shift)
    manifest = manifest_of(model, SCHEMA, TASK, family="linear", n_parameters=6)
    identity = digest_of(manifest)
    return SmallBundle(identity, manifest, model, promoted_id=identity)
