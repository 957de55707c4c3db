"""Learn from rows how columns become features, and emit that as nodes of the graph.

There is one implementation: the features that a family trains on are computed by running the emitted nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from palio.core.cells import carries_text
from palio.core.errors import InputError
from palio.core.records import Schema, Task
from palio.model.builder import GraphBuilder
from palio.model.categories import CategorySpec, emit_categories, fit_category
from palio.model.dates import LINEAR_PARTS, TREE_PARTS
from palio.model.feeds import feeds_from_frame
from palio.model.names import input_name
from palio.model.numbers import NumberSpec, emit_numbers, emit_raw, fit_number
from palio.model.options import PreprocessingOptions, Style
from palio.model.session import Feeds, Graph

if TYPE_CHECKING:
    import polars as pl

ROWS_AT_ONCE = 65_536
"""Rows that are turned into features together: bounds the memory of what lies between."""


@dataclass(frozen=True)
class Preprocessing:
    """How the feature columns of a schema become a float64 matrix; made by `fit_preprocessing`."""

    schema: Schema
    style: Style
    numbers: tuple[NumberSpec, ...]
    categories: tuple[CategorySpec, ...]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns of the matrix, e.g. `age`, `age is missing`, `job=student`, `sold:month`."""
        blocks = (*(s.feature_name for s in self.numbers), *(s.twin_name for s in self.numbers if s.twin))
        missing = tuple(s.indicator_name for s in self.numbers if s.indicator)
        return (*blocks, *missing, *(name for s in self.categories for name in s.feature_names))

    @property
    def categorical(self) -> tuple[int, ...]:
        """Indices of the features that are codes of categories (style `tree`), for native categorical splits."""
        if self.style != "tree":
            return ()
        first = len(self.feature_names) - len(self.categories)
        return tuple(range(first, len(self.feature_names)))

    def emit(self, builder: GraphBuilder) -> str:
        """Add the nodes to `builder`; return the tensor of features, float64 (n, n_features)."""
        blocks = emit_numbers(builder, self.numbers, self.style) + emit_categories(builder, self.categories)
        return builder.concat(blocks)

    def build(self) -> bytes:
        """Return the nodes as a graph of their own, with one output: the features."""
        builder = GraphBuilder(self.schema)
        builder.result(self.emit(builder), "double", (None, len(self.feature_names)))
        return builder.build()

    def transform(self, rows: pl.DataFrame | Feeds, *, threads: int = 2) -> npt.NDArray[np.float64]:
        """Compute the features of a frame, or of feeds, shape (n_rows, n_features), by running the graph.

        Raises:
            ContractError: a feature column is absent or of another type.
        """
        feeds = rows if isinstance(rows, Mapping) else feeds_from_frame(rows, self.schema)
        return _run(self.build(), feeds, threads)


def fit_preprocessing(
    frame: pl.DataFrame,
    schema: Schema,
    *,
    task: Task,
    target: npt.NDArray[Any] | None = None,
    style: Style = "tree",
    options: PreprocessingOptions | None = None,
) -> Preprocessing:
    """Learn from the rows of `frame` how its feature columns become numbers.

    Styles:
        tree: numbers pass with NaN kept; categories become codes 1, 2, … by frequency; dates their calendar parts.
        forest: medians for missing numbers beside an indicator; few categories one-hot, many ordered by the target.
        linear: medians and indicators, cut to the seen range, standardised; categories one-hot; dates as waves.

    Args:
        frame: The rows to learn from (training rows only), typed as a snapshot's.
        target: Class index or value per row; orders the categories of style `forest`.

    Raises:
        ContractError: a feature column is absent or of another type.
        InputError: there is no row, or no column holds anything that differs between rows.
    """
    options = options or PreprocessingOptions()
    if frame.height == 0:
        raise InputError("preprocessing: there is no row to learn from", hint="give at least one row")
    feeds = feeds_from_frame(frame, schema)
    numbers = _fit_numbers(schema, feeds, style, options)
    signal = _signal(task, target)
    fitted = [
        fit_category(column.name, feeds[input_name(column.name)][:, 0], style=style, options=options, signal=signal)
        for column in schema.features
        if column.type in ("category", "boolean")
    ]
    categories = tuple(spec for spec in fitted if spec is not None)
    if not numbers and not categories:
        raise InputError(
            "preprocessing: no feature column holds two different values",
            hint="check the source, or let more columns be features",
        )
    return Preprocessing(schema=schema, style=style, numbers=numbers, categories=categories)


def _fit_numbers(
    schema: Schema, feeds: dict[str, npt.NDArray[Any]], style: Style, options: PreprocessingOptions
) -> tuple[NumberSpec, ...]:
    parts = LINEAR_PARTS if style == "linear" else TREE_PARTS
    dated = [c.name for c in schema.features if c.type == "datetime"]
    plain = [c.name for c in schema.features if not carries_text(c) and c.type != "datetime"]
    sources = [(name, "") for name in plain] + [(name, part) for part in parts for name in dated]
    if not sources:
        return ()
    builder = GraphBuilder(schema)
    builder.result(emit_raw(builder, sources), "double", (None, len(sources)))
    raw = _run(builder.build(), feeds, 2)
    fitted = [
        fit_number(column, part, raw[:, index], style=style, twins=options.twins)
        for index, (column, part) in enumerate(sources)
    ]
    return tuple(spec for spec in fitted if spec is not None)


def _signal(task: Task, target: npt.NDArray[Any] | None) -> npt.NDArray[np.float64] | None:
    """Return one number per row that categories can be ordered by."""
    if target is None:
        return None
    if task.kind == "regression":
        return np.asarray(target, dtype=np.float64)
    if len(task.classes) == 2:
        return np.asarray(target == 1, dtype=np.float64)
    labels, counts = np.unique(target, return_counts=True)
    return np.asarray(target == labels[np.argmax(counts)], dtype=np.float64)


def _run(model: bytes, feeds: Feeds, threads: int) -> npt.NDArray[np.float64]:
    graph = Graph(model, threads)
    n_rows = len(next(iter(feeds.values())))
    blocks: list[npt.NDArray[np.float64]] = []
    for start in range(0, max(1, n_rows), ROWS_AT_ONCE):
        blocks += graph.run({name: values[start : start + ROWS_AT_ONCE] for name, values in feeds.items()}).values()
    return np.concatenate(blocks)
