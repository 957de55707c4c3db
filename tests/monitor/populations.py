"""Tables to draw references and windows from: real ones, and a synthetic one with a known drift."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from palio.core.monitoring import ColumnCounts, Reference, Window
from palio.measure import bins_of, category_column, number_column

Array = np.ndarray[Any, np.dtype[Any]]
Table = dict[str, Array]
SINCE = dt.datetime(2026, 5, 4, tzinfo=dt.UTC)
DRIFTED = {"n0", "n1", "n2", "n8", "n14", "c1", "c3", "c6"}
"""Of `thirty_columns`."""
ADULT = ["age", "workclass", "fnlwgt", "education", "education_num", "marital", "occupation", "relationship", "race",
         "sex", "gain", "loss", "hours", "country", "income"]  # fmt: skip


def table_of(frame: pl.DataFrame) -> Table:
    """Give cells as a graph takes them: float64 with NaN, texts with the empty one for missing."""
    return {
        name: values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        if (values := frame[name]).dtype.is_numeric()
        else values.fill_null("").to_numpy().astype(object)
        for name in frame.columns
    }


def adult(folder: Path) -> Table:
    frame = pl.read_csv(folder / "tabular/adult-train.csv", has_header=False, new_columns=ADULT)
    texts = [name for name in ADULT if frame[name].dtype == pl.String]
    frame = frame.with_columns(pl.col(texts).str.strip_chars())
    numbers = ["age", "fnlwgt", "education_num", "gain", "loss", "hours"]
    return table_of(frame.with_columns(pl.col(numbers).cast(pl.Float64)))


def bank(folder: Path) -> Table:
    return table_of(pl.read_csv(folder / "tabular/bank.csv"))


def beijing(folder: Path) -> tuple[Table, Array]:
    """Hourly weather and dust of five years, and the year of each row."""
    frame = pl.read_csv(folder / "tabular/beijing-pm25.csv", null_values="NA", infer_schema_length=None)
    return table_of(frame.select("pm2.5", "DEWP", "TEMP", "PRES", "cbwd", "Iws", "Is", "Ir")), frame["year"].to_numpy()


_SHAPES: tuple[Callable[[np.random.Generator, int], Array], ...] = (
    lambda chance, n: chance.normal(0, 1, n),
    lambda chance, n: chance.lognormal(0, 1, n),
    lambda chance, n: chance.exponential(1, n),
    lambda chance, n: chance.standard_t(4, n),
    lambda chance, n: chance.gamma(2, 2, n),
)
_CLASSES = (3, 5, 8, 12, 20, 4, 6, 10, 30, 50)


def thirty_columns(chance: np.random.Generator, n_rows: int, *, has_drift: bool = False) -> Table:
    """20 numbers and 10 categories; with drift 5 and 3 of them have moved.

    True PSI and Wasserstein-1 in standard deviations: n0 a quarter of a standard deviation higher (0.06; 0.25), n1
    lognormal a quarter larger (0.05; 0.21), n2 exponential a fifth larger (0.03; 0.21), n8 Student's t 30 % wider
    (0.07; 0.25), n14 gamma with three times larger values in every tenth row (0.03; 0.26); c1, c3, c6 every second
    category half more often (0.04; Jensen-Shannon distance 0.08, below the limit of 0.1 that is common elsewhere).
    """
    found: Table = {}
    for i in range(20):
        values = _SHAPES[i % 5](chance, n_rows)
        if has_drift and i == 0:
            values = values + 0.25
        elif has_drift and i in (1, 2, 8):
            values = values * {1: 1.25, 2: 1.2, 8: 1.3}[i]
        elif has_drift and i == 14:
            values = np.where(chance.random(n_rows) < 0.1, 3 * values, values)
        found[f"n{i}"] = values
    for i, n_classes in enumerate(_CLASSES):
        share = 1 / np.arange(1, n_classes + 1) ** 0.7
        if has_drift and i in (1, 3, 6):
            share[::2] *= 1.5
        names = np.array([f"v{k}" for k in range(n_classes)], object)
        found[f"c{i}"] = names[chance.choice(n_classes, n_rows, p=share / share.sum())]
    return found


def reference_of(
    table: Table, rows: Array | None = None, *, n_blocks: int = 16, in_time_order: bool = False
) -> Reference:
    chosen = {name: values if rows is None else values[rows] for name, values in table.items()}
    n_rows = len(next(iter(chosen.values())))
    cuts = np.linspace(0, n_rows, n_blocks + 1).astype(int).tolist()
    blocks = [slice(a, b) for a, b in itertools.pairwise(cuts)]
    columns = tuple(
        (number_column if values.dtype.kind == "f" else category_column)(name, values, blocks=blocks)
        for name, values in chosen.items()
    )
    return Reference(n_rows=n_rows, n_scored=0, in_time_order=in_time_order, columns=columns)


def places_in(reference: Reference, table: Table) -> Table:
    """Find the bin of every row once, so that many windows can be drawn from it."""
    return {column.name: bins_of(column, table[column.name]) for column in reference.columns}


def window_of(
    reference: Reference, places: Mapping[str, Array], rows: Array | slice = slice(None), **facts: Any
) -> Window:
    columns = tuple(
        ColumnCounts(
            name=column.name,
            counts=tuple(np.bincount(places[column.name][rows], minlength=len(column.counts)).tolist()),
        )
        for column in reference.columns
        if column.name in places
    )
    defaults = {"model": "m", "bundle": "b", "version": 1, "since": SINCE, "until": SINCE + dt.timedelta(days=1)}
    return Window(n_rows=sum(columns[0].counts), columns=columns, **{**defaults, **facts})
