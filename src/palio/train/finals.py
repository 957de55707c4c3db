"""Hold the final: refit the best of each family, measure it, choose, and pack the one that is chosen."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from palio import data, measure, model
from palio.core import ids
from palio.core.errors import ConflictError, PalioError
from palio.core.progress import Progress
from palio.core.records import Cost, Parity, Run, Snapshot
from palio.core.words import counted
from palio.train import unseen
from palio.train.choice import Limits, choose
from palio.train.family import Examples, Family, Fitted, OutOfTime, graph_of
from palio.train.trial import UNDEFINED, WANT_OF_ROWS, Terms, score

if TYPE_CHECKING:
    from palio.core.monitoring import Reference
    from palio.store import Store

N_ALWAYS = 2
"""Trials that no clock stops, nor their last fits: the constant answer, and the first family that learns."""
COST_ROWS = 512
"""Rows from which single ones are drawn to measure the latency."""
MAX_TIMINGS = 5
"""How often a candidate that is over the limit is timed before it counts as too slow."""
MAX_SCORED_TRAIN_ROWS = 200_000
"""Training rows that the training score is computed on at most."""


@dataclass(frozen=True)
class Field:
    """What the finalists run on."""

    store: Store
    terms: Terms
    snapshot: Snapshot
    families: Mapping[str, Family]
    train: Examples
    validation: Examples
    rows_a_fit: Mapping[str, float]
    """Family → rows that a fit of a trial learned from, on average."""
    holdout: bool
    deadline: float
    """On `time.monotonic`."""
    progress: Progress
    limits: Limits
    left_out: tuple[str, ...] = ()
    """Families that the budget did not allow even once."""

    def everything(self) -> Examples:
        """Return training and validation rows together: what the champion learns from."""
        import polars

        if not len(self.validation.target):
            return self.train
        frame = polars.concat([self.train.frame, self.validation.frame])
        target = np.concatenate([self.train.target, self.validation.target])
        return Examples(frame, target, self.train.schema, self.train.task)


@dataclass(frozen=True)
class Outcome:
    """Who won."""

    runs: tuple[Run, ...]
    chosen: str
    bundle: str
    reasons: tuple[str, ...]
    cut: bool
    """The clock kept a finalist from the start."""


def hold(field: Field, runs: Sequence[Run]) -> Outcome:
    """Measure the best run of each family, choose one, fit it on train and validation, and pack it.

    A candidate whose graph does not agree with its library is out, and the next one is taken; so is one whose last fit
    would break the deadline.

    Raises:
        PalioError: every family that learns failed, or not even the constant answer could be packed; with the cause.
    """
    failures = _failures(runs)
    if failures and not any(run.family != "dummy" and run.status == "done" for run in runs):
        raise _all_failed(field, runs, failures)
    finalists: list[Run] = []
    reasons: list[str] = []
    cut = False
    for run in _best_of_each(runs, sign=field.terms.sign):
        field.progress.step("finalists", len(finalists))
        try:
            finalists.append(_measured(field, run))
        except OutOfTime:
            cut = True
            reasons.append(f"{run.family} is out: there was no time to fit it on all training rows.")
        except KeyboardInterrupt:
            raise
        except Exception as error:  # noqa: BLE001 - a family may be foreign code; the others go on
            reasons.append(f"{run.family} is out: it could not be exported ({_line(error)}).")
    if not finalists:
        raise _all_failed(field, runs, failures or {"": "; ".join(reasons) or "none was tried"})
    absent = [f"{name} failed: {reason}" for name, reason in failures.items()]
    absent += [reason.rstrip(".") for reason in reasons]
    absent += [f"{name} was left out: one trial of it would break the budget" for name in field.left_out]
    choice = choose(finalists, sign=field.terms.sign, limits=field.limits, holdout=field.holdout, absent=absent)
    reasons = [*choice.reasons, *reasons]
    reasons += [f"Warning: every trial of {name} failed: {reason}." for name, reason in failures.items()]
    last: Exception | None = None
    everything = field.everything()
    for run in choice.ranking:
        try:
            bundle = _champion(field, run, everything)
        except OutOfTime:
            cut = True
            reasons.append(f"{run.family} is out: there was no time to fit it on train and validation.")
        except KeyboardInterrupt:
            raise
        except Exception as error:  # noqa: BLE001 - the next candidate is taken
            last = error
            reasons.append(f"{run.family} is out: {_line(error)}")
        else:
            chosen = msgspec.structs.replace(run, bundle=bundle, chosen=True)
            final = {one.id: one for one in finalists} | {run.id: chosen}
            reasons += _generalises(chosen, field.terms)
            return Outcome(tuple(final.get(one.id, one) for one in runs), run.id, bundle, tuple(reasons), cut)
    raise last or PalioError("train: no candidate could be fitted", hint="raise [train] budget_s")


def _failures(runs: Sequence[Run]) -> dict[str, str]:
    """Return the families of which every trial failed, with the first reason."""
    done = {run.family for run in runs if run.status != "failed"}
    found: dict[str, str] = {}
    for run in runs:
        if run.family not in done:
            found.setdefault(run.family, run.reason)
    return found


def _all_failed(field: Field, runs: Sequence[Run], failures: Mapping[str, str]) -> PalioError:
    """Say that nothing was learned because everything failed, and why: the features are not to blame."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in failures.items():
        by_reason.setdefault(reason.removeprefix(f"{name}: "), []).append(name)
    told = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in by_reason.items())
    terms = field.terms
    if all(any(words in reason for words in WANT_OF_ROWS) for reason in by_reason):
        hint = "bring more rows of each class" if terms.task.kind == "classification" else "bring more rows"
        if any(UNDEFINED in reason for reason in by_reason):
            hint += f", or choose another metric than {terms.metric} under [train] in palio.toml"
    else:
        hint = "leave out the columns at fault with exclude under [data], or report it with the schema of the data"
    return PalioError(
        f"train: every family failed, so nothing was learned and no look was spent: {told}",
        hint=hint,
        facts={"failed": dict(failures), "trials": len(runs)},
    )


