from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import onnx
import polars as pl
import pytest

from palio import model
from palio.core.errors import InputError
from palio.core.records import Column, Schema, Task
from palio.testing.family import TASKS, examples_of
from palio.train.examples import Examples
from palio.train.family import graph_of
from palio.train.table import load_family
from palio.train.work import numbers_of

SETTINGS: dict[str, dict[str, Any]] = {
    "dummy": {},
    "linear": {"penalty": 1.0},
    "lightgbm": {"n_estimators": 5},
    "forest": {"n_estimators": 5},
}


def member(name: str, examples: Examples, **changes: Any) -> bytes:
    family = load_family(name)
    params = dict(family.defaults(examples.shape, examples.task)[0]) | SETTINGS[name] | changes
    return graph_of(family.fit(examples, params=params, seed=0), examples.schema, examples.task)


def answers(graph: bytes, feeds: Any) -> Any:
    return numbers_of(model.Graph(graph).predict(feeds))


def joined(graphs: list[bytes], weights: list[float], examples: Examples) -> bytes:
    return model.join(graphs, weights, schema=examples.schema, task=examples.task)


@pytest.mark.parametrize("task", list(TASKS))
def test_a_join_answers_the_weighted_mean_of_its_members_at_hard_rows_too(task: str) -> None:
    examples = examples_of(TASKS[task])
    graphs = {name: member(name, examples) for name in SETTINGS}
    for pair in combinations(graphs, 2):
        chosen = [graphs[name] for name in pair]
        graph = joined(chosen, [0.3, 0.7], examples)
        hard = model.stress_feeds(examples.frame, examples.schema, graph)
        for feeds in (examples.feeds(), hard):
            expected = 0.3 * answers(chosen[0], feeds) + 0.7 * answers(chosen[1], feeds)
            found = answers(graph, feeds)
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_many_members_are_joined() -> None:
    examples = examples_of(TASKS["value"])
    graphs = [member("linear", examples, penalty=10.0**k) for k in range(-2, 4)]
    weights = [0.1, 0.1, 0.1, 0.2, 0.2, 0.3]
    feeds = examples.feeds()
    expected = sum(weight * answers(graph, feeds) for weight, graph in zip(weights, graphs, strict=True))
    np.testing.assert_allclose(answers(joined(graphs, weights, examples), feeds), expected, rtol=1e-12)


@pytest.mark.parametrize("task", list(TASKS))
def test_what_members_share_stands_in_the_join_once(task: str) -> None:
    examples = examples_of(TASKS[task])
    graphs = [member("linear", examples, penalty=penalty) for penalty in (1.0, 30.0)]
    both = joined(graphs, [0.5, 0.5], examples)
    n_nodes = [len(onnx.load_model_from_string(one).graph.node) for one in (*graphs, both)]
    assert n_nodes[2] < 0.75 * (n_nodes[0] + n_nodes[1])
    assert len(both) < len(graphs[0]) + len(graphs[1])


def test_a_join_of_a_graph_with_itself_is_that_graph() -> None:
    examples = examples_of(TASKS["three classes"] if "three classes" in TASKS else TASKS["two classes"])
    graph = member("lightgbm", examples)
    both = joined([graph, graph], [0.25, 0.75], examples)
    assert len(both) < 1.1 * len(graph) + 2_000
    np.testing.assert_allclose(answers(both, examples.feeds()), answers(graph, examples.feeds()), rtol=1e-12)


def test_members_may_read_different_columns() -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(size=200), "word": rng.choice(["a", "b", "c"], 200).tolist()})
    columns = (Column(name="x", type="number"), Column(name="word", type="category"))
    truth = frame["x"].to_numpy() + (frame["word"] == "b").to_numpy()
    task = Task(kind="regression", target="y")
    examples = Examples(frame, truth, Schema(columns=columns), task)
    graphs = [member("dummy", examples), member("linear", examples)]
    feeds = examples.feeds()
    expected = 0.5 * answers(graphs[0], feeds) + 0.5 * answers(graphs[1], feeds)
    np.testing.assert_allclose(answers(joined(graphs, [0.5, 0.5], examples), feeds), expected, rtol=1e-12)


def test_the_class_that_is_answered_is_that_of_the_mean() -> None:
    examples = examples_of(TASKS["two classes"])
    graphs = [member("linear", examples), member("lightgbm", examples)]
    outputs = model.Graph(joined(graphs, [0.5, 0.5], examples)).predict(examples.feeds())
    assert outputs.probabilities is not None
    labels = np.asarray(examples.task.classes, dtype=object)[outputs.probabilities.argmax(axis=1)]
    assert outputs.prediction.tolist() == labels.tolist()


def test_a_weight_is_needed_for_each() -> None:
    examples = examples_of(TASKS["two classes"])
    graph = member("dummy", examples)
    with pytest.raises(InputError, match="1 graphs and 2 weights"):
        joined([graph], [0.5, 0.5], examples)
    with pytest.raises(InputError, match="0 graphs"):
        joined([], [], examples)
