"""Bring the rows that may be learned from, with their weights, and cut them into what is learned and what is scored."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from palio import data, split
from palio.core import seeds
from palio.core.errors import InputError
from palio.core.records import Part, Parts, Snapshot, Task
from palio.core.words import counted
from palio.train import learning
from palio.train.examples import Array, Examples
from palio.train.family import Family
from palio.train.how import How
from palio.train.lessons import Lesson
from palio.train.work import is_taught, thinned

if TYPE_CHECKING:
    from palio.store import Store

HOLDOUT_ROWS = 100_000
"""From so many training rows on, one fit that is scored on the validation part replaces cross-validation."""
RUNG_ROWS = 50_000
"""With four times as many training rows and more, candidates first learn from so many; the best of them from more."""
RUNG_GROWTH = 2
"""Each rung has so many times the rows of the one before."""
CELLS_A_SECOND = 150_000
"""All: as many as this many cells for each second of the budget."""
SCORED_ROWS = 50_000
"""Rows of a holdout that are scored, at most."""
N_BLOCKS = 10
"""Blocks of rows that one large holdout is scored in, so that scores have a spread."""
DEAR_S = 300.0
"""Where the folds of one network would take longer than this, all are scored on one holdout."""
FEWEST_HELD = 200
"""Rows of a holdout for networks: the validation part, where it has so many, else one fold."""
FEWEST_PICTURES, BLOCK_PICTURES = 12, 8
"""Pictures of a holdout of boxes, at least, and of each of its blocks: average precision of fewer says little."""
HELD_SHARE = 0.19
"""Share of the pictures that is held out where there is no validation part: a fifth, about."""
REPEATED = ((250, 4), (700, 3), (2_000, 2))
"""Rows up to which cross-validation is repeated, and how often it is made."""
FEWEST_OF_A_CLASS = 10
"""Of each class so many rows are learned from, where there are as many: more than its share, where that is less."""
_PARTS: tuple[Part, Part] = ("train", "validation")
TINY = 1e-12
LEAST_SIZE = 1e-3
"""Truths below this share of the middle one count no more, where errors count by their share of the truth."""


@dataclass(frozen=True)
class Cut:
    """The rows, and how they are cut for scoring."""

    lesson: Lesson
    n_train: int
    n_blocks: int
    """Blocks that a fold is scored in; more than one: a holdout."""
    n_distinct: int
    """Folds of one cross-validation; `lesson` holds those of its repetitions, too."""
    rungs: tuple[str, ...] = ()
    """Of a holdout of many rows: keys of the rows that all learn from first, then of ever more for the best of them."""

    @property
    def n_stages(self) -> int:
        """How often a candidate is gone on with, at most: over folds, or over rungs."""
        return len(self.rungs) or self.lesson.n_folds


def cut_rows(
    store: Store,
    snapshot: Snapshot,
    parts: Parts,
    task: Task,
    how: How,
    *,
    budget_s: float | None = None,
    families: Sequence[Family] = (),
) -> Cut:
    """Read train and validation, and cut them for cross-validation, repeated where there are few; or for one holdout.

    With many rows a search of `budget_s` seconds learns from some of them; None: from all. Where networks are among the
    families for which cross-validation would take too long, one part is held out as well.

    Raises:
        InputError: there are no rows to train on, or the weights of rows are no weights.
    """
    train, validation = (_examples(store, snapshot, parts, task, part) for part in _PARTS)
    n_train, n_validation = len(train.target), len(validation.target)
    if not n_train:
        raise InputError("train: the training part has no rows", hint="bring more labelled rows")
    everything = weighted(_both(train, validation), how)
    if n_train >= HOLDOUT_ROWS and n_validation:
        held, rungs = _held_out(everything, n_train, budget_s)
        return Cut(Lesson(everything, held | _parts_of(everything, held, 1, parts)), n_train, N_BLOCKS, 1, rungs)
    n_rows = n_train + n_validation
    if task.kind == "detection":
        held = _held_pictures(everything, n_train, parts)
        n_blocks = int(np.clip(len(held["score 0"]) // BLOCK_PICTURES, 2, N_BLOCKS))
        return Cut(Lesson(everything, held | _parts_of(everything, held, 1, parts)), n_train, n_blocks, 1)
    if is_dear_to(families, everything, n_folds=parts.n_folds):
        held = _held_for_networks(everything, n_train, parts)
        if len(held["score 0"]) >= FEWEST_HELD:
            return Cut(Lesson(everything, held | _parts_of(everything, held, 1, parts)), n_train, N_BLOCKS, 1)
    is_dear = everything.schema.modality == "image"
    n_repeats = 1 if parts.method == "time" or is_dear else next((n for most, n in REPEATED if n_rows <= most), 1)
    found: dict[str, Array] = {}
    n_distinct = 0
    for repeat in range(n_repeats):
        cut = parts if not repeat else msgspec.structs.replace(parts, seed=seeds.derive(parts.seed, "repeat", repeat))
        pairs = split.folds(everything.frame, cut, task, schema=everything.schema)
        n_distinct = n_distinct or len(pairs)
        if task.kind == "classification":  # the first fold judges alone for a while: there the metric is to be defined
            pairs = sorted(pairs, key=lambda pair: -len(np.unique(everything.target[pair[1]])))
        for learned, scored in pairs:
            number = len(found) // 2
            found |= {f"learn {number}": learned, f"score {number}": scored}
    return Cut(Lesson(everything, found | _parts_of(everything, found, n_distinct, parts)), n_train, 1, n_distinct)


def _held_out(everything: Examples, n_train: int, budget_s: float | None) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Return the rows of a holdout, and the rungs on which candidates learn from ever more of them."""
    n_rows = len(everything.target)
    scored = n_train + thinned(n_rows - n_train, SCORED_ROWS)
    most = n_train
    if budget_s is not None:
        most = int(CELLS_A_SECOND * budget_s / max(1, everything.shape.n_features))
        most = min(n_train, max(most, HOLDOUT_ROWS))
    held = {"learn 0": _some_rows(everything, n_train, most), "score 0": scored}
    if most < 4 * RUNG_ROWS:
        return held, ()
    rungs: list[str] = []
    size = RUNG_ROWS
    while size <= most / RUNG_GROWTH:
        rungs.append(f"rung{len(rungs)}")
        held[f"{rungs[-1]} 0"] = _some_rows(everything, n_train, size)
        size *= RUNG_GROWTH
    return held, (*rungs, "learn")


