"""How rows are best computed: what measurements of a model lead to."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from palio.core.records import TensorSpec
from palio.serve.batch_plan import plan_batching

FREE = (TensorSpec(name="x", datatype="FP64", shape=(-1, 3)),)
SAMPLE = {"x": np.full((4, 3), 1)}


def busy(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        continue


def costs(base_s: float, row_s: float) -> Any:
    def run(feeds: Any) -> dict[str, Any]:
        busy(base_s + row_s * len(feeds["x"]))
        return {"y": feeds["x"].sum(axis=1)}

    return run


@pytest.mark.parametrize(
    ("base_s", "row_s", "mode"),
    [(0.0001, 0.000001, "queued"), (0.0, 0.0001, "inline"), (0.004, 0.0001, "window"), (0.0, 0.002, "pool")],
)
def test_the_plan_follows_what_rows_cost_alone_and_together(base_s: float, row_s: float, mode: str) -> None:
    plan = plan_batching(costs(base_s, row_s), FREE, SAMPLE)
    assert plan.mode == mode
    assert (plan.window_s > 0) == (mode == "window")


@pytest.mark.parametrize("shape", [(1, 3), (8, 3), ()])
def test_a_fixed_number_of_rows_is_never_batched(shape: tuple[int, ...]) -> None:
    inputs = (TensorSpec(name="x", datatype="FP64", shape=shape),)
    for run, mode in ((costs(0.004, 0.0), "pool"), (costs(0.0001, 0.0), "inline")):
        plan = plan_batching(run, inputs, {"x": SAMPLE["x"][:1]})
        assert (plan.mode, plan.why) == (mode, "its graph takes a fixed number of rows")


def test_a_model_whose_rows_depend_on_each_other_is_never_batched() -> None:
    def softmax_over_rows(feeds: Any) -> dict[str, Any]:
        busy(0.002)
        values = np.exp(feeds["x"])
        return {"y": values / values.sum(axis=0)}

    plan = plan_batching(softmax_over_rows, FREE, SAMPLE)
    assert (plan.mode, plan.why) == ("pool", "rows together get other answers than alone")


def test_a_model_that_breaks_with_many_rows_is_never_batched() -> None:
    def one_only(feeds: Any) -> dict[str, Any]:
        busy(0.002)
        if len(feeds["x"]) > 1:
            raise ValueError("one at a time")
        return {"y": feeds["x"]}

    plan = plan_batching(one_only, FREE, SAMPLE)
    assert (plan.mode, plan.why) == ("pool", "it cannot compute rows together")
