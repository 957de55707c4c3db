"""Measure what one answer costs: one row at a time, one thread, on this machine."""

from __future__ import annotations

import time

import numpy as np

from palio.core.errors import InputError
from palio.core.records import Cost
from palio.model.graph.session import Feeds, Graph

WARM_UP_CALLS = 20
N_BLOCKS = 5
"""The least disturbed of so many blocks counts: what else the machine does is not a property of the model."""


def measure_cost(
    graph: Graph, feeds: Feeds, *, fit_s: float = 0.0, n_calls: int = 500, time_limit_s: float = 2.0
) -> Cost:
    """Time single rows of `feeds`, in turn, and return latency (median and 99th percentile) and size.

    The calls are timed in five blocks, and the figures are those of the least disturbed one.

    Args:
        graph: Opened with one thread, as a server does.
        feeds: The rows; each call takes the next.
        fit_s: Seconds the fit took, passed through.
        n_calls: Rows to time; fewer if `time_limit_s` is over.

    Raises:
        InputError: there is no row.
    """
    n_rows = len(next(iter(feeds.values()))) if feeds else 0
    if n_rows == 0:
        raise InputError("cost: there is no row to time", hint="give at least one row")
    rows = [{name: value[row : row + 1] for name, value in feeds.items()} for row in range(min(n_rows, n_calls))]
    for call in range(WARM_UP_CALLS):
        graph.predict(rows[call % len(rows)])
    times: list[float] = []
    deadline = time.perf_counter() + time_limit_s
    for call in range(n_calls):
        start = time.perf_counter()
        graph.predict(rows[call % len(rows)])
        end = time.perf_counter()
        times.append(end - start)
        if end > deadline:
            break
    blocks = [np.quantile(block, [0.5, 0.99]) for block in np.array_split(times, N_BLOCKS) if len(block)]
    p50, p99 = (float(value) * 1e3 for value in np.min(blocks, axis=0))
    return Cost(fit_s=fit_s, latency_ms_p50=p50, latency_ms_p99=p99, size_mb=graph.size_bytes / 1e6)
