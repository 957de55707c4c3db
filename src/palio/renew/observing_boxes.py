"""What champion and challenger say is where in pictures, as it is compared: by overlaps, each by its own threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from palio.core.records import Task
from palio.measure import Answers, questions

Array = np.ndarray[Any, np.dtype[Any]]
Rows = tuple[Array, Array]
"""Ids of rows, sorted, and the answers to them."""


def are_boxes(tasks: tuple[Task, Task] | None) -> bool:
    """Tell whether both answer with boxes."""
    return tasks is not None and all(questions.of(task).described_as for task in tasks)


def in_one_order(tasks: tuple[Task, Task]) -> tuple[Task, Task]:
    """Let both know the classes of either, in one order: boxes are compared by where their class stands in it."""
    mine, theirs = tasks
    classes = tuple(dict.fromkeys((*mine.classes, *theirs.classes)))
    return msgspec.structs.replace(mine, classes=classes), msgspec.structs.replace(theirs, classes=classes)


def read(rows: Rows, task: Task) -> Rows:
    """Read the answers of one model; what is no list of boxes of its classes is left out."""
    question = questions.of(task)
    answers = question.answers({questions.PREDICTION: rows[1]})
    fine = question.usable(answers)
    return rows[0][fine], answers.prediction[fine]


def without_boxes(rows: Rows) -> Rows:
    """Leave out answers that are lists of boxes: two such texts differ in their last digit."""
    ids, said = rows
    if said.dtype.kind in "fiu":
        return rows
    other = np.array([not str(one).startswith(("[{", "[]")) for one in said.tolist()], bool)
    return ids[other], said[other]


def sizes(said: Array, task: Task) -> Array:
    """Count the boxes shown in each picture."""
    return questions.of(task).sizes(Answers(said))


def n_differ(one: Array, other: Array, task: Task) -> int:
    """Count the pictures in which not each box of one has a partner in the other."""
    return int(questions.of(task).differ(Answers(one), Answers(other)).sum())


def scores(rows: Rows, labels: Mapping[str, Any], task: Task) -> Rows:
    """Return the ids of pictures whose boxes are known, and how well each was answered: mistakes, less than zero."""
    question = questions.of(task)
    truth = question.truth([labels.get(identity) for identity in rows[0].tolist()])
    known = np.asarray(question.known(truth), bool)
    if not known.any():
        return rows[0][:0], np.empty(0)
    return rows[0][known], -question.errors(truth[known], Answers(rows[1][known]))
