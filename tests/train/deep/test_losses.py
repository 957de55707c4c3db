"""Losses: what a row counts does not depend on what stands beside it in a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palio.train.deep.losses import Goal
from tests.train.deep.small_lessons import PLAN, network

torch = pytest.importorskip("torch", reason="torch is not installed")
N_ROWS = 240


def losses_of(weights: Any, target: Any, *, batch: int) -> list[float]:
    goal = Goal(network(), PLAN, weights.astype(np.float32), target)
    scores = torch.from_numpy(np.random.default_rng(1).standard_normal((N_ROWS, 3)).astype(np.float32))
    rows = [np.arange(start, start + batch) for start in range(0, N_ROWS, batch)]
    return [float(goal.loss(scores[one], *map(torch.from_numpy, (goal.aims(one), goal.counts(one))))) for one in rows]


@pytest.mark.parametrize("batch", [1, 8, 40])
def test_batches_teach_on_the_whole_what_all_rows_do_however_rare_a_class_is(batch: int) -> None:
    target = np.zeros(N_ROWS, np.int64)
    target[[7, 100]], target[[50, 51, 52]] = 1, 2  # most batches hold neither
    weights = (N_ROWS / 3 / np.bincount(target))[target]
    (expected,) = losses_of(weights, target, batch=N_ROWS)
    assert np.mean(losses_of(weights, target, batch=batch)) == pytest.approx(expected, rel=1e-5)
