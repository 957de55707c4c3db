"""Cuts that exist in words only, for tests that hand rows over themselves; and the search, cut short by count."""

from __future__ import annotations

from typing import Any

import numpy as np

from palio import train
from palio.core.progress import SILENT
from palio.core.records import Parts, Search, Task
from palio.train.choice import NO_LIMITS
from palio.train.engine.inline import InlineEngine
from palio.train.examples import Examples
from palio.train.field import Field
from palio.train.how import How
from palio.train.lessons import Lesson
from palio.train.orders import Order
from palio.train.pace import Pace
from palio.train.race import Candidate, Step
from palio.train.table import load_family
from palio.train.terms import Terms
from palio.train.trial import take_in
from palio.train.work import carry_out

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


def candidate_of(number: int, name: str, lesson: Lesson, terms: Terms, folds: tuple[int, ...] = ()) -> Candidate:
    """Fit the first defaults of a family on all folds, or on some."""
    family, folds = load_family(name), folds or tuple(range(lesson.n_folds))
    params = dict(family.defaults(lesson.take("learn 0").shape, terms.task)[0])
    order = Order(number=number, family=name, params=params, seed=1, folds=folds, metrics=terms.metrics)
    made = Candidate(number, name, params, 1, whole_at=number if len(folds) == lesson.n_folds else None)
    take_in(made, Step(number, number, name, params, 1, folds), carry_out(order, family, lesson, Pace()))
    return made


def field_of(lesson: Lesson, terms: Terms, **changes: Any) -> Field:
    """What finalists run on, without a store."""
    families = {name: load_family(name) for name in ("dummy", "linear", "lightgbm")}
    made: dict[str, Any] = {
        "store": None,
        "terms": terms,
        "snapshot": None,
        "families": families,
        "lesson": lesson,
        "n_train": len(lesson.examples.target),
        "n_folds": lesson.n_folds,
        "n_blocks": 1,
        "in_use": lesson.n_folds,
        "engine": InlineEngine(lesson, families),
        "clock": None,
        "progress": SILENT,
        "limits": NO_LIMITS,
        "how": How(),
    }
    return Field(**made | changes)
