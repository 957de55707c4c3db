"""Hold the final: choose among candidates and a mix of them, fit on all rows what is chosen, check it, and pack it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from palio import data, measure, model
from palio.core import ids
from palio.core.errors import PalioError
from palio.core.progress import Progress
from palio.core.records import Cost, Member, Parity, Run, Snapshot
from palio.core.words import counted
from palio.train import ensemble, unseen
from palio.train.choice import Limits, breach, choose, resampled_error
from palio.train.drive import Clock
from palio.train.engine.base import Engine
from palio.train.family import Array, Family, class_outputs, value_outputs
from palio.train.lessons import Lesson
from palio.train.orders import Order, Outcome
from palio.train.race import Candidate
from palio.train.terms import Terms
from palio.train.trial import UNDEFINED
from palio.train.work import checked_rows, line_of, score_numbers

if TYPE_CHECKING:
    from palio.core.monitoring import Reference
    from palio.store import Store

MIX = "ensemble"
"""Family of a mix of candidates."""
MIX_MOST = ensemble.Price(latency_ms=0.9, size_mb=9.0)
"""What all members of a mix may cost for one row: beyond it quality is bought too dear."""
MAX_MIXED = 24
"""Candidates that weights are sought for, at most: the best."""
MAX_TIMINGS = 5
"""How often a candidate that is over the limit is timed before it counts as too slow."""
COST_ROWS = 512
"""Rows from which single ones are drawn to measure the latency."""
WANT_OF_ROWS = (UNDEFINED, "only one class has examples", "no feature column holds two different values")
"""What the reason of a trial says that failed for want of rows."""


@dataclass(frozen=True)
class Field:
    """What the finalists run on."""

    store: Store
    terms: Terms
    snapshot: Snapshot
    families: Mapping[str, Family]
    lesson: Lesson
    n_train: int
    """Rows of the lesson that are of the training part; the others are validation's."""
    n_folds: int
    """Folds of one cross-validation."""
    n_blocks: int
    engine: Engine
    clock: Clock | None
    progress: Progress
    limits: Limits

    @property
    def holdout(self) -> bool:
        """Whether scores are of blocks of one holdout."""
        return self.n_blocks > 1

    @property
    def growth(self) -> float:
        """How many times the rows of a fold all rows are."""
        sizes = [len(rows) for key, rows in self.lesson.rows.items() if key.startswith("learn ")]
        return len(self.lesson.examples.target) / max(1.0, float(np.mean(sizes)))

    def unseen(self) -> ensemble.Unseen:
        """Return the rows that fits are scored on, fold after fold."""
        rows = [self.lesson.rows[f"score {fold}"] for fold in range(self.lesson.n_folds)]
        return ensemble.Unseen(
            rows=np.concatenate(rows),
            fold=np.repeat(np.arange(len(rows)), [len(some) for some in rows]),
            truth=self.lesson.examples.target[np.concatenate(rows)],
            block=np.concatenate([np.arange(len(some)) % self.n_blocks for some in rows]),
        )

    def outputs(self, numbers: Array) -> model.Outputs:
        """Turn numbers into answers."""
        task = self.terms.task
        return value_outputs(numbers[:, 0]) if task.kind == "regression" else class_outputs(numbers, task)


@dataclass(frozen=True)
class Final:
    """Who won."""

    runs: tuple[Run, ...]
    chosen: str
    bundle: str
    reasons: tuple[str, ...]
    members: Mapping[int, float]
    """Number of each candidate that the winner is made of → its weight."""
    cut: bool
    """The clock kept a candidate from its last fit."""


@dataclass(frozen=True)
class _Finalist:
    """A run, and what it is made of."""

    run: Run
    weights: Mapping[int, float]
    answers: Array
    """On all rows of `Unseen`; of those that were scored, for one that was not scored on all folds."""
    rows: Array


