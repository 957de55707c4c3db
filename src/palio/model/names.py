"""Name tensors: how a column of the schema is called inside a graph, and what kind of tensor it is."""

from __future__ import annotations

from palio.core.records import Column, Schema, TensorSpec

PREDICTION = "prediction"
PROBABILITIES = "probabilities"
_PREFIX = "input:"

FLOAT_TYPES = frozenset({"number", "integer", "datetime"})
"""Columns that travel as float64; missing is NaN, a datetime is seconds since 1970 (UTC)."""
STRING_TYPES = frozenset({"boolean", "category", "text"})
"""Columns that travel as strings; missing is the empty string."""


def input_name(column: str) -> str:
    """Return the name of the graph input that carries `column`: the column's own, unless an output has it.

    Example:
        >>> input_name("age"), input_name("prediction")
        ('age', 'input:prediction')
    """
    return _PREFIX + column if column in ("", PREDICTION, PROBABILITIES) or column.startswith(_PREFIX) else column


def carries_strings(column: Column) -> bool:
    """Tell whether `column` travels as strings (missing is "") rather than as float64 (missing is NaN)."""
    return column.type in STRING_TYPES


def input_specs(schema: Schema) -> tuple[TensorSpec, ...]:
    """List the inputs of a graph over the features of `schema`: one tensor of shape (n, 1) per column."""
    return tuple(
        TensorSpec(name=input_name(c.name), datatype="BYTES" if carries_strings(c) else "FP64", shape=(-1, 1))
        for c in schema.features
    )
