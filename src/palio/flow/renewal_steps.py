"""The steps of a renewal: each does its work and says where the renewal stands then; nothing is written here.

Doing a step again gives the same: rows are added once, a search and a look at the test are remembered, a promotion is
one transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from palio import measure, promote, renew
from palio.core.errors import PalioError, RefusedError
from palio.core.ids import short
from palio.core.records import Decision, Search, Snapshot
from palio.core.renewal import Renewal
from palio.core.words import counted
from palio.flow import collecting, newest, steps
from palio.flow.opened import Opened

if TYPE_CHECKING:
    from palio.renew import RenewalStanding

_Step = Callable[[Opened, "RenewalStanding"], "tuple[Renewal, str, renew.StepKind]"]
"""Gives the new state, a sentence and the kind of the line; an empty sentence: there is nothing to do yet."""


def ended(found: RenewalStanding, error: PalioError) -> tuple[Renewal, str, renew.StepKind]:
    """End a renewal by an error: refused by a policy, or failed."""
    reason = error.message
    if isinstance(error, RefusedError):
        renewal = msgspec.structs.replace(found.renewal, status="refused", reason=reason)
        return renewal, f"Refused renewal {found.request.id}: {reason}.", "refuse"
    renewal = msgspec.structs.replace(found.renewal, status="failed", reason=reason)
    text = f"Renewal {found.request.id} failed: {reason}."
    if renewal.n_rows:
        text += f" The {counted(renewal.n_rows, 'row')} that it added stay in the data; palio run learns from them."
    return renewal, text, "fail"


def collect(opened: Opened, found: RenewalStanding) -> tuple[Renewal, str, renew.StepKind]:
    """Add the labelled rows to the data, and say which were left out and why."""
    rows, added = collecting.collect(opened, found.request)
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
    text = f"Added {counted(added.n_rows, 'labelled row')} to the data for renewal {found.request.id}."
    if told:
        text += f" Left out: {', '.join(told)}."
    if rows.n_corrected:
        labels = counted(rows.n_corrected, "label")
        text += f" Learned from before, {labels} changed since; the data keeps what it had."
    return renewal, " ".join([text, *rows.notes]), "collect"


def _train(opened: Opened, found: RenewalStanding) -> tuple[Renewal, str, renew.StepKind]:
    request = found.request
    # Where the world has changed, old rows teach what no longer holds: half of the budget goes to the newest alone.
    n_searches = 2 if request.may_lose_earlier else 1
    within = opened.within(request.budget_s / n_searches)
    snapshot = opened.store.records.require(Snapshot, found.renewal.snapshot)
    parts = steps.split(within, snapshot)
    search = steps.train(within, parts)
    n_tried, seconds, said = len(search.runs), search.seconds, ""
    if request.may_lose_earlier:
        rival = newest.challenger(within, snapshot, parts, search, first_row=collecting.first_row(opened, request))
        n_tried, seconds = n_tried + rival.n_tried, seconds + rival.seconds
        search, said = rival.search, f" {rival.reason}"
    renewal = msgspec.structs.replace(found.renewal, status="trained", search=search.id)
    run = next(run for run in search.runs if run.chosen)
    text = (
        f"Trained for renewal {request.id}: {counted(n_tried, 'candidate')} in {seconds:,.0f} s; "
        f"the best is {run.family}, bundle {short(search.bundle)}.{said}"
    )
    return renewal, text, "train"


def _judge(opened: Opened, found: RenewalStanding) -> tuple[Renewal, str, renew.StepKind]:
    request = found.request
    search = opened.store.records.require(Search, found.renewal.search)
    champion = opened.champion
    if champion is not None and champion.bundle == search.bundle:
        raise RefusedError(f"the search came to the champion itself, version {champion.version}", hint="")
    assessment = steps.assess(
        opened,
        search,
        champion=champion,
        why=f"renewal {request.id}",
        newest_from=collecting.first_row(opened, request),
    )
    decision = steps.decide(
        opened,
        search,
        assessment,
        champion=champion,
        may_lose_earlier=request.may_lose_earlier,
        by_person=request.kind == "classes",
    )
    promote.record(opened.store, decision, model=opened.name)
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


def _release(opened: Opened, found: RenewalStanding) -> tuple[Renewal, str, renew.StepKind]:
    request, renewal = found.request, found.renewal
    decision = opened.store.records.require(Decision, renewal.decision)
    champion = opened.champion
    if champion is not None and champion.bundle == decision.challenger:
        return _released(found, champion.version)
    if decision.verdict == "no":
        why = next(check.reason for check in decision.checks if not check.passed)
        ended = msgspec.structs.replace(renewal, status="refused", reason=why)
        return ended, f"Refused the challenger of renewal {request.id}: {why} The champion stays.", "refuse"
    if champion is None or champion.bundle != decision.champion:
        raise RefusedError("the champion changed meanwhile, so the comparison holds no more", hint="plan again")
    rollout = _rollout(opened, decision)
    if rollout is None and decision.verdict == "needs_approval":
        return renewal, "", "release"
    if rollout is None and request.release == "promote":
        promotion = promote.release(
            opened.store, decision, model=opened.name, expected=champion.version
        )  # fmt: skip
        return _released(found, 0 if promotion is None else promotion.version)
    if rollout is None:
        under_way = renew.standing(opened.store, opened.name)
        if under_way is not None and not under_way.is_over:
            return renewal, "", "rollout"  # one rollout at a time: this one's turn comes
        rollout = renew.start(opened.store, opened.name, decision, _rollout_plan(opened, decision)).rollout.id
    releasing = msgspec.structs.replace(renewal, status="releasing", rollout=rollout, reason="")
    text = f"The challenger of renewal {request.id} is brought live step by step, by rollout {rollout}."
    return releasing, text, "rollout"


def _rollout_plan(opened: Opened, decision: Decision) -> renew.RolloutPlan:
    file = opened.config.retrain.rollout
    return renew.read_rollout(opened.folder / file) if file else renew.usual_plan(decision)


def _rollout(opened: Opened, decision: Decision) -> str | None:
    """Find the newest rollout, if it is one of this challenger against this champion."""
    found = renew.standing(opened.store, opened.name)
    if found is None or found.rollout.challenger.bundle != decision.challenger:
        return None
    return found.rollout.id if found.rollout.champion.bundle == decision.champion else None


def _released(found: RenewalStanding, version: int) -> tuple[Renewal, str, renew.StepKind]:
    renewal = msgspec.structs.replace(found.renewal, status="released", reason="")
    text = f"Renewal {found.request.id} is done: its challenger is the champion, version {version}."
    return renewal, text, "release"


def _follow(opened: Opened, found: RenewalStanding) -> tuple[Renewal, str, renew.StepKind]:
    """Follow the rollout to its end."""
    renewal = found.renewal
    decision = opened.store.records.require(Decision, renewal.decision)
    champion = opened.champion
    if champion is not None and champion.bundle == decision.challenger:
        return _released(found, champion.version)
    rollout = renew.standing(opened.store, opened.name)
    if rollout is not None and rollout.rollout.id == renewal.rollout and not rollout.is_over:
        return renewal, "", "rollout"
    state = None if rollout is None or rollout.rollout.id != renewal.rollout else rollout.state
    if state is not None and state.status == "promoted":
        return renewal, "", "rollout"  # the promotion is written first: the next look finds it
    why = "another rollout took its place" if state is None else f"its rollout was {state.status}: {state.reason}"
    ended = msgspec.structs.replace(renewal, status="refused", reason=why.rstrip("."))
    text = f"Refused the challenger of renewal {found.request.id}: {why.rstrip('.')}. The champion stays."
    return ended, text, "refuse"


STEPS: dict[str, _Step] = {
    "planned": collect,
    "collected": _train,
    "trained": _judge,
    "judged": _release,
    "releasing": _follow,
}