def hold(field: Field, candidates: Mapping[int, Candidate]) -> Final:
    """Choose among the best of each family and a mix, fit the one that is chosen on all rows, and pack it.

    A candidate whose graph does not agree with its library is out, and the next one is taken. A member whose last fit
    would break the budget stays as it learned from the rows of a fold.

    Raises:
        PalioError: every family that learns failed, or not even the constant answer could be packed; with the cause.
    """
    failures = _failures(candidates)
    if failures and not any(one.scores and one.family != "dummy" and not one.failed for one in candidates.values()):
        raise _all_failed(field, candidates, failures)
    found = _finalists(field, candidates)
    if not found:
        raise _all_failed(field, candidates, failures or {"": "none was tried"})
    absent = [f"{name} failed: {reason}" for name, reason in failures.items()]
    choice = choose(
        [one.run for one in found],
        sign=field.terms.sign,
        limits=field.limits,
        n_folds=field.n_folds,
        holdout=field.holdout,
        absent=absent,
    )
    reasons = [*choice.reasons, *_told(failures, candidates)]
    by_id = {one.run.id: one for one in found}
    cut, last = False, None
    for run in choice.ranking:
        finalist = by_id[run.id]
        try:
            made = _Champion(field, candidates, finalist).pack()
        except KeyboardInterrupt:
            raise
        except Exception as error:  # noqa: BLE001 - the next candidate is taken
            last = error
            reasons.append(f"{run.family} is out: {line_of(error)}")
            continue
        reasons += made.reasons
        chosen = made.run
        runs = _all_runs(field, candidates) | {one.run.id: one.run for one in found} | {run.id: chosen}
        ordered = tuple(sorted(runs.values(), key=lambda one: one.trial))
        return Final(ordered, run.id, chosen.bundle or "", tuple(reasons), finalist.weights, cut or made.cut)
    raise last or PalioError("train: no candidate could be fitted", hint="raise [train] budget_s")


# ── runs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _run_of(field: Field, one: Candidate) -> Run:
    """Say as a record what is known of a candidate."""
    terms, family = field.terms, field.families[one.family]
    scores = [score for fold in sorted(one.scores) for score in one.scores[fold] if not np.isnan(score)]
    ties = [tie for fold in sorted(one.ties) for tie in one.ties[fold]]
    spread = resampled_error(scores, n_folds=field.n_folds, holdout=field.holdout)
    status, reason = "done", ""
    if one.failed or not scores:
        status, reason = "failed", one.reason or UNDEFINED
    elif not one.is_whole:
        status = "pruned"
        reason = one.reason or f"others promised more after {counted(len(one.scores), 'fold')}"
    return Run(
        id=ids.digest_of({"inputs": terms.inputs, "family": one.family, "trial": one.number, "params": one.asked}),
        parts=terms.parts,
        family=one.family,
        trial=one.number,
        params=_params_of(family, one),
        seed=one.seed,
        metric=terms.metric,
        status=status,  # type: ignore[arg-type]
        reason=reason,
        fold_scores=tuple(scores),
        cv_score=float(np.mean(scores)) if scores else None,
        cv_error=spread if np.isfinite(spread) else None,
        tie_break=float(np.mean(ties)) if ties and np.isfinite(ties).all() else None,
        n_parameters=one.n_parameters if scores else None,
        fit_s=round(one.seconds, 3),
        cost=None if one.cost is None else msgspec.structs.replace(one.cost, fit_s=round(one.fit_s, 3)),
    )


def _params_of(family: Family, one: Candidate) -> dict[str, Any]:
    params = one.params or one.asked
    return params | {family.rounds: one.rounds} if family.rounds and one.rounds else params


def _all_runs(field: Field, candidates: Mapping[int, Candidate]) -> dict[str, Run]:
    runs = [_run_of(field, one) for one in candidates.values()]
    return {run.id: run for run in runs}


def _finalists(field: Field, candidates: Mapping[int, Candidate]) -> list[_Finalist]:
    """Return the best of each family, and a mix; of those scored on all folds, where there are any that learn."""
    fine = [one for one in candidates.values() if one.scores and not one.failed and all(p.passed for p in one.parity)]
    whole = [one for one in fine if one.is_whole]
    if not any(one.family != "dummy" for one in whole):
        whole = [*whole, *(one for one in fine if one not in whole)]
    sign = field.terms.sign
    best: dict[str, Candidate] = {}
    for one in sorted(whole, key=lambda one: (-sign * (one.mean() or 0.0), one.number)):
        best.setdefault(one.family, one)
    seen = field.unseen()
    found = [_single(field, one) for one in best.values()]
    mixed = _mixed(field, [one for one in whole if one.is_whole and one.family != "dummy"], seen)
    return found if mixed is None else [*found, mixed]


