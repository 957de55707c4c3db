"""Cut a snapshot into train, validation and the sealed test part."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from palio import measure
from palio.core.errors import InputError
from palio.core.ids import digest_of, short
from palio.core.progress import SILENT, Progress
from palio.core.records import Parts, Schema, Snapshot, Task
from palio.core.words import counted
from palio.data import mix
from palio.split import duplicates, given, grouping, likeness, resemblance, soundness, strata, things
from palio.split.grouping import Spread
from palio.split.growth import bounds_in_time, known_groups, moved_on, told
from palio.split.hashing import Hashes, occurrence_hashes, uniform
from palio.split.scanning import Scan, scan
from palio.split.strata import ASIDE, PART_CODES, SHARES, Assignment

if TYPE_CHECKING:
    from palio.store import Store

Method = Literal["random", "grouped", "time", "given"]

_METHOD_NEEDS = {"grouped": "group", "time": "time"}


@dataclass(frozen=True)
class _Plan:
    """How to cut, before any row is read."""

    method: Method
    policy: str
    seed: int
    key_columns: tuple[str, ...]
    previous: Parts | None


def cut(
    store: Store,
    snapshot: Snapshot,
    *,
    task: Task,
    policy: str = "auto",
    method: str = "auto",
    by: str = "",
    seed: int = 0,
    looks: int = 20,
    previous: Parts | None = None,
    progress: Progress = SILENT,
) -> Parts:
    """Cut the snapshot into train, validation and the sealed test part, and write the cut into the ledger.

    Args:
        store: Where the snapshot lies and the cut is kept.
        snapshot: The rows. One pass, in streams; about 50 bytes of memory a row.
        task: What is to be predicted. Rows without a target are in no part.
        policy: `auto` (by size), `60-20-20`, `80-10-10` or `cv` (80-0-20, train is cross-validated).
        method: `auto`, `random` (stratified), `grouped` (rows of a group stay together), `time` (test is the newest)
            or `given` (a column says which part a row is in).
        by: That column; empty: `part`.
        seed: Another seed is another cut. The result depends on it, the rows and the task alone.
        looks: How often the test part may be opened.
        previous: An earlier cut of the same rows, or of fewer: rows keep the part they had; in a cut by time the
            bounds move on with the newest rows, never back, and what was the test may become training. It is left
            aside when policy, method or seed ask for something else.
        progress: Hears how far the pass is, and every warning.

    Raises:
        InputError: too few rows or classes, or the schema names no group or time for the method that was asked for.
    """
    plan = _plan(snapshot.schema, task, policy=policy, method=method, seed=seed, previous=previous)
    column = given.check_column(snapshot.schema, by) if plan.method == "given" else ""
    seen = scan(
        store,
        snapshot,
        task=task,
        key_columns=plan.key_columns,
        in_time=plan.method == "time",
        progress=progress,
    )
    if seen.pairs is not None:
        before = [stratum.key for stratum in plan.previous.strata] if plan.previous is not None else []
        task, seen.pairs = things.as_classes(task, seen.pairs, before)
        seen.target = things.rarest_of(seen.pairs, snapshot.n_rows)
    draft, assignment = _assign(store, task, plan, seen, snapshot, column=column)
    parts = msgspec.structs.replace(
        draft, assignment=store.blobs.put(assignment.tobytes()), look_budget=looks, snapshot=snapshot.id
    )
    parts = msgspec.structs.replace(parts, id=digest_of(parts))
    if store.records.get(Parts, parts.id) is None:
        store.records.put(parts, key=parts.id)
        store.ledger.append("split.cut", parts.id, _sentence(parts), payload=_facts(parts))
    for warning in parts.warnings:
        progress.say(f"split     {warning}")
    return parts


def _plan(schema: Schema, task: Task, *, policy: str, method: str, seed: int, previous: Parts | None) -> _Plan:
    if policy != "auto" and policy not in SHARES:
        raise InputError(f"split policy: got `{policy}`, allowed are auto, {', '.join(SHARES)}", hint="use auto")
    if method not in ("auto", "random", "grouped", "time", "given"):
        raise InputError(
            f"split method: got `{method}`, allowed are auto, random, grouped, time, given", hint="use auto"
        )
    if method == "given" and policy != "auto":
        raise InputError(f"split policy: got `{policy}`, but the parts came with the data", hint="use auto")
    if method == "given" or (previous is not None and previous.method == "given"):
        previous = None
    if not measure.questions.is_asked(task.kind):
        raise InputError(f"split: task `{task.kind}` cannot be cut yet", hint="use classification or regression")
    names = {column.name for column in schema.columns}
    if previous is not None and (
        previous.seed != seed
        or policy not in ("auto", previous.policy)
        or method not in ("auto", previous.method)
        or not names.issuperset(previous.key_columns)
        or (previous.method == "time" and not schema.time)
        or not _strata_fit(previous, task)
    ):
        previous = None
    if previous is not None:
        return _Plan(previous.method, previous.policy, seed, previous.key_columns, previous)
    chosen: Method = (
        "given" if method == "given"
        else "grouped" if method == "grouped" or (method == "auto" and schema.group is not None)
        else "time" if method == "time" or (method == "auto" and schema.time)
        else "random"
    )  # fmt: skip
    need = _METHOD_NEEDS.get(chosen)
    if need is not None and not getattr(schema, need):
        raise InputError(
            f"split method `{chosen}`: the schema names no {need} column",
            hint=f"set `{need}` in palio.toml [data], or use the method auto",
        )
    key = schema.group if chosen == "grouped" else schema.id
    everything = tuple(column.name for column in schema.columns if column.name != task.target)
    return _Plan(chosen, policy, seed, (key,) if key is not None else everything, None)


def _strata_fit(previous: Parts, task: Task) -> bool:
    keys = {stratum.key for stratum in previous.strata}
    if previous.method == "time" or (previous.method == "grouped" and keys == {grouping.ALL}):
        return True
    if task.classes:
        return bool(keys & set(task.classes))
    return bool(previous.strata) and previous.strata[-1].key == strata.TOP_STRATUM


def _assign(
    store: Store,
    task: Task,
    plan: _Plan,
    seen: Scan,
    snapshot: Snapshot,
    *,
    column: str,
) -> tuple[Parts, Assignment]:
    """Place every row; the record still lacks what identifies it."""
    warnings: list[str] = []
    labelled = seen.labelled
    n_labelled = int(labelled.sum())
    soundness.check_enough(seen.target, task, n_labelled, may_be_alike=seen.pairs is not None)
    policy = strata.policy_of(n_labelled) if plan.policy == "auto" else plan.policy
    first = resemblance.first_of(store, snapshot, warnings)
    seen.features = resemblance.joined(seen.features, first)
    if plan.method == "random":
        seen.keys = resemblance.joined(seen.keys, first)
    row_key = _row_key(plan, seen, labelled, pictured=first is not None)
    if row_key == "occurrence":
        seen.keys = occurrence_hashes(seen.keys)
    alike = likeness.first_of(store, snapshot, plan.previous, warnings)
    if alike is not None and plan.method == "random":
        seen.keys = resemblance.joined(seen.keys, alike)
        warnings.append(likeness.told(alike))
    groups = None
    if plan.method == "grouped":
        held = None if seen.pairs is None else things.among(seen.pairs, labelled)
        groups = grouping.groups_of(_only(seen.keys, labelled), _only(seen.target, labelled), task, held=held)
    of_class = _counts(seen, labelled, task)
    warnings += soundness.rare_classes(of_class, groups, task, key=plan.key_columns, n_without=seen.n_without_key)
    bounds = None
    if plan.method == "given":
        found = Spread((), 0, given.parts_in(store, snapshot, column, labelled))
        policy = given.sealed(found.parts, warnings)
        warnings += given.thoughts(found.parts, seen.target, task, labelled)
    elif groups is not None:
        found = _place_groups(store, groups, task, plan, labelled, policy, schema=snapshot.schema)
    else:
        found, bounds = _place(seen, task, plan, labelled, policy)
    nominal = found.parts
    kept = _kept(store, plan.previous, nominal)
    moved, across = _repair(nominal, seen, kept, warnings, pictured=first is not None)
    if alike is not None:
        nearly = duplicates.set_aside(nominal, alike.astype(np.uint64), kept=kept)
        warnings += likeness.parted(nearly)
        moved += nearly
    moves = moved_on(store, plan.previous, nominal, seen)
    if moves:
        warnings.append(told(moves))
    counts = {name: int((nominal == code).sum()) for name, code in PART_CODES.items()}
    class_counts = _class_counts(nominal, seen, task)
    soundness.check_parts(counts, class_counts if seen.pairs is None else {}, policy=policy, method=plan.method)
    draft = Parts(
        id="",
        snapshot="",
        policy=policy,
        method=plan.method,
        seed=plan.seed,
        n_folds=_n_folds(plan, nominal, seen, task),
        row_key=row_key,
        key_columns=plan.key_columns,
        strata=found.strata,
        draw=found.draw,
        time_bounds=bounds,
        counts=counts,
        class_counts=class_counts,
        assignment="",
        test_id=_test_identity(seen, nominal == strata.TEST),
        look_budget=0,
        n_duplicates_across=across,
        n_duplicates_moved=moved,
        moved_on=moves,
    )
    warnings += soundness.about_parts(draft, task, {name: seen.target[nominal == c] for name, c in PART_CODES.items()})
    return msgspec.structs.replace(draft, warnings=tuple(warnings)), nominal


def _row_key(
    plan: _Plan, seen: Scan, labelled: npt.NDArray[np.bool_], *, pictured: bool
) -> Literal["columns", "occurrence"]:
    if plan.previous is not None:
        return plan.previous.row_key
    if (
        plan.method == "random"
        and plan.key_columns
        and not pictured
        and duplicates.is_coarse(_only(seen.keys, labelled))
    ):
        return "occurrence"
    return "columns"


def _only(hashes: Hashes, chosen: npt.NDArray[np.bool_]) -> Hashes:
    """Return the hashes of the chosen rows, without a copy where that is all of them."""
    return hashes if chosen.all() else hashes[chosen]


def _place(
    seen: Scan, task: Task, plan: _Plan, labelled: npt.NDArray[np.bool_], policy: str
) -> tuple[Spread, tuple[float, float] | None]:
    """Place rows by time, or by the hash of each; also returns the bounds in time."""
    shares, previous = SHARES[policy], plan.previous
    if plan.method == "time" and seen.moments is not None:
        bounds = bounds_in_time(seen.moments, labelled, shares, previous)
        return Spread((), 0, strata.place_in_time(seen.moments, bounds, among=labelled)), bounds
    where = uniform(seen.keys, plan.seed, "split")
    codes, keys, uppers = strata.codes_of(seen.target, task, previous.strata if previous else ())
    found = strata.stratify(where, codes, keys=keys, uppers=uppers, shares=shares)
    if previous is not None:
        # a class that the earlier cut did not know yet is cut now, the others stay where they were cut
        known_strata = {stratum.key: stratum for stratum in previous.strata}
        found = tuple(known_strata.get(stratum.key, stratum) for stratum in found)
    return Spread(found, 0, strata.place(where, codes, found, shares)), None


def _place_groups(
    store: Store,
    groups: grouping.Groups,
    task: Task,
    plan: _Plan,
    labelled: npt.NDArray[np.bool_],
    policy: str,
    *,
    schema: Schema,
) -> Spread:
    """Place the rows of each group together."""
    others = sorted(column.name for column in schema.features if column.name != task.target)
    known = known_groups(store, plan.previous, groups.keys, task=task, others=others)
    found = grouping.spread(groups, task, shares=SHARES[policy], seed=plan.seed, previous=plan.previous, known=known)
    parts = np.full(labelled.size, ASIDE, np.uint8)
    parts[labelled] = found.parts
    return Spread(found.strata, found.draw, parts)


def _kept(store: Store, previous: Parts | None, parts: Assignment) -> npt.NDArray[np.bool_] | None:
    """Mark the rows that an earlier cut placed, if this snapshot begins with the rows of the earlier one.

    In a cut by time no row is held to its part: where a row stands follows from its moment and the bounds alone.
    """
    if previous is None or previous.method == "time":
        return None
    before = np.frombuffer(store.blobs.get(previous.assignment), np.uint8)
    if before.size > parts.size:
        return None
    placed = before != ASIDE
    if not (parts[: before.size][placed] == before[placed]).all():
        return None
    kept = np.zeros(parts.size, bool)
    kept[: before.size] = placed
    return kept


def _repair(
    parts: Assignment, seen: Scan, kept: npt.NDArray[np.bool_] | None, warnings: list[str], *, pictured: bool
) -> tuple[int, int]:
    """Set copies aside. Returns the rows moved, and the rows that still have a copy in another part."""
    placed = parts != ASIDE
    if not pictured and duplicates.is_coarse(_only(seen.features, placed)):
        across = int(duplicates.copies_across(parts, seen.features).sum())
        warnings.append(
            f"the features tell few rows apart: {counted(across, 'row')} of an earlier part {_equal(across)} one of a "
            "later part; taken for coincidence, not for copies"
        )
        return 0, across
    how = "exactly or nearly" if pictured else "in every feature"
    moved = duplicates.set_aside(parts, seen.features, kept=kept)
    across = int(duplicates.copies_across(parts, seen.features).sum())
    if moved:
        warnings.append(
            f"{counted(moved, 'row')} {_equal(moved)} a row of another part {how} and "
            f"{'was' if moved == 1 else 'were'} set aside"
        )
    if across:
        warnings.append(f"{counted(across, 'row')} {_equal(across)} a row of a later part {how}")
    return moved, across


def _equal(n_rows: int) -> str:
    return "equals" if n_rows == 1 else "equal"


def _class_counts(parts: Assignment, seen: Scan, task: Task) -> dict[str, dict[str, int]]:
    if not task.classes:
        return {}
    return {name: _counts(seen, parts == code, task) for name, code in PART_CODES.items()}


def _counts(seen: Scan, rows: npt.NDArray[np.bool_], task: Task) -> dict[str, int]:
    """Count the rows of each class among some; a picture counts for everything that is in it."""
    if seen.pairs is None:
        return measure.questions.of(task).counts(seen.target[rows])
    found = np.bincount(seen.pairs[rows[seen.pairs[:, 0]], 1], minlength=len(task.classes)).tolist()
    return {name: n for name, n in zip(task.classes, found, strict=True) if name != things.NOTHING or n}


def _n_folds(plan: _Plan, parts: Assignment, seen: Scan, task: Task) -> int:
    """Choose the number of folds: more for small data, fewer where a class is too rare to be in every fold."""
    wanted, is_train = 10 if int(seen.labelled.sum()) < 500 else 5, parts == strata.TRAIN
    target = seen.target[is_train]
    if plan.method == "grouped":  # folds are made of groups
        held = None if seen.pairs is None else things.among(seen.pairs, is_train)
        groups = grouping.groups_of(seen.keys[is_train], target, task, held=held)
        most, of_class = groups.keys.size, grouping.n_groups_a_class(groups, task)
    else:
        most = target.size // 2
        of_class = np.array(list(_counts(seen, is_train, task).values()), np.int64)
    return max(2, min(wanted, most, int(of_class[of_class > 1].min(initial=wanted))))


def _test_identity(seen: Scan, is_test: npt.NDArray[np.bool_]) -> str:
    """Name the sealed rows by what they are known by and their targets, in any order."""
    target = seen.target[is_test].astype(np.float64) + 0.0
    told = target.view(np.uint64) if seen.truth is None else seen.truth[is_test]
    rows = np.sort(mix(seen.keys[is_test] ^ mix(told)))
    return hashlib.sha256(rows.astype("<u8").tobytes()).hexdigest()


def _sentence(parts: Parts) -> str:
    counts = parts.counts
    moves = f" {told(parts.moved_on).capitalize()}." if parts.moved_on else ""
    return (
        f"Cut snapshot {short(parts.snapshot)} into {counted(counts['train'], 'row')} to train, "
        f"{counts['validation']:,} to validate and {counts['test']:,} sealed for the test "
        f"({parts.policy}, {parts.method}).{moves}"
    )


def _facts(parts: Parts) -> dict[str, object]:
    return {
        "snapshot": parts.snapshot,
        "counts": parts.counts,
        "policy": parts.policy,
        "method": parts.method,
        "seed": parts.seed,
        "test_id": parts.test_id,
        "look_budget": parts.look_budget,
        "n_duplicates_moved": parts.n_duplicates_moved,
        "moved_on": parts.moved_on,
        "warnings": list(parts.warnings),
    }
