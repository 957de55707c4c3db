"""A cut that exists in words only: for tests that hand rows over themselves."""

from __future__ import annotations

from palio.core.records import Parts, Task
from palio.train.trial import Terms

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
