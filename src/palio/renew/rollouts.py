"""Start rollouts; let people pause, resume, abort and promote them. Each change is one line, by compare-and-set."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import msgspec

from palio import promote
from palio.core.clock import Clock, utc_now
from palio.core.errors import ConflictError, InputError, NotFoundError, RefusedError
from palio.core.ids import digest_of, short
from palio.core.records import Decision, Deployment, Record
from palio.core.serving import ANY_SPREAD, Analysis, HeaderRoute, Rollout, RolloutState, Step
from palio.core.strict import read_file, read_record

if TYPE_CHECKING:
    from palio.core.records import Event, Promotion
    from palio.store import Store

KIND = "renew.rollout"
Action = Literal["pause", "resume", "abort", "promote"]
_DONE = {"pause": "Paused", "resume": "Resumed", "abort": "Aborted", "promote": "Promoted the challenger of"}
_LOOK = Step(kind="analysis", analysis=Analysis())
DEFAULT_STEPS = (
    Step(kind="shadow"),
    _LOOK,
    *(step for weight in (0.05, 0.25, 0.5) for step in (Step(kind="set_weight", weight=weight), _LOOK)),
    Step(kind="promote"),
)
"""Shadow, then 5, 25 and 50 % of the requests, with a look after each; then promote."""


class RolloutPlan(Record, frozen=True, kw_only=True):
    """What a file with the plan of a rollout holds."""

    steps: tuple[Step, ...] = DEFAULT_STEPS
    sticky: Literal["caller", "request", "none"] = "request"
    headers: tuple[HeaderRoute, ...] = ()


def usual_plan(decision: Decision) -> RolloutPlan:
    """Return the usual steps for a challenger.

    One that is surely better on the newest rows may spread its predictions otherwise than the champion: where the world
    has changed it must, or it would not be better.
    """
    newest = decision.newest
    least = None if newest is None else newest.difference.low if newest.surely is None else newest.surely
    if least is None or least <= 0:
        return RolloutPlan()
    own = Step(kind="analysis", analysis=Analysis(max_prediction_drift=ANY_SPREAD))
    return RolloutPlan(steps=tuple(own if step.kind == "analysis" else step for step in DEFAULT_STEPS))


class Standing(NamedTuple):
    """A rollout and where it stands."""

    rollout: Rollout
    state: RolloutState
    line: int
    """Of the ledger: the newest that tells of a rollout of this model."""

    @property
    def is_over(self) -> bool:
        """Whether nothing will happen any more."""
        return self.state.status not in ("running", "paused")


def standing(store: Store, model: str) -> Standing | None:
    """Return the newest rollout of `model`, over or not; None if there never was one."""
    event = store.ledger.newest(KIND, model)
    if event is None:
        return None
    state = msgspec.convert(event.payload["state"], RolloutState)
    return Standing(store.records.require(Rollout, state.rollout), state, event.sequence)


def read_rollout(file: Path) -> RolloutPlan:
    """Read the plan of a rollout from a TOML or JSON file.

    Raises:
        InputError: it cannot be read or understood; where, and what is allowed.
    """
    plan = read_record(RolloutPlan, read_file(file), where=str(file))
    check_steps(plan.steps, where=str(file))
    return plan


def check_steps(steps: tuple[Step, ...], *, where: str = "rollout") -> None:
    """Check that steps make sense.

    Raises:
        InputError: which step does not, and why.
    """
    if not steps:
        raise InputError(f"{where}: there are no steps", hint="write one [[steps]] table for each")
    for number, step in enumerate(steps, start=1):
        place = f"{where}, step {number} ({step.kind})"
        if step.kind == "set_weight" and not 0 < step.weight <= 1:
            raise InputError(f"{place}: `weight`: got {step.weight:g}, allowed is above 0 to 1", hint="5 % is 0.05")
        if step.kind != "analysis" and step.analysis is not None:
            raise InputError(f"{place}: it has an `analysis`", hint='give it a step of kind = "analysis" of its own')
        if step.duration_s is not None and (step.kind != "pause" or step.duration_s < 0):
            raise InputError(f"{place}: `duration_s` does not fit", hint="only a pause has one, of 0 or more")
        if step.kind == "promote" and number < len(steps):
            raise InputError(f"{place}: steps follow it", hint="promote last")
        if step.kind == "analysis" and number == 1:
            raise InputError(
                f"{place}: the challenger has answered nothing yet", hint="begin with shadow or set_weight"
            )
        if step.analysis is not None:
            _check_analysis(step.analysis, place)


def _check_analysis(analysis: Analysis, place: str) -> None:
    least = {"interval_s": 0.0, "failure_limit": 0, "consecutive_successes": 1, "inconclusive_limit": 0}
    least |= {"min_requests": 1, "max_error_rate": 0.0, "max_latency_ratio": 1.0, "max_prediction_drift": 0.0}
    least |= {"max_disagreement": 0.0, "min_quality": 0.0}
    for name, low in least.items():
        value = getattr(analysis, name)
        if value is not None and not value >= low:
            raise InputError(f"{place}: `{name}`: got {value:g}, allowed is {low:g} or more", hint="correct it")


def approved_decision(store: Store, model: str, bundle: str = "") -> Decision:
    """Find the gate's newest yes to a challenger against the present champion; a rollout never goes past the gate.

    Args:
        store: Whose records.
        model: Name of the model.
        bundle: Identity of the challenger, or its first digits; empty for whichever was decided last.

    Raises:
        NotFoundError: there is no champion to take over from.
        RefusedError: the gate did not say yes to this challenger against this champion.
    """
    champion = _champion(store, model)
    seen: set[str] = set()
    for decision in store.records.all(Decision, newest_first=True):
        rival = decision.challenger
        if decision.champion != champion.bundle or rival in seen or not rival.startswith(bundle):
            continue
        seen.add(rival)  # the newest word about a challenger counts, not an older and kinder one
        if decision.verdict == "yes" and rival != champion.bundle:
            return decision
    what = f"bundle {short(bundle)}" if bundle else "any candidate"
    raise RefusedError(
        f"model {model}: the gate has not said yes to {what} against version {champion.version}",
        hint="palio serve rollout start without --bundle asks the gate about the newest candidate",
    )


def start(
    store: Store,
    model: str,
    decision: Decision,
    plan: RolloutPlan | None = None,
    *,
    actor: str | None = None,
    clock: Clock = utc_now,
) -> Standing:
    """Start a rollout of the challenger that the gate has said yes to.

    Raises:
        NotFoundError: there is no champion to take over from, or the challenger's bundle is not in the store.
        RefusedError: the gate did not say yes, or not against the present champion.
        ConflictError: another rollout of this model is under way.
        InputError: the steps make no sense.
    """
    plan = plan or RolloutPlan()
    check_steps(plan.steps)
    champion, before = _champion(store, model), standing(store, model)
    _check_decision(decision, champion)
    if before is not None and not before.is_over:
        raise ConflictError(
            f"model {model}: rollout {before.rollout.id} is under way ({before.state.status})",
            hint="wait for it, or run palio serve rollout abort",
        )
    if not store.blobs.exists(decision.challenger):
        raise NotFoundError(
            f"bundle {short(decision.challenger)}: it is not in {store.blobs.where}",
            hint="train again, or restore the blob from a backup",
        )
    # what was looked at is what must still hold when it is written: another may start in between
    after, now = 0 if before is None else before.line, clock()
    known = [line.version for line in store.promotions.history(model) if line.bundle == decision.challenger]
    rollout = Rollout(
        id="",
        model=model,
        champion=Deployment(model=model, version=champion.version, bundle=champion.bundle),
        challenger=Deployment(model=model, version=max(known, default=0), bundle=decision.challenger),
        decision=decision.id,
        steps=plan.steps,
        sticky=plan.sticky,
        headers=plan.headers,
    )
    rollout = msgspec.structs.replace(rollout, id=digest_of([rollout, after])[:12])
    store.records.put(rollout, key=rollout.id)
    state = RolloutState(rollout=rollout.id, step=0, status="running", since=now)
    text = f"Started rollout {rollout.id} of bundle {short(decision.challenger)} of {model}, {len(plan.steps)} steps."
    written = write_state(store, rollout, state, text, kind="start", after=after, actor=actor)
    return Standing(rollout, state, written.sequence)


def act(
    store: Store, model: str, action: Action, *, reason: str = "", actor: str | None = None, clock: Clock = utc_now
) -> Standing:
    """Do what a person says with the rollout that is under way.

    `pause` leaves the share of requests as it is; `resume` goes on, and past a pause that waits for a person; `abort`
    gives all requests back to the champion; `promote` skips the steps that are left, never the gate.

    Raises:
        NotFoundError: no rollout is under way.
        RefusedError: it cannot be done in this state.
        ConflictError: somebody else was first.
    """
    found = standing(store, model)
    if found is None or found.is_over:
        raise NotFoundError(f"model {model}: no rollout is under way", hint="palio serve rollout start begins one")
    rollout, state, line = found
    live = store.promotions.champion(model)
    if action in ("pause", "abort") and live is not None and live.bundle == rollout.challenger.bundle:
        raise RefusedError(
            f"rollout {rollout.id}: its challenger is the champion already, as version {live.version}",
            hint="palio rollback brings the one before back",
        )
    why, now = reason.strip().rstrip("."), clock()
    if action == "pause":
        if state.status == "paused":
            raise RefusedError(f"rollout {rollout.id}: it is paused already", hint="palio serve rollout resume goes on")
        new = msgspec.structs.replace(state, status="paused", reason=why or "paused by hand")
    elif action == "resume":
        if state.status == "running":
            raise RefusedError(f"rollout {rollout.id}: it is running already", hint="there is nothing to do")
        new = _resumed(rollout, state, now)
    elif action == "abort":
        new = msgspec.structs.replace(state, status="aborted", mode="off", weight=0.0, reason=why or "aborted by hand")
    else:
        carry_out(store, rollout, actor=actor)
        new = msgspec.structs.replace(
            state,
            status="promoted",
            step=len(rollout.steps),
            since=now,
            mode="off",
            weight=0.0,
            reason=why or "by hand",
        )
    text = f"{_DONE[action]} rollout {rollout.id} of {model}: {why or 'no reason given'}."
    event = write_state(store, rollout, new, text, kind=action, after=line, actor=actor)
    return Standing(rollout, new, event.sequence)


class RolloutControl:
    """Show and move the rollout of one model, for a face such as the admin port."""

    def __init__(self, store: Store, model: str) -> None:
        self._store = store
        self._model = model

    def show(self) -> dict[str, Any] | None:
        """Return the newest rollout and its state, JSON-safe; None if there never was one."""
        found = standing(self._store, self._model)
        return None if found is None else _as_json(found)

    def act(self, action: str, *, reason: str, actor: str) -> dict[str, Any]:
        """Do what a person says; errors as in `act`."""
        return _as_json(act(self._store, self._model, cast("Action", action), reason=reason, actor=actor))


def _as_json(found: Standing) -> dict[str, Any]:
    return {"rollout": msgspec.to_builtins(found.rollout), "state": msgspec.to_builtins(found.state)}


def carry_out(store: Store, rollout: Rollout, *, actor: str | None = None) -> Promotion:
    """Promote the challenger of a rollout, by the same transaction as `palio promote`; again and again the same.

    Raises:
        RefusedError: the gate's decision is missing, or no yes.
        ConflictError: the champion has changed since.
    """
    decision = store.records.get(Decision, rollout.decision) if rollout.decision else None
    if decision is None or decision.verdict != "yes" or decision.challenger != rollout.challenger.bundle:
        raise RefusedError(
            f"rollout {rollout.id}: there is no yes of the gate to bundle {short(rollout.challenger.bundle)}",
            hint="abort it, and run palio promote",
        )
    promotion = promote.release(
        store, decision, model=rollout.model, expected=rollout.champion.version, actor=actor
    )  # fmt: skip
    if promotion is None:
        raise RefusedError(f"rollout {rollout.id}: the gate said no", hint="abort it")
    return promotion


def write_state(
    store: Store, rollout: Rollout, state: RolloutState, text: str, *, kind: str, after: int, actor: str | None
) -> Event:
    """Write a new state behind ledger line `after`, or nothing if somebody else was first (`ConflictError`)."""
    payload: dict[str, Any] = {"rollout": rollout.id, "state": state}
    return store.ledger.append_after(
        f"{KIND}.{kind}", rollout.model, text, family=KIND, after=after, payload=payload, actor=actor
    )


def _resumed(rollout: Rollout, state: RolloutState, now: dt.datetime) -> RolloutState:
    if state.step >= len(rollout.steps):
        raise RefusedError(f"rollout {rollout.id}: all its steps are done", hint="promote or abort it")
    step = rollout.steps[state.step]
    fresh: dict[str, Any] = {"successes": 0, "failures": 0, "inconclusive": 0, "looked_at": None, "reason": ""}
    if step.kind == "pause" and step.duration_s is None:
        fresh |= {"step": state.step + 1, "since": now}
    elif step.kind != "analysis":
        fresh |= {"since": now}
    # An analysis keeps its begin: what was seen before the pause still counts, and its bounds hold at every look.
    return msgspec.structs.replace(state, status="running", **fresh)


def _champion(store: Store, model: str) -> Promotion:
    champion = store.promotions.champion(model)
    if champion is None:
        raise NotFoundError(f"model {model}: there is no champion to take over from", hint="run palio run first")
    return champion


def _check_decision(decision: Decision, champion: Promotion) -> None:
    if decision.verdict != "yes":
        said = "said no" if decision.verdict == "no" else "waits for a person"
        raise RefusedError(
            f"decision {short(decision.id)}: the gate {said}, so there is nothing to roll out",
            hint=f"palio serve rollout start --approve {short(decision.id)}"
            if decision.verdict == "needs_approval"
            else "train a better challenger",
        )
    if decision.challenger == champion.bundle:
        raise RefusedError(f"bundle {short(champion.bundle)} is the champion already", hint="there is nothing to do")
    if decision.champion != champion.bundle:
        raise RefusedError(
            f"decision {short(decision.id)}: it was taken against another champion than version {champion.version}",
            hint="decide again against the present champion",
        )