def _single(field: Field, one: Candidate) -> _Finalist:
    folds = sorted(one.answers)
    rows = np.concatenate([field.lesson.rows[f"score {fold}"] for fold in folds])
    answers = np.concatenate([one.answers[fold] for fold in folds]).astype(np.float64)
    run = msgspec.structs.replace(_run_of(field, one), validation=_validation(field, rows, answers), status="done")
    return _Finalist(run, {one.number: 1.0}, answers, rows)


def _mixed(field: Field, whole: Sequence[Candidate], seen: ensemble.Unseen) -> _Finalist | None:
    """Mix the best candidates; None if there is nothing to mix."""
    terms = field.terms
    means = {one.number: one.mean() or 0.0 for one in whole}
    by_number = {one.number: one for one in whole}
    chosen = ensemble.rivals(means, most=MAX_MIXED, sign=terms.sign)
    answers = {n: np.concatenate([by_number[n].answers[k] for k in range(field.lesson.n_folds)]) for n in chosen}
    prices = {n: _price(by_number[n].cost) for n in chosen}
    found = ensemble.mix(answers, seen, task=terms.task, metrics=terms.metrics, prices=prices, most=_most(field.limits))
    if found is None:
        return None
    members = [by_number[n] for n in found.weights]
    runs = {one.number: _run_of(field, one) for one in members}
    scores = [score for score in found.scores if not np.isnan(score)]
    spread = resampled_error(scores, n_folds=field.n_folds, holdout=field.holdout)
    told = tuple(Member(run=runs[n].id, family=runs[n].family, weight=weight) for n, weight in found.weights.items())
    costs = [one.cost for one in members if one.cost is not None]
    run = Run(
        id=ids.digest_of({"inputs": terms.inputs, "members": told}),
        parts=terms.parts,
        family=MIX,
        trial=max(runs) + 1_000_000,
        params={"members": [{"family": one.family, "weight": one.weight} for one in told]},
        seed=terms.seed,
        metric=terms.metric,
        status="done",
        fold_scores=tuple(scores),
        cv_score=float(np.mean(scores)) if scores else None,
        cv_error=spread if np.isfinite(spread) else None,
        tie_break=float(np.mean(found.ties)) if np.isfinite(found.ties).all() else None,
        n_parameters=sum(one.n_parameters for one in members),
        fit_s=round(sum(one.seconds for one in members), 3),
        validation=_validation(field, seen.rows, found.answers),
        cost=Cost(
            fit_s=round(sum(one.fit_s for one in members), 3),
            latency_ms_p50=sum(cost.latency_ms_p50 for cost in costs),
            latency_ms_p99=sum(cost.latency_ms_p99 for cost in costs),
            size_mb=sum(cost.size_mb for cost in costs),
        ),
        members=told,
    )
    return _Finalist(run, found.weights, found.answers, seen.rows)


def _price(cost: Cost | None) -> ensemble.Price:
    return ensemble.Price() if cost is None else ensemble.Price(cost.latency_ms_p50, cost.size_mb)


def _most(limits: Limits) -> ensemble.Price:
    """Return what a mix may cost: no more than is reasonable, and than is allowed."""
    latency = MIX_MOST.latency_ms if limits.latency_ms_p99 is None else min(MIX_MOST.latency_ms, limits.latency_ms_p99)
    size = MIX_MOST.size_mb if limits.size_mb is None else min(MIX_MOST.size_mb, limits.size_mb)
    return ensemble.Price(latency, size)


def _validation(field: Field, rows: Array, answers: Array) -> dict[str, float]:
    """Score answers on the rows of the validation part; the fits that gave them had not seen those."""
    here = rows >= field.n_train
    if not here.any():
        return {}
    return score_numbers(field.terms.task, field.lesson.examples.target[rows[here]], answers[here])


# ── the champion ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Made:
    """A packed champion."""

    run: Run
    reasons: tuple[str, ...]
    cut: bool


