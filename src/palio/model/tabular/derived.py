"""Make numbers of several columns of a row: ratios, differences, products, days between moments, missing cells."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import msgspec
import numpy as np
import numpy.typing as npt

from palio.core.cells import carries_text
from palio.core.records import Schema
from palio.model.graph.builder import GraphBuilder
from palio.model.tabular.numbers import NumberSpec, emit_known, fit_number
from palio.model.tabular.options import Derived, PreprocessingOptions, Style

LARGEST = 1e290
"""Derived numbers are cut to this: what overflows would be no number, and trees take 1e300 for infinite."""
SECONDS_A_DAY = 86400.0


MAX_MOMENTS = 4
"""Columns of moments up to which all pairs of them are looked at."""


class DerivedSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How one number is made, and then becomes a feature."""

    derived: Derived
    number: NumberSpec


def days_of(schema: Schema) -> tuple[Derived, ...]:
    """Return the days between each two moments of a row; none if there are more than `MAX_MOMENTS`."""
    moments = [column.name for column in schema.features if column.type == "datetime"]
    if len(moments) > MAX_MOMENTS:
        return ()
    return tuple(Derived(operation="days", columns=(later, first)) for first, later in combinations(moments, 2))


def fit_derived(
    derived: Sequence[Derived], raw: npt.NDArray[np.float64], *, style: Style, options: PreprocessingOptions
) -> tuple[DerivedSpec, ...]:
    """Learn features from what `raw_derived` gives, shape (n_rows, len(derived)); what never differs is left out."""
    found = [
        (made, fit_number(made.name, "", raw[:, index], style=style, twins=options.twins))
        for index, made in enumerate(derived)
    ]
    return tuple(DerivedSpec(derived=made, number=number) for made, number in found if number is not None)


def emit_derived(builder: GraphBuilder, specs: tuple[DerivedSpec, ...], style: Style) -> list[str]:
    """Add the nodes of `specs`; return blocks of features as `emit_numbers` does."""
    if not specs:
        return []
    raw = raw_derived(builder, [spec.derived for spec in specs])
    return emit_known(builder, raw, tuple(spec.number for spec in specs), style)


def raw_derived(builder: GraphBuilder, derived: Sequence[Derived]) -> str:
    """Add the nodes that make `derived`; return a tensor, float64 (n, len(derived)), NaN where it cannot be told."""
    blocks, order = [], []
    for operation in dict.fromkeys(made.operation for made in derived):
        places = [place for place, made in enumerate(derived) if made.operation == operation]
        chosen = [derived[place].columns for place in places]
        if operation == "missing":
            blocks += [_missing(builder, columns) for columns in chosen]
        else:
            left, right = (builder.concat([builder.input(columns[side]) for columns in chosen]) for side in (0, 1))
            blocks.append(_of_two(builder, operation, left, right))
        order += places
    joined = builder.concat(blocks)
    if order == list(range(len(derived))):
        return joined
    return builder.columns(joined, np.argsort(order).tolist())


def _of_two(builder: GraphBuilder, operation: str, left: str, right: str) -> str:
    if operation == "ratio":
        is_zero = builder.node("Equal", right, builder.constant(0.0))
        made = builder.node("Div", left, builder.node("Where", is_zero, builder.constant(float("nan")), right))
    else:
        made = builder.node("Mul" if operation == "product" else "Sub", left, right)
    if operation == "days":
        made = builder.node("Div", made, builder.constant(SECONDS_A_DAY))
    return builder.node("Clip", made, builder.constant(-LARGEST), builder.constant(LARGEST))


def _missing(builder: GraphBuilder, columns: tuple[str, ...]) -> str:
    """Count the missing cells of a row among `columns`."""
    texts = {column.name for column in builder.schema.features if carries_text(column)}
    numbers = [builder.input(name) for name in columns if name not in texts]
    blocks = [builder.labels(builder.input(name), [""], [1.0], 0.0) for name in columns if name in texts]
    if numbers:
        blocks.append(builder.cast(builder.node("IsNaN", builder.concat(numbers)), "double"))
    return builder.node("ReduceSum", builder.concat(blocks), builder.constant([1], "int64"), keepdims=1)
