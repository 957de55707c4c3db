"""Cut the train part again, for cross-validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from palio import data
from palio.core.errors import InputError
from palio.core.records import Parts, Schema, Task
from palio.core.words import counted
from palio.split import likeness, things
from palio.split.duplicates import is_coarse
from palio.split.grouping import strata_of
from palio.split.hashing import Hashes, occurrence_hashes, row_hashes, uniform
from palio.split.moments import moments
from palio.split.resemblance import in_frame
from palio.split.strata import codes_of

if TYPE_CHECKING:
    import polars as pl

Rows = npt.NDArray[np.int64]


def folds(frame: pl.DataFrame, parts: Parts, task: Task, *, schema: Schema) -> list[tuple[Rows, Rows]]:
    """Cut the rows of `frame` for cross-validation, the way the parts themselves were cut.

    By hash and stratified: each fold holds its share of every class or target quintile, rows that are equal in every
    feature stay in one fold, and the order of rows plays no role. Grouped: rows of a group stay in one fold, and groups
    of a class, or of like means of the target, are spread over the folds. By time:
    forward chaining, each fold is validated on the moments that follow those it is trained on.

    Args:
        frame: The train part, with the target and, if cut so, the group or time columns.
        parts: Gives method, seed and number of folds; fewer folds where there are fewer groups or moments.
        task: What is to be predicted.
        schema: The contract of the frame.

    Returns:
        Per fold the positions of rows to train on and to validate on, ascending.

    Raises:
        InputError: there are too few rows, groups or moments for two folds, or a column that is needed is absent.
    """
    if parts.method == "time":
        return _forward(_moments(frame, schema), parts.n_folds)
    hashes = _hashes(frame, parts, schema)
    where = uniform(hashes, parts.seed, "folds")
    strata = _strata(frame, task) if parts.method in ("random", "given") else _strata_of_groups(hashes, frame, task)
    fold = _deal(where, strata, parts.n_folds)
    everything = np.arange(frame.height)
    cuts = [(everything[fold != k], everything[fold == k]) for k in range(parts.n_folds)]
    cuts = [(train, valid) for train, valid in cuts if train.size and valid.size]
    if len(cuts) < 2:
        what = "groups" if parts.method == "grouped" else "rows"
        raise InputError(
            f"cross-validation: {counted(frame.height, 'row')} of train hold too few different {what} for two folds",
            hint=f"bring more {what}",
        )
    return cuts


def _hashes(frame: pl.DataFrame, parts: Parts, schema: Schema) -> Hashes:
    held = frozenset(frame.columns)
    columns = [c.name for c in schema.features if c.name in held and c.name != schema.target]
    if parts.method == "grouped":
        _need(frame, parts.key_columns, "group")
        groups = row_hashes(frame[list(parts.key_columns)].to_arrow(), parts.key_columns)
        alone = frame.get_column(parts.key_columns[0]).is_null()
        if alone.any():  # rows without a group are no group: each goes by its features, as in the cut
            groups[alone.to_numpy()] = row_hashes(frame.filter(alone)[columns].to_arrow(), columns)
        return groups
    hashes, first = row_hashes(frame[columns].to_arrow(), columns), in_frame(frame, schema)
    if first is not None:  # copies of a picture are copies, however many there are
        np.minimum.at(hashes, first, hashes)  # one for all, whatever the order of the rows
        return hashes[first]
    hashes = occurrence_hashes(hashes) if is_coarse(hashes) else hashes
    alike = likeness.in_frame(frame, schema)
    return hashes if alike is None else hashes[alike]


def _strata(frame: pl.DataFrame, task: Task) -> npt.NDArray[np.int32]:
    _need(frame, (task.target,), "target")
    if things.are_asked(task):
        _, pairs = things.as_classes(task, things.pairs_of(frame[task.target], task)[0])
        return things.rarest_of(pairs, frame.height)
    return codes_of(data.target_array(frame, task), task)[0]


def _strata_of_groups(groups: Hashes, frame: pl.DataFrame, task: Task) -> npt.NDArray[np.int32]:
    _need(frame, (task.target,), "target")
    if things.are_asked(task):
        asked, pairs = things.as_classes(task, things.pairs_of(frame[task.target], task)[0])
        return strata_of(groups, things.rarest_of(pairs, frame.height), asked, held=pairs)
    return strata_of(groups, data.target_array(frame.select(task.target), task), task)


def _deal(where: npt.NDArray[np.float64], strata: npt.NDArray[np.int32], n_folds: int) -> Rows:
    """Deal distinct hashes out to folds like cards, by stratum; equal hashes go where the first of them went."""
    places, first, inverse = np.unique(where, return_index=True, return_inverse=True)
    fold_of_place = np.empty(places.size, np.int64)
    dealt = 0
    for stratum in np.unique(strata[first]):
        members = np.flatnonzero(strata[first] == stratum)  # ascending by hash, so in an order of chance
        fold_of_place[members] = (np.arange(members.size) + dealt) % n_folds
        dealt += members.size
    return fold_of_place[inverse]


def _moments(frame: pl.DataFrame, schema: Schema) -> npt.NDArray[np.float64]:
    _need(frame, schema.time, "time")
    return moments(frame, schema)


def _forward(when: npt.NDArray[np.float64], n_folds: int) -> list[tuple[Rows, Rows]]:
    known = np.sort(when[~np.isnan(when)])
    starts = np.unique(known[[known.size * k // (n_folds + 1) for k in range(1, n_folds + 1)]]) if known.size else known
    starts = starts[starts > known[0]] if known.size else starts
    if starts.size < 1:
        raise InputError(
            "cross-validation: the rows of train share one moment, so none comes before another",
            hint="name finer time columns, or use the method random in palio.toml [split]",
        )
    ends = np.r_[starts[1:], np.inf]
    return [
        (np.flatnonzero(when < start), np.flatnonzero((when >= start) & (when < end)))
        for start, end in zip(starts, ends, strict=True)
    ]


def _need(frame: pl.DataFrame, columns: tuple[str, ...], use: str) -> None:
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise InputError(
            f"cross-validation: the frame lacks the {use} column `{absent[0]}`", hint=f"read `{absent[0]}` too"
        )
