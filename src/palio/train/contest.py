"""Let the families compete: steps within a budget, each saved as it ends, then the choice among them and a mix."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from pickle import PickleError
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np

from palio import measure, model, split
from palio.core import ids
from palio.core.errors import ConflictError, InputError
from palio.core.progress import SILENT, Progress
from palio.core.records import LearningCurve, Parts, Run, Search, SearchPlan, Snapshot, Task
from palio.core.words import counted, listed
from palio.train import earlier, explaining, finals, learning, pricing
from palio.train.beside import Beside, Chore
from palio.train.choice import Limits, Prefer
from palio.train.clock import PICTURES_ANSWERED, ROWS_ANSWERED, Clock
from palio.train.cutting import Cut, cut_rows
from palio.train.drive import Drive
from palio.train.engine import waiting
from palio.train.engine.base import Engine
from palio.train.engine.inline import InlineEngine
from palio.train.engine.local import LocalEngine
from palio.train.entrants import entrants_of, half_known, unread_beside
from palio.train.families.linear import Linear
from palio.train.family import Family, calm_threads
from palio.train.field import Field
from palio.train.heats import Heats
from palio.train.how import PLAINLY, How
from palio.train.lessons import Lesson
from palio.train.race import Race, Rerun
from palio.train.terms import Terms
from palio.train.work import is_taught

if TYPE_CHECKING:
    from palio.store import Store

WHOLE_CELLS = 12_000
"""Up to so many cells every candidate is fitted on all folds at once: there is nothing to save."""
SMALL_CELLS = 500_000
"""Up to so many cells the clock decides about that, where there is one: when it is known what a fold takes."""
BUSY = 3.0
"""Seconds for one of CPU from which on no worker is started that may not be needed."""
GLANCE_S = 0.03
"""Seconds of CPU that it takes to see how busy the machine is."""
LEAST_ANSWERED, ANSWERED_A_ROW = 1_500, 1
"""Answers to rows that are made, and to each row, where there are few."""
FEW_PICTURES_ANSWERED, ANSWERED_A_PICTURE = 100, 1.5
"""The same of pictures: of 85 a champion's packing answered 110."""
OVERHEAD_S, OVERHEAD_A_ROW_S = 0.5, 1.5e-5
"""What export, checks and packing take: at least, and for each row."""
FEW_SCORED = 300
"""A fold of fewer rows is no judge of who gets the other folds."""
Kept = TypeVar("Kept", Search, SearchPlan)


