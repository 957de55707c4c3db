"""Rows of several requests together: who joins whom, whose error is whose, and what the answers are."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from palio.core.records import TensorSpec
from palio.serve.batch_plan import MAX_ROWS, BatchPlan
from palio.serve.traffic.batching import Batcher, compute_all

FREE = (TensorSpec(name="x", datatype="FP64", shape=(-1, 3)),)
WINDOW = BatchPlan("window", window_s=0.02)
QUEUED = BatchPlan("queued")


@dataclass(eq=False)
class Doubler:
    """Doubles its rows; notes how many came at a time; refuses negative ones."""

    batching: BatchPlan
    inputs: tuple[TensorSpec, ...] = FREE
    by_row: bool = True
    sizes: list[int] = field(default_factory=list)
    has_begun: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event | None = None

    def run(self, feeds: Any) -> dict[str, Any]:
        values = feeds["x"]
        self.sizes.append(len(values))
        self.has_begun.set()
        if self.may_end is not None:
            assert self.may_end.wait(30)
        if (values < 0).any():
            raise ValueError("negative")
        return {"y": values * 2}


def rows(value: float, n_rows: int = 1, width: int = 3) -> dict[str, Any]:
    return {"x": np.full((n_rows, width), value)}


def ask_all(served: Doubler, requests: list[dict[str, Any]], *, n_threads: int = 1) -> list[Any]:
    async def ask() -> list[Any]:
        batcher = Batcher(n_threads=n_threads)
        asked = [batcher.run(served, feeds, len(feeds["x"])) for feeds in requests]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert batcher.depth == 0
        assert batcher._lanes == {}  # a model that was replaced can be freed
        batcher.close()
        return list(answers)

    return asyncio.run(ask())


@pytest.mark.parametrize("plan", [WINDOW, QUEUED])
def test_requests_that_wait_together_are_computed_together_and_each_gets_its_own_rows(plan: BatchPlan) -> None:
    served = Doubler(plan)
    answers = ask_all(served, [rows(value, n_rows) for value, n_rows in [(1, 1), (2, 3), (3, 2)]])
    assert served.sizes == [6]
    assert [answer["y"].tolist() for answer in answers] == [[[2.0] * 3], [[4.0] * 3] * 3, [[6.0] * 3] * 2]


@pytest.mark.parametrize("plan", [WINDOW, QUEUED])
def test_an_error_of_one_request_is_not_an_error_of_the_others(plan: BatchPlan) -> None:
    answers = ask_all(Doubler(plan), [rows(1), rows(-1), rows(3)])
    assert isinstance(answers[1], ValueError)
    assert [answers[0]["y"][0, 0], answers[2]["y"][0, 0]] == [2.0, 6.0]


@dataclass(eq=False)
class Product:
    """Multiplies two inputs row by row; one row of either goes with all of the other, as in any graph."""

    batching: BatchPlan
    inputs: tuple[TensorSpec, ...] = tuple(TensorSpec(name=name, datatype="FP64", shape=(-1, 1)) for name in "ab")
    by_row: bool = False

    def run(self, feeds: Any) -> dict[str, Any]:
        return {"y": feeds["a"] * feeds["b"]}


@pytest.mark.parametrize("plan", [WINDOW, QUEUED])
def test_rows_of_one_request_never_meet_those_of_another(plan: BatchPlan) -> None:
    def pair(a: list[float], b: list[float]) -> dict[str, Any]:
        return {"a": np.array(a).reshape(-1, 1), "b": np.array(b).reshape(-1, 1)}

    hostile = [pair([1.0, 1.0], [5.0]), pair([7.0], [9.0, 11.0])]
    requests = [hostile[0], pair([2.0], [3.0]), hostile[1]]  # sizes that fit one another only together

    async def ask() -> list[Any]:
        batcher = Batcher(n_threads=1)
        served = Product(plan)
        asked = [batcher.run(served, feeds, len(feeds["a"])) for feeds in requests]
        answers = await asyncio.gather(*asked)
        batcher.close()
        return [answer["y"].ravel().tolist() for answer in answers]

    assert asyncio.run(ask()) == [[5.0, 5.0], [6.0], [63.0, 77.0]]


def test_no_more_rows_than_the_cap_are_computed_together() -> None:
    served = Doubler(WINDOW)
    ask_all(served, [rows(1, 5)] * 40)
    assert max(served.sizes) <= MAX_ROWS
    assert sum(served.sizes) == 200
    assert len(served.sizes) <= 6


def test_a_request_that_fills_a_batch_goes_by_itself() -> None:
    served = Doubler(WINDOW)
    ask_all(served, [rows(1, MAX_ROWS), rows(1), rows(1)])
    assert sorted(served.sizes) == [2, MAX_ROWS]


def test_other_inner_shapes_do_not_join() -> None:
    served = Doubler(WINDOW, inputs=(TensorSpec(name="x", datatype="FP64", shape=(-1, -1)),))
    answers = ask_all(served, [rows(1), rows(2, width=5), rows(3)])
    assert sorted(served.sizes) == [1, 2]
    assert answers[1]["y"].shape == (1, 5)


def test_what_arrives_while_a_batch_is_computed_is_computed_together_next() -> None:
    async def ask() -> list[int]:
        served, batcher = Doubler(BatchPlan("window"), may_end=threading.Event()), Batcher(n_threads=1)
        first = asyncio.create_task(batcher.run(served, rows(1), 1))
        await asyncio.to_thread(served.has_begun.wait, 30)
        others = [asyncio.create_task(batcher.run(served, rows(value), 1)) for value in range(5)]
        await asyncio.sleep(0)
        assert batcher.depth == 5
        served.may_end.set()
        await asyncio.gather(first, *others)
        batcher.close()
        return served.sizes

    assert asyncio.run(ask()) == [1, 5]


def test_a_caller_who_is_alone_does_not_wait_for_the_window() -> None:
    async def ask() -> float:
        served, batcher = Doubler(BatchPlan("window", window_s=5.0)), Batcher(n_threads=1)
        begin = time.perf_counter()
        for _ in range(3):
            await batcher.run(served, rows(1), 1)
        batcher.close()
        return time.perf_counter() - begin

    assert asyncio.run(ask()) < 2.0


def test_without_a_crowd_a_cheap_model_is_computed_at_once() -> None:
    async def ask() -> tuple[int, int]:
        served, batcher = Doubler(QUEUED), Batcher()
        for _ in range(200):
            await batcher.run(served, rows(1), 1)
        alone = batcher.n_batches
        for _ in range(60):
            await asyncio.gather(*(batcher.run(served, rows(1), 1) for _ in range(16)))
        batcher.close()
        return alone, max(served.sizes)

    alone, largest = asyncio.run(ask())
    assert alone < 20  # it looked, met nobody, and stopped looking for a while
    assert largest == 16  # then a crowd came, and was noticed


def test_who_has_gone_away_is_not_computed() -> None:
    async def ask() -> list[int]:
        served, batcher = Doubler(BatchPlan("window"), may_end=threading.Event()), Batcher(n_threads=1)
        first = asyncio.create_task(batcher.run(served, rows(1), 1))
        await asyncio.to_thread(served.has_begun.wait, 30)
        gone, stays = (asyncio.create_task(batcher.run(served, rows(value), 1)) for value in (2, 3))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        served.may_end.set()
        assert (await stays)["y"][0, 0] == 6.0
        await first
        batcher.close()
        return served.sizes

    assert asyncio.run(ask()) == [1, 1]


def test_no_more_runs_at_a_time_than_threads() -> None:
    lock, running, most = threading.Lock(), 0, 0

    class Watched(Doubler):
        def run(self, feeds: Any) -> dict[str, Any]:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.01)
            with lock:
                running -= 1
            return {"y": feeds["x"]}

    ask_all(Watched(BatchPlan("window", max_rows=2)), [rows(1)] * 20, n_threads=2)
    assert most == 2


@dataclass
class Some:
    """Rows of one request."""

    feeds: dict[str, Any]
    n_rows: int


def test_rows_that_are_here_already_are_computed_together_in_batches_of_at_most_so_many() -> None:
    served = Doubler(QUEUED)
    sizes = [1, 1, 40, 30, 1, MAX_ROWS + 5, 2]
    requests = [Some(rows(float(n), size), size) for n, size in enumerate(sizes)]
    answers = compute_all(served, requests)
    assert [answer["y"].shape for answer in answers] == [(size, 3) for size in sizes]  # type: ignore[index]
    assert [float(answer["y"][-1, 0]) for answer in answers] == [2.0 * n for n in range(7)]  # type: ignore[index]
    assert served.sizes == [42, 31, MAX_ROWS + 5, 2]


def test_an_error_in_rows_that_are_here_already_is_of_its_request_alone() -> None:
    requests = [Some(rows(value), 1) for value in (1.0, -1.0, 3.0)]
    first, second, third = compute_all(Doubler(QUEUED), requests)
    assert isinstance(second, ValueError)
    assert [float(one["y"][0, 0]) for one in (first, third)] == [2.0, 6.0]  # type: ignore[index]


def test_a_model_that_gains_nothing_gets_requests_one_by_one() -> None:
    served = Doubler(BatchPlan("inline"))
    compute_all(served, [Some(rows(1.0), 1), Some(rows(2.0, 3), 3)])
    assert served.sizes == [1, 3]


def test_inputs_that_differ_in_rows_join_nobody() -> None:
    def pair(a: list[float], b: list[float]) -> dict[str, Any]:
        return {"a": np.array(a).reshape(-1, 1), "b": np.array(b).reshape(-1, 1)}

    feeds = [pair([1.0, 1.0], [5.0]), pair([2.0], [3.0]), pair([7.0], [9.0, 11.0]), pair([4.0], [5.0])]
    answers = compute_all(Product(QUEUED), [Some(one, len(one["a"])) for one in feeds])
    assert [one["y"].ravel().tolist() for one in answers] == [[5.0, 5.0], [6.0], [63.0, 77.0], [20.0]]  # type: ignore[index]
