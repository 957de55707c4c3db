"""Say how much each column moved one answer away from what the model answers on typical rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.cells import carries_text
from palio.core.errors import InputError
from palio.core.records import ColumnShape, Record, Schema
from palio.core.seeds import derive
from palio.model.cells.names import input_name
from palio.model.graph.session import Graph, Outputs

Array = npt.NDArray[Any]

N_TYPICAL = 16
"""Typical rows that an answer is compared with; each is walked twice. With 20 columns that is 672 rows of the graph."""
MAX_CELLS = 4_000_000
"""Cells of an explanation; a walk has as many as the square of the columns, so from 354 on there are fewer walks."""
CELLS_AT_ONCE = 1_000_000
"""Cells that go through the graph together: bounds memory for any number of columns."""


class Contributions(Record, frozen=True, kw_only=True):
    """How one answer came about: `base` plus all values is the answer."""

    of: str
    """What is explained: the class whose probability it is, or the target of a regression."""
    base: float
    """Mean answer over the typical rows."""
    values: dict[str, float]
    """Column → how much its value moved the answer; the largest movement first."""


@dataclass(frozen=True, slots=True)
class Explainer:
    """Explains the answers of one graph; made once by `explainer`, safe to share between threads."""

    graph: Graph
    typical: Mapping[str, Array]
    ranks: Array
    """Shape (n_walks, n_columns): the step after which the column holds the explained row's value."""
    columns: tuple[str, ...]
    classes: tuple[str, ...]
    target: str

    def explain(self, row: Mapping[str, Array], *, of: str | None = None) -> Contributions:
        """Explain the answer to one row of feeds, each of shape (1, 1).

        Args:
            row: Feeds of one row.
            of: The class whose probability is explained; None is the predicted one. Ignored by regressions.

        Raises:
            InputError: more than one row, or there is no such class.
        """
        if any(len(values) != 1 for values in row.values()):
            raise InputError("contributions: got several rows", hint="explain one row at a time")
        n_walks, n_columns = self.ranks.shape
        n_rows, n_at_once = n_walks * (n_columns + 1), max(1, CELLS_AT_ONCE // n_columns)
        answers = [
            self._walked(row, np.arange(start, min(start + n_at_once, n_rows))) for start in range(0, n_rows, n_at_once)
        ]
        label, scores = self._scores(answers, of)
        walks = scores.reshape(n_walks, n_columns + 1)
        moved = np.take_along_axis(np.diff(walks, axis=1), self.ranks, axis=1).mean(axis=0)
        ranked = sorted(zip(self.columns, moved.tolist(), strict=True), key=lambda pair: -abs(pair[1]))
        return Contributions(of=label, base=float(walks[:, 0].mean()), values=dict(ranked))

    def _walked(self, row: Mapping[str, Array], steps: npt.NDArray[np.int64]) -> Outputs:
        """Answer some steps of the walks: on each, the columns that were passed hold the value of `row`."""
        walk, step = np.divmod(steps, len(self.columns) + 1)
        feeds = {}
        for index, column in enumerate(self.columns):
            name = input_name(column)
            cells = np.where(self.ranks[walk, index] < step, row[name][0, 0], self.typical[name][walk, 0])
            feeds[name] = cells.reshape(-1, 1)
        return self.graph.predict(feeds)

    def _scores(self, answers: Sequence[Outputs], of: str | None) -> tuple[str, npt.NDArray[np.float64]]:
        last = answers[-1]
        if last.probabilities is None:
            return self.target, np.concatenate([np.asarray(one.prediction, np.float64).reshape(-1) for one in answers])
        label = str(last.prediction.reshape(-1)[-1]) if of is None else of  # the last step is the row itself
        if label not in self.classes:
            raise InputError("contributions: there is no such class", hint="name one of the classes of the task")
        place = self.classes.index(label)
        parts = [one.probabilities[:, place] for one in answers if one.probabilities is not None]
        return label, np.concatenate(parts).astype(np.float64)


def explainer(
    graph: Graph,
    schema: Schema,
    shapes: Sequence[ColumnShape],
    *,
    classes: tuple[str, ...],
    target: str,
    n_typical: int = N_TYPICAL,
) -> Explainer:
    """Work out in advance what every explanation needs.

    The contributions are Shapley values against typical rows, estimated by walking from each typical row to the
    explained one, column after column, in an order drawn at random and then in the opposite order. A typical row takes
    each column independently, as often as it was seen. Equal inputs give equal contributions.

    Args:
        graph: The model.
        schema: Its columns.
        shapes: What the columns of the training rows look like.
        classes: Of the task; empty for a regression.
        target: Name of the target.
        n_typical: Rows to compare with; more are steadier and slower. Of many columns there are fewer, see `MAX_CELLS`.

    Source: Štrumbelj & Kononenko 2014, Knowledge and Information Systems 41(3); antithetic walks: Mitchell et al. 2022,
    Journal of Machine Learning Research 23(43).
    """
    columns = tuple(column.name for column in schema.features)
    n_typical = max(1, min(n_typical, MAX_CELLS // (2 * len(columns) * (len(columns) + 1))))
    chance = np.random.default_rng(derive(0, "contributions", *columns))
    known = {shape.source: shape for shape in shapes if shape.role == "feature" and not shape.statistic}
    typical = {}
    for column in schema.features:
        drawn = _draw(known.get(column.name), chance, n_typical, as_text=carries_text(column))
        typical[input_name(column.name)] = np.concatenate([drawn, drawn]).reshape(-1, 1)
    ranks = np.array([chance.permutation(len(columns)) for _ in range(n_typical)])
    both = np.concatenate([ranks, len(columns) - 1 - ranks])
    return Explainer(graph=graph, typical=typical, ranks=both, columns=columns, classes=classes, target=target)


def _draw(seen: ColumnShape | None, chance: np.random.Generator, n: int, *, as_text: bool) -> Array:
    """Draw values of one column as often as they were seen; stratified, so that few are enough."""
    strata = chance.permutation((np.arange(n) + chance.random(n)) / n)
    empty = np.full(n, "", object) if as_text else np.full(n, np.nan)
    if seen is None or seen.n_rows == 0:
        return empty
    values, counts = _values_of(seen, as_text=as_text)
    if not counts.sum():
        return empty
    share_missing = seen.n_missing / seen.n_rows
    present = strata >= share_missing
    level = np.clip((strata - share_missing) / max(1 - share_missing, 1e-12), 0, 1 - 1e-12)
    at = np.searchsorted(np.cumsum(counts) / counts.sum(), level, side="right")
    return np.where(present, values[np.minimum(at, len(counts) - 1)], empty)


def _values_of(seen: ColumnShape, *, as_text: bool) -> tuple[Array, npt.NDArray[np.float64]]:
    """Return a value of each bin, one that was seen, and how many rows are in the bin."""
    if as_text:
        return np.array(seen.values, object), np.array(seen.counts[: len(seen.values)], float)
    counts = np.array(seen.counts[:-1], float)
    if seen.values:
        return np.array(seen.values, float), counts
    # an edge at a quantile is a value that was seen, the lowest of its bin
    return np.array([np.nan if seen.low is None else seen.low, *seen.edges], float), counts