def search(
    store: Store,
    snapshot: Snapshot,
    parts: Parts,
    *,
    task: Task,
    budget_s: float = 300.0,
    ends: float | None = None,
    after_s: float = 0.0,
    rows_after: int = 0,
    metric: str = "auto",
    seed: int = 0,
    families: Sequence[str | Family] = (),
    latency_ms_p99: float | None = None,
    size_mb: float | None = None,
    prefer: Prefer = "best",
    trials: int = 0,
    engine: str = "local",
    how: How = PLAINLY,
    meanwhile: Sequence[Chore] = (),
    progress: Progress = SILENT,
) -> Search:
    """Train candidates and choose the one to send to the gate.

    There is a model soon, and then a better one: every family is tried once, the promising ones on all folds, then
    settings that may be better, as long as the clock allows. What a fit costs is measured by small first fits in worker
    processes, which are ended when they take too long or too much. Candidates are scored by cross-validation on train
    and validation; from 100,000 training rows on, by one fit that is scored on the validation part. A mix of candidates
    competes with them. The test part is never read.

    The steps that were taken are a record (`SearchPlan`): the same search again follows it and ends the same. With
    `trials` the plan is made by count and the clock is not asked, so that any machine ends the same. Each step is saved
    when it ends: a search that was killed goes on where it was. A search that has ended is returned as it is.

    Args:
        store: Where the snapshot lies, and runs and the bundle go.
        snapshot: The data.
        parts: How the data is cut.
        task: What is to be predicted.
        budget_s: Seconds it may take; part of what the search is known by.
        ends: Moment on `time.monotonic` at which it must be over, where that is not `budget_s` from now.
        after_s: What the caller does before `ends` when the search is over: seconds on a quiet machine.
        rows_after: Rows that the caller will let the model answer beside that, if it is a network: what these take is
            foreseen by what an answer was measured to take.
        metric: What to aim at; `auto`: the task's own, or the usual one of its kind.
        seed: Fixes every use of chance.
        families: Names, or objects that fit `Family`; empty: all that fit task and data.
        latency_ms_p99: What the target hardware allows one row to take, 99 times of 100; None: any time.
        size_mb: What the target hardware allows the graph to weigh; None: anything.
        prefer: `best`: quality first; `simple`: the simplest within one standard error of the best.
        trials: Candidates to try, whatever the clock says; 0: as many as the budget allows.
        engine: `local`: worker processes of this machine; `inline`: this process.
        how: What fits make small, what rows count, and from which probability on a class is said.
        meanwhile: What this process may do while workers learn, e.g. load what follows; nothing depends on it.
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
    entrants = entrants_of(families, task, snapshot.schema, **how.named)
    split.check_metric(store, snapshot, parts, task)
    how.check(task)
    cut = cut_rows(store, snapshot, parts, task, how, budget_s=None if trials else budget_s, families=entrants)
    terms = _terms(snapshot, parts, task, seed, entrants, cut, how)
    limits = Limits(latency_ms_p99, size_mb, prefer)
    what = {"budget_s": 0.0 if trials else budget_s, "trials": trials, "limits": limits.facts()}
    identity = ids.digest_of({"inputs": terms.inputs} | what)
    known = store.records.get(Search, identity)
    if known is not None:
        progress.say(f"The search of {counted(len(known.runs), 'trial')} is already done.")
        return known
    progress.say(_announced(entrants, cut))
    half = "" if families else half_known(task, snapshot.schema, **how.named)
    for told in filter(None, (unread_beside(snapshot.schema), half)):
        progress.say(told)
    plan_id = ids.digest_of({"plan of": identity})
    plan = store.records.get(SearchPlan, plan_id)
    clock = (
        None
        if trials or plan
        else _clock(started + budget_s if ends is None else ends, cut, (after_s, rows_after), terms.sign)
    )
    soon = {one.name: one for one in entrants if type(one) is Linear}
    race, sources = _race(entrants, cut, terms, trials, store, snapshot) if plan is None else (Rerun(plan, terms), ())
    with _engine_of(engine, entrants, cut.lesson) as (hands, apart):
        chores = list(meanwhile)
        if clock is not None:
            clock.n_workers = hands.n_workers
            is_calm = clock.slowness < BUSY  # else it would take from those that are at work
            chores += [waiting.prepare_another] if is_calm and isinstance(hands, LocalEngine) else []
        drive = Drive(
            store=store,
            terms=terms,
            race=race,
            engine=hands,
            beside=Beside(apart, soon=soon, shape=cut.lesson.take("learn 0").shape, chores=chores),
            n_folds=cut.n_stages if plan is None else plan.n_folds,
            rungs=cut.rungs,
            rung_rows=tuple(len(cut.lesson.rows[f"{rung} 0"]) for rung in cut.rungs),
            n_distinct=cut.n_distinct,
            n_blocks=cut.n_blocks,
            clock=clock,
            progress=progress,
            is_small=_cells(cut) <= SMALL_CELLS,
            is_tiny=len(cut.lesson.rows["score 0"]) < FEW_SCORED,
            budget_s=0.0 if trials else budget_s,
        )
        field = Field(
            store=store,
            terms=terms,
            snapshot=snapshot,
            families={family.name: family for family in entrants},
            lesson=cut.lesson,
            n_train=cut.n_train,
            n_folds=cut.n_distinct,
            n_blocks=cut.n_blocks,
            in_use=cut.lesson.n_folds,
            engine=hands,
            clock=clock,
            progress=progress,
            limits=limits,
            plan=plan,
            how=how,
        )
        try:
            with warnings.catch_warnings():  # said by Palio when it looks at the target, once and not for every tree
                warnings.filterwarnings("ignore", message="The number of unique classes is greater than 50%")
                drive.run()
                field = dataclasses.replace(field, in_use=1 if cut.rungs else drive.n_folds)
                outcome = finals.hold(field, drive.candidates)
            curve = learning.draw(field, outcome.candidates, outcome)
        except KeyboardInterrupt:
            progress.say("Interrupted. What is finished is saved: run the same command again to go on from there.")
            raise
    is_cut = drive.is_cut or bool(outcome.kept)
    reasons = list(outcome.reasons)
    if hands.fault:
        reasons.append(f"Warning: {hands.fault}.")
    if plan is not None:
        reasons.append(f"The steps are those of an earlier run, which took {plan.seconds:.3g} s.")
    if plan is None and sources:
        reasons.append(
            f"Settings that did well in {counted(len(sources), 'earlier search', 'earlier searches')} were tried, too."
        )
    if is_cut and clock is not None:
        reasons.append(_when_it_ended(outcome.runs, budget_s))
    if curve is not None:
        reasons.append(learning.sentence(curve, terms.metric))
    reasons += _explained(drive, outcome, curve, seconds=time.monotonic() - started)
    front = pricing.front_of(outcome.runs, sign=terms.sign)
    prices = pricing.front_told(
        front, chosen=outcome.chosen, sign=terms.sign, n_folds=field.n_folds, holdout=field.holdout
    )
    seconds = round(time.monotonic() - started, 3)
    if plan is None:
        steps = tuple(sorted(drive.steps, key=lambda step: step.number))
        made = SearchPlan(
            id=plan_id,
            steps=steps,
            n_folds=drive.n_folds,
            chosen=outcome.chosen,
            kept=outcome.kept,
            earlier=sources,
            seconds=seconds,
        )
        plan = _keep(store, made)
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
            n_trials_planned=len(outcome.runs),
            stopped_by="time" if is_cut else "plan",
            seconds=seconds,
            learning=curve,
            plan=plan.id,
            front=tuple(run.id for run in front),
            prices=tuple(prices),
            gains=tuple(drive.gains),
        ),
    )


def _explained(drive: Drive, outcome: finals.Final, curve: LearningCurve | None, *, seconds: float) -> list[str]:
    """Say whether the winner fits well, and what a longer budget would probably bring."""
    terms = drive.terms
    chosen = next(run for run in outcome.runs if run.id == outcome.chosen)
    simplest = next((one.mean() for one in drive.candidates.values() if one.family == "dummy"), None)
    told = explaining.fit_told(chosen, simplest=simplest, curve=curve, sign=terms.sign)
    course = explaining.Course(tuple(drive.gains), seconds, terms.sign)
    return told + explaining.course_told(course, terms.metric, simplest=simplest)


def _when_it_ended(runs: Sequence[Run], budget_s: float) -> str:
    return (
        f"The budget of {budget_s:g} s ended the search after {counted(len(runs), 'trial')}; another run may end "
        "elsewhere. Raise [train] budget_s, or set [train] trials for the same end everywhere."
    )


def _clock(ends: float, cut: Cut, after: tuple[float, int], sign: float) -> Clock:
    n_rows = len(cut.lesson.examples.target)
    learned = [len(rows) for key, rows in cut.lesson.rows.items() if key.startswith("learn ")]
    return Clock(
        ends=ends,
        quiet_after_s=after[0],
        rows_after=after[1],
        sign=sign,
        slowness=_slowness(),
        n_workers=1,
        n_rows_a_fold=float(np.mean(learned)),
        n_rows=n_rows,
        rows_answered=min(PICTURES_ANSWERED, round(FEW_PICTURES_ANSWERED + ANSWERED_A_PICTURE * n_rows))
        if cut.lesson.examples.schema.modality == "image"
        else min(ROWS_ANSWERED, LEAST_ANSWERED + ANSWERED_A_ROW * n_rows),
        quiet_overhead_s=OVERHEAD_S + OVERHEAD_A_ROW_S * min(n_rows, 200_000),
    )


def _race(
    entrants: Sequence[Family], cut: Cut, terms: Terms, trials: int, store: Store, snapshot: Snapshot
) -> tuple[Race | Heats, tuple[str, ...]]:
    """Return the order of steps, and the searches that settings are taken from."""
    shape = cut.lesson.take("learn 0").shape
    if not trials and cut.n_blocks > 1 and not cut.rungs and any(map(is_taught, entrants)):
        return Heats(entrants, shape, terms), ()
    families = {family.name: family for family in entrants}
    known = earlier.settings(store, snapshot, task=terms.task, families=families, shape=shape, sign=terms.sign)
    race = Race(
        entrants,
        shape,
        terms,
        n_folds=cut.n_stages,
        screens=_cells(cut) > WHOLE_CELLS,
        most=trials or None,
        earlier=[(one.family, one.params) for one in known],
    )
    return race, tuple(dict.fromkeys(one.search for one in known))


def _cells(cut: Cut) -> int:
    """Return the rows of a fold times columns times classes."""
    shape = cut.lesson.take("learn 0").shape
    return shape.n_rows * shape.n_features * max(1, shape.n_classes)


def _slowness() -> float:
    """Measure how many seconds a second of CPU takes here just now."""
    started, cpu = time.perf_counter(), time.thread_time()
    while time.thread_time() - cpu < GLANCE_S:
        pass
    return max(1.0, (time.perf_counter() - started) / (time.thread_time() - cpu))


@contextlib.contextmanager
def _engine_of(name: str, entrants: Sequence[Family], lesson: Lesson) -> Iterator[tuple[Engine, Engine]]:
    """Open an engine, and one of this process beside it: workers where they can be had, else this process for all."""
    families = {family.name: family for family in entrants}
    spare = InlineEngine(lesson, families)
    with tempfile.TemporaryDirectory(prefix="palio-", ignore_cleanup_errors=True) as folder:
        hands: Engine = spare
        if name == "local":
            with contextlib.suppress(PickleError, TypeError, AttributeError, OSError):
                lesson.write(Path(folder))
                hands = LocalEngine(Path(folder), families, spare=spare)
        try:
            yield hands, InlineEngine(lesson, families)
        finally:
            hands.close()
            waiting.let_go()


def _announced(entrants: Sequence[Family], cut: Cut) -> str:
    """Say what is going to be tried, and how it is scored."""
    names = listed([family.name for family in entrants], at_most=12)
    if cut.n_blocks > 1:
        rows = cut.lesson.rows
        n_learned, n_scored = len(rows["learn 0"]), counted(len(rows["score 0"]), "validation row")
        if cut.rungs:
            n_first = len(rows[f"{cut.rungs[0]} 0"])
            return (
                f"{names} compete on {n_first:,} rows, the best of them on up to {n_learned:,} of {cut.n_train:,}, "
                f"scored on {n_scored}."
            )
        some = "" if n_learned == cut.n_train else f" on {n_learned:,} of {cut.n_train:,} rows"
        return f"{names} compete, one fit each{some} scored on {n_scored}."
    repeats = cut.lesson.n_folds // max(1, cut.n_distinct)
    often = f", {repeats} times over" if repeats > 1 else ""
    return f"{names} compete, scored on {counted(cut.n_distinct, 'fold')}{often}."


def _terms(
    snapshot: Snapshot, parts: Parts, task: Task, seed: int, entrants: Sequence[Family], cut: Cut, how: How
) -> Terms:
    inputs = {
        "snapshot": snapshot.id,
        "parts": parts.id,
        "task": task,
        "seed": seed,
        "how": how.by_content(),
        "families": [family.name for family in entrants],
        "folds": [cut.lesson.n_folds, cut.n_distinct, cut.n_blocks],
        "learned": [len(cut.lesson.rows[f"{rung} 0"]) for rung in cut.rungs or ("learn",)],
        "versions": model.versions() | {"optuna": metadata.version("optuna")},
    }
    return Terms(parts=parts.id, task=task, metric=task.metric, seed=seed, inputs=ids.digest_of(inputs))


def _keep(store: Store, record: Kept) -> Kept:
    """Save a record; if another process was faster, take its."""
    try:
        store.records.put(record, key=record.id)
    except ConflictError:
        return store.records.get(type(record), record.id) or record
    return record
