"""The end of every graph: from what a model has found to the outputs `prediction` and `probabilities`."""

from __future__ import annotations

from palio.core.errors import InputError
from palio.core.records import Task
from palio.model.cells.names import BOXES, CLASSES, PREDICTION, PROBABILITIES, SCORES
from palio.model.graph.builder import GraphBuilder


def both_classes(builder: GraphBuilder, second: str) -> str:
    """Return the probabilities of two classes, shape (n, 2), from that of the second, shape (n, 1)."""
    return builder.concat([builder.node("Sub", builder.constant(1.0), second), second])


def emit_answers(builder: GraphBuilder, found: str, task: Task, *, threshold: float | None = None) -> None:
    """End a graph: declare the outputs that everybody reads.

    Of classes that are equally likely the first in `task.classes` is the prediction, as with numpy's argmax.

    Args:
        builder: Takes the nodes.
        found: Probabilities (n, n_classes) in the order of `task.classes`; values (n, 1); or what is where, float32
            (n, k, 6) as `emit_suppressed` leaves it, classes in the order of `task.classes`.
        task: What is predicted.
        threshold: From which probability on the second of two classes is said; None: the likeliest class.

    Raises:
        InputError: a classifier of fewer than two classes.
    """
    if task.kind == "regression":
        flat = builder.node("Reshape", found, builder.constant([-1], "int64"))
        builder.output(PREDICTION, flat, "double", (None,))
        return
    if task.kind == "detection":
        builder.classes = task.classes
        parts = [builder.node("Slice", found, *_slice(builder, *part)) for part in ((0, 4), (4, 5), (5, 6))]
        flat = builder.constant([2], "int64")
        builder.output(BOXES, parts[0], "float", (None, "k", 4))
        builder.output(SCORES, builder.node("Squeeze", parts[1], flat), "float", (None, "k"))
        builder.output(CLASSES, builder.cast(builder.node("Squeeze", parts[2], flat), "int64"), "int64", (None, "k"))
        return
    if len(task.classes) < 2:
        raise InputError(
            f"task: {len(task.classes)} classes, a classifier needs at least two", hint="check the target column"
        )
    if threshold is None:
        best = builder.node("ArgMax", found, axis=1, keepdims=0)
    else:
        second = builder.node("Reshape", builder.columns(found, [1]), builder.constant([-1], "int64"))
        best = builder.cast(builder.node("GreaterOrEqual", second, builder.constant(threshold)), "int64")
    label = builder.node("Gather", builder.constant(list(task.classes), "object"), best)
    builder.output(PREDICTION, label, "string", (None,))
    builder.output(PROBABILITIES, found, "double", (None, len(task.classes)))


def _slice(builder: GraphBuilder, low: int, high: int) -> tuple[str, str, str]:
    """Return what picks some of the last of three axes."""
    return builder.constant([low], "int64"), builder.constant([high], "int64"), builder.constant([2], "int64")
