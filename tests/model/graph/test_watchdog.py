"""A graph that loops ends in time; one that does not is left alone."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
from onnx import helper

from palio.core.errors import IntegrityError, TimeLimitError
from palio.model import Graph
from palio.model.graph.wire import check_wire
from tests.serve.loop_graphs import BOOL, FLOAT, INT64, loop_graph
from tests.serve.small_model import small_graph

EVER = 1 << 60


def test_a_loop_inside_a_function_is_found() -> None:
    """The runtime itself takes no functions of the standard domains, and others are refused."""
    assert check_wire(loop_graph(inside="function"), max_bytes=1 << 20)


@pytest.mark.parametrize("inside", ["", "if"])
def test_a_loop_is_found_wherever_it_hides_and_ends_in_time(inside: str) -> None:
    graph = Graph(loop_graph(inside=inside), max_run_s=0.2)
    assert graph.loops
    x = np.ones((1, 1), np.float32)
    assert graph.compute({"x": x, "turns": np.array([[4]])})["y"].tolist() == [[5.0]]
    begin = time.monotonic()
    with pytest.raises(TimeLimitError, match=r"did not answer within 0\.2 s"):
        graph.compute({"x": x, "turns": np.array([[EVER]])})
    assert 0.2 <= time.monotonic() - begin < 5
    assert graph.compute({"x": x, "turns": np.array([[4]])})["y"].tolist() == [[5.0]]


def test_a_graph_without_loops_is_not_watched() -> None:
    assert not check_wire(small_graph(), max_bytes=1 << 24)
    graph = Graph(small_graph(), max_run_s=1e-9)
    assert not graph.loops and graph._limit_s == 0
    with graph.on_trial():
        assert graph._limit_s == 1e-9
    assert graph._limit_s == 0


def test_an_endless_graph_is_refused_on_trial() -> None:
    graph = Graph(loop_graph(times=EVER), max_run_s=0.2)
    with pytest.raises(IntegrityError, match="warmed up") as caught, graph.on_trial():
        graph.compute({"x": np.ones((1, 1), np.float32)})
    assert "loop" in caught.value.hint


def test_one_thread_ends_many_runs_each_in_its_own_time() -> None:
    took: dict[float, float] = {}

    def run(limit_s: float) -> None:
        graph, begin = Graph(loop_graph(), max_run_s=limit_s), time.monotonic()
        with pytest.raises(TimeLimitError):
            graph.compute({"x": np.ones((1, 1), np.float32), "turns": np.array([[EVER]])})
        took[limit_s] = time.monotonic() - begin

    threads = [threading.Thread(target=run, args=(limit_s,)) for limit_s in (0.9, 0.3, 0.6)]
    for thread in threads:
        thread.start()
    watching = [thread for thread in threading.enumerate() if thread.name == "palio-watchdog"]
    for thread in threads:
        thread.join()
    assert len(watching) <= 1
    assert set(took) == {0.3, 0.6, 0.9} and all(seconds >= limit_s for limit_s, seconds in took.items())


KINDS = {
    "nothing": [],
    "constants": [helper.make_node("Constant", [], ["k"], value=helper.make_tensor("k", BOOL, [], [True]))],
    "copies": [helper.make_node("Identity", ["sum"], ["k"]), helper.make_node("Cast", ["sum"], ["c"], to=FLOAT)],
}


@pytest.mark.parametrize("nodes", KINDS.values(), ids=KINDS)
def test_a_loop_that_nothing_could_end_is_refused(nodes: list[Any]) -> None:
    with pytest.raises(IntegrityError, match="computes nothing"):
        Graph(around(*nodes))


@pytest.mark.parametrize("operator", ["Add", "Dropout", "Not"])
def test_a_loop_that_could_be_optimized_away_ends_in_time(operator: str) -> None:
    """What is computed from constants, or for nobody, is not taken out of a loop."""
    constant = KINDS["constants"][0]
    inputs = {"Add": ["sum", "sum"], "Dropout": ["sum"], "Not": ["k"]}[operator]
    graph = Graph(around(constant, helper.make_node(operator, inputs, ["unused"])), max_run_s=0.2)
    with pytest.raises(TimeLimitError):
        graph.compute({"x": np.ones((1, 1), np.float32)})


def around(*nodes: Any) -> bytes:
    """Write an endless loop around `nodes`; each turn gives back what it was given."""
    info = helper.make_tensor_value_info
    kept = [info("go_on", BOOL, []), info("sum", FLOAT, None)]
    body = helper.make_graph(nodes, "body", [info("turn", INT64, []), *kept], kept)
    loop = helper.make_node("Loop", ["", "go", "x"], ["y"], body=body)
    shape = [info(name, FLOAT, ["n", 1]) for name in "xy"]
    graph = helper.make_graph([loop], "loops", shape[:1], shape[1:], [helper.make_tensor("go", BOOL, [], [True])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
