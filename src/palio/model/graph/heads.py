"""The end of every graph: from scores to the outputs `prediction` and `probabilities`."""

from __future__ import annotations

from palio.core.errors import InputError
from palio.core.records import Task
from palio.model.cells.names import PREDICTION, PROBABILITIES
from palio.model.graph.builder import GraphBuilder


def emit_classes(builder: GraphBuilder, probabilities: str, task: Task) -> None:
    """End a classifier: `probabilities` (n, n_classes) in the order of `task.classes`, and the likeliest label.

    Of classes that are equally likely the first in `task.classes` is the prediction, as with numpy's argmax.
    """
    if len(task.classes) < 2:
        raise InputError(
            f"task: {len(task.classes)} classes, a classifier needs at least two", hint="check the target column"
        )
    best = builder.node("ArgMax", probabilities, axis=1, keepdims=0)
    label = builder.node("Gather", builder.constant(list(task.classes), "object"), best)
    builder.output(PREDICTION, label, "string", (None,))
    builder.output(PROBABILITIES, probabilities, "double", (None, len(task.classes)))


def emit_two_classes(builder: GraphBuilder, second: str, task: Task) -> None:
    """End a two-class classifier from the probability of `task.classes[1]`, shape (n, 1)."""
    first = builder.node("Sub", builder.constant(1.0), second)
    emit_classes(builder, builder.concat([first, second]), task)


def emit_value(builder: GraphBuilder, value: str) -> None:
    """End a regressor from `value`, shape (n, 1)."""
    flat = builder.node("Reshape", value, builder.constant([-1], "int64"))
    builder.output(PREDICTION, flat, "double", (None,))
