"""Carry a renewal from its plan to its end: collect, train, judge, release. Each step is one line of the ledger.

A step is done first and told afterwards, and doing it again gives the same; so whoever is killed is gone on with, and
of two who carry out the same renewal one writes each line. A lock on a file keeps a second process of this machine from
training the same; it ends with the process that holds it.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from palio import measure, promote, renew, store
from palio.core.clock import Clock, utc_now
from palio.core.durations import read_duration
from palio.core.errors import (
    ConfigError,
    ConflictError,
    InputError,
    NotFoundError,
    PalioError,
    RefusedError,
    UnavailableError,
)
from palio.core.ids import short
from palio.core.monitoring import Renewal, Review
from palio.core.records import Decision, Search
from palio.flow import collecting, steps
from palio.flow.project import Project

if TYPE_CHECKING:
    from palio.renew import Planned, RenewalPolicy, RenewalStanding

MOST_ATTEMPTS = 10
"""A renewal that was begun so often and never came to an end is given up: something kills it each time."""
WAITING = ("judged", "releasing")
"""In these states a renewal waits for a person or a rollout; nothing is computed."""


def policy_of(project: Project) -> RenewalPolicy:
    """Translate `[retrain]` and `[value]`.

    Raises:
        ConfigError: schedule or cooldown are not understood.
    """
    table, value = project.config.retrain, project.config.value
    try:
        cooldown = read_duration(table.cooldown) if table.cooldown not in ("0", "0s") else dt.timedelta()
        renew.next_due(table.schedule, utc_now())
    except InputError as error:
        raise ConfigError(f"palio.toml [retrain]: {error.message}", hint=error.hint) from None
    return renew.RenewalPolicy(
        schedule=table.schedule,
        on=table.on,
        new_labels=table.new_labels,
        min_labels=table.min_labels,
        cooldown=cooldown,
        budget_s=table.budget_s or project.config.train.budget_s,
        cost_per_hour=table.cost_per_hour,
        horizon_days=table.horizon_days,
        release=table.release,
        error_cost=value.error_cost,
        requests_per_day=value.requests_per_day,
        currency=value.currency,
    )


def plan(
    project: Project,
    review: Review | None = None,
    *,
    why: str | None = None,
    clock: Clock = utc_now,
    count: Callable[..., int] | None = None,
) -> Planned:
    """Decide whether a challenger is to be trained now, and write nothing.

    Labels are counted only where something asks for a renewal, for that reads the log.

    Args:
        project: Whose champion and log.
        review: The newest of the champion, if there is one.
        why: A person asks, and says why.
        clock: Tells the present moment.
        count: Counts the labels, as `collecting.count` does; for those who ask often and remember.
    """
    policy, now = policy_of(project), clock()
    champion = project.store.promotions.champion(project.name)
    last = renew.renewal_standing(project.store, project.name)
    labels = renew.FreshLabels(n_rows=0, until=now, answered_before=_ripe_until(project, review, now))
    if champion is not None and (last is None or last.is_over):
        found = renew.occasion(review, policy, champion=champion, last=last, now=now)
        if why is not None or found.reasons or policy.new_labels:
            counted = count or functools.partial(collecting.count, project)
            n_rows = counted(received_before=now, answered_before=labels.answered_before)
            labels = msgspec.structs.replace(labels, n_rows=n_rows)
    return renew.plan(review, policy, champion=champion, labels=labels, last=last, now=now, why=why)


def _ripe_until(project: Project, review: Review | None, now: dt.datetime) -> dt.datetime | None:
    """Say before which moment rows were answered whose labels have had their time; None: that is not known."""
    setting = project.config.monitor.labels_after
    if setting != "auto":
        return now - read_duration(setting)
    ripe = [window.until for window in (review.windows if review else ()) if window.is_ripe]
    return max(ripe, default=None)


def retrain(project: Project, *, why: str = "", request: str = "", clock: Clock = utc_now) -> RenewalStanding:
    """Go on with the renewal that is under way, or plan one because a person asks, and carry it out.

    Args:
        project: Whose champion.
        why: The person's reason, for the ledger.
        request: Carry out this renewal, and plan none.
        clock: Tells the present moment.

    Raises:
        RefusedError: there is nothing to renew, or nothing new to learn from.
        NotFoundError: `request` is not the newest renewal.
        ConflictError: another process of this machine is carrying it out.
    """
    if request:
        return carry_out(project, request, clock=clock)
    found = renew.renewal_standing(project.store, project.name)
    if found is None or found.is_over:
        planned = plan(project, why=why, clock=clock)
        if planned.request is None:
            raise RefusedError(
                f"model {project.name}: {planned.reason}",
                hint="send truths to POST /feedback or with palio feedback FILE; palio run searches on the old data",
            )
        found = renew.write_plan(project.store, planned.request, clock=clock)
    return carry_out(project, found.request.id, clock=clock)


def carry_out(project: Project, request: str, *, clock: Clock = utc_now) -> RenewalStanding:
    """Take a renewal as far as it goes now: to its end, or to where a person or a rollout is waited for.

    Raises:
        NotFoundError: the newest renewal is another one.
        ConflictError: another process of this machine is carrying it out.
        UnavailableError: something is out of reach; the renewal stays where it was.
    """
    with _lease(project, request):
        found = _standing(project, request)
        if not found.is_over and found.renewal.status not in WAITING:
            found = _begin(project, found, clock)
        return _advanced(project, found, clock)


def advance(project: Project, request: str, *, clock: Clock = utc_now) -> RenewalStanding:
    """Take a renewal that waits for a person or a rollout further, if it can; nothing is computed."""
    found = _standing(project, request)
    return _advanced(project, found, clock) if found.renewal.status in WAITING else found


def _standing(project: Project, request: str) -> RenewalStanding:
    found = renew.renewal_standing(project.store, project.name)
    if found is None or found.request.id != request:
        raise NotFoundError(
            f"model {project.name}: renewal {request[:40]} is not the newest", hint="palio log --loop shows which is"
        )
    return found


@contextmanager
def _lease(project: Project, request: str) -> Iterator[None]:
    """Hold the renewals of this project for the process; the lock ends with it, however it ends."""
    path = store.Layout(project.folder).root / "renewals.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConflictError(
                f"renewal {request}: another process is carrying it out",
                hint="wait for it; palio log --loop tells more",
            ) from None
        yield


def is_carried_out(project: Project) -> bool:
    """Tell whether a process of this machine is at work on a renewal of the project."""
    try:
        with _lease(project, ""):
            return False
    except ConflictError:
        return True


# ── steps ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_Step = Callable[[Project, "RenewalStanding"], "tuple[Renewal, str, renew.StepKind]"]


def _begin(project: Project, found: RenewalStanding, clock: Clock) -> RenewalStanding:
    """Count the attempt; give up after too many."""
    before, identity = found.renewal, found.request.id
    if before.attempts >= MOST_ATTEMPTS:
        reason = f"it was begun {before.attempts} times and never came to an end"
        renewal = msgspec.structs.replace(before, status="failed", since=clock(), reason=reason)
        return renew.write_renewal(
            project.store, found, renewal, f"Gave renewal {identity} up: {reason}.", kind="fail"
        )  # fmt: skip
    renewal = msgspec.structs.replace(before, attempts=before.attempts + 1)
    text = f"Began renewal {identity} of {found.request.model}."
    if before.attempts:
        text = f"Went on with renewal {identity}, which was interrupted when it was {before.status}."
    return renew.write_renewal(project.store, found, renewal, text, kind="begin")


def _advanced(project: Project, found: RenewalStanding, clock: Clock) -> RenewalStanding:
    while not found.is_over:
        try:
            renewal, text, kind = _STEPS[found.renewal.status](project, found)
        except UnavailableError:
            raise
        except PalioError as error:
            renewal, text, kind = _ended(found, error)
        if not text:
            break
        project.progress.say(f"renew     {text}")
        renewal = msgspec.structs.replace(renewal, since=clock())
        try:
            found = renew.write_renewal(project.store, found, renewal, text, kind=kind)
        except ConflictError:  # somebody else took this step: go on from what they wrote
            found = _standing(project, found.request.id)
    return found


def _ended(found: RenewalStanding, error: PalioError) -> tuple[Renewal, str, renew.StepKind]:
    """End a renewal by an error: refused by a policy, or failed."""
    reason = error.message
    if isinstance(error, RefusedError):
        renewal = msgspec.structs.replace(found.renewal, status="refused", reason=reason)
        return renewal, f"Refused renewal {found.request.id}: {reason}.", "refuse"
    renewal = msgspec.structs.replace(found.renewal, status="failed", reason=reason)
    return renewal, f"Renewal {found.request.id} failed: {reason}.", "fail"


def _collect(project: Project, found: RenewalStanding) -> tuple[Renewal, str, renew.StepKind]:
    rows, added = collecting.collect(project, found.request)
    n_quarantined = rows.n_rows - added.n_rows
    renewal = msgspec.structs.replace(
        found.renewal, status="collected", snapshot=added.snapshot, n_rows=added.n_rows, reason=""
    )
    left = [
        (n_quarantined, "broke the contract and are in quarantine"),
        (rows.n_unfit, "lack an input in the log"),
        (rows.n_repeated, "have an id that the data holds already"),
    ]
    told = [f"{n:,} {why}" for n, why in left if n]
    text = f"Added {added.n_rows:,} labelled rows to the data for renewal {found.request.id}."
    if told:
        text += f" Left out: {', '.join(told)}."
    if rows.n_corrected:
        text += f" {rows.n_corrected:,} labels that were learned from have changed since; the data keeps the old ones."
    return renewal, " ".join([text, *rows.notes]), "collect"


def _train(project: Project, found: RenewalStanding) -> tuple[Renewal, str, renew.StepKind]:
    budget_s = found.request.budget_s
    search = steps.train(_within(project, budget_s))
    renewal = msgspec.structs.replace(found.renewal, status="trained", search=search.id)
    run = next(run for run in search.runs if run.chosen)
    text = (
        f"Trained for renewal {found.request.id}: {len(search.runs)} candidates in {search.seconds:,.0f} s; "
        f"the best is {run.family}, bundle {short(search.bundle)}."
    )
    return renewal, text, "train"


def _within(project: Project, budget_s: float) -> Project:
    """Return the project with another budget of the search; both share one store."""
    table = msgspec.structs.replace(project.config.train, budget_s=budget_s)
    config = msgspec.structs.replace(project.config, train=table)
    return Project(project.folder, config, project.store, progress=project.progress)


def _judge(project: Project, found: RenewalStanding) -> tuple[Renewal, str, renew.StepKind]:
    request = found.request
    search = project.store.records.require(Search, found.renewal.search)
    champion = project.store.promotions.champion(project.name)
    if champion is not None and champion.bundle == search.bundle:
        raise RefusedError(f"the search came to the champion itself, version {champion.version}", hint="")
    assessment = steps.evaluate(
        project, why=f"renewal {request.id}", search=search, newest_from=_newest_from(project, found, search)
    )
    decision = steps.decide(
        project,
        search,
        assessment,
        may_lose_earlier=request.may_lose_earlier,
        by_person=request.kind == "classes",
    )
    promote.record(project.store, decision, model=project.name)
    renewal = msgspec.structs.replace(found.renewal, status="judged", decision=decision.id)
    text = f"Judged renewal {request.id}: {_compared(decision)}"
    if decision.verdict == "needs_approval":
        text += (
            f" {_why_a_person(request.kind, decision)} It waits for a person: "
            f"palio promote --approve {short(decision.id)}."
        )
        renewal = msgspec.structs.replace(renewal, reason="waits for a person")
    notes = [] if decision.verdict == "needs_approval" else [note.rstrip(".") + "." for note in assessment.notes]
    return renewal, " ".join([text, *(note[0].upper() + note[1:] for note in notes)]), "judge"


def _why_a_person(kind: str, decision: Decision) -> str:
    failed = [check.reason for check in decision.checks if not check.passed]
    if failed:
        return failed[0]
    return "The classes have changed, so no figure alone can decide." if kind == "classes" else ""


def _compared(decision: Decision) -> str:
    """Say how champion and challenger compare, on the newest rows and on those of before."""
    sides = (("newest", decision.newest), ("earlier", decision.earlier))
    told = []
    for name, side in sides:
        if side is not None:
            d = side.difference
            value, low, high = (measure.figure(number, sign=True) for number in (d.value, d.low, d.high))
            told.append(
                f"on {side.n_rows:,} {name} test rows {side.metric} changes by {value} (95 % interval {low} to {high})"
            )
    verdict = {"yes": "the gate says yes", "no": "the gate says no", "needs_approval": "the gate asks for a person"}
    return f"{verdict[decision.verdict]}; {'; '.join(told)}." if told else f"{verdict[decision.verdict]}."


def _newest_from(project: Project, found: RenewalStanding, search: Search) -> int | None:
    """Return where the rows of this renewal begin in the data that was trained on; None if other rows came behind."""
    rows = project.store.records.require(collecting.Collected, found.request.id)
    return collecting.first_row(project, rows, search)


def _release(project: Project, found: RenewalStanding) -> tuple[Renewal, str, renew.StepKind]:
    request, renewal = found.request, found.renewal
    decision = project.store.records.require(Decision, renewal.decision)
    champion = project.store.promotions.champion(project.name)
    if champion is not None and champion.bundle == decision.challenger:
        return _released(found, champion.version)
    if decision.verdict == "no":
        why = next(check.reason for check in decision.checks if not check.passed)
        ended = msgspec.structs.replace(renewal, status="refused", reason=why)
        return ended, f"Refused the challenger of renewal {request.id}: {why} The champion stays.", "refuse"
    if champion is None or champion.bundle != decision.champion:
        raise RefusedError("the champion changed meanwhile, so the comparison holds no more", hint="plan again")
    rollout = _rollout(project, decision)
    if rollout is None and decision.verdict == "needs_approval":
        return renewal, "", "release"
    if rollout is None and request.release == "promote":
        promotion = promote.release(
            project.store, decision, model=project.name, expected=champion.version
        )  # fmt: skip
        return _released(found, 0 if promotion is None else promotion.version)
    if rollout is None:
        under_way = renew.standing(project.store, project.name)
        if under_way is not None and not under_way.is_over:
            return renewal, "", "rollout"  # one rollout at a time: this one's turn comes
        rollout = renew.start(project.store, project.name, decision, _rollout_plan(project)).rollout.id
    releasing = msgspec.structs.replace(renewal, status="releasing", rollout=rollout, reason="")
    text = f"The challenger of renewal {request.id} is brought live step by step, by rollout {rollout}."
    return releasing, text, "rollout"


def _rollout_plan(project: Project) -> renew.RolloutPlan | None:
    file = project.config.retrain.rollout
    return renew.read_rollout(project.folder / file) if file else None


def _rollout(project: Project, decision: Decision) -> str | None:
    """Find the newest rollout, if it is one of this challenger against this champion."""
    found = renew.standing(project.store, project.name)
    if found is None or found.rollout.challenger.bundle != decision.challenger:
        return None
    return found.rollout.id if found.rollout.champion.bundle == decision.champion else None


def _released(found: RenewalStanding, version: int) -> tuple[Renewal, str, renew.StepKind]:
    renewal = msgspec.structs.replace(found.renewal, status="released", reason="")
    text = f"Renewal {found.request.id} is done: its challenger is the champion, version {version}."
    return renewal, text, "release"


def _follow(project: Project, found: RenewalStanding) -> tuple[Renewal, str, renew.StepKind]:
    """Follow the rollout to its end."""
    renewal = found.renewal
    decision = project.store.records.require(Decision, renewal.decision)
    champion = project.store.promotions.champion(project.name)
    if champion is not None and champion.bundle == decision.challenger:
        return _released(found, champion.version)
    rollout = renew.standing(project.store, project.name)
    if rollout is not None and rollout.rollout.id == renewal.rollout and not rollout.is_over:
        return renewal, "", "rollout"
    state = None if rollout is None or rollout.rollout.id != renewal.rollout else rollout.state
    if state is not None and state.status == "promoted":
        return renewal, "", "rollout"  # the promotion is written first: the next look finds it
    why = "another rollout took its place" if state is None else f"its rollout was {state.status}: {state.reason}"
    ended = msgspec.structs.replace(renewal, status="refused", reason=why.rstrip("."))
    text = f"Refused the challenger of renewal {found.request.id}: {why.rstrip('.')}. The champion stays."
    return ended, text, "refuse"


_STEPS: dict[str, _Step] = {
    "planned": _collect,
    "collected": _train,
    "trained": _judge,
    "judged": _release,
    "releasing": _follow,
}