def is_dear_to(families: Sequence[Family], everything: Examples, *, n_folds: int) -> bool:
    """Tell whether cross-validation of one of the networks would take too long, by what it expects itself."""
    shape = everything.shape
    networks = [one for one in families if is_taught(one)]
    costs = [one.seconds(shape, dict(one.defaults(shape, everything.task)[0])) for one in networks]
    return max(costs, default=0.0) * max(2, n_folds) > DEAR_S


def _held_pictures(everything: Examples, n_train: int, parts: Parts) -> dict[str, Array]:
    """Hold out the validation part, where there is one that is large enough; else folds that are a fifth together."""
    n_rows = len(everything.target)
    if n_rows - n_train >= FEWEST_PICTURES:
        return {"learn 0": np.arange(n_train), "score 0": np.arange(n_train, n_rows)}
    pairs = split.folds(everything.frame, parts, everything.task, schema=everything.schema)
    scored = np.zeros(0, np.int64)
    for _, fold in pairs[::-1] if parts.method == "time" else pairs:
        scored = np.union1d(scored, fold)
        if len(scored) >= HELD_SHARE * n_rows:
            break
    return {"learn 0": np.setdiff1d(np.arange(n_rows), scored), "score 0": scored}


def _held_for_networks(everything: Examples, n_train: int, parts: Parts) -> dict[str, Array]:
    """Hold out the validation part, where there is one that is large enough; else one fold, by time the newest."""
    n_rows = len(everything.target)
    if n_rows - n_train >= FEWEST_HELD:
        return {"learn 0": np.arange(n_train), "score 0": np.arange(n_train, n_rows)}
    pairs = split.folds(everything.frame, parts, everything.task, schema=everything.schema)
    learned, scored = pairs[-1 if parts.method == "time" else 0]
    return {"learn 0": learned, "score 0": scored}


