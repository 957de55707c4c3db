"""Keep a cut that came with the data, and say what is to be thought of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from palio import data, measure
from palio.core.errors import InputError, did_you_mean
from palio.core.records import Schema, Snapshot, Task
from palio.core.words import counted, listed
from palio.split.strata import ASIDE, PART_CODES, TEST, TRAIN, VALIDATION, Assignment

if TYPE_CHECKING:
    from palio.store import Store

PART = "part"
"""Column that says which part a row is in, where nobody names another one."""
_SMALL = 200
_OTHER_MIX = 0.1
"""Share of rows that would have to change their class for two parts to have the same mix."""


def check_column(schema: Schema, by: str) -> str:
    """Return the column that says which part a row is in.

    Raises:
        InputError: there is none, or it is a feature.
    """
    name, names = by or PART, [column.name for column in schema.columns]
    if name not in names:
        raise InputError(
            f"split method `given`: there is no column `{name}` that says which part a row is in",
            hint=f"name it as `by` under [split] in palio.toml; {did_you_mean(name, names)}",
        )
    if schema.column(name).feature:
        raise InputError(
            f"split method `given`: `{name}` says which part a row is in, but models may read it",
            hint="write it into `exclude` under [data] in palio.toml",
        )
    return name


def parts_in(store: Store, snapshot: Snapshot, column: str, labelled: npt.NDArray[np.bool_]) -> Assignment:
    """Read the part of each row, shape (n_rows,); rows that name none, or have no target, are in no part.

    Raises:
        InputError: a cell says something else than train, validation or test.
    """
    parts = np.full(snapshot.n_rows, ASIDE, np.uint8)
    start = 0
    for frame in data.frames(store, snapshot, columns=[column]):
        cells = frame[column].cast(str).to_list()
        parts[start : start + len(cells)] = [_code(cell, column) for cell in cells]
        start += len(cells)
    parts[~labelled] = ASIDE
    return parts


def _code(cell: str | None, column: str) -> int:
    if cell is None:
        return ASIDE
    part = data.PART_WORDS.get(cell.strip().lower())
    if part is None:
        raise InputError(
            f"split method `given`: `{column}` says `{cell[:40]}`, allowed are train, validation (val, dev) and test",
            hint="write one of these into the column, or leave the cell empty: then the row is in no part",
        )
    return PART_CODES[part]


def sealed(parts: Assignment, warnings: list[str]) -> str:
    """Make sure that there is a test part, in place: what was to be held out is sealed. Returns the policy."""
    if not (parts == TEST).any():
        parts[parts == VALIDATION] = TEST
        warnings.append(
            "the data came without a test part: its validation part is sealed as the test, and what suits is chosen by "
            "cross-validation on train"
        )
    return "given" if (parts == VALIDATION).any() else "cv"


def thoughts(parts: Assignment, target: npt.NDArray[Any], task: Task, labelled: npt.NDArray[np.bool_]) -> list[str]:
    """Say what is to be thought of parts that came with the data, one sentence each."""
    said = []
    nowhere = int((labelled & (parts == ASIDE)).sum())
    if nowhere:
        are = "is" if nowhere == 1 else "are"
        said.append(f"{counted(nowhere, 'row')} with a target {are} in none of the given parts")
    n_test = int((parts == TEST).sum())
    if 0 < n_test < _SMALL:
        wide = 1.96 * (0.09 / n_test) ** 0.5
        said.append(
            f"the given test part is small: with {counted(n_test, 'row')} a share of 0.9 is known to ± {wide:.2f}"
        )
    if task.classes:
        said += _about_mix(parts, target, task)
    return said


def _about_mix(parts: Assignment, target: npt.NDArray[Any], task: Task) -> list[str]:
    question = measure.questions.of(task)
    shares = {}
    for name, code in (("train", TRAIN), ("test", TEST)):
        counts = np.array(list(question.counts(target[parts == code]).values()), float)
        shares[name] = counts / max(1.0, counts.sum())
    moved = np.abs(shares["train"] - shares["test"])
    if moved.sum() / 2 < _OTHER_MIX:
        return []
    most = sorted(range(len(task.classes)), key=lambda at: (-round(float(moved[at]), 6), at))[:2]
    of = [(task.classes[i], shares["train"][i], shares["test"][i]) for i in most]
    shown = listed(f"`{label}` {train:.0%} of train, {test:.0%} of test" for label, train, test in of)
    return [f"the given parts have another mix of classes: {shown}"]
