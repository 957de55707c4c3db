"""Judge a rollout: what was seen in, the next state and a sentence out. Pure; nothing is read, nothing written."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from palio.core.serving import Analysis, Observations, Rollout, RolloutState, Step
from palio.renew.looks import Look, look

Judged = tuple[RolloutState, str]


def judge(rollout: Rollout, state: RolloutState, seen: Observations | None, now: dt.datetime) -> Judged:
    """Take one step of a rollout, if it is time for one.

    Args:
        rollout: The plan.
        state: Where it stands.
        seen: Since `state.since`; needed only if `wants_look` says so, None otherwise.
        now: The present moment.

    Returns:
        The next state, and one sentence about why; the same state and an empty sentence if there is nothing to do. Ask
        again until then. `promoted` says that the challenger may be promoted now: whoever carries it out does so first
        and writes the state down afterwards.
    """
    if state.status != "running":
        return state, ""
    if state.step >= len(rollout.steps):
        return _changed(state, status="paused", reason="all steps are done"), (
            f"All steps are done, and none of them promotes: a person decides. {answering(state)}"
        )
    step = rollout.steps[state.step]
    match step.kind:
        case "shadow":
            text = "The challenger shadows the champion: its answers are logged and compared, never returned."
            return _next(state, now, mode="shadow", weight=0.0), text
        case "set_weight":
            return _next(state, now, mode="canary", weight=step.weight), (
                f"The challenger answers {step.weight:.0%} of the requests."
            )
        case "pause":
            return _pause(state, step, now)
        case "analysis":
            if seen is None or not wants_look(rollout, state, now):
                return state, ""
            return _analyse(state, step.analysis or Analysis(), seen, now)
        case "promote":
            reason = state.reason or "every step was passed"
            return _changed(state, status="promoted", step=len(rollout.steps), since=now, mode="off", weight=0.0), (
                f"The challenger takes over: {reason}."
            )


def wants_look(rollout: Rollout, state: RolloutState, now: dt.datetime) -> bool:
    """Tell whether an analysis is under way and its next look is due."""
    if state.status != "running" or state.step >= len(rollout.steps) or rollout.steps[state.step].kind != "analysis":
        return False
    analysis = rollout.steps[state.step].analysis or Analysis()
    return _elapsed_s(state.looked_at or state.since, now) >= analysis.interval_s


def _elapsed_s(since: dt.datetime, now: dt.datetime) -> float:
    """Return the seconds since a moment; a clock that was ahead holds nothing up for longer than it was ahead."""
    return abs((now - since).total_seconds())


def answering(state: RolloutState) -> str:
    """Say who answers callers now."""
    if state.mode == "canary":
        return f"Meanwhile the challenger answers {state.weight:.0%} of the requests."
    return "Meanwhile the champion answers alone."


def _pause(state: RolloutState, step: Step, now: dt.datetime) -> Judged:
    if step.duration_s is None:
        return _changed(state, status="paused", reason="a person must resume it"), (
            f"The rollout waits for a person: palio serve rollout resume. {answering(state)}"
        )
    if _elapsed_s(state.since, now) < step.duration_s:
        return state, ""
    return _next(state, now), f"The pause of {step.duration_s:g} s is over."


def _analyse(state: RolloutState, analysis: Analysis, seen: Observations, now: dt.datetime) -> Judged:
    found = look(analysis, seen, mode=state.mode)
    state = msgspec.structs.replace(state, looked_at=now, reason=found.reason)
    if analysis.dry_run:
        return _dry_run(state, analysis, found, now)
    if found.outcome == "good":
        state = msgspec.structs.replace(state, successes=state.successes + 1)
        if state.successes >= analysis.consecutive_successes:
            return _next(state, now), f"A good look: {found.reason}. The rollout goes on."
        return state, f"Good look {state.successes} of {analysis.consecutive_successes}: {found.reason}."
    if found.outcome == "unsure":
        state = msgspec.structs.replace(state, successes=0, inconclusive=state.inconclusive + 1)
        if state.inconclusive > analysis.inconclusive_limit:
            return _changed(state, status="paused"), (
                f"{state.inconclusive} looks could not tell, so the rollout waits for a person: {found.reason}. "
                f"{answering(state)}"
            )
        return state, f"A look could not tell yet: {found.reason}."
    state = msgspec.structs.replace(state, successes=0, failures=state.failures + 1)
    if state.failures > analysis.failure_limit:
        return _changed(state, status="rolled back", mode="off", weight=0.0), (
            f"Rolled back, the champion answers alone: {found.reason}."
        )
    return state, f"Bad look {state.failures}, {analysis.failure_limit} are allowed: {found.reason}."


def _dry_run(state: RolloutState, analysis: Analysis, found: Look, now: dt.datetime) -> Judged:
    """Look and say, but never hold up."""
    state = msgspec.structs.replace(state, successes=state.successes + 1)
    text = f"A dry run would have found this {found.outcome}: {found.reason}."
    return (_next(state, now), text) if state.successes >= analysis.consecutive_successes else (state, text)


def _next(state: RolloutState, now: dt.datetime, **changed: Any) -> RolloutState:
    """Begin the next step: counters anew."""
    fresh = {"since": now, "looked_at": None, "successes": 0, "failures": 0, "inconclusive": 0}
    return msgspec.structs.replace(state, step=state.step + 1, **fresh | changed)


def _changed(state: RolloutState, **changed: Any) -> RolloutState:
    return msgspec.structs.replace(state, **changed)