class _Champion:
    """A finalist on its way into a bundle."""

    def __init__(self, field: Field, candidates: Mapping[int, Candidate], finalist: _Finalist) -> None:
        self._field = field
        self._candidates = candidates
        self._finalist = finalist

    def pack(self) -> _Made:
        """Fit on all rows, check the graph against the libraries, measure it, and pack the bundle."""
        field, finalist = self._field, self._finalist
        examples, terms = field.lesson.examples, field.terms
        n_rows = len(examples.target)
        field.progress.say(f"Fitting {finalist.run.family} on {counted(n_rows, 'row')} of train and validation.")
        fitted = self._fitted()
        stale = [number for number, outcome in fitted.items() if outcome.checked is None]
        rows = checked_rows(examples)
        graph, parity = self._joined(fitted, rows)
        _check(parity)
        runner = model.Graph(graph, threads=2)
        cost = self._cost(graph, examples)
        if not breach(finalist.run.cost, field.limits) and (over := breach(cost, field.limits)):
            raise PalioError(f"fitted on all rows {over}", hint="raise [limits]")
        seen = fitted[next(iter(fitted))].seen if len(fitted) == 1 else self._seen(runner)
        run = msgspec.structs.replace(
            finalist.run,
            train=seen,
            cost=cost,
            n_parameters=sum(outcome.n_parameters for outcome in fitted.values()),
            answers=unseen.put_answers(field.store, finalist.rows, finalist.answers, n_rows=n_rows),
            chosen=True,
        )
        reference, reference_rows = self._reference(run, runner)
        tie = {} if run.tie_break is None else {terms.tie_break: run.tie_break}
        bundle = model.pack(
            field.store,
            graph,
            golden=model.make_golden(runner, rows.frame, examples.schema),
            reference=reference,
            reference_rows=reference_rows,
            task=terms.task,
            schema=examples.schema,
            family=run.family,
            params=run.params,
            seed=run.seed,
            n_parameters=run.n_parameters or 0,
            snapshot=field.snapshot.id,
            parts=terms.parts,
            trained_on=("train", "validation") if n_rows > field.n_train else ("train",),
            metrics={
                "cross_validation": tie | {terms.metric: run.cv_score or 0.0},
                "train": run.train,
                "validation": run.validation,
            },
            parity=parity,
            versions=model.versions(),
        )
        reasons = _generalises(run, terms)
        if stale:
            names = counted(len(stale), "member")
            reasons.append(f"There was no time to fit {names} on all rows: what a fold's rows taught stays in use.")
        return _Made(msgspec.structs.replace(run, bundle=bundle), tuple(reasons), bool(stale))

    def _fitted(self) -> dict[int, Outcome]:
        """Fit every member on all rows, several at a time; where that fails, take its model of a fold."""
        field = self._field
        waiting = [self._order(number) for number in self._finalist.weights]
        found: dict[int, Outcome] = {}
        while len(found) < len(self._finalist.weights):
            while waiting and field.engine.n_free:
                order, patience = waiting.pop(0)
                field.engine.submit(order, kill_after_s=patience)
            for outcome in field.engine.wait(1.0):
                if outcome.number in self._finalist.weights:
                    found[outcome.number] = self._or_of_a_fold(outcome)
        return {number: found[number] for number in self._finalist.weights}

    def _order(self, number: int) -> tuple[Order, float | None]:
        field, one = self._field, self._candidates[number]
        family = field.families[one.family]
        left = None if field.clock is None else field.clock.end - 0.5 * field.clock.overhead_s - time.monotonic()
        if left is not None and one.number < 2:
            left = max(left, 5.0)  # there is always a model
        order = Order(
            number=number,
            family=one.family,
            params=family.grow(_params_of(family, one), field.growth),
            seed=one.seed,
            limit_s=left,
            threads=max(1, getattr(field.engine, "threads", 1) if len(self._finalist.weights) > 1 else 2),
        )
        return order, None if left is None else max(0.5, left)

    def _or_of_a_fold(self, outcome: Outcome) -> Outcome:
        one = self._candidates[outcome.number]
        if outcome.status == "done":
            _check(outcome.parity)
            return outcome
        if outcome.status == "failed" or not one.graph:
            raise PalioError(f"its last fit failed: {outcome.reason}", hint="raise [train] budget_s")
        return Outcome(
            number=outcome.number, status="done", graph=one.graph, parity=one.parity, n_parameters=one.n_parameters
        )

    def _joined(self, fitted: Mapping[int, Outcome], rows: Any) -> tuple[bytes, tuple[Parity, ...]]:
        """Return one graph, and how far it is from the libraries of its members."""
        field, weights = self._field, self._finalist.weights
        if len(fitted) == 1:
            (outcome,) = fitted.values()
            return outcome.graph, outcome.parity
        schema, task = rows.schema, field.terms.task
        graphs = [outcome.graph for outcome in fitted.values()]
        graph = model.join(graphs, [weights[number] for number in fitted], schema=schema, task=task)
        runner = model.Graph(graph)
        members = [model.Graph(one) for one in graphs]

        def mixed(feeds: Any, known: Sequence[Array | None]) -> model.Outputs:
            total: Any = 0.0
            for number, member, numbers in zip(fitted, members, known, strict=True):
                answers = numbers if numbers is not None else _numbers(member.predict(feeds))
                total = total + weights[number] * answers
            return field.outputs(total)

        feeds, hard = rows.feeds(), model.stress_feeds(rows.frame, schema, graph)
        libraries = mixed(feeds, [outcome.checked for outcome in fitted.values()])
        checks = (
            model.check_parity(runner, feeds, libraries, path="library and graph"),
            model.check_parity(
                runner, hard, mixed(hard, [None] * len(fitted)), path="library and graph, rows made to be hard"
            ),
        )
        own = [one for outcome in fitted.values() for one in outcome.parity]
        return graph, (*checks, *(one for one in own if not one.passed))

    def _cost(self, graph: bytes, examples: Any) -> Cost:
        feeds = examples.take(np.arange(min(COST_ROWS, len(examples.target)))).feeds()
        fit_s = 0.0 if self._finalist.run.cost is None else self._finalist.run.cost.fit_s
        runner = model.Graph(graph)
        return timed(
            lambda: model.measure_cost(runner, feeds, fit_s=fit_s, n_calls=300, time_limit_s=0.5),
            limit_ms=self._field.limits.latency_ms_p99,
        )

    def _seen(self, runner: model.Graph) -> dict[str, float]:
        examples = self._field.lesson.examples
        n_rows = len(examples.target)
        some = examples.take(np.arange(0, n_rows, max(1, n_rows // 20_000)))
        return score_numbers(self._field.terms.task, some.target, _numbers(runner.predict(some.feeds())))

    def _reference(self, run: Run, runner: model.Graph) -> tuple[Reference, dict[str, Any] | None]:
        """Describe what the champion learned from, and how it did on rows that its fits had not seen."""
        field = self._field
        examples, like = field.lesson.examples, data.description(field.store, field.snapshot).columns
        found = unseen.get_answers(field.store, run.answers, field.terms.task)
        if found is None:
            return model.make_reference(examples.feeds(), examples.schema, examples.task, like=like), None
        return unseen.reference_of(examples, found, n_train=field.n_train, seed=run.seed, runner=runner, like=like)


def _numbers(outputs: model.Outputs) -> Array:
    if outputs.probabilities is not None:
        return outputs.probabilities
    return np.asarray(outputs.prediction, np.float64).reshape(-1, 1)


def _check(parity: Sequence[Parity]) -> None:
    failed = [one for one in parity if not one.passed]
    if failed:
        worst = failed[0]
        raise PalioError(
            f"its graph differs from its library by {worst.max_abs_diff:.3g} ({worst.path}, "
            f"{counted(worst.rows, 'row')}; {worst.tolerance:.3g} is allowed).",
            hint="report it with the schema of the data",
        )


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


def _generalises(run: Run, terms: Terms) -> list[str]:
    """Say how the score on rows that were learned from compares with the one on rows that were not."""
    seen = run.train.get(terms.metric)
    if seen is None or run.cv_score is None:
        return []
    return [
        f"On the rows it learned from {run.family} scores {measure.figure(seen)}, on rows it had not seen "
        f"{measure.figure(run.cv_score)}."
    ]


# ── what failed ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _failures(candidates: Mapping[int, Candidate]) -> dict[str, str]:
    """Return the families of which every candidate failed, with the first reason."""
    scored = {one.family for one in candidates.values() if one.scores and not one.failed}
    found: dict[str, str] = {}
    for one in candidates.values():
        if one.family not in scored and one.reason:
            found.setdefault(one.family, one.reason)
    return found


def _told(failures: Mapping[str, str], candidates: Mapping[int, Candidate]) -> list[str]:
    """Say once for each family what became of candidates that were ended or failed."""
    told = [f"Warning: every trial of {name} failed: {reason}." for name, reason in failures.items()]
    for one in candidates.values():
        if one.reason and one.family not in failures and (one.failed or (one.was_ended and not one.scores)):
            sentence = f"One trial of {one.family} came to nothing: {one.reason}."
            if not any(sentence.split(":")[0] in known for known in told):
                told.append(sentence)
    return told


def _all_failed(field: Field, candidates: Mapping[int, Candidate], failures: Mapping[str, str]) -> PalioError:
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
        facts={"failed": dict(failures), "trials": len(candidates)},
    )
