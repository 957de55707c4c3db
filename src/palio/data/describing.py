"""Describe rows as they are held in frames; the bins, counts and moments are made in `palio.measure`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from palio.core.records import Column, Description, Schema, Snapshot
from palio.data.cells.things import labels_in
from palio.measure import N_CATEGORIES, NumberDescriber, ValueDescriber, decode_description

if TYPE_CHECKING:
    from palio.store import Store

SAMPLE_ROWS = 65_536
"""Rows whose quantiles set the bin edges. The counts in the bins are exact."""
N_TARGET_VALUES = 1_000
"""Values of a target that are counted apart: it may have as many classes."""
_NUMERIC = ("number", "integer", "datetime")
_CATEGORICAL = ("category", "boolean")


def description(store: Store, snapshot: Snapshot) -> Description:
    """Tell what all rows of a snapshot look like, column by column."""
    return decode_description(store.blobs.get(snapshot.profile))


def describe(rows: pl.DataFrame | Callable[[], Iterable[pl.DataFrame]], schema: Schema) -> Description:
    """Describe a frame, or rows that come in frames and can be asked for twice.

    Args:
        rows: A frame, or a function that gives the same frames at each call. The bin edges depend on the rows alone,
            the last digits of mean and deviation also on where the frames end.
        schema: The columns to describe; those absent from the rows are left out.

    Example:
        >>> schema = Schema(columns=(Column(name="x", type="number"),))
        >>> describe(pl.DataFrame({"x": [1.0, 2.0, None]}), schema).columns[0].mean
        1.5
    """
    frames: Callable[[], Iterable[pl.DataFrame]] = (lambda: (rows,)) if isinstance(rows, pl.DataFrame) else rows
    describer: Describer | None = None
    for frame in frames():
        held = frame.schema
        describer = describer or Describer([c for c in schema.columns if c.name in held], target=schema.target)
        describer.add(frame)
    describer = describer or Describer([], target=None)
    if describer.uncounted:
        for frame in frames():
            describer.fill(frame)
    return describer.finish()


class Describer:
    """Describe rows that stream by: `add` all of them, `fill` with those columns that are `uncounted`, `finish`."""

    def __init__(self, columns: Iterable[Column], *, target: str | None) -> None:
        self._n_rows = 0
        self._step = 1
        self._numbers: dict[str, NumberDescriber] = {}
        self._values: dict[str, ValueDescriber] = {}
        self._things: dict[str, Counter[str]] = {}
        self._names = []
        for c in columns:
            self._names.append(c.name)
            if c.type in _NUMERIC:
                self._numbers[c.name] = NumberDescriber(c.name, is_moment=c.type == "datetime")
                continue
            if c.type == "boxes":
                self._things[c.name] = Counter()
            self._values[c.name] = ValueDescriber(
                c.name,
                kind="category" if c.type in _CATEGORICAL else "text",
                n_values=N_TARGET_VALUES if c.name == target else N_CATEGORIES,
            )

    def add(self, frame: pl.DataFrame) -> None:
        """Take in rows: counts, moments, categories, and a sample for the bin edges."""
        # every step-th row of all, whatever the frames: the sample depends on the rows alone
        picks = np.arange(-self._n_rows % self._step, frame.height, self._step)
        for name, numbers in self._numbers.items():
            numbers.add(_floats(frame[name]), picks)
        for name, values in self._values.items():
            cells = frame[name]
            counted = list(cells.drop_nulls().value_counts().iter_rows())
            if name in self._things:
                for cell, n in counted:
                    self._things[name].update(dict.fromkeys(labels_in(cell), n))
            values.add(counted, n_rows=len(cells), n_missing=cells.null_count())
        self._n_rows += frame.height
        while self._n_rows > SAMPLE_ROWS * self._step:
            self._step *= 2
            for numbers in self._numbers.values():
                numbers.thin()

    @property
    def uncounted(self) -> list[str]:
        """Columns whose cells must be seen a second time."""
        return [name for name, numbers in self._numbers.items() if not numbers.is_counted]

    def fill(self, frame: pl.DataFrame) -> None:
        """Count the uncounted columns of the same rows into their bins."""
        for name in self.uncounted:
            self._numbers[name].fill(_floats(frame[name]))

    def known(self, name: str) -> tuple[str, ...] | None:
        """List all values of a column, the most frequent first; None if they are too many, or numbers.

        Of boxes: what they are of, those that are ignored left out.
        """
        if name in self._things:
            things = self._things[name]
            return tuple(sorted(things, key=lambda thing: (-things[thing], thing)))
        values = self._values.get(name)
        return values.known() if values is not None and values.is_whole else None

    def finish(self) -> Description:
        """Return the description, in the order of the columns."""
        described = {name: one.finish() for name, one in (self._numbers | self._values).items()}
        return Description(n_rows=self._n_rows, columns=tuple(described[name] for name in self._names))


def _floats(cells: pl.Series) -> np.ndarray:
    if isinstance(cells.dtype, pl.Datetime):
        return cells.to_physical().cast(pl.Float64).to_numpy() / 1e6
    return cells.cast(pl.Float64).to_numpy()  # a missing cell becomes NaN
