"""Intervals of the metrics of boxes hold the true figure in 95 of 100 worlds, give or take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palio import measure
from palio.core.records import Task
from palio.measure import Answers
from palio.measure.boxes import Objects

Array = np.ndarray[Any, np.dtype[Any]]
TASK = Task(kind="detection", target="y", classes=("a", "b"), threshold=0.5)
NAMES = ("ap", "ap50", "ap75", "box_recall", "box_precision", "false_alarms", "box_mistakes")
N_TRIALS = 200


def world(seed: int, n: int) -> tuple[Array, Array]:
    """Draw pictures that differ in how hard they are."""
    rng = np.random.default_rng(seed)
    truth, said = np.empty(n, object), np.empty(n, object)
    for row in range(n):
        n_true, n_more = int(rng.poisson(2)), int(rng.poisson(0.6))
        start = rng.uniform(0, 200, (n_true, 2))
        corners, classes = np.c_[start, start + rng.uniform(20, 100, (n_true, 2))], rng.integers(0, 2, n_true)
        truth[row] = Objects(corners, classes, np.ones(n_true), np.zeros(n_true, bool))
        seen = rng.random(n_true) < 0.6 + 0.4 * rng.beta(2, 2)
        start = rng.uniform(0, 200, (n_more, 2))
        boxes = np.r_[corners[seen] + rng.normal(0, 6, (int(seen.sum()), 4)), np.c_[start, start + 50]]
        scores = np.r_[rng.beta(5, 2, int(seen.sum())), rng.beta(2, 3, n_more)]
        kinds = np.r_[classes[seen], rng.integers(0, 2, n_more)]
        order = np.argsort(-scores)
        said[row] = Objects(boxes[order], kinds[order], scores[order], np.zeros(len(order), bool), 0.5)
    return truth, said


@pytest.mark.slow
def test_intervals_of_a_hundred_pictures_cover():
    truth, said = world(10**6, 20_000)
    real = measure.score(TASK, truth, Answers(said), names=NAMES)
    held = dict.fromkeys(NAMES, 0)
    for seed in range(N_TRIALS):
        truth, said = world(seed, 100)
        found = measure.score_with_intervals(TASK, truth, Answers(said), n_resamples=300, seed=seed, names=NAMES)
        for name, metric in found.items():
            held[name] += metric.low <= real[name] <= metric.high
    assert all(0.88 <= count / N_TRIALS <= 0.99 for count in held.values()), held
