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


def few(seed: int, n: int, *, boxes: float, rare: float, alike: float) -> tuple[Array, Array, Array]:
    """Draw pictures with few boxes, and two models that answer a share of the pictures alike."""
    rng = np.random.default_rng(seed)
    truth, first, second = (np.empty(n, object) for _ in range(3))
    for row in range(n):
        n_true = int(rng.poisson(boxes))
        start = rng.uniform(0, 200, (n_true, 2))
        corners = np.c_[start, start + rng.uniform(20, 100, (n_true, 2))]
        truth[row] = Objects(corners, (rng.random(n_true) < rare).astype(int), np.ones(n_true), np.zeros(n_true, bool))
        ease = 0.6 + 0.6 * rng.beta(2, 2)
        first[row] = said(rng, truth[row], 0.7 * ease, 6.0)
        second[row] = first[row] if rng.random() < alike else said(rng, truth[row], 0.85 * ease, 5.0)
    return truth, first, second


def said(rng: np.random.Generator, truth: Objects, share: float, off: float) -> Objects:
    seen = rng.random(len(truth)) < share
    n_seen, n_more = int(seen.sum()), int(rng.poisson(0.4))
    start = rng.uniform(0, 200, (n_more, 2))
    corners = np.r_[truth.corners[seen] + rng.normal(0, off, (n_seen, 4)), np.c_[start, start + 50]]
    scores = np.r_[rng.beta(5, 2, n_seen), rng.beta(2, 3, n_more)]
    kinds = np.r_[truth.classes[seen], rng.integers(0, 2, n_more)]
    order = np.argsort(-scores)
    return Objects(corners[order], kinds[order], scores[order], np.zeros(len(order), bool), 0.5)


RANKED = ("ap", "ap50", "ap75")
WORLDS = {
    "two boxes a picture": {"boxes": 2.0, "rare": 0.5, "alike": 0.0},
    "a rare class": {"boxes": 1.0, "rare": 0.15, "alike": 0.0},
    "four of five answered alike": {"boxes": 1.0, "rare": 0.3, "alike": 0.8},
}


@pytest.mark.slow
@pytest.mark.parametrize("n", [20, 40, 80, 200])
@pytest.mark.parametrize("world", WORLDS)
def test_intervals_of_the_difference_of_two_models_cover(world: str, n: int) -> None:
    truth, *both = few(10**6, 15_000, **WORLDS[world])
    before, after = (measure.score(TASK, truth, Answers(one), names=RANKED) for one in both)
    held = dict.fromkeys(RANKED, 0)
    for seed in range(N_TRIALS):
        truth, *both = few(seed, n, **WORLDS[world])
        first, second = map(Answers, both)
        found = measure.paired(TASK, truth, first, second, n_resamples=300, seed=seed, names=RANKED)
        for name, (metric, _) in found.items():
            held[name] += metric.low <= after[name] - before[name] <= metric.high
    assert all(0.88 <= count / N_TRIALS <= 0.99 for count in held.values()), held


def test_few_pictures_that_differ_are_not_taken_for_many() -> None:
    truth, first, _ = few(0, 20, boxes=2.0, rare=0.5, alike=1.0)
    second = first.copy()
    second[:2] = [said(np.random.default_rng(1), one, 1.0, 1.0) for one in truth[:2]]
    gain, _ = measure.paired(TASK, truth, Answers(first), Answers(second), names=("ap",))["ap"]
    assert gain.low < 0 < gain.high
    assert gain.high - gain.low > 2 * 0.16  # what is in none of 20 pictures may be in 16 of 100
