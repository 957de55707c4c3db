"""Contributions add up, are exact where that can be worked out by hand, and come out the same again."""

from __future__ import annotations

import numpy as np
import pytest

from palio import measure
from palio.core.errors import InputError
from palio.core.records import Column, ColumnShape, Schema
from palio.model import Graph, explainer
from palio.model.graph.builder import GraphBuilder

SCHEMA = Schema(
    columns=(
        Column(name="size", type="number"),
        Column(name="age", type="number"),
        Column(name="noise", type="number"),
        Column(name="colour", type="category"),
    )
)


def uniform(name: str) -> ColumnShape:
    return ColumnShape(
        name=name, source=name, kind="number", low=0.0, edges=(1.0, 2.0, 3.0), counts=(25, 25, 25, 25, 0)
    )


COLOUR = ColumnShape(name="colour", source="colour", kind="category", values=("red", "green"), counts=(40, 10, 0, 50))
SHAPES = (*map(uniform, ("size", "age", "noise")), COLOUR)


def graph(weights: dict[str, float], *, product: bool = False) -> Graph:
    """prediction = Σ weight · column (+ size · age)."""
    builder = GraphBuilder(SCHEMA)
    columns = {name: builder.input(name) for name in ("size", "age", "noise")}
    parts = [builder.node("Mul", columns[name], builder.constant(np.array(w))) for name, w in weights.items()]
    if product:
        parts.append(builder.node("Mul", columns["size"], columns["age"]))
    total = parts[0]
    for part in parts[1:]:
        total = builder.node("Add", total, part)
    flat = builder.node("Reshape", total, builder.constant(np.array([-1]), "int64"))
    builder.output("prediction", flat, "double", (None,))
    return Graph(builder.build())


def row(size: float, age: float, noise: float = 1.0) -> dict[str, np.ndarray]:
    feeds = {name: np.array([[value]]) for name, value in (("size", size), ("age", age), ("noise", noise))}
    return feeds | {"colour": np.array([["red"]], object)}


def test_a_sum_is_taken_apart_exactly() -> None:
    made = explainer(graph({"size": 2.0, "age": -1.0, "noise": 0.0}), SCHEMA, SHAPES, classes=(), target="price")
    said = made.explain(row(10.0, 4.0))
    typical = 1.5  # mean of the lower edges 0, 1, 2, 3
    assert said.of == "price"
    assert said.values["size"] == pytest.approx(2 * (10 - typical))
    assert said.values["age"] == pytest.approx(-(4 - typical))
    assert said.values["noise"] == said.values["colour"] == pytest.approx(0)
    assert list(said.values)[:2] == ["size", "age"]


def test_base_and_contributions_add_up_to_the_answer_also_with_interactions() -> None:
    model = graph({"size": 1.0, "age": 1.0}, product=True)
    asked = row(5.0, 7.0)
    said = explainer(model, SCHEMA, SHAPES, classes=(), target="price").explain(asked)
    assert said.base + sum(said.values.values()) == pytest.approx(float(model.predict(asked).prediction[0]))
    assert said.values["age"] != pytest.approx(7 - 1.5, abs=1)  # the interaction is shared between the two


def test_equal_inputs_give_equal_contributions() -> None:
    first, second = (
        explainer(graph({"size": 1.0}, product=True), SCHEMA, SHAPES, classes=(), target="y").explain(row(5.0, 7.0))
        for _ in range(2)
    )
    assert first == second


def test_several_rows_at_once_are_refused() -> None:
    made = explainer(graph({"size": 1.0}), SCHEMA, SHAPES, classes=(), target="y")
    with pytest.raises(InputError, match="several rows"):
        made.explain({name: np.concatenate([value, value]) for name, value in row(1.0, 2.0).items()})


def test_of_many_columns_fewer_walks_are_walked_and_they_still_add_up() -> None:
    names = [f"x{k}" for k in range(800)]
    schema = Schema(columns=tuple(Column(name=name, type="number") for name in names))
    seen = tuple(map(uniform, names))
    builder = GraphBuilder(schema)
    joined = builder.concat([builder.input(name) for name in names])
    total = builder.node("MatMul", joined, builder.constant(np.arange(800.0).reshape(-1, 1)))
    builder.output("prediction", builder.node("Reshape", total, builder.constant([-1], "int64")), "double", (None,))
    made = explainer(Graph(builder.build()), schema, seen, classes=(), target="price")
    said = made.explain({name: np.array([[2.0]]) for name in names})
    assert len(made.ranks) * 801 * 800 <= 4_000_000
    assert said.base + sum(said.values.values()) == pytest.approx(2 * sum(range(800)))
    assert said.values["x0"] == 0


def test_typical_rows_hold_values_that_were_seen() -> None:
    cells = {"size": [0.0, 1.0] * 50, "age": [2.0, 5.0] * 50, "noise": [7.0] * 100}
    shapes = [measure.number_column(name, np.array(values)) for name, values in cells.items()]
    made = explainer(graph({"size": 1.0}), SCHEMA, shapes, classes=(), target="price")
    assert {name: set(made.typical[name].ravel()) for name in cells} == {name: set(v) for name, v in cells.items()}
