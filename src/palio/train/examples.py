"""Hold what a family is taught with: rows with their truth, and what was already computed from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from palio import measure, model
from palio.core.records import Schema, Task

if TYPE_CHECKING:
    import polars as pl

    from palio.model import Preprocessing, PreprocessingOptions, Style
    from palio.store import Blobs

Array = np.ndarray[Any, np.dtype[Any]]
Feeds = dict[str, Array]
Objective = Literal["auto", "squared", "absolute", "huber", "quantile", "poisson", "log_loss", "focal"]
_SUITS: dict[str, Objective] = {
    "mae": "absolute",
    "median_absolute_error": "absolute",
    "mape": "absolute",  # with what rows weigh: see `cutting.weighted`
    "huber": "huber",
    "pinball_10": "quantile",
    "pinball_90": "quantile",
    "poisson_deviance": "poisson",
}
"""Metric of numbers → what a fit makes small for it; for others, the square."""


@dataclass(frozen=True)
class Shape:
    """How big a problem is: what the cost of a fit, and sensible defaults, depend on."""

    n_rows: int
    n_features: int
    n_classes: int
    """0 for regression."""

    def of(self, n_rows: int) -> Shape:
        """Return the shape of the same columns with `n_rows` rows."""
        return Shape(n_rows, self.n_features, self.n_classes)


@dataclass(frozen=True)
class Examples:
    """Rows with their truth, and what was already computed from them.

    `target` has shape (n_rows,): class index (int64) or value (float64).
    """

    frame: pl.DataFrame
    target: Array
    schema: Schema
    task: Task
    weights: Array | None = None
    """What each row counts, shape (n_rows,), mean 1; None: all the same."""
    objective: Objective = "auto"
    """What a fit makes small; `auto`: what suits the metric (`objective_of`). A family that cannot takes its own."""
    blobs: Blobs | None = field(default=None, repr=False, compare=False)
    """Where the bytes of pictures are that rows name by their identity."""
    folder: Path | None = field(default=None, repr=False, compare=False)
    """Where what is computed of rows is kept for all workers of a search; None: nowhere."""
    _fitted: dict[Any, Preprocessing] = field(default_factory=dict, repr=False, compare=False)
    _matrices: dict[int, tuple[Preprocessing, Array]] = field(default_factory=dict, repr=False, compare=False)
    _feeds: Feeds = field(default_factory=dict, repr=False, compare=False)
    computed: dict[str, Array] = field(default_factory=dict, repr=False, compare=False)
    """What costs much and was computed of all rows, e.g. what a backbone sees in their pictures."""
    made: dict[str, PreprocessingOptions | None] = field(default_factory=dict, repr=False, compare=False)
    """Style of features → numbers of two columns that surely help on these rows; kept once they were sought."""

    @property
    def shape(self) -> Shape:
        """How big these examples are."""
        return Shape(len(self.target), len(self.schema.features), len(self.task.classes))

    def feeds(self) -> Feeds:
        """Return the rows as a graph takes them: one array of shape (n_rows, 1) per input."""
        if not self._feeds:
            self._feeds.update(model.feeds_from_frame(self.frame, self.schema, self.blobs))
        return self._feeds

    def preprocessing(self, style: Style, options: PreprocessingOptions | None = None) -> Preprocessing:
        """Return the preprocessing fitted on these rows; the same one for the same style and options."""
        key = (style, options)
        if key not in self._fitted:
            self._fitted[key] = model.fit_preprocessing(
                self.frame,
                self.schema,
                task=self.task,
                target=self.target,
                weights=self.weights,
                style=style,
                options=options,
            )
        return self._fitted[key]

    def matrix(self, preprocessing: Preprocessing) -> Array:
        """Return what a fit learns from or watches, shape (n_rows, n_features) float64.

        Where `preprocessing` was fitted on these examples, no feature knows the row's own truth (encodings are those of
        other folds); for all others it is what the graph computes.
        """
        features = self.features(preprocessing)
        is_own = any(preprocessing is own for own in self._fitted.values())
        return preprocessing.to_learn_from(features) if is_own else features

    def features(self, preprocessing: Preprocessing) -> Array:
        """Return the features of these rows, shape (n_rows, n_features) float64, computed once by the graph."""
        found = self._matrices.get(id(preprocessing))
        if found is None:  # the entry keeps the preprocessing alive, so that its id stays its own
            found = (preprocessing, preprocessing.transform(self.feeds()))
            self._matrices[id(preprocessing)] = found
        return found[1]

    def whole(self) -> tuple[Examples, Array | None]:
        """Return what these were taken from, and their positions there; themselves and None if from nothing."""
        return self, None

    def take(self, rows: Array) -> Examples:
        """Return the examples at the given positions. Their rows are copied when they are asked for, and not kept."""
        return _Taken(self, np.asarray(rows))


class _Taken(Examples):
    """Some of other examples: folds overlap, and to hold each in memory would be to hold the table many times."""

    def __init__(self, whole: Examples, rows: Array) -> None:
        if isinstance(whole, _Taken):
            rows = whole._rows[rows]
            whole = whole._whole
        weights = None if whole.weights is None else whole.weights[rows]
        known = {"target": whole.target[rows], "schema": whole.schema, "task": whole.task}
        known |= {"weights": weights, "objective": whole.objective, "blobs": whole.blobs, "folder": whole.folder}
        known |= {"_fitted": {}, "_matrices": {}, "made": {}, "computed": {}}
        for name, value in {**known, "_whole": whole, "_rows": rows}.items():
            object.__setattr__(self, name, value)

    @property
    def frame(self) -> pl.DataFrame:
        """The rows."""
        return self._whole.frame[self._rows]

    def whole(self) -> tuple[Examples, Array | None]:
        """Return what they were taken from, and their positions there."""
        return self._whole, self._rows

    def feeds(self) -> Feeds:
        """Return the rows as a graph takes them."""
        return model.feeds_from_frame(self.frame, self.schema, self.blobs)

    if TYPE_CHECKING:
        _whole: Examples
        _rows: Array


def objective_of(examples: Examples) -> Objective:
    """Return what a fit on `examples` makes small: what was asked for, else what suits the metric.

    Example:
        >>> import polars as pl
        >>> from palio.core.records import Schema
        >>> task = Task(kind="regression", target="y", metric="mae")
        >>> objective_of(Examples(pl.DataFrame(), np.zeros(0), Schema(columns=()), task))
        'absolute'
    """
    if examples.objective != "auto":
        return examples.objective
    if examples.task.kind == "classification":
        return "log_loss"
    return _SUITS.get(examples.task.metric, "squared")


def level_of(examples: Examples) -> float:
    """Return the quantile that the objective `quantile` aims at: the metric's, else the median."""
    return measure.quantile_of(examples.task.metric) or 0.5
