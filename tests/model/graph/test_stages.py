"""A graph that is taken apart where its columns meet answers as the whole, up to the last bit of a sum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palio import model
from palio.core.records import Column, Schema, Task
from palio.model import Graph, GraphBuilder
from palio.model.graph.stages import stages_of
from palio.testing.examples import TASKS, text_examples
from palio.train.family import graph_of
from palio.train.table import FAMILIES, load_family

VALUE = Task(kind="regression", target="y")


def learned(family: str, task: Task) -> tuple[bytes, Any]:
    examples, learner = text_examples(task), load_family(family)
    params = dict(learner.defaults(examples.shape, task)[0])
    if learner.rounds:
        params |= {learner.rounds: 5}
    return graph_of(learner.fit(examples, params=params, seed=0), examples.schema, examples.task), examples


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
@pytest.mark.parametrize("family", [name for name in FAMILIES if not load_family(name).needs])
def test_features_and_head_answer_as_the_whole_graph(family: str, task: Task) -> None:
    if task.kind not in load_family(family).tasks:
        pytest.skip(f"{family} does not do {task.kind}")
    graph, examples = learned(family, task)
    stages = stages_of(graph)
    assert stages is not None
    for feeds in (examples.feeds(), model.stress_feeds(examples.frame, examples.schema, graph)):
        whole, parts = Graph(graph).predict(feeds), stages.answer(stages.features(feeds))
        if whole.probabilities is not None:  # products of other widths may add up in another order
            np.testing.assert_allclose(whole.probabilities, parts.probabilities, rtol=0, atol=1e-12)
            assert (whole.prediction == parts.prediction).all()
        else:
            np.testing.assert_allclose(whole.prediction, parts.prediction, rtol=1e-12)


@pytest.mark.parametrize("family", ["linear", "words", "lightgbm", "forest"])
def test_a_column_acts_through_its_own_features_alone(family: str) -> None:
    graph, examples = learned(family, TASKS["two classes"])
    stages = stages_of(graph)
    assert stages is not None
    before = stages.features(examples.feeds())
    order = np.random.default_rng(0).permutation(len(before))
    for name, cells in examples.feeds().items():
        after = stages.features({**examples.feeds(), name: cells[order]})
        mine = np.array(stages.column_of) == name
        assert np.array_equal(after[:, mine], before[order][:, mine], equal_nan=True)
        assert np.array_equal(after[:, ~mine], before[:, ~mine], equal_nan=True)


def test_columns_that_no_tree_splits_on_are_not_read() -> None:
    rng = np.random.default_rng(0)
    import lightgbm

    X = rng.normal(size=(400, 30))
    booster = lightgbm.train(
        {"objective": "regression", "verbose": -1, "num_leaves": 2}, lightgbm.Dataset(X, X[:, 3] > 0), 2
    )
    schema = Schema(columns=tuple(Column(name=f"x{k}", type="number") for k in range(30)))
    builder = GraphBuilder(schema)
    features = builder.concat([builder.input(column.name) for column in schema.columns])
    model.emit_answers(
        builder,
        model.emit_lightgbm(builder, features, booster, Task(kind="regression", target="y")),
        Task(kind="regression", target="y"),
    )
    stages = stages_of(builder.build())
    assert stages is not None
    assert stages.read == {"x3"}


def four_numbers() -> tuple[GraphBuilder, dict[str, np.ndarray]]:
    builder = GraphBuilder(Schema(columns=tuple(Column(name=name, type="number") for name in "abcd")))
    return builder, {name: np.random.default_rng(place).normal(size=(50, 1)) for place, name in enumerate("abcd")}


def test_a_graph_whose_columns_meet_in_several_places_is_taken_apart_at_all_of_them() -> None:
    builder, feeds = four_numbers()
    a, b, c = (builder.input(name) for name in "abc")
    ratio = builder.node("Div", builder.node("Neg", a), builder.node("Abs", b))
    features = builder.concat([ratio, builder.concat([a, c, builder.input("d")]), builder.node("Sub", c, a)])
    weights = builder.constant(np.array([[2.0], [0.0], [3.0], [0.0], [0.0]]))
    flat = builder.node("Reshape", builder.node("MatMul", features, weights), builder.constant([-1], "int64"))
    builder.output("prediction", flat, "double", (None,))
    graph = builder.build()
    stages = stages_of(graph)
    assert stages is not None
    assert stages.read == {"a", "b", "c"}
    whole = Graph(graph).predict(feeds).prediction
    np.testing.assert_array_equal(whole, stages.answer(stages.features(feeds)).prediction)
    before = stages.features(feeds)
    for name, cells in feeds.items():
        mine = np.array(stages.column_of) == name
        after = before.copy()
        after[:, mine] = before[::-1][:, mine]
        expected = Graph(graph).predict({**feeds, name: cells[::-1]}).prediction
        np.testing.assert_array_equal(stages.answer(after).prediction, expected)


def test_a_graph_whose_columns_meet_as_texts_is_left_whole() -> None:
    builder = GraphBuilder(Schema(columns=(Column(name="a", type="category"), Column(name="b", type="category"))))
    both = builder.node("Cast", builder.node("Equal", builder.input("a"), builder.input("b")), to=11)
    builder.output("prediction", builder.node("Reshape", both, builder.constant([-1], "int64")), "double", (None,))
    assert stages_of(builder.build()) is None
