"""Find out what kind of question the target asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from palio.core.errors import InputError
from palio.core.records import Column, Snapshot, Task
from palio.core.words import counted
from palio.data.classes import class_of_interest, look_alike, rare, several
from palio.data.describing import description

if TYPE_CHECKING:
    from palio.store import Store

MAX_CLASSES = 1_000
MAX_NUMBERS = 20
"""A target of whole numbers with more different values is a quantity."""
FEW_NUMBERS = 5
"""From more different values on, whole numbers are classes only if they look like codes, counting from 0 or 1."""
ENOUGH_REPEATS = 10
"""Rows that each of many numbers must have, on average, to be a class; of k < 10 numbers, k rows."""
CLASS_NAMES = frozenset({"class", "classes", "classid", "category", "categoryid", "klasse", "classe", "clase"})
"""Whole numbers in a column of such a name are codes, whatever they are, if they come again and again."""
LABEL_NAMES = frozenset({"label", "labels", "labelid"})
"""Of such a name they are if they count from 0 or 1, however many: some call every target so."""
_YEARS = (1800, 2100)
_COUNT_RATIO = 10
_NOISE = 2.0
_NUMERIC = ("number", "integer")


class TaskFound(NamedTuple):
    """What the target asks, and why it is taken so."""

    task: Task
    reason: str
    """One sentence, with the word that changes it."""
    notes: tuple[str, ...]
    """What a person should know of the labels, one sentence each."""


def infer_task(
    store: Store, snapshot: Snapshot, *, kind: str = "auto", metric: str = "auto", positive: str = ""
) -> Task:
    """Tell the task from the contract and the description of a snapshot.

    Args:
        store: Holds the description.
        snapshot: Its schema names the target.
        kind: `classification`, `regression` or `detection` if known, else `auto`.
        metric: What selects models; kept as given.
        positive: The class of interest of two, if known.

    Raises:
        InputError: no target, one class, too many classes, all missing, or a `positive` that is no class.
    """
    schema = snapshot.schema
    if schema.target is None:
        raise InputError("no target is named", hint="name it with --target COLUMN, or target = in schema.toml")
    column = schema.column(schema.target)
    found = next(c for c in description(store, snapshot).columns if c.name == column.name)
    counts = dict(found.top) if found.top and found.n_other == 0 else None
    if column.type == "boxes":  # the contract of a snapshot lists what there is
        counts = dict.fromkeys(column.categories or (), 0)
    # values that are few enough to be classes are all in `values`; a number among them that has a fraction shows it
    has_fraction = column.type == "number" and not (counts and all(_is_whole(value) for value in counts))
    return task_from(
        column,
        counts=counts,
        n_labelled=found.n_rows - found.n_missing,
        n_missing=found.n_missing,
        kind=kind,
        metric=metric,
        positive=positive,
        has_fraction=has_fraction,
    ).task


def task_from(
    column: Column,
    *,
    counts: dict[str, int] | None,
    n_labelled: int,
    n_missing: int = 0,
    kind: str = "auto",
    metric: str = "auto",
    positive: str = "",
    has_fraction: bool = False,
) -> TaskFound:
    """Tell the task from the target's contract and the counts of its labels (None: too many to count).

    Rows without a label count for nothing but in what is said where the labels are of no use.

    Raises:
        InputError: as `infer_task`.
    """
    where = f"target `{column.name}`"
    if n_labelled == 0:
        raise InputError(f"{where}: every cell is missing", hint="name another target, or check [data] missing")
    if column.type == "boxes" or kind == "detection":
        return _detection(column, counts, metric, where, kind)
    if kind == "auto":
        kind, why = _kind(column, counts, n_labelled, has_fraction=has_fraction)
        other = "regression" if kind == "classification" else "classification"
        if column.type in _NUMERIC and (other == "regression" or (counts and len(counts) <= _most(n_labelled))):
            why += f'; if it is {other}, write task = "{other}" under [project] in palio.toml, or --task {other}'
    else:
        why = "as asked"
    if kind == "regression":
        return TaskFound(_regression(column, counts, metric, where), f"regression of `{column.name}`: {why}", ())
    if kind != "classification":
        raise InputError(f"{where}: `{kind}` is no task of a table", hint="use classification or regression")
    known = _classes(column, counts, n_labelled, n_missing, where)
    classes = tuple(sorted(known))
    positive_class, because = class_of_interest(classes, known, wanted=positive, where=where)
    notes = [*several(column.name, known), *look_alike(column.name, known), *rare(column.name, known)]
    if positive_class is not None and not positive:
        notes.append(
            f"`{positive_class}` is the class of interest, {because} ({known[positive_class]:,} of {n_labelled:,} "
            "rows); `positive` under [data] in palio.toml, or --positive, names the other"
        )
    task = Task(kind="classification", target=column.name, classes=classes, positive=positive_class, metric=metric)
    return TaskFound(task, f"classification of `{column.name}`: {why}", tuple(notes))


def _detection(column: Column, counts: Mapping[str, int] | None, metric: str, where: str, kind: str) -> TaskFound:
    if column.type != "boxes":
        raise InputError(
            f"{where}: detection needs boxes, this column is {column.type}",
            hint="name a folder of pictures with a file of annotation, or a file of annotation with --images",
        )
    if kind not in ("auto", "detection"):
        raise InputError(f"{where}: these are boxes, which no {kind} asks for", hint="use detection")
    if not counts:
        raise InputError(f"{where}: no picture has a box that is not ignored", hint="check the files of annotation")
    if len(counts) > MAX_CLASSES:
        raise InputError(
            f"{where}: boxes of {len(counts):,} classes, at most {MAX_CLASSES:,}", hint="are names of things classes?"
        )
    task = Task(kind="detection", target=column.name, classes=tuple(sorted(counts)), metric=metric)
    held = {label: n for label, n in counts.items() if n}
    notes = (*look_alike(column.name, held), *rare(column.name, held)) if held else ()
    return TaskFound(task, f"detection of `{column.name}`: its cells are boxes", tuple(notes))


def _kind(column: Column, counts: Mapping[str, int] | None, n_rows: int, *, has_fraction: bool) -> tuple[str, str]:
    """Decide between classes and a quantity, and say why.

    A fraction asks how much; two whole numbers ask which of them. More whole numbers may be either: they are classes if
    they are few and each comes again and again, or if they do so in a column called `class`; and a quantity if they are
    many for their rows, or read like years or counts.
    The bounds were set on public tables whose question is known (LOG.md: classes or a quantity).
    """
    if column.type not in _NUMERIC:
        return "classification", "it holds no numbers" if column.type != "boolean" else "it is true or false"
    if counts is None:
        return "regression", "a number, with many different values"
    k, each = len(counts), f"{counted(len(counts), 'different number')} in {counted(n_rows, 'row')}"
    if has_fraction:
        return "regression", "a number, with values between whole ones"
    if k <= 2:
        return "classification", each
    numbers = {int(float(label)): n for label, n in counts.items()}
    low, high = min(numbers), max(numbers)
    name = "".join(filter(str.isalnum, column.name.casefold()))
    counts_on, repeats = low in (0, 1) and high < 2 * k, n_rows >= k * min(k, ENOUGH_REPEATS)
    if k <= MAX_CLASSES and repeats and (name in CLASS_NAMES or (name in LABEL_NAMES and counts_on)):
        return "classification", f"{each}, each of which comes again and again, under the name of a class"
    if k > MAX_NUMBERS:
        return "regression", f"{each} are many"
    if not repeats:
        return "regression", f"{each} hardly repeat"
    if _YEARS[0] <= low and high <= _YEARS[1]:
        return "regression", f"{each}, which look like years"
    if k > FEW_NUMBERS and not counts_on:
        return "regression", f"{each}, from {low:,} to {high:,}, are no codes that count from 0 or 1"
    if k > FEW_NUMBERS and _rises_and_falls(numbers):
        return (
            "regression",
            f"{each} are spread as counts are, most of them near {max(numbers, key=numbers.__getitem__)}",
        )
    return "classification", f"{each}, each of which comes again and again"


def _rises_and_falls(numbers: Mapping[int, int]) -> bool:
    """Tell whether the rows of each number rise to one peak and fall from it, beyond noise, as those of a count do.

    Codes of classes have no order, so that their rows go up and down; or all are about as frequent.
    """
    rows = [numbers.get(number, 0) for number in range(min(numbers), max(numbers) + 1)]
    peak = rows.index(max(rows))
    if max(rows) < _COUNT_RATIO * min(rows[0], rows[-1]):
        return False
    return _falls(rows[peak:]) and _falls(rows[peak::-1])


def _falls(rows: list[int]) -> bool:
    least = rows[0]
    for n in rows:
        if n - least > _NOISE * (n + least) ** 0.5:
            return False
        least = min(least, n)
    return True


def _classes(
    column: Column, counts: dict[str, int] | None, n_labelled: int, n_missing: int, where: str
) -> dict[str, int]:
    """Return the classes with their rows, if there are as many as can be learned."""
    is_numeric = column.type in _NUMERIC
    if column.type in ("datetime", "image", "boxes"):
        raise InputError(f"{where}: a {column.type} cannot be a class", hint="name another target")
    if counts is None or len(counts) > _most(n_labelled):
        n = "more than 10,000" if counts is None else f"{len(counts):,}"
        raise InputError(
            f"{where}: {n} different values in {counted(n_labelled, 'row')} are too many classes, "
            f"at most {_most(n_labelled):,}",
            hint=_instead(is_numeric=is_numeric, counts=counts, name=column.name),
        )
    if len(counts) == 1:
        shown = next(iter(counts))
        if n_missing:
            raise InputError(
                f"{where}: every cell is `{shown}`, or missing ({n_missing:,} of "
                f"{counted(n_labelled + n_missing, 'row')}), at least two classes are needed",
                hint=f"if an empty cell means not `{shown}`, write a word for that there; else name another target",
            )
        raise InputError(
            f"{where}: every row is `{shown}`, at least two classes are needed",
            hint="add rows of another class, or name another target",
        )
    return counts


def _most(n_rows: int) -> int:
    """Return how many classes there may be: of each, two rows on average."""
    return min(MAX_CLASSES, max(2, n_rows // 2))


def _instead(*, is_numeric: bool, counts: Mapping[str, int] | None, name: str) -> str:
    """Advise what helps where there are too many classes."""
    if is_numeric:
        return 'use task = "regression" ([project] in palio.toml, or --task)'
    if counts and sum(map(_is_number, counts)) > len(counts) / 2:
        return f'if they are numbers, give `{name}` the type "number" where they are written, or in schema.toml'
    return "name the column that holds the classes, or bring more rows of each"


def _regression(column: Column, counts: dict[str, int] | None, metric: str, where: str) -> Task:
    if column.type not in _NUMERIC:
        raise InputError(
            f"{where}: regression needs numbers, this column is {column.type}",
            hint="name a target that holds numbers"
            if column.type in ("datetime", "image", "boxes")
            else 'use task = "classification" ([project] in palio.toml, or --task)',
        )
    if counts is not None and len(counts) == 1:
        raise InputError(f"{where}: every row is {next(iter(counts))}", hint="name a target that varies")
    return Task(kind="regression", target=column.name, metric=metric)


def _is_whole(text: str) -> bool:
    return text.lstrip("+-").isdecimal()


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True
