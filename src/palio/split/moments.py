"""Turn the time columns of a schema into one number per row that orders the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from palio.core.errors import InputError
from palio.core.records import Schema

if TYPE_CHECKING:
    import polars as pl

Moments = npt.NDArray[np.float64]

_RADIX = 400.0  # above a day of the year, the largest thing that is counted inside something coarser
_EXACT = 2.0**53  # whole numbers below this are exact in float64


def moments(frame: pl.DataFrame, schema: Schema) -> Moments:
    """Order the rows in time.

    One datetime column gives seconds since 1970, one number gives itself. Several columns, coarsest first (year, month,
    day, hour), give a number that grows in their order and stays the same when other rows come: each finer column is
    a digit in base 400.

    Returns:
        Shape (n_rows,); NaN where a time column is missing.

    Raises:
        InputError: a time column holds text, or a finer column is not a whole number from 0 to 399.
    """
    first, *finer = schema.time
    total = _numbers(frame[first])
    for name in finer:
        digit = _numbers(frame[name])
        known = digit[~np.isnan(digit)]
        if known.size and (known.min() < 0 or known.max() >= _RADIX or (known != np.floor(known)).any()):
            raise InputError(
                f"column `{name}`: orders the rows inside `{first}`, so it must hold whole numbers from 0 to 399",
                hint='name one column that holds the whole moment: time = ["timestamp"] in palio.toml [data]',
            )
        total = total * _RADIX + digit
    if np.nanmax(np.abs(total), initial=0.0) >= _EXACT:
        raise InputError(
            f"time columns {', '.join(schema.time)}: together too fine to be told apart in 53 bits",
            hint='name one column that holds the whole moment: time = ["timestamp"] in palio.toml [data]',
        )
    return total


def time_order(frame: pl.DataFrame, schema: Schema) -> npt.NDArray[np.int64] | None:
    """Return the positions of the rows from the first moment to the last, rows of one moment as they stand.

    Rows without a moment come last. None if the schema names no time, or the frame does not hold it.

    Raises:
        InputError: see `moments`.
    """
    if not schema.time or not set(schema.time) <= set(frame.columns):
        return None
    return np.argsort(moments(frame, schema), kind="stable")


def _numbers(column: pl.Series) -> Moments:
    import polars as pl

    if column.dtype == pl.Datetime:
        seconds = column.dt.epoch("us").cast(pl.Float64) / 1e6
        return seconds.fill_null(float("nan")).to_numpy().astype(np.float64)
    if column.dtype.is_numeric():
        return column.cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)
    raise InputError(
        f"column `{column.name}`: holds text, which does not order rows in time",
        hint=f"give `{column.name}` the type datetime in schema.toml, with the format of its texts",
    )
