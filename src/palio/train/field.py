"""Hold what the finalists run on, and what a finalist is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from palio import model
from palio.core.progress import Progress
from palio.core.records import Calibration, Layer, Run, SearchPlan, Snapshot
from palio.train import ensemble
from palio.train.boxes import unpacked
from palio.train.choice import Limits
from palio.train.clock import Clock
from palio.train.engine.base import Engine
from palio.train.examples import Array
from palio.train.family import Family, class_outputs, value_outputs
from palio.train.how import How
from palio.train.lessons import Lesson
from palio.train.terms import Terms

if TYPE_CHECKING:
    from palio.store import Store


@dataclass(frozen=True)
class Field:
    """What the finalists run on."""

    store: Store
    terms: Terms
    snapshot: Snapshot
    families: Mapping[str, Family]
    lesson: Lesson
    n_train: int
    """Rows of the lesson that are of the training part; the others are validation's."""
    n_folds: int
    """Folds of one cross-validation."""
    n_blocks: int
    in_use: int
    """Folds of the lesson that candidates are compared on: fewer than there are where time was short."""
    engine: Engine
    clock: Clock | None
    progress: Progress
    limits: Limits
    how: How
    plan: SearchPlan | None = None
    """Of an earlier run, that is followed."""

    @property
    def holdout(self) -> bool:
        """Whether scores are of blocks of one holdout."""
        return self.n_blocks > 1

    @property
    def n_rows(self) -> int:
        """Rows of train and validation."""
        return len(self.lesson.examples.target)

    @property
    def growth(self) -> float:
        """How many times the rows of a fold all rows are."""
        sizes = [len(rows) for key, rows in self.lesson.rows.items() if key.startswith("learn ")]
        return len(self.lesson.examples.target) / max(1.0, float(np.mean(sizes)))

    def unseen(self, folds: Sequence[int] | None = None) -> ensemble.Unseen:
        """Return the rows that fits are scored on, fold after fold: those of some folds, or of all in use."""
        rows = [self.lesson.rows[f"score {fold}"] for fold in (range(self.in_use) if folds is None else folds)]
        return ensemble.Unseen(
            rows=np.concatenate(rows),
            fold=np.repeat(np.arange(len(rows)), [len(some) for some in rows]),
            truth=self.lesson.examples.target[np.concatenate(rows)],
            block=np.concatenate([np.arange(len(some)) % self.n_blocks for some in rows]),
        )

    def outputs(self, numbers: Array, threshold: float | None = None) -> model.Outputs:
        """Turn numbers into answers."""
        task = self.terms.task
        if task.kind == "detection":
            return unpacked(numbers, task.classes)
        if task.kind == "regression":
            return value_outputs(numbers[:, 0])
        return class_outputs(numbers, task, threshold=threshold)


@dataclass(frozen=True)
class Finalist:
    """A run, and what it is made of."""

    run: Run
    weights: Mapping[int, float]
    answers: Array
    """On all rows of `Unseen`; of those that were scored, for one that was not scored on all folds."""
    rows: Array
    folds: tuple[int, ...]
    """Those that it was scored on."""
    layer: Layer | None = None
    """What stacks the probabilities of its members; None: their weighted sum is the answer."""
    calibration: Calibration | None = None
    """How its probabilities are corrected; `answers` are corrected so."""
    threshold: float | None = None
    """From which probability on the second of two classes is said."""