def _best_of_each(runs: Sequence[Run], *, sign: float) -> list[Run]:
    """Return the best finished run of each family, the dummy first, then by score."""
    best: dict[str, Run] = {}
    for run in runs:
        if run.status != "done" or run.cv_score is None:
            continue
        rival = best.get(run.family)
        if rival is None or sign * run.cv_score > sign * (rival.cv_score or 0.0):
            best[run.family] = run
    return sorted(best.values(), key=lambda run: (run.family != "dummy", -sign * (run.cv_score or 0.0), run.trial))


def _measured(field: Field, run: Run) -> Run:
    """Fit on all training rows, export, score and time; kept, so that a resumed search reads the same."""
    limit = field.limits.latency_ms_p99
    key = ids.digest_of({"finalist": run.id, "latency_ms_p99": limit})
    known = field.store.records.get(Run, key)
    if known is not None:
        return known
    started = time.perf_counter()
    fitted = _fit(field, run, field.train)
    fit_s = time.perf_counter() - started
    graph = model.Graph(graph_of(fitted, field.train.schema, field.terms.task))
    feeds = field.train.take(np.arange(min(COST_ROWS, len(field.train.target)))).feeds()
    seen = field.train.take(_thinned(len(field.train.target)))
    held_out, n_held_out, answers = None, len(field.validation.target), run.answers
    if n_held_out:
        held_out = fitted.reference(field.validation)
        answers = unseen.put_answers(field.store, [(np.arange(n_held_out), held_out)], n_rows=n_held_out)
    finalist = msgspec.structs.replace(
        run,
        n_parameters=fitted.n_parameters,
        train=score(field.terms.task, seen.target, fitted.reference(seen)),
        validation={} if held_out is None else score(field.terms.task, field.validation.target, held_out),
        answers=answers,
        cost=timed(lambda: model.measure_cost(graph, feeds, fit_s=round(fit_s, 3)), limit_ms=limit),
    )
    try:
        field.store.records.put(finalist, key=key)
    except ConflictError:  # another process was faster
        return field.store.records.get(Run, key) or finalist
    return finalist


def timed(measure_once: Callable[[], Cost], *, limit_ms: float | None) -> Cost:
    """Measure a cost; again, up to five times in all, while its latency is clearly over the limit.

    What else the machine does can only make a graph look slower, so the least disturbed measurement is the one to
    believe, and one that meets the limit settles it.
    """
    best = measure_once()
    for n_timings in range(2, MAX_TIMINGS + 1):
        if limit_ms is None or not measure.is_clearly_over(best.latency_ms_p99, limit_ms):
            break
        again = measure_once()
        best = msgspec.structs.replace(
            best,
            latency_ms_p50=min(best.latency_ms_p50, again.latency_ms_p50),
            latency_ms_p99=min(best.latency_ms_p99, again.latency_ms_p99),
            n_timings=n_timings,
        )
    return best


