"""What a bundle answers to the rows of a frame, in the words of measurement: class indices and probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from palio import data, measure, model
from palio.core.errors import InputError
from palio.core.ids import short
from palio.core.records import Task
from palio.core.words import counted

if TYPE_CHECKING:
    import polars as pl

    from palio.model import Bundle, Outputs

Array = npt.NDArray[Any]
ROWS_AT_ONCE = 50_000
"""Rows turned into feeds at once: text cells are Python objects, so this bounds memory."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers to some rows."""

    prediction: Array
    """Shape (n_rows,): class index in the task's order, or number."""
    probabilities: Array | None = None
    """Shape (n_rows, n_classes) in the task's order; None for regression."""

    def take(self, rows: Array) -> Answers:
        """Return the answers to the rows given by mask or index."""
        return Answers(self.prediction[rows], None if self.probabilities is None else self.probabilities[rows])


def answer(bundle: Bundle, frame: pl.DataFrame, *, task: Task | None = None) -> Answers:
    """Let the bundle's own graph, the one that serves, answer the rows of a frame.

    Args:
        bundle: Whose answers.
        frame: Rows with the bundle's feature columns.
        task: Order of the classes; the bundle's own if None.

    Raises:
        ContractError: the frame lacks a feature of the bundle, or holds it in another type.
        InputError: the bundle answers a class that the task does not have, or a number that is not finite.
    """
    chunks = [
        bundle.graph.predict(model.feeds_from_frame(frame.slice(start, ROWS_AT_ONCE), bundle.manifest.schema))
        for start in range(0, max(frame.height, 1), ROWS_AT_ONCE)
    ]
    return answers_of(bundle, chunks, task=task)


def answers_of(bundle: Bundle, chunks: Sequence[Outputs], *, task: Task | None = None) -> Answers:
    """Put what a bundle's graph said to rows, piece by piece, into the words of measurement; arguments as for `answer`.

    Raises:
        InputError: as `answer`.
    """
    mine: Task = bundle.manifest.task
    task = task or mine
    said = np.concatenate([np.ravel(chunk.prediction) for chunk in chunks])
    if task.kind == "regression":
        numbers = said.astype(np.float64)
        if not np.isfinite(numbers).all():
            n_rows = int((~np.isfinite(numbers)).sum())
            raise InputError(
                f"bundle {short(bundle.id)}: answers {counted(n_rows, 'row')} with no finite number",
                hint="look at these rows with palio predict, then train again",
            )
        return Answers(numbers)
    return Answers(_indices(bundle, said, task), _probabilities(chunks, mine, task))


def known_rows(frame: pl.DataFrame, task: Task) -> tuple[pl.DataFrame, Array]:
    """Return the rows whose true answer is known (and one of the task's), and that answer as index or number.

    Raises:
        InputError: there is no such row.
    """
    truth = data.target_array(frame, task)
    known = _is_known(truth, task)
    if not known.any():
        raise InputError(
            f"`{task.target}`: none of {counted(frame.height, 'row')} has a known answer",
            hint="give rows with a known target",
        )
    if known.all():
        return frame, truth
    return frame.filter(known), truth[known]


def has_truth(frame: pl.DataFrame, task: Task) -> Array:
    """Tell which rows `known_rows` keeps."""
    return _is_known(data.target_array(frame, task), task)


def _is_known(truth: Array, task: Task) -> Array:
    known: Array = truth >= 0 if task.kind == "classification" else np.isfinite(truth)
    return known


def _indices(bundle: Bundle, said: Array, task: Task) -> Array:
    labels, where = np.unique(measure.as_texts(said), return_inverse=True)
    order = {label: index for index, label in enumerate(task.classes)}
    strange = [str(label) for label in labels if label not in order]
    if strange:
        raise InputError(
            f"bundle {short(bundle.id)}: answers class `{strange[0]}`, which is none of the task's",
            hint="train again on this data",
        )
    return np.array([order[str(label)] for label in labels], dtype=np.int64)[where]


def _probabilities(chunks: Sequence[Outputs], mine: Task, task: Task) -> Array | None:
    if chunks[0].probabilities is None:
        return None
    stacked: Array = np.concatenate([np.asarray(chunk.probabilities, np.float64) for chunk in chunks])
    if mine.classes == task.classes:
        return stacked
    return stacked[:, [mine.classes.index(label) for label in task.classes]]
