"""Keep what a candidate answered on rows that it had not learned from, until it is known who is chosen.

Answers are put into the blob store beside the run, so that a search that goes on after a kill makes the same bundle.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from palio import data, measure, model, split
from palio.core.errors import NotFoundError
from palio.core.records import ColumnShape, Metric, Parts, Search, Snapshot, Task
from palio.train.boxes import shown, unpacked
from palio.train.examples import Array, Examples
from palio.train.family import class_outputs, value_outputs

if TYPE_CHECKING:
    from palio.core.monitoring import Reference
    from palio.model import Graph, Outputs
    from palio.store import Store

MAX_ROWS = 200_000
MAX_CELLS = 4_000_000
"""Answers that are kept, at most: 32 MB a candidate."""
FEWEST_ROWS = 50
"""Fewer rows tell no two candidates apart."""
OWN_ROWS, OWN_ROWS_OF_NETWORKS = 5_000, 1_000
"""Rows that the model itself is asked about; a network takes milliseconds for each."""


@dataclass(frozen=True)
class Unseen:
    """Answers on rows that the fit had not seen."""

    rows: Array
    """Positions, ascending."""
    answers: Outputs


def put_answers(store: Store, rows: Array, numbers: Array) -> str:
    """Put answers into the store, a thinned sample if they are many, and return the identity of the blob.

    Args:
        store: Where to.
        rows: Positions, shape (n,); the answers to a row that stands several times are averaged.
        numbers: Probabilities (n, n_classes), values (n, 1), or boxes, of which each row stands once.
    """
    numbers = numbers.reshape(len(numbers), -1)
    different, which = np.unique(rows, return_inverse=True)
    step = max(1, -(-len(different) // max(1, min(MAX_ROWS, MAX_CELLS // numbers.shape[1]))))
    kept = which % step == 0
    known, place = np.unique(rows[kept], return_inverse=True)
    total = np.zeros((len(known), numbers.shape[1]))
    np.add.at(total, place, numbers[kept])
    file = io.BytesIO()
    np.save(file, np.column_stack([known, total / np.bincount(place)[:, None]]), allow_pickle=False)
    return store.blobs.put(file.getvalue())


def get_answers(store: Store, blob: str | None, task: Task, *, threshold: float | None = None) -> Unseen | None:
    """Read answers; None if they were not kept, or are no longer there."""
    if blob is None:
        return None
    try:
        table = np.load(io.BytesIO(store.blobs.get(blob)), allow_pickle=False)
    except NotFoundError:
        return None
    if not len(table):
        return None
    rows, values = table[:, 0].astype(np.int64), table[:, 1:]
    if task.kind == "detection":
        return Unseen(rows, unpacked(values, task.classes))
    if task.kind == "regression":
        return Unseen(rows, value_outputs(values[:, 0]))
    return Unseen(rows, class_outputs(values, task, threshold=threshold))


def reference_of(
    examples: Examples,
    unseen: Unseen,
    *,
    n_train: int,
    seed: int,
    runner: Graph | None = None,
    like: Sequence[ColumnShape] = (),
    judged: measure.Answers | None = None,
) -> tuple[Reference, dict[str, Array]]:
    """Make what the bundle holds of its training rows.

    Args:
        examples: The rows of train, then those of validation.
        unseen: Answers on some of them.
        n_train: Rows of train.
        seed: Of intervals and sample.
        runner: The model that was fitted on all of them; its own answers are counted, too.
        like: What the columns of the snapshot look like: features are counted into the same bins.
        judged: The answers as they are to be judged, where these rows chose the threshold of the task.
    """
    n_rows = len(examples.target)
    order = split.time_order(examples.frame, examples.schema)
    in_time_order = order is not None
    if order is None:  # each part is in file order, and they were cut at random: so they are put side by side
        n_validation = n_rows - n_train
        place = np.concatenate([np.arange(n) / max(1, n) for n in (n_train, n_validation)])
        order = np.argsort(place, kind="stable")
    rows, feeds = unseen.rows, examples.feeds()
    schema, task = examples.schema, examples.task
    how: dict[str, Any] = {
        "answers": unseen.answers,
        "truth": examples.target[rows],
        "rows": rows,
        "order": order,
        "described": model.picture_statistics(examples.frame, feeds, schema),
        "seed": seed,
    }
    own = None
    if runner is not None:
        most = OWN_ROWS if runner.precision == "float64" else OWN_ROWS_OF_NETWORKS
        some = rows[:: -(-len(rows) // most)]
        own = runner.predict({name: cells[some] for name, cells in feeds.items()})
    more: dict[str, Any] = {"in_time_order": in_time_order, "own": own, "like": like, "judged": judged}
    reference = model.make_reference(feeds, schema, task, **more, **how)
    return reference, model.sample_rows(feeds, schema, task, **how)


def score_unseen(
    store: Store, snapshot: Snapshot, parts: Parts, search: Search, *, task: Task, first_row: int
) -> Metric | None:
    """Score the chosen candidate on rows that its fit had not seen, from a row of the snapshot on.

    Args:
        store: Holds the answers that were kept.
        snapshot: The data.
        parts: The cut that the search was about.
        search: Of the candidate.
        task: What is predicted.
        first_row: Rows of the snapshot before this are left out.

    Returns:
        The metric of the search with its interval; None if there are fewer than 50 rows, or answers were not kept.
    """
    run = next(run for run in search.runs if run.id == search.chosen)
    found = get_answers(store, run.answers, task, threshold=run.threshold)
    if found is None:
        return None
    places = np.concatenate([split.part_places(store, parts, part) for part in ("train", "validation")])
    newest = places[found.rows] >= first_row
    if newest.sum() < FEWEST_ROWS:
        return None
    read = [split.read(store, snapshot, parts, part, columns=[task.target]) for part in ("train", "validation")]
    truth = np.concatenate([data.target_array(frame, task) for frame in read])[found.rows]
    said = model.answers_of(found.answers, task).take(newest)
    if found.answers.are_boxes:
        said = shown(task, truth[newest], said, [search.metric])
    told = measure.score_with_intervals(task, truth[newest], said, names=[search.metric], seed=0, n_resamples=200)
    return told[search.metric]
