"""Learn from rows how columns become features, and emit that as nodes of the graph.

There is one implementation: the features that a family trains on are computed by running the emitted nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from palio.core.cells import carries_text
from palio.core.errors import InputError
from palio.core.records import Schema, Task
from palio.model.cells.feeds import feeds_from_frame
from palio.model.cells.names import input_name
from palio.model.graph.builder import GraphBuilder
from palio.model.graph.session import Feeds, Graph
from palio.model.tabular.categories import CategorySpec, emit_categories, fit_category
from palio.model.tabular.dates import LINEAR_PARTS, TREE_PARTS
from palio.model.tabular.derived import DerivedSpec, days_of, emit_derived, fit_derived, raw_derived
from palio.model.tabular.encodings import EncodingSpec, Signals, emit_encodings, fit_encoding, signals_of
from palio.model.tabular.numbers import NumberSpec, emit_numbers, emit_raw, fit_number, names_of
from palio.model.tabular.options import PreprocessingOptions, Style
from palio.model.text.features import TextSpec, emit_texts, fit_text

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
    derived: tuple[DerivedSpec, ...] = ()
    encodings: tuple[EncodingSpec, ...] = ()
    texts: tuple[TextSpec, ...] = ()
    held_out: npt.NDArray[np.float64] | None = field(default=None, repr=False, compare=False)
    """What the rows that this was fitted on may know of `encodings` and of the scores of `texts`, the last features:
    see `to_learn_from`."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns of the matrix, e.g. `age`, `age is missing`, `job=student`, `price / area`."""
        plain = (*names_of(self.numbers), *(name for s in self.categories for name in s.feature_names))
        made = names_of(tuple(s.number for s in self.derived))
        texts = (name for s in self.texts for name in s.plain_names)
        encoded = (name for s in self.encodings for name in s.names)
        return (*plain, *made, *texts, *encoded, *(name for s in self.texts for name in s.score_names))

    @property
    def categorical(self) -> tuple[int, ...]:
        """Indices of the features that are codes of categories (style `tree`), for native categorical splits."""
        if self.style != "tree":
            return ()
        first = len(names_of(self.numbers))
        return tuple(range(first, first + len(self.categories)))

    def emit(self, builder: GraphBuilder) -> str:
        """Add the nodes to `builder`; return the tensor of features, float64 (n, n_features)."""
        blocks = emit_numbers(builder, self.numbers, self.style) + emit_categories(builder, self.categories)
        texts, scores = emit_texts(builder, self.texts)
        blocks += emit_derived(builder, self.derived, self.style) + texts
        blocks += emit_encodings(builder, self.encodings) + scores
        return builder.concat(blocks)

    def to_learn_from(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Take what tells of a row's own truth out of the features of the rows that this was fitted on, in their order.

        Encodings by the target and scores of texts are replaced by those that the other folds make; without any,
        `features` are returned as they are.
        """
        if self.held_out is None:
            return features
        first = len(self.feature_names) - self.held_out.shape[1]
        return np.hstack([features[:, :first], self.held_out])

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
    weights: npt.NDArray[Any] | None = None,
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
        target: Class index or value per row; orders the categories of style `forest`, and is what they are encoded by.
        weights: What each row counts in an encoding by the target; None: all the same.

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
    derived = _fit_derived(schema, feeds, style, options)
    signals = None if target is None else signals_of(task, target, weights)
    encoded = [
        fit_encoding(spec.column, feeds[input_name(spec.column)][:, 0], signals=signals, style=style, options=options)
        for spec in categories
    ]
    encodings = [found for found in encoded if found is not None]
    told = {spec.column for spec, _ in encodings if style == "forest" and options.encode != "count"}
    categories = tuple(spec for spec in categories if spec.encoding != "order" or spec.column not in told)
    texts = _fit_texts(schema, feeds, signals, style) if options.texts else []
    held_out = [*(rows for _, rows in encodings), *(scores for _, scores in texts if scores.size)]
    if not numbers and not categories and not texts and not encodings:
        raise InputError(
            "preprocessing: no feature column holds two different values",
            hint="check the source, or let more columns be features",
        )
    return Preprocessing(
        schema=schema,
        style=style,
        numbers=numbers,
        categories=categories,
        derived=derived,
        encodings=tuple(spec for spec, _ in encodings),
        texts=tuple(spec for spec, _ in texts),
        held_out=np.hstack(held_out) if held_out else None,
    )


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
    found = [spec for spec in fitted if spec is not None]
    timed = {spec.column for spec in found if spec.part == "hour"}  # else each part is told by the weekday
    return tuple(spec for spec in found if spec.part != "hour_of_week" or spec.column in timed)


def _fit_derived(
    schema: Schema, feeds: dict[str, npt.NDArray[Any]], style: Style, options: PreprocessingOptions
) -> tuple[DerivedSpec, ...]:
    derived = list(dict.fromkeys((*options.derived, *(days_of(schema) if options.days else ()))))
    if not derived:
        return ()
    builder = GraphBuilder(schema)
    builder.result(raw_derived(builder, derived), "double", (None, len(derived)))
    return fit_derived(derived, _run(builder.build(), feeds, 2), style=style, options=options)


def _fit_texts(
    schema: Schema, feeds: dict[str, npt.NDArray[Any]], signals: Signals | None, style: Style
) -> list[tuple[TextSpec, npt.NDArray[np.float64]]]:
    found = []
    for column in schema.features:
        if column.type == "text":
            name = input_name(column.name)
            fitted = fit_text(
                column.name,
                name,
                feeds[name].ravel().tolist(),
                signals=None if signals is None else signals.rows,
                signal_names=() if signals is None else signals.names,
                weights=None if signals is None else signals.weights,
                standardised=style == "linear",
            )
            found += [] if fitted is None else [fitted]
    return found


def _signal(task: Task, target: npt.NDArray[Any] | None) -> npt.NDArray[np.float64] | None:
    """Return one number per row that categories can be ordered by."""
    if target is None:
        return None
    if task.kind == "regression":
        return np.clip(np.asarray(target, dtype=np.float64), -1e150, 1e150)  # so that sums stay finite
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
