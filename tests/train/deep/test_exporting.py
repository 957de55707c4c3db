"""Graphs: the same answers with one row, two, three and many; nothing that a bundle refuses."""

from __future__ import annotations

import numpy as np
import pytest

from palio import model
from palio.core.errors import InputError
from palio.core.records import Column, Schema
from palio.train.deep.exporting import SCORES, check_export, exported
from palio.train.deep.layers import layer
from palio.train.deep.pictures import small_network

torch = pytest.importorskip("torch", reason="torch is not installed")

PIXELS = np.random.default_rng(0).integers(0, 256, (7, 16, 16, 3), dtype=np.uint8)


def test_a_graph_takes_any_number_of_rows() -> None:
    network = small_network(3, width=4)
    graph = exported(network, {"pixels": PIXELS})
    runner = model.Graph(graph)
    with torch.inference_mode():
        expected = network(torch.from_numpy(PIXELS)).numpy()
    for n in (1, 2, 3, 7):
        np.testing.assert_allclose(runner.run({"pixels": PIXELS[:n]})[SCORES], expected[:n], atol=1e-5)


def test_the_same_network_gives_the_same_bytes() -> None:
    first, second = (exported(small_network(3, width=4, seed=2), {"pixels": PIXELS}) for _ in range(2))
    assert first == second


def test_a_graph_with_a_fixed_number_of_rows_is_refused() -> None:
    stubborn = layer(lambda values: values + torch.ones(len(values), 4))
    with pytest.raises(InputError, match="the graph"):
        exported(stubborn, {"values": np.zeros((3, 4), np.float32)})


def test_a_graph_that_answers_otherwise_is_refused() -> None:
    graph = exported(small_network(3, width=4, seed=0), {"pixels": PIXELS})
    with pytest.raises(InputError, match="beside the network"):
        check_export(graph, small_network(3, width=4, seed=1).eval(), {"pixels": PIXELS})


def test_what_cannot_be_written_is_named() -> None:
    with pytest.raises(InputError, match="ONNX"):
        exported(layer(lambda values: torch.linalg.eigvalsh(values)), {"values": np.zeros((3, 2, 2), np.float32)})


def test_graphs_stand_in_another_and_what_they_share_only_once() -> None:
    double = exported(layer(lambda values: torch.relu(values * 2.0) + 1.0), {"values": np.ones((3, 1), np.float32)})
    builder = model.GraphBuilder(Schema(columns=(Column(name="x", type="number"),)))
    values = builder.cast(builder.input("x"), "float")
    (first,) = model.inline(builder, double, {"values": values})
    assert model.inline(builder, double, {"values": values}) == [first]
    (twice,) = model.inline(builder, double, {"values": first})
    builder.output("prediction", builder.cast(twice, "double"), "double", (None, 1))
    found = model.Graph(builder.build()).run({"x": np.array([[-1.0], [3.0]])})["prediction"]
    np.testing.assert_array_equal(found, [[3.0], [15.0]])
    with pytest.raises(InputError, match="`values`"):
        model.inline(builder, double, {})
