"""Read the prediction log: batches of numpy arrays, or one polars frame."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from palio.core.errors import InputError, IntegrityError, need
from palio.store.arrow import Array
from palio.store.arrow_reading import fields_of, messages, read_together
from palio.store.predictions import SUFFIX, LogKind, model_folder

if TYPE_CHECKING:
    import polars as pl

TIME_OF = {"answers": "at", "failures": "at", "feedback": "received"}
"""The column that `since` and `until` speak of."""
_DAY = dt.timedelta(days=1)


def log_segments(
    folder: Path, model: str, *, kind: LogKind = "answers", since: dt.datetime | None = None
) -> list[Path]:
    """List the segments that may hold records since then, oldest day first.

    A record is written on its day or later, never before; so a day can be left out only when it is too old.
    """
    first = None if since is None else _utc(since).date()
    found = []
    for day in sorted((model_folder(folder, model) / kind).glob("*-*-*")):
        try:
            date = dt.date.fromisoformat(day.name)
        except ValueError:
            continue
        if day.is_dir() and (first is None or date >= first):
            found += sorted(
                path for path in day.iterdir() if path.suffix == SUFFIX and path.name[0] != "." and path.is_file()
            )
    return found


def scan_log(
    folder: Path,
    model: str,
    *,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    kind: LogKind = "answers",
) -> Iterator[Mapping[str, Array]]:
    """Yield the records of `model` in batches, each a mapping from column name to values.

    Memory holds one batch, or some thousand rows of small ones that are yielded as one. Columns are decoded when they
    are asked for. Batches of other bundles may have other input columns. A segment that is cut off, or still grows, is
    read up to its last whole batch.

    Args:
        folder: Root of the log.
        model: Name of the model.
        since: Records from this moment on.
        until: Records before this moment.
        kind: `answers`, `failures` or `feedback`; of feedback the moments are those when it was received.

    Raises:
        InputError: a moment without a time zone.
        IntegrityError: a file in the folder that Palio did not write.
    """
    low, high = _moment(since), _moment(until)
    for path in log_segments(folder, model, kind=kind, since=since):
        try:
            file = path.open("rb")
        except FileNotFoundError:
            continue  # retention was faster
        with file:
            walk = messages(file)
            schema = next(walk, None)
            if schema is None:
                continue
            fields = fields_of(schema, where=str(path))
            if (TIME_OF[kind], "timestamp") not in [(field.name, field.type) for field in fields]:
                raise IntegrityError(
                    f"{path}: it has no column `{TIME_OF[kind]}` of moments",
                    hint="remove the file from the folder of the log",
                )
            for batch in read_together(file, fields, walk):
                kept = _within(batch[TIME_OF[kind]], low, high)
                if kept is None:
                    yield batch
                elif len(kept):
                    yield {name: batch[name][kept] for name in batch}


def log_frame(
    folder: Path,
    model: str,
    *,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    kind: LogKind = "answers",
    columns: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Read the records of `model` into one frame; columns that only some bundles have are null elsewhere.

    Raises:
        UnavailableError: polars is not installed.
    """
    try:
        import polars as pl
    except ImportError as error:
        raise need("train", error) from None
    low, high = _moment(since), _moment(until)
    column, parts = pl.col(TIME_OF[kind]), []
    for path in log_segments(folder, model, kind=kind, since=since):
        try:
            data = _whole(path)
        except FileNotFoundError:
            continue
        if not data:
            continue
        part = pl.read_ipc_stream(io.BytesIO(data))
        if low is not None:
            part = part.filter(column >= _utc(since))
        if high is not None:
            part = part.filter(column < _utc(until))
        parts.append(part if columns is None else part.select(name for name in columns if name in part.columns))
    return pl.concat(parts, how="diagonal_relaxed") if parts else pl.DataFrame()


def latest_feedback(
    folder: Path, model: str, *, since: dt.datetime | None = None, until: dt.datetime | None = None
) -> dict[str, Array]:
    """Return one truth per row: of feedback that was given twice, the one whose `at` is last, then the last received.

    Sorted by `id`, then `key`. All of it is in memory.
    """
    batches = list(scan_log(folder, model, since=since, until=until, kind="feedback"))
    if not batches:
        return {}
    columns = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    names = [columns["id"].astype(np.dtypes.StringDType()), columns["key"].astype(np.dtypes.StringDType())]
    ranks = [np.unique(values, return_inverse=True)[1] for values in names]
    order = np.lexsort((columns["received"], columns["at"], ranks[1], ranks[0]))
    same = (np.diff(ranks[0][order]) == 0) & (np.diff(ranks[1][order]) == 0)
    last = order[np.append(~same, True)]
    return {name: values[last] for name, values in columns.items()}


def _whole(path: Path) -> bytes:
    """Read a segment up to its last whole batch; empty if it has none."""
    with path.open("rb") as file:
        ends = [message.end for message in messages(file)]
        file.seek(0)
        return file.read(ends[-1]) if len(ends) > 1 else b""


def _within(times: Array, low: np.datetime64 | None, high: np.datetime64 | None) -> Array | None:
    """Return the places of the rows in the window; None for all of them."""
    kept = np.ones(len(times), bool)
    if low is not None:
        kept &= times >= low
    if high is not None:
        kept &= times < high
    return None if kept.all() else np.flatnonzero(kept)


def _moment(moment: dt.datetime | None) -> np.datetime64 | None:
    return None if moment is None else np.datetime64(_utc(moment).replace(tzinfo=None), "us")


def _utc(moment: dt.datetime | None) -> dt.datetime:
    if moment is None or moment.tzinfo is None:
        raise InputError("a moment has no time zone", hint="give it one, e.g. datetime.UTC")
    return moment.astimezone(dt.UTC)
