"""Find out what kind of question the target asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from palio.core.errors import InputError, did_you_mean
from palio.core.records import Column, Profile, Snapshot, Task

if TYPE_CHECKING:
    from palio.store import Store

MAX_CLASSES = 1_000
FEW_INTEGERS = 20
"""An integer target with at most this many distinct values is a class, with more a quantity."""
_POSITIVE = ("yes", "true", "1", "y", "t", "positive", "pos", "spam", "churn", "fraud", "bad", "default")


def infer_task(
    store: Store, snapshot: Snapshot, *, kind: str = "auto", metric: str = "auto", positive: str = ""
) -> Task:
    """Tell the task from the contract and the profile of a snapshot.

    Args:
        store: Holds the profile.
        snapshot: Its schema names the target.
        kind: `classification` or `regression` if known, else `auto`.
        metric: What selects models; kept as given.
        positive: The class of interest of two, if known.

    Raises:
        InputError: no target, one class, too many classes, all missing, or a `positive` that is no class.
    """
    schema = snapshot.schema
    if schema.target is None:
        raise InputError("no target is named", hint="name it with --target COLUMN, or target = in schema.toml")
    column = schema.column(schema.target)
    profile = msgspec.json.decode(store.blobs.get(snapshot.profile), type=Profile)
    found = next(c for c in profile.columns if c.name == column.name)
    counts = dict(found.top) if found.top and found.n_other == 0 else None
    # values that are few enough to be classes are all in `top`; a number among them that has a fraction shows it
    has_fraction = column.type == "number" and not (counts and all(_is_whole(value) for value in counts))
    return task_from(
        column,
        counts=counts,
        n_labelled=found.n_rows - found.n_missing,
        kind=kind,
        metric=metric,
        positive=positive,
        has_fraction=has_fraction,
    )


def task_from(
    column: Column,
    *,
    counts: dict[str, int] | None,
    n_labelled: int,
    kind: str = "auto",
    metric: str = "auto",
    positive: str = "",
    has_fraction: bool = False,
) -> Task:
    """Tell the task from the target's contract and the counts of its labels (None: too many to count).

    Raises:
        InputError: as `infer_task`.
    """
    where = f"target `{column.name}`"
    if n_labelled == 0:
        raise InputError(f"{where}: every cell is missing", hint="name another target, or check [data] missing")
    numeric = column.type in ("number", "integer")
    if kind == "auto":
        few = counts is not None and len(counts) <= FEW_INTEGERS and not has_fraction
        kind = "classification" if not numeric or few else "regression"
    if kind == "regression":
        return _regression(column, counts, metric, where)
    if kind != "classification":
        raise InputError(f"{where}: `{kind}` is no task of a table", hint="use classification or regression")
    if column.type in ("datetime", "image", "boxes"):
        raise InputError(f"{where}: a {column.type} cannot be a class", hint="name another target")
    if counts is None or len(counts) > min(MAX_CLASSES, max(FEW_INTEGERS, n_labelled // 2)):
        n = "more than 10,000" if counts is None else f"{len(counts):,}"
        raise InputError(
            f"{where}: {n} different values in {n_labelled:,} rows are too many classes, at most {MAX_CLASSES:,}",
            hint="set [project] task to regression" if numeric else "name the column that holds the classes",
        )
    if len(counts) == 1:
        raise InputError(
            f"{where}: every row is `{next(iter(counts))}`, at least two classes are needed",
            hint="add rows of another class, or name another target",
        )
    classes = tuple(sorted(counts))
    return Task(
        kind="classification",
        target=column.name,
        classes=classes,
        positive=_positive(classes, counts, positive, where),
        metric=metric,
    )


def _regression(column: Column, counts: dict[str, int] | None, metric: str, where: str) -> Task:
    if column.type not in ("number", "integer"):
        raise InputError(
            f"{where}: regression needs numbers, this column is {column.type}",
            hint="set [project] task to classification",
        )
    if counts is not None and len(counts) == 1:
        raise InputError(f"{where}: every row is {next(iter(counts))}", hint="name a target that varies")
    return Task(kind="regression", target=column.name, metric=metric)


def _positive(classes: tuple[str, ...], counts: dict[str, int], wanted: str, where: str) -> str | None:
    if wanted and wanted not in classes:
        folded = [c for c in classes if c.lower() == wanted.lower()]
        raise InputError(
            f"{where}: the positive class `{wanted}` does not occur",
            hint=f"did you mean `{folded[0]}`?" if folded else did_you_mean(wanted, classes),
        )
    if len(classes) != 2:
        return None
    if wanted:
        return wanted
    for name in _POSITIVE:
        for label in classes:
            if label.strip("'\"").lower() == name:
                return label
    return min(classes, key=lambda c: (counts[c], c))


def _is_whole(text: str) -> bool:
    return text.lstrip("+-").isdecimal()
