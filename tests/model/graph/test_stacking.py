from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palio import model
from palio.core.records import Layer
from palio.model.graph.stacking import STACK_FLOOR
from palio.testing.family import TASKS, examples_of
from palio.train.work import numbers_of
from tests.model.graph.test_joining import answers, member

CLASSES = [name for name, task in TASKS.items() if task.kind == "classification"]


@pytest.mark.parametrize("task", CLASSES)
def test_the_graph_of_a_layer_answers_what_its_numbers_say_at_hard_rows_too(task: str) -> None:
    examples = examples_of(TASKS[task])
    graphs = [member(name, examples) for name in ("linear", "lightgbm", "forest")]
    n_classes = len(examples.task.classes)
    layer = Layer(offsets=tuple(np.linspace(-0.4, 0.5, n_classes).tolist()))
    weights = [0.9, 0.4, 0.2]
    graph = model.join(graphs, weights, schema=examples.schema, task=examples.task, layer=layer)
    for feeds in (examples.feeds(), model.stress_feeds(examples.frame, examples.schema, graph)):
        expected = model.stacked([answers(one, feeds) for one in graphs], weights, layer)
        found = numbers_of(model.Graph(graph).predict(feeds))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_a_stack_is_corrected_and_has_a_threshold_like_any_other() -> None:
    from palio.core.records import Calibration

    examples = examples_of(TASKS["two classes"])
    graphs = [member(name, examples) for name in ("linear", "lightgbm")]
    how, layer = Calibration(kind="platt", numbers=(1.3, 0.2)), Layer(offsets=(0.1, -0.1))
    graph = model.join(
        graphs, [0.5, 0.7], schema=examples.schema, task=examples.task, layer=layer, calibration=how, threshold=0.3
    )
    feeds = examples.feeds()
    expected = model.calibrated(model.stacked([answers(one, feeds) for one in graphs], [0.5, 0.7], layer), how)
    outputs: Any = model.Graph(graph).predict(feeds)
    np.testing.assert_allclose(outputs.probabilities, expected, rtol=1e-9)
    said = np.asarray(examples.task.classes, dtype=object)[(expected[:, 1] >= 0.3).astype(int)]
    assert outputs.prediction.tolist() == said.tolist()


def test_a_member_that_says_never_can_be_overruled() -> None:
    never, surely = np.array([[1.0, 0.0]]), np.array([[1e-9, 1 - 1e-9]])
    found = model.stacked([never, surely], [0.5, 1.0], Layer(offsets=(0.0, 0.0)))
    assert found[0, 1] > 0.9 and np.isfinite(found).all()


def test_weights_that_add_up_to_one_make_the_geometric_mean() -> None:
    rng = np.random.default_rng(0)
    some = [rng.dirichlet(np.ones(3), 20).clip(STACK_FLOOR) for _ in range(2)]
    raised = some[0] ** 0.25 * some[1] ** 0.75
    found = model.stacked(some, [0.25, 0.75], Layer(offsets=(0.0, 0.0, 0.0)))
    np.testing.assert_allclose(found, raised / raised.sum(axis=1, keepdims=True))
