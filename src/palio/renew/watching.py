"""Watch a rollout: look, judge, act, write it down. Safe to run twice at once, and to be killed at any moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from palio.core.clock import Clock, utc_now
from palio.core.errors import ConflictError, PalioError
from palio.core.records import Manifest, Task
from palio.core.serving import Rollout, RolloutState
from palio.renew.judging import answering, judge, wants_look
from palio.renew.observing import observe
from palio.renew.rollouts import KIND, Standing, carry_out, standing, write_state

if TYPE_CHECKING:
    from palio.renew.observing import LogReader
    from palio.store import Store

ACTOR = "palio watch"
REFUSED = "serve.refuse"
"""Lines of this kind tell that a server could not load a bundle."""
_MOST_STEPS = 1000
_KINDS = {"promoted": "promote", "rolled back": "rollback", "aborted": "abort", "paused": "pause"}


class Watched(NamedTuple):
    """What a look at a rollout did."""

    standing: Standing | None
    """Where the newest rollout stands now; None if there never was one."""
    said: tuple[str, ...]
    """A sentence for each change; empty if there was nothing to do."""


def watch_once(store: Store, log: LogReader, model: str, clock: Clock = utc_now) -> Watched:
    """Take the rollout of `model` as far as it goes now.

    Each change is one ledger line, written only if nobody else wrote one since it was read; so two watchers take each
    step once between them. The challenger is promoted before the line that says so: killed in between, the next watcher
    finds it promoted and writes the line.
    """
    said: list[str] = []
    for _ in range(_MOST_STEPS):
        found = standing(store, model)
        if found is None or found.is_over:
            return Watched(found, tuple(said))
        new, text = _judge(store, log, found, clock)
        if new is found.state:
            return Watched(found, tuple(said))
        if new.status == "promoted":
            now = standing(store, model)
            if now is None or now.line != found.line:
                continue  # a person has just paused or aborted it
            new, text = _promote(store, found, new, text)
        kind = _KINDS.get(new.status, "look" if new.step == found.state.step else "step")
        try:
            write_state(store, found.rollout, new, text, kind=kind, after=found.line, actor=ACTOR)
        except ConflictError:
            continue  # somebody else was first: read what they wrote
        said.append(text)
    return Watched(standing(store, model), tuple(said))


def _judge(store: Store, log: LogReader, found: Standing, clock: Clock) -> tuple[RolloutState, str]:
    rollout, state, _ = found
    ended = _ended(store, rollout, state, clock) or _refused(store, rollout, state, clock)
    if ended is not None:
        return ended
    now = clock()
    seen = None
    if wants_look(rollout, state, now):
        seen = observe(log, mode=state.mode, since=state.since, until=now, tasks=_tasks(store, rollout))
    return judge(rollout, state, seen, now)


def _tasks(store: Store, rollout: Rollout) -> tuple[Task, Task] | None:
    """Return what champion and challenger are asked, from their manifests alone; None where one is no longer there."""
    both = rollout.champion.bundle, rollout.challenger.bundle
    try:
        mine, theirs = (msgspec.json.decode(store.blobs.get(bundle), type=Manifest).task for bundle in both)
    except (PalioError, msgspec.MsgspecError):
        return None
    return mine, theirs


def _ended(store: Store, rollout: Rollout, state: RolloutState, clock: Clock) -> tuple[RolloutState, str] | None:
    """End a rollout whose champion has changed: because the challenger was promoted, or because another was."""
    champion = store.promotions.champion(rollout.model)
    over: dict[str, Any] = {"mode": "off", "weight": 0.0, "since": clock()}
    if champion is not None and (champion.version, champion.bundle) == (
        rollout.champion.version,
        rollout.champion.bundle,
    ):
        return None
    if champion is not None and champion.bundle == rollout.challenger.bundle:
        text = f"The challenger is the champion now, as version {champion.version}."
        over |= {"status": "promoted", "step": len(rollout.steps)}
        return msgspec.structs.replace(state, **over), text
    now_is = "there is none any more" if champion is None else f"it is version {champion.version} now"
    reason = f"the champion changed meanwhile: {now_is}"
    over |= {"status": "aborted", "reason": reason}
    return msgspec.structs.replace(state, **over), f"Aborted rollout {rollout.id}: {reason}."


def _refused(store: Store, rollout: Rollout, state: RolloutState, clock: Clock) -> tuple[RolloutState, str] | None:
    """Roll back if a server could not load the challenger since the rollout began: waiting would show nothing."""
    line = store.ledger.newest(REFUSED, rollout.challenger.bundle)
    begun = store.ledger.newest(f"{KIND}.start", rollout.model)
    if state.status != "running" or line is None or begun is None or line.sequence < begun.sequence:
        return None
    reason = f"a server refused the challenger: {line.payload.get('why', 'see the ledger')}"
    over: dict[str, Any] = {"status": "rolled back", "mode": "off", "weight": 0.0, "since": clock(), "reason": reason}
    return msgspec.structs.replace(state, **over), f"Rolled back, the champion answers alone: {reason}."


def _promote(store: Store, found: Standing, new: RolloutState, text: str) -> tuple[RolloutState, str]:
    """Promote, then say so; what stands against it pauses the rollout for a person."""
    try:
        promotion = carry_out(store, found.rollout, actor=ACTOR)
    except PalioError as error:
        champion = store.promotions.champion(found.rollout.model)
        if champion is not None and champion.bundle == found.rollout.challenger.bundle:
            return new, text  # somebody else promoted it at this moment
        paused = msgspec.structs.replace(found.state, status="paused", reason=error.message)
        said = f"The challenger could not be promoted, so the rollout waits for a person: {error.message}."
        return paused, f"{said} {answering(paused)}"
    return new, f"{text} It is version {promotion.version}."
