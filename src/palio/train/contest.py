"""Let the families compete: trials within a budget, each saved as it ends, then the choice among the finalists."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np

from palio import data, measure, model, split
from palio.core import ids
from palio.core.errors import ConflictError, InputError
from palio.core.progress import SILENT, Progress
from palio.core.records import Parts, Run, Schema, Search, Snapshot, Task
from palio.core.words import counted, listed
from palio.train import finals, learning, unseen
from palio.train.choice import Limits
from palio.train.family import Examples, Family, OutOfTime, Shape, calm_threads
from palio.train.plan import Plan, plan
from palio.train.proposal import propose
from palio.train.stopping import WATCHED_PARTS
from palio.train.table import FAMILIES, load_family
from palio.train.trial import N_BLOCKS, Bar, Fold, Keep, Terms, run_id, try_out

if TYPE_CHECKING:
    from palio.store import Store

HOLDOUT_ROWS = 100_000
"""From so many training rows on, one fit that is scored on the validation part replaces cross-validation."""
TRIALS_SHARE = 0.75
"""Share of the budget after which no trial goes on; the rest is for the finalists."""
Kept = TypeVar("Kept", Run, Search)


def search(
    store: Store,
    snapshot: Snapshot,
    parts: Parts,
    *,
    task: Task,
    budget_s: float = 300.0,
    metric: str = "auto",
    seed: int = 0,
    families: Sequence[str | Family] = (),
    latency_ms_p99: float | None = None,
    size_mb: float | None = None,
    progress: Progress = SILENT,
) -> Search:
    """Train candidates and choose the one to send to the gate.

    How many trials there are follows from the size of the data and the budget, not from the clock, so that the same
    data, seed and versions give the same bundle. The clock is a hard stop on top: a search that it cuts says so in
    `stopped_by`, and ends with the best so far. There is always a model, at worst the constant answer.

    Trials are scored by cross-validation on the training part; from 100,000 training rows on, by one fit that is scored
    on the validation part. What stops an iterative fit is cut out of the rows it learns from. The test part is never
    read. Each trial is saved when it ends: a search that was killed goes on where it was, and ends the same. A search
    that has ended is returned as it is.

    Args:
        store: Where the snapshot lies, and runs and the bundle go.
        snapshot: The data.
        parts: How the data is cut.
        task: What is to be predicted.
        budget_s: Seconds it may take.
        metric: What to aim at; `auto`: the task's own, or the usual one of its kind.
        seed: Fixes every use of chance.
        families: Names, or objects that fit `Family`; empty: all that fit task and data.
        latency_ms_p99: What the target hardware allows one row to take, 99 times of 100; None: any time.
        size_mb: What the target hardware allows the graph to weigh; None: anything.
        progress: Who listens.

    Returns:
        Every run, the chosen one, the identity of its bundle, and one sentence for each reason.

    Raises:
        InputError: an unknown family or metric, a budget that is not positive, no rows to train on, features that no
            family reads, or a metric that is not defined on the test part: nothing is tried then.
        PalioError: every family that learns failed; the reasons are named.
        KeyboardInterrupt: passed on, when what is finished is saved.
    """
    started = time.monotonic()
    calm_threads()
    if not budget_s > 0:
        raise InputError(f"budget_s: got {budget_s:g}, must be more than 0", hint="give the search some seconds")
    task = msgspec.structs.replace(task, metric=task.metric if metric == "auto" else metric)
    task = msgspec.structs.replace(task, metric=measure.default_metric(task))
    entrants = _entrants(families, task, snapshot.schema)
    split.check_metric(store, snapshot, parts, task)
    train, validation = _examples(store, snapshot, parts, task)
    folds, holdout = _folds(train, validation, parts)
    race = plan(entrants, train.shape, n_folds=len(folds), budget_s=budget_s)
    terms = _terms(snapshot, parts, task, seed, race)
    limits = Limits(latency_ms_p99, size_mb)
    identity = ids.digest_of(
        {"inputs": terms.inputs, "budget_s": budget_s, "limits": [latency_ms_p99, size_mb], "holdout": holdout}
    )
    known = store.records.get(Search, identity)
    if known is not None:
        progress.say(f"The search of {counted(len(known.runs), 'trial')} is already done.")
        return known
    progress.say(_announced(race, n_folds=len(folds), n_validation=len(validation.target) if holdout else 0))
    keep = None if len(validation.target) else partial(unseen.put_answers, store, n_rows=len(train.target))
    state = _State(store, terms, race, folds, started + TRIALS_SHARE * budget_s, progress, keep)
    field = finals.Field(
        store=store,
        terms=terms,
        snapshot=snapshot,
        families={family.name: family for family in race.families},
        train=train,
        validation=validation,
        rows_a_fit={
            family.name: float(np.mean([len(fold.lesson(family)[0].target) for fold in folds]))
            for family in (race.families[index] for index in dict.fromkeys(race.schedule))  # others hold nothing back
        },
        holdout=holdout,
        deadline=started + budget_s,
        progress=progress,
        limits=limits,
        left_out=race.left_out,
    )
    try:
        with warnings.catch_warnings():  # said by Palio when it looks at the target, once and not for every tree
            warnings.filterwarnings("ignore", message="The number of unique classes is greater than 50%")
            runs, cut = _trials(state, train.shape)
            outcome = finals.hold(field, runs)
        chosen = next(run for run in outcome.runs if run.id == outcome.chosen)
        curve = learning.draw(
            field.families[chosen.family],
            chosen,
            folds,
            terms=terms,
            dummy=_best([run for run in runs if run.family == "dummy"], terms),
            deadline=field.deadline,
        )
    except KeyboardInterrupt:
        progress.say("Interrupted. What is finished is saved: run the same command again to go on from there.")
        raise
    reasons = list(outcome.reasons)
    if cut or outcome.cut:
        reasons.append(
            f"The budget of {budget_s:g} s ended the search after {len(runs)} of "
            f"{counted(len(race.schedule), 'trial')}; another run may end elsewhere. Raise [train] budget_s."
        )
    if curve is not None:
        reasons.append(learning.sentence(curve, chosen.metric))
    reasons += [f"{name} was left out: one trial of it would break the budget." for name in race.left_out]
    return _keep(
        store,
        Search(
            id=identity,
            parts=parts.id,
            metric=terms.metric,
            runs=outcome.runs,
            chosen=outcome.chosen,
            bundle=outcome.bundle,
            reasons=tuple(reasons),
            n_trials_planned=len(race.schedule),
            stopped_by="time" if cut or outcome.cut else "plan",
            seconds=round(time.monotonic() - started, 3),
            learning=curve,
        ),
    )


def _announced(race: Plan, *, n_folds: int, n_validation: int) -> str:
    """Say what is going to be tried, and what is not."""
    names = [race.families[index].name for index in dict.fromkeys(race.schedule)]
    how = f"one fit scored on {counted(n_validation, 'validation row')}" if n_validation else counted(n_folds, "fold")
    left_out = f"; the budget leaves no time for {listed(race.left_out)}" if race.left_out else ""
    return f"{counted(len(race.schedule), 'trial')} of {listed(names, at_most=12)}, {how} each{left_out}."


@dataclass(frozen=True)
class _State:
    store: Store
    terms: Terms
    plan: Plan
    folds: tuple[Fold, ...]
    deadline: float
    progress: Progress
    keep: Keep | None
    """Where answers out of fold go; None if the answers on validation rows serve."""


def _trials(state: _State, shape: Shape) -> tuple[list[Run], bool]:
    """Run the plan; return the runs, and whether the clock cut it."""
    terms, runs = state.terms, list[Run]()
    n_planned = len(state.plan.schedule)
    for number, index in enumerate(state.plan.schedule):
        family = state.plan.families[index]
        state.progress.step("trials", number, n_planned)
        history = [run for run in runs if run.family == family.name]
        try:
            params = propose(
                family, history, shape=shape, task=terms.task, seed=terms.seed, trial=number, sign=terms.sign
            )
            run = state.store.records.get(Run, run_id(terms, family.name, number, params))
            if run is None:
                bar = (
                    _bar(runs, history, terms) if history else None
                )  # the first trial of a family is always seen to its end
                deadline = state.deadline if number >= finals.N_ALWAYS else None  # there is always a model
                run = try_out(
                    family,
                    params,
                    state.folds,
                    terms=terms,
                    trial=number,
                    bar=bar,
                    deadline=deadline,
                    keep=state.keep,
                )
                run = _keep(state.store, run)
        except OutOfTime:
            return runs, True
        runs.append(run)
        state.progress.say(_sentence(run))
    state.progress.step("trials", n_planned, n_planned)
    return runs, False


def _bar(runs: Sequence[Run], history: Sequence[Run], terms: Terms) -> Bar | None:
    """Return what the next trial is held against; nothing for the first of a family, which is seen to its end."""
    best, own = _best(runs, terms), _best(history, terms)
    dummy = _best([run for run in runs if run.family == "dummy"], terms)
    if best is None or own is None or dummy is None:
        return None
    return Bar(best=best.fold_scores, own=own.fold_scores, dummy=dummy.fold_scores)


def _best(runs: Sequence[Run], terms: Terms) -> Run | None:
    done = [run for run in runs if run.status == "done" and run.cv_score is not None]
    return max(done, key=lambda run: (terms.sign * (run.cv_score or 0.0), -run.trial), default=None)


def _entrants(wanted: Sequence[str | Family], task: Task, schema: Schema) -> list[Family]:
    """Return the families that compete, the dummy first."""
    names = list(wanted) or list(FAMILIES)
    families = [load_family(name) if isinstance(name, str) else name for name in names]
    fit = [f for f in families if task.kind in f.tasks and schema.modality in f.modalities]
    is_dummy_asked_for = bool(wanted) and all(family.name == "dummy" for family in families)
    if schema.modality != "tabular" and all(family.name == "dummy" for family in fit) and not is_dummy_asked_for:
        raise _unread(schema)
    if not fit:
        raise InputError(
            f"families {', '.join(f.name for f in families)}: none can do {task.kind} on {schema.modality} data",
            hint="leave [train] families empty to let all compete that can",
        )
    others = [family for family in fit if family.name != "dummy"]
    return [load_family("dummy"), *others]


def _unread(schema: Schema) -> InputError:
    """Say that no family reads what the features are, before anything is tried."""
    what = {"text": "free text", "image": "images"}[schema.modality]
    names = listed(f"`{column.name}`" for column in schema.features)
    return InputError(
        f"train: every feature is {what} ({names}), and no family reads that: nothing was tried, and no look was spent",
        hint="add columns of numbers or categories"
        + ('; a text of few different values may be type = "category" in schema.toml' if what == "free text" else ""),
        facts={"modality": schema.modality},
    )


def _examples(store: Store, snapshot: Snapshot, parts: Parts, task: Task) -> tuple[Examples, Examples]:
    found = []
    for part in ("train", "validation"):
        frame = split.read(store, snapshot, parts, part)
        found.append(Examples(frame, data.target_array(frame, task), snapshot.schema, task))
    if not len(found[0].target):
        raise InputError("train: the training part has no rows", hint="bring more labelled rows")
    return found[0], found[1]


def _folds(train: Examples, validation: Examples, parts: Parts) -> tuple[tuple[Fold, ...], bool]:
    """Return the rows that each fit learns from and is scored on, and whether it is a single holdout."""
    if len(train.target) >= HOLDOUT_ROWS and len(validation.target):
        return (Fold(train, validation, n_blocks=N_BLOCKS, parts=parts),), True
    pairs = split.folds(train.frame, parts, train.task, schema=train.schema)
    return tuple(Fold(train.take(fit), train.take(valid), parts=parts, rows=valid) for fit, valid in pairs), False


def _terms(snapshot: Snapshot, parts: Parts, task: Task, seed: int, race: Plan) -> Terms:
    inputs = {
        "snapshot": snapshot.id,
        "parts": parts.id,
        "task": task,
        "seed": seed,
        "schedule": [race.families[index].name for index in race.schedule],
        "versions": model.versions() | {"optuna": metadata.version("optuna")},
        "watched": WATCHED_PARTS,
    }
    return Terms(parts=parts.id, task=task, metric=task.metric, seed=seed, inputs=ids.digest_of(inputs))


def _keep(store: Store, record: Kept) -> Kept:
    """Save a record; if another process was faster, take its."""
    try:
        store.records.put(record, key=record.id)
    except ConflictError:
        return store.records.get(type(record), record.id) or record
    return record


def _sentence(run: Run) -> str:
    label = f"Trial {run.trial}, {run.family}"
    if run.status == "failed" or run.cv_score is None:
        return f"{label}: failed, {run.reason}"
    spread = f" ± {measure.figure(run.cv_error)}" if run.cv_error is not None else ""
    note = f", {run.reason}" if run.reason else ""
    return f"{label}: {run.metric} {measure.figure(run.cv_score)}{spread} in {run.fit_s:.1f} s{note}"