def _fit(field: Field, run: Run, examples: Examples) -> Fitted:
    """Fit the settings of a run on more rows than its folds had."""
    family = field.families[run.family]
    growth = len(examples.target) / max(1.0, field.rows_a_fit[run.family])
    if run.trial < N_ALWAYS:
        deadline = None  # there is always a model
    else:
        deadline = field.deadline
        if time.monotonic() + _pace(run, holdout=field.holdout) * growth >= deadline:
            raise OutOfTime
    return family.fit(examples, params=family.grow(run.params, growth), seed=run.seed, deadline=deadline)


def _pace(run: Run, *, holdout: bool) -> float:
    """Seconds that one of the run's fits took; a holdout is one fit, whatever the blocks that it was scored in."""
    return run.fit_s / (1 if holdout else max(1, len(run.fold_scores)))


def _champion(field: Field, run: Run, everything: Examples) -> str:
    """Fit on train and validation, check the graph against the library, and pack the bundle."""
    field.progress.say(f"Fitting {run.family} on {counted(len(everything.target), 'row')} of train and validation.")
    fitted = _fit(field, run, everything)
    graph = graph_of(fitted, everything.schema, field.terms.task)
    checked = field.validation if len(field.validation.target) else field.train
    parity = check(graph, fitted, checked)
    failed = [one for one in parity if not one.passed]
    if failed:
        worst = failed[0]
        raise PalioError(
            f"its graph differs from its library by {worst.max_abs_diff:.3g} ({worst.path}, "
            f"{counted(worst.rows, 'row')}; {worst.tolerance:.3g} is allowed).",
            hint="report it with the schema of the data",
        )
    terms, rows = field.terms, everything
    runner = model.Graph(graph, threads=2)
    tie = {} if run.tie_break is None else {terms.tie_break: run.tie_break}
    reference, reference_rows = _reference(field, run, rows, runner)
    return model.pack(
        field.store,
        graph,
        golden=model.make_golden(runner, checked.frame, rows.schema),
        reference=reference,
        reference_rows=reference_rows,
        task=terms.task,
        schema=rows.schema,
        family=run.family,
        params=run.params,
        seed=run.seed,
        n_parameters=fitted.n_parameters,
        snapshot=field.snapshot.id,
        parts=terms.parts,
        trained_on=("train", "validation") if len(field.validation.target) else ("train",),
        metrics={
            "cross_validation": tie | {terms.metric: run.cv_score or 0.0},
            "train": run.train,
            "validation": run.validation,
        },
        parity=parity,
        versions=model.versions(),
    )


def _reference(
    field: Field, run: Run, everything: Examples, runner: model.Graph
) -> tuple[Reference, dict[str, Any] | None]:
    """Describe what the champion learned from, and how the same settings did on rows that their fit had not seen."""
    found = unseen.get_answers(field.store, run.answers, field.terms.task)
    n_train, like = len(field.train.target), data.description(field.store, field.snapshot).columns
    if found is None:
        return model.make_reference(everything.feeds(), everything.schema, everything.task, like=like), None
    if len(field.validation.target):
        found = unseen.Unseen(found.rows + n_train, found.answers)
    return unseen.reference_of(everything, found, n_train=n_train, seed=run.seed, runner=runner, like=like)


def check(graph: bytes, fitted: Fitted, rows: Examples) -> tuple[Parity, ...]:
    """Compare a graph with the library's own answer: on all `rows`, and on rows that are made to break exports."""
    runner = model.Graph(graph, threads=2)
    hard = model.stress_feeds(rows.frame, rows.schema, graph)
    return (
        model.check_parity(runner, rows.feeds(), fitted.reference(rows), path="library and graph"),
        model.check_parity(runner, hard, fitted.reference(hard), path="library and graph, rows made to be hard"),
    )


def _thinned(n_rows: int) -> Any:
    step = max(1, math.ceil(n_rows / MAX_SCORED_TRAIN_ROWS))
    return np.arange(0, n_rows, step)


def _generalises(run: Run, terms: Terms) -> list[str]:
    """Say how the score on training rows compares with the one on validation rows."""
    seen, unseen = run.train.get(terms.metric), run.validation.get(terms.metric)
    if seen is None or unseen is None:
        return []
    scores = f"{run.family} scores {measure.figure(seen)}, on validation rows {measure.figure(unseen)}"
    return [f"On the rows it learned from {scores}."]


def _line(error: Exception) -> str:
    message = error.message if isinstance(error, PalioError) else str(error)
    return (message.strip().splitlines() or [type(error).__name__])[0][:300]
