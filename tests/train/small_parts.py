"""Cuts that exist in words only, for tests that hand rows over themselves; and the search, cut short by count."""

from __future__ import annotations

from typing import Any

import numpy as np

from palio import train
from palio.core.records import Parts, Search, Task
from palio.train.family import Examples
from palio.train.lessons import Lesson
from palio.train.terms import Terms

PARTS = Parts(
    id="p",
    snapshot="s",
    policy="cv",
    method="random",
    seed=0,
    n_folds=5,
    counts={},
    assignment="",
    test_id="",
    look_budget=1,
)


def terms(task: Task, metric: str) -> Terms:
    """Terms of a search on `PARTS`."""
    return Terms(parts=PARTS.id, task=task, metric=metric, seed=0, inputs="i")


def lesson_of(examples: Examples, n_folds: int = 3) -> Lesson:
    """Cut rows into folds, every so many to one."""
    which = np.arange(len(examples.target)) % n_folds
    rows = {f"learn {k}": np.flatnonzero(which != k) for k in range(n_folds)}
    return Lesson(examples, rows | {f"score {k}": np.flatnonzero(which == k) for k in range(n_folds)})


def search(ready: Any, **changes: Any) -> Search:
    """Search by count in this process, unless told otherwise."""
    settings: dict[str, Any] = {"trials": 4, "engine": "inline", "families": ("dummy", "linear")} | changes
    return train.search(ready.store, ready.snapshot, ready.parts, task=ready.task, **settings)
