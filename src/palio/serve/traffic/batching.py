"""Compute rows of several requests together, where that costs less than one after the other: as planned by model."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np

from palio.core.records import TensorSpec
from palio.serve.batch_plan import BatchPlan, Feeds, Outputs, Run

_LOOKS = 16
_CROWD = 2.0
_PAUSE = 256
"""On the event loop: if fewer than `_CROWD` requests on average met in `_LOOKS` turns, the next `_PAUSE` are computed
at once. Measured with a model of 15 µs: alone, queueing costs 13 % more CPU; with 8 connections 14 % less, with 32 24 %
less."""


class Batchable(Protocol):
    """What the batcher needs of a `Served`."""

    @property
    def run(self) -> Run:
        """Feeds to outputs."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What the graph takes."""

    @property
    def batching(self) -> BatchPlan:
        """From `plan_batching`."""

    @property
    def by_row(self) -> bool:
        """Whether all its inputs are known to have the same first size."""


@dataclass(slots=True, eq=False)
class _Request:
    feeds: Feeds
    n_rows: int
    answer: asyncio.Future[Outputs]


@dataclass(slots=True, eq=False)
class _Lane:
    """Requests that may be computed together."""

    key: tuple[Any, ...]
    served: Batchable
    waiting: list[_Request] = field(default_factory=list)
    n_rows: int = 0
    n_running: int = 0
    timer: asyncio.Handle | None = None


