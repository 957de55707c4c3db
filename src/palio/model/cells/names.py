"""Name tensors: how a column of the schema is called inside a graph, and what kind of tensor it is."""

from __future__ import annotations

from palio.core.cells import carries_text
from palio.core.records import Schema, TensorSpec

PREDICTION = "prediction"
PROBABILITIES = "probabilities"
BOXES, SCORES, CLASSES = "boxes", "scores", "classes"
"""Outputs of a graph that says what is where in pictures."""
_PREFIX = "input:"
_TAKEN = ("", PREDICTION, PROBABILITIES)


def input_name(column: str) -> str:
    """Return the name of the graph input that carries `column`: the column's own, unless an output has it.

    Example:
        >>> input_name("age"), input_name("prediction")
        ('age', 'input:prediction')
    """
    return _PREFIX + column if column in _TAKEN or column.startswith(_PREFIX) else column


def input_specs(schema: Schema) -> tuple[TensorSpec, ...]:
    """List the inputs of a graph over the features of `schema`: one tensor of shape (n, 1) per column."""
    return tuple(
        TensorSpec(name=input_name(c.name), datatype="BYTES" if carries_text(c) else "FP64", shape=(-1, 1))
        for c in schema.features
    )
