"""The parts of an evaluation below the headline, one module a kind of question."""

from __future__ import annotations

import importlib
from typing import Any

from palio.core.records import Task
from palio.evaluate.answers import Array
from palio.evaluate.details.rows import worst_rows
from palio.measure import Answers

__all__ = ["DETAILS", "details_of", "worst_rows"]

DETAILS = {
    "classification": "palio.evaluate.details.classes",
    "regression": "palio.evaluate.details.numbers",
    "detection": "palio.evaluate.details.boxes",
}
"""Kind of task → the module that says what is shown of its answers."""


def details_of(task: Task, truth: Array, answers: Answers) -> dict[str, Any]:
    """Return the fields of an `Evaluation` that only some kinds of question have."""
    found: dict[str, Any] = importlib.import_module(DETAILS[task.kind]).details_of(task, truth, answers)
    return found
