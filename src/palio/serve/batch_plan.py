"""Find out how the rows of a model are best computed: at once, in a thread, or together with those of other requests.

`plan_batching` looks at a model once, while it warms up: how long one row takes, how long sixteen take, and whether
rows answered together get the answers that they get alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from palio.core.records import TensorSpec
from palio.serve.protocols.datatypes import Array

Feeds = Mapping[str, Array]
Outputs = dict[str, Array]
Run = Callable[[Feeds], Outputs]

INLINE_LATENCY_S = 0.0005
"""A faster model is computed on the event loop: a hop to a thread costs more than the answer."""
QUEUED_GAIN = 2.5
"""A model on the event loop must gain so much: what a future costs (2 µs and another turn of the loop) comes off it."""
WINDOW_FROM_S = 0.001
"""From this time per row on it pays to wait for others."""
MAX_WINDOW_S = 0.005
MAX_ROWS = 64
LEAST_GAIN = 1.3
"""Rows together must be so much faster than alone: below, waiting only adds latency (a large convolution: 1.05)."""
SAMPLE_ROWS = 16
_RUNS = 5
_MEASURE_S = 1.0
_TOLERANCE = 1e-5
"""Rows together may differ from rows alone by so much, relative: kernels for many rows add up in another order."""


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """How the rows of one model are computed."""

    mode: Literal["inline", "pool", "queued", "window"]
    """`inline`: on the event loop; `pool`: each request by itself in a thread; `queued`: what waits on the event loop
    anyway, together; `window`: in a thread, with what arrives while others are computed or within `window_s`."""
    window_s: float = 0.0
    max_rows: int = MAX_ROWS
    row_s: float = 0.0
    """Seconds for one row by itself."""
    gain: float = 1.0
    """How many times faster a row is among sixteen."""
    why: str = ""
    """Why rows are not computed together, if they are not."""


def plan_batching(run: Run, inputs: Sequence[TensorSpec], sample: Feeds, *, loops: bool = False) -> BatchPlan:
    """Decide from measurements how the rows of a model are computed. Takes a second at most, or two runs.

    Args:
        run: The warm model.
        inputs: What its graph declares.
        sample: Some good rows; different ones are better than copies.
        loops: Whether a request may ask for any time: then each computes by itself, never on the event loop.
    """
    shapes = {spec.name: spec.shape for spec in inputs}
    alone = {name: values[:1] if shapes[name][:1] == (-1,) else values for name, values in sample.items()}
    row_s = _shortest(run, alone)
    if loops:
        return BatchPlan("pool", row_s=row_s, why="it loops, as long as a request may ask")
    is_cheap = row_s <= INLINE_LATENCY_S
    alone_mode: Literal["inline", "pool"] = "inline" if is_cheap else "pool"
    if fixed := _refuse_fixed(inputs):
        return BatchPlan(alone_mode, row_s=row_s, why=fixed)
    together = {name: np.resize(values, (SAMPLE_ROWS, *values.shape[1:])) for name, values in sample.items()}
    try:
        if not _same_answers(run, together):
            return BatchPlan(alone_mode, row_s=row_s, why="rows together get other answers than alone")
        gain = row_s * SAMPLE_ROWS / _shortest(run, together)
    except Exception:  # noqa: BLE001 - whatever the graph does with many rows: then it gets one at a time
        return BatchPlan(alone_mode, row_s=row_s, why="it cannot compute rows together")
    if gain < (QUEUED_GAIN if is_cheap else LEAST_GAIN):
        return BatchPlan(alone_mode, row_s=row_s, gain=gain, why="rows together take nearly as long as alone")
    if is_cheap:
        return BatchPlan("queued", row_s=row_s, gain=gain)
    window_s = min(MAX_WINDOW_S, row_s / 2) if row_s >= WINDOW_FROM_S else 0.0
    return BatchPlan("window", window_s=window_s, row_s=row_s, gain=gain)


def _shortest(run: Run, feeds: Feeds) -> float:
    times: list[float] = []
    while len(times) < _RUNS and sum(times) < _MEASURE_S / 2:
        begin = time.perf_counter()
        run(feeds)
        times.append(time.perf_counter() - begin)
    return min(times)


def _refuse_fixed(inputs: Sequence[TensorSpec]) -> str:
    free = all(spec.shape and spec.shape[0] == -1 for spec in inputs)
    return "" if free else "its graph takes a fixed number of rows"


def _same_answers(run: Run, feeds: Feeds) -> bool:
    """Tell whether the rows of `feeds` get the answers that each gets alone (three are looked at)."""
    together = run(feeds)
    for row in {0, 1, SAMPLE_ROWS - 1}:
        alone = run({name: values[row : row + 1] for name, values in feeds.items()})
        for name, values in alone.items():
            many = together[name]
            if len(values) != 1 or len(many) != SAMPLE_ROWS or many.shape[1:] != values.shape[1:]:
                return False
            if values.dtype.kind == "f":
                if not np.allclose(many[row], values[0], rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True):
                    return False
            elif not np.array_equal(many[row], values[0]):
                return False
    return True