class Batcher:
    """Computes requests in the way that suits their model. One for an app, used from its event loop only.

        outputs = await batcher.run(served, feeds, n_rows)

    Args:
        n_threads: Runs at the same time; others wait. Default: one for each core.
    """

    def __init__(self, *, n_threads: int = 0) -> None:
        self.n_threads = n_threads or os.cpu_count() or 1
        self.n_batches = 0
        self.n_batched_rows = 0
        self._pool = ThreadPoolExecutor(self.n_threads, thread_name_prefix="palio-infer")
        self._lanes: dict[tuple[Any, ...], _Lane] = {}
        self._crowded: dict[int, bool] = {}
        self._n_turns = self._n_met = self._pause = 0

    @property
    def depth(self) -> int:
        """Requests that wait to be computed."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    def close(self) -> None:
        """Let what runs finish, then free the threads."""
        self._pool.shutdown()

    async def run(self, served: Batchable, feeds: Feeds, n_rows: int) -> Outputs:
        """Compute the outputs of one request, alone or with others; an error of another request is not its own.

        Args:
            served: The model, with its plan.
            feeds: Arrays, in any order. Those whose first size is not `n_rows` are computed alone.
            n_rows: Rows of this request.

        Raises:
            InputError: the graph cannot take these feeds.
        """
        plan = served.batching
        if plan.mode == "inline":
            return served.run(feeds)
        is_alone = n_rows >= plan.max_rows or not (served.by_row or _all_have(feeds, n_rows))
        if plan.mode == "queued" and (self._pause > 0 or is_alone):
            self._pause -= 1
            return served.run(feeds)
        loop = asyncio.get_running_loop()
        if plan.mode == "pool" or is_alone:
            return await loop.run_in_executor(self._pool, served.run, feeds)
        key = (id(served), *_inner_shapes(served, feeds))
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(key, served)
        request = _Request(feeds, n_rows, loop.create_future())
        lane.waiting.append(request)
        lane.n_rows += n_rows
        self._arrange(lane, plan, loop)
        return await request.answer

    def _arrange(self, lane: _Lane, plan: BatchPlan, loop: asyncio.AbstractEventLoop) -> None:
        """See to it that the lane is looked at: at once if it is full, else after others had the chance to join."""
        if plan.mode == "queued":
            if lane.timer is None:
                lane.timer = loop.call_soon(self._flush, lane)
        elif lane.n_rows >= plan.max_rows:
            self._dispatch(lane)
        elif lane.timer is None and lane.n_running < self.n_threads:
            # A caller who is alone does not wait: the window opens only after requests have met.
            is_crowded = plan.window_s > 0 and self._crowded.get(id(lane.served), False)
            wait = partial(loop.call_later, plan.window_s) if is_crowded else loop.call_soon
            lane.timer = wait(self._dispatch, lane)

    def _take(self, lane: _Lane) -> list[_Request]:
        """Take as many requests as fit together, at least one; who has gone away is left out."""
        n_rows = 0
        batch: list[_Request] = []
        while lane.waiting and (not batch or n_rows + lane.waiting[0].n_rows <= lane.served.batching.max_rows):
            request = lane.waiting.pop(0)
            lane.n_rows -= request.n_rows
            if not request.answer.done():
                batch.append(request)
                n_rows += request.n_rows
        if batch:
            self.n_batches += 1
            self.n_batched_rows += n_rows
            if len(self._crowded) > 16:
                self._crowded.clear()
            self._crowded[id(lane.served)] = len(batch) > 1
        return batch

    def _flush(self, lane: _Lane) -> None:
        """Compute all that waits, here and now."""
        lane.timer = None
        self._n_turns += 1
        self._n_met += len(lane.waiting)
        if self._n_turns == _LOOKS:
            self._pause = _PAUSE if self._n_met < _CROWD * _LOOKS else 0
            self._n_turns = self._n_met = 0
        while lane.waiting:
            batch = self._take(lane)
            _settle(batch, compute(lane.served.run, batch))
        self._lanes.pop(lane.key, None)

    def _dispatch(self, lane: _Lane) -> None:
        """Give what waits to free threads; the rest waits for a thread, and grows together meanwhile."""
        if lane.timer is not None:
            lane.timer.cancel()
            lane.timer = None
        loop = asyncio.get_running_loop()
        while lane.waiting and lane.n_running < self.n_threads:
            batch = self._take(lane)
            if not batch:
                break
            try:
                job = loop.run_in_executor(self._pool, compute, lane.served.run, batch)
            except RuntimeError as error:  # the pool has been closed
                _settle(batch, [error] * len(batch))
                continue
            lane.n_running += 1
            job.add_done_callback(partial(self._done, lane, batch))
        self._drop_if_idle(lane)

    def _done(self, lane: _Lane, batch: list[_Request], job: asyncio.Future[list[Outputs | Exception]]) -> None:
        lane.n_running -= 1
        _settle(batch, [asyncio.CancelledError()] * len(batch) if job.cancelled() else job.result())
        if lane.waiting and lane.timer is None:
            self._dispatch(lane)
        self._drop_if_idle(lane)

    def _drop_if_idle(self, lane: _Lane) -> None:
        """Forget a lane without requests, and with it a model that has been replaced."""
        if not lane.waiting and not lane.n_running:
            self._lanes.pop(lane.key, None)


class Rows(Protocol):
    """Some rows of one request."""

    @property
    def feeds(self) -> Feeds:
        """Arrays whose first size is `n_rows`, in any order."""

    @property
    def n_rows(self) -> int:
        """How many rows they are."""


def compute_all(served: Batchable, requests: Sequence[Rows]) -> list[Outputs | Exception]:
    """Compute requests here and now, together if the plan allows it; an error becomes the answer of its request."""
    if len(requests) == 1 or served.batching.mode != "queued":
        return [_alone(served.run, one) for one in requests]
    lanes: dict[Any, list[int]] = {}
    for index, request in enumerate(requests):
        may_join = served.by_row or _all_have(request.feeds, request.n_rows)
        lanes.setdefault(_inner_shapes(served, request.feeds) if may_join else index, []).append(index)
    answers: list[Outputs | Exception] = [{}] * len(requests)
    for indices in lanes.values():
        for batch in _cut([(index, requests[index]) for index in indices], served.batching.max_rows):
            together = compute(served.run, [request for _, request in batch])
            for (index, _), answer in zip(batch, together, strict=True):
                answers[index] = answer
    return answers


def _cut(lane: Sequence[tuple[int, Rows]], max_rows: int) -> Iterator[list[tuple[int, Rows]]]:
    """Cut into batches of at most `max_rows`; what is larger comes alone."""
    batch: list[tuple[int, Rows]] = []
    n_rows = 0
    for one in lane:
        if batch and n_rows + one[1].n_rows > max_rows:
            yield batch
            batch, n_rows = [], 0
        batch.append(one)
        n_rows += one[1].n_rows
    if batch:
        yield batch


def _alone(run: Run, request: Rows) -> Outputs | Exception:
    try:
        return run(request.feeds)
    except Exception as error:  # noqa: BLE001 - it becomes the answer of this request
        return error


def compute(run: Run, batch: Sequence[Rows]) -> list[Outputs | Exception]:
    """Answer requests together; if that fails, each by itself, so that the one at fault is found."""
    if len(batch) > 1:
        outputs = _together(run, batch)
        if outputs is not None:
            return list(outputs)
    return [_alone(run, request) for request in batch]


def _together(run: Run, batch: Sequence[Rows]) -> list[Outputs] | None:
    n_rows = sum(request.n_rows for request in batch)
    try:
        feeds = {name: np.concatenate([request.feeds[name] for request in batch]) for name in batch[0].feeds}
        outputs = run(feeds)
    except Exception:  # noqa: BLE001 - asked again one by one
        return None
    if any(not isinstance(values, np.ndarray) or values.shape[:1] != (n_rows,) for values in outputs.values()):
        return None
    parts, start = [], 0
    for request in batch:
        end = start + request.n_rows
        parts.append({name: values[start:end] for name, values in outputs.items()})
        start = end
    return parts


def _settle(batch: Sequence[_Request], answers: Sequence[Outputs | BaseException]) -> None:
    for request, answer in zip(batch, answers, strict=True):
        if request.answer.done():
            continue
        if isinstance(answer, BaseException):
            request.answer.set_exception(answer)
        else:
            request.answer.set_result(answer)


def _all_have(feeds: Feeds, n_rows: int) -> bool:
    """Tell whether every input has `n_rows` rows; one row that stands for many would meet the rows of others."""
    return all(values.shape[:1] == (n_rows,) for values in feeds.values())


def _inner_shapes(served: Batchable, feeds: Feeds) -> tuple[Any, ...]:
    """Tell apart requests that cannot be laid one on another: other sizes beside the rows, other types."""
    return tuple(
        (feeds[spec.name].shape[1:], feeds[spec.name].dtype.str)
        for spec in served.inputs
        if spec.name in feeds and (-1 in spec.shape[1:] or spec.datatype == "BYTES")
    )
