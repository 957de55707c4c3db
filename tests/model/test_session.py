"""A graph runs plain, self-contained ONNX, and refuses everything else."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from palio.core.errors import InputError, IntegrityError, UnavailableError
from palio.model import Graph, feeds_from_frame
from palio.model.runtime import onnx_runtime
from palio.model.session import ROWS_AT_ONCE


def tiny(**changes: Any) -> onnx.ModelProto:
    node = helper.make_node("Add", ["x", "w"], ["y"], domain=changes.get("domain", ""))
    weight = helper.make_tensor("w", TensorProto.DOUBLE, [1], [1.0])
    if changes.get("external"):
        weight.ClearField("double_data")
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value="/etc/passwd")
    graph = helper.make_graph(
        [node] * changes.get("n_nodes", 1),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["n", 1])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, ["n", 1])],
        [weight],
    )
    opsets = [helper.make_opsetid("", 21)]
    if changes.get("domain"):
        opsets.append(helper.make_opsetid(changes["domain"], 1))
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def test_any_graph_runs_and_describes_itself() -> None:
    graph = Graph(tiny().SerializeToString())
    assert graph.run({"x": np.array([[1.0]])})["y"].tolist() == [[2.0]]
    assert [(s.name, s.datatype, s.shape) for s in graph.inputs] == [("x", "FP64", (-1, 1))]
    with pytest.raises(InputError, match="prediction"):
        graph.predict({"x": np.array([[1.0]])})


@pytest.mark.parametrize("data", [b"", b"\x00", b"not a model", b"\x80\x04\x95pickle", b"<html></html>", b"\xff" * 99])
def test_bytes_that_are_no_model_are_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError, match="model") as caught:
        Graph(data)
    assert caught.value.hint


@pytest.mark.parametrize("domain", ["com.microsoft", "evil", "ai.onnx.training"])
def test_operators_of_other_domains_are_refused(domain: str) -> None:
    with pytest.raises(IntegrityError, match=domain):
        Graph(tiny(domain=domain).SerializeToString())


def test_weights_in_other_files_are_refused() -> None:
    with pytest.raises(IntegrityError, match="another file"):
        Graph(tiny(external=True).SerializeToString())


def test_weights_in_other_files_are_found_inside_nodes_and_inner_graphs() -> None:
    model = tiny()
    inner = tiny(external=True).graph
    model.graph.node[0].attribute.append(helper.make_attribute("then_branch", inner))
    with pytest.raises(IntegrityError, match="another file"):
        Graph(model.SerializeToString())
    model = tiny()
    model.graph.node[0].attribute.append(helper.make_attribute("value", inner.initializer[0]))
    with pytest.raises(IntegrityError, match="another file"):
        Graph(model.SerializeToString())


def test_too_large_a_file_and_too_many_nodes_are_refused() -> None:
    data = tiny().SerializeToString()
    with pytest.raises(IntegrityError, match="at most"):
        Graph(data, max_bytes=len(data) - 1)
    with pytest.raises(IntegrityError, match="nodes"):
        Graph(tiny(n_nodes=200_001).SerializeToString())


@settings(max_examples=80, deadline=None)
@given(
    cut=st.floats(0, 1), flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=3)
)
def test_a_damaged_model_is_refused_or_still_a_model_never_a_crash(champion: Any, cut: float, flips: list[Any]) -> None:
    data = bytearray(champion.graph[: int(len(champion.graph) * cut)])
    for where, mask in flips:
        if data:
            data[int(where * len(data))] ^= mask
    try:
        Graph(bytes(data))
    except IntegrityError as error:
        assert error.hint


def test_wrong_feeds_are_refused_with_a_hint(champion: Any) -> None:
    graph = Graph(champion.graph)
    feeds = feeds_from_frame(champion.frame, champion.schema)
    one = {name: value[:1] for name, value in feeds.items()}
    for bad in (
        {},
        {**one, "surplus": one["amount"]},
        {**one, "amount": np.array([["text"]], dtype=object)},
        {**one, "amount": np.zeros((1, 2))},
        {**one, "amount": np.zeros((1, 1), np.float32)},
    ):
        with pytest.raises(InputError) as caught:
            graph.predict(bad)
        assert caught.value.hint


def test_infinities_do_not_crash_and_no_answer_is_not_a_number(train: Any, small_frame: Any) -> None:
    for family in ("lightgbm", "forest", "linear"):
        trained = train(small_frame.drop("value"), "answer", family)
        feeds = feeds_from_frame(trained.frame.head(3), trained.schema)
        for name in ("amount", "count", "when"):
            feeds[name][:, 0] = [np.inf, -np.inf, np.nan]
        probabilities = Graph(trained.graph).predict(feeds).probabilities
        assert np.isfinite(probabilities).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_many_rows_answer_as_one_by_one(champion: Any) -> None:
    graph = Graph(champion.graph)
    feeds = feeds_from_frame(champion.frame, champion.schema)
    times = ROWS_AT_ONCE // 400 + 2
    many = graph.predict({name: np.tile(value, (times, 1)) for name, value in feeds.items()})
    assert many.prediction.shape == (400 * times,)
    first = np.concatenate(
        [graph.predict({n: v[i : i + 1] for n, v in feeds.items()}).probabilities for i in range(400)]
    )
    np.testing.assert_allclose(many.probabilities, np.tile(first, (times, 1)), atol=1e-15)


def test_no_rows_answer_nothing(champion: Any) -> None:
    outputs = Graph(champion.graph).predict(feeds_from_frame(champion.frame.head(0), champion.schema))
    assert outputs.prediction.shape == (0,)
    assert outputs.probabilities.shape == (0, 2)


def test_a_device_that_is_not_there_is_a_clear_error_and_never_another_one(champion: Any) -> None:
    if "CUDAExecutionProvider" in onnx_runtime().get_available_providers():  # pragma: no cover - with a GPU
        assert Graph(champion.graph, device="cuda")._session.get_providers()[0] == "CUDAExecutionProvider"
        return
    with pytest.raises(UnavailableError, match="cuda"):
        Graph(champion.graph, device="cuda")


def test_the_runtime_still_has_the_way_past_its_wrapper() -> None:
    graph = Graph(tiny().SerializeToString())
    assert graph._run.__self__ is graph._session._sess  # else a row of thousands of inputs costs ten times as much
