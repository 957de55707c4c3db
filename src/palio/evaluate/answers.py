"""What a bundle answers to the rows of a frame, in the words of measurement: class indices and probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from palio import data, measure, model
from palio.core.errors import InputError
from palio.core.ids import short
from palio.core.records import Task
from palio.core.words import counted
from palio.measure import Answers

if TYPE_CHECKING:
    import polars as pl

    from palio.model import Bundle, Outputs

Array = npt.NDArray[Any]
ROWS_AT_ONCE = 50_000
"""Rows turned into feeds at once: text cells are Python objects, so this bounds memory."""


def answer(bundle: Bundle, frame: pl.DataFrame, *, task: Task | None = None) -> Answers:
    """Let the bundle's own graph, the one that serves, answer the rows of a frame.

    Args:
        bundle: Whose answers.
        frame: Rows with the bundle's feature columns.
        task: Order of the classes; the bundle's own if None.

    Raises:
        ContractError: the frame lacks a feature of the bundle, or holds it in another type.
        InputError: the bundle answers what the task does not know: a class of its own, or a number that is not finite.
    """
    parts = [
        answers_of(bundle, bundle.graph.predict(bundle.feeds(rows)), task=task)
        for rows in (frame.slice(start, ROWS_AT_ONCE) for start in range(0, max(frame.height, 1), ROWS_AT_ONCE))
    ]
    return Answers.joined(parts)


def answers_of(bundle: Bundle, outputs: Outputs, *, task: Task | None = None) -> Answers:
    """Put what a bundle's graph said to rows into the words of measurement; arguments as for `answer`.

    Raises:
        InputError: as `answer`.
    """
    mine: Task = bundle.manifest.task
    answers = model.answers_of(outputs, mine, asked=task)
    if (strange := ~measure.questions.of(task or mine).known(answers.prediction)).any():
        said, n_rows = outputs.prediction[strange][0], counted(int(strange.sum()), "row")
        raise InputError(
            f"bundle {short(bundle.id)}: answers {n_rows} with `{said}`, which is none of the task's",
            hint="look at these rows with palio predict, then train again on this data",
        )
    return answers


def known_rows(frame: pl.DataFrame, task: Task) -> tuple[pl.DataFrame, Array]:
    """Return the rows whose true answer is known (and one of the task's), and that answer as index or number.

    Raises:
        InputError: there is no such row.
    """
    truth = data.target_array(frame, task)
    known = measure.questions.of(task).known(truth)
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
    return measure.questions.of(task).known(data.target_array(frame, task))