def _some_rows(everything: Examples, n_train: int, most: int) -> Array:
    """Return positions of about so many training rows, evenly spaced; of rare classes some more."""
    if most >= n_train:
        return np.arange(n_train)
    is_taken = np.zeros(n_train, bool)
    is_taken[np.linspace(0, n_train - 1, most).astype(np.int64)] = True
    if everything.task.kind == "classification":
        truth = everything.target[:n_train]
        counts = np.bincount(truth[is_taken], minlength=len(everything.task.classes))
        for label in np.flatnonzero(counts < FEWEST_OF_A_CLASS):
            is_taken[np.flatnonzero(truth == label)[:FEWEST_OF_A_CLASS]] = True
    return np.flatnonzero(is_taken)


def _parts_of(everything: Examples, held: dict[str, Array], n_folds: int, parts: Parts) -> dict[str, Array]:
    """Return a quarter and a half of what each fold learns from, for the learning curve."""
    found: dict[str, Array] = {}
    for fold in range(n_folds):
        cut = learning.nested(everything, held[f"learn {fold}"], parts)
        if cut is None:
            return {}
        found |= {f"quarter {fold}": cut[0], f"half {fold}": cut[1]}
    return found


def _examples(store: Store, snapshot: Snapshot, parts: Parts, task: Task, part: Part) -> Examples:
    frame = split.read(store, snapshot, parts, part)
    return Examples(frame, data.target_array(frame, task), snapshot.schema, task, blobs=store.blobs)


def _both(train: Examples, validation: Examples) -> Examples:
    """Return training and validation rows together."""
    import polars

    if not len(validation.target):
        return train
    frame = polars.concat([train.frame, validation.frame]).rechunk()
    target = np.concatenate([train.target, validation.target])
    return dataclasses.replace(train, frame=frame, target=target)


def weighted(examples: Examples, how: How) -> Examples:
    """Give rows the weights that were asked for."""
    weights = np.ones(len(examples.target))
    if how.weight:
        if how.weight not in examples.frame.columns:
            raise InputError(
                f"train: no column `{how.weight}` for the weights of rows", hint="name a column under [data] weight"
            )
        weights = _numbers(examples, how.weight)
    if how.balanced and examples.task.kind == "classification":
        counts = np.bincount(examples.target, weights=weights, minlength=len(examples.task.classes))
        weights = weights / np.maximum(counts, TINY)[examples.target]
    is_relative = examples.task.metric == "mape" and how.objective in ("auto", "absolute")
    if is_relative:  # an error counts by its share of the truth
        sizes = np.abs(examples.target)
        weights = weights / np.maximum(sizes, LEAST_SIZE * np.median(sizes) or 1.0)
    is_plain = not how.weight and not how.balanced and not is_relative
    return dataclasses.replace(
        examples, weights=None if is_plain else weights / weights.mean(), objective=how.objective
    )


def _numbers(examples: Examples, column: str) -> Array:
    """Return the weights in a column.

    Raises:
        InputError: one is missing, negative or no number, or all are 0.
    """
    try:
        weights = examples.frame[column].cast(float).fill_null(np.nan).to_numpy()
    except Exception:  # noqa: BLE001 - the frame's library raises classes of its own
        weights = np.array([np.nan])
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.sum() > 0:
        n_bad = int((~np.isfinite(weights) | (weights < 0)).sum())
        raise InputError(
            f"train: the weights in `{column}` must be numbers from 0 on, and some above: {counted(n_bad, 'row')} "
            "break that",
            hint="mend the column, or name another one under [data] weight",
        )
    return np.array(weights, dtype=np.float64)
