"""Carry a renewal from its plan to its end: begin, collect, train, judge, release. Each step is one line of the ledger.

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

from palio import renew, store
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
from palio.core.monitoring import Review
from palio.flow import collecting, monitoring, renewal_steps
from palio.flow.opened import Opened

if TYPE_CHECKING:
    from palio.renew import Planned, RenewalPolicy, RenewalStanding

MOST_ATTEMPTS = 10
"""A renewal that was begun so often and never came to an end is given up: something kills it each time."""
WAITING = ("judged", "releasing")
"""In these states a renewal waits for a person or a rollout; nothing is computed."""


def policy_of(opened: Opened) -> RenewalPolicy:
    """Translate `[retrain]` and `[value]`.

    Raises:
        ConfigError: schedule or cooldown are not understood.
    """
    table, value = opened.config.retrain, opened.config.value
    key = "cooldown"
    try:
        cooldown = read_duration(table.cooldown) if table.cooldown not in ("0", "0s") else dt.timedelta()
        key = "schedule"
        renew.next_due(table.schedule, utc_now())
    except InputError as error:
        raise ConfigError(f"palio.toml [retrain]: `{key}`: {error.message}", hint=error.hint) from None
    return renew.RenewalPolicy(
        schedule=table.schedule,
        on=table.on,
        new_labels=table.new_labels,
        min_labels=table.min_labels,
        cooldown=cooldown,
        budget_s=table.budget_s or opened.config.train.budget_s,
        cost_per_hour=table.cost_per_hour,
        horizon_days=table.horizon_days,
        release=table.release,
        error_cost=value.error_cost,
        requests_per_day=value.requests_per_day,
        currency=value.currency,
    )


def plan(
    opened: Opened,
    review: Review | None = None,
    *,
    why: str | None = None,
    clock: Clock = utc_now,
    count: Callable[..., collecting.Counts] | None = None,
) -> Planned:
    """Decide whether a challenger is to be trained now, and write nothing.

    Labels are counted only where something asks for a renewal, for that reads the log.

    Args:
        opened: Whose champion and log.
        review: The newest of the champion, if there is one.
        why: A person asks, and says why.
        clock: Tells the present moment.
        count: Counts the labels, as `collecting.count` does; for those who ask often and remember.
    """
    policy, now = policy_of(opened), clock()
    champion = opened.champion
    last = renew.renewal_standing(opened.store, opened.name)
    labels = renew.FreshLabels(n_rows=0, until=now, answered_before=_ripe_until(opened, review, now))
    if champion is not None and (last is None or last.is_over):
        found = renew.occasion(review, policy, champion=champion, last=last, now=now)
        if why is not None or found.reasons or policy.new_labels:
            counted = count or functools.partial(collecting.count, opened)
            n_rows, only = counted(received_before=now, answered_before=labels.answered_before)
            hindrance = "" if n_rows else collecting.hindrance(opened)
            labels = msgspec.structs.replace(labels, n_rows=n_rows, hindrance=hindrance, only=only)
    return renew.plan(review, policy, champion=champion, labels=labels, last=last, now=now, why=why)


def _ripe_until(opened: Opened, review: Review | None, now: dt.datetime) -> dt.datetime | None:
    """Say before which moment rows were answered whose labels have had their time; None: that is not known."""
    setting = opened.config.monitor.labels_after
    if setting != "auto":
        return now - read_duration(setting)
    return None if review is None else review.ripe_before


def asked(opened: Opened, *, why: str | None = None, clock: Clock = utc_now) -> Planned:
    """Review what was served, and decide as `plan` does; a review that cannot be made is said and does without."""
    review = None
    if opened.champion is not None:
        try:
            review = monitoring.look(opened, clock=clock)
        except (PalioError, ImportError) as error:
            why_not = error.message if isinstance(error, PalioError) else str(error)
            opened.progress.say(f"renew     What was served could not be reviewed: {why_not}.")
    return plan(opened, review, why=why, clock=clock)


def retrain(opened: Opened, *, why: str = "", request: str = "", clock: Clock = utc_now) -> RenewalStanding:
    """Go on with the renewal that is under way, or plan one because a person asks, and carry it out.

    Args:
        opened: Whose champion.
        why: The person's reason, for the ledger.
        request: Carry out this renewal, and plan none.
        clock: Tells the present moment.

    Raises:
        RefusedError: there is nothing to renew, or nothing new to learn from.
        NotFoundError: `request` is not the newest renewal.
        ConflictError: another process of this machine is carrying it out.
    """
    if request:
        return carry_out(opened, request, clock=clock)
    found = renew.renewal_standing(opened.store, opened.name)
    if found is None or found.is_over:
        planned = asked(opened, why=why, clock=clock)
        if planned.request is None:
            send = "send truths to POST /feedback or with palio feedback FILE; palio run searches on the old data"
            if opened.champion is None:
                raise RefusedError(f"model {opened.name}: there is no champion to renew", hint="run palio run")
            hint = "see docs/reference/renewal.md: what is learned from" if collecting.hindrance(opened) else send
            raise RefusedError(f"model {opened.name}: {planned.reason}", hint=hint)
        found = renew.write_plan(opened.store, planned.request, clock=clock)
    return carry_out(opened, found.request.id, clock=clock)


def carry_out(opened: Opened, request: str, *, clock: Clock = utc_now) -> RenewalStanding:
    """Take a renewal as far as it goes now: to its end, or to where a person or a rollout is waited for.

    Raises:
        NotFoundError: the newest renewal is another one.
        ConflictError: another process of this machine is carrying it out.
        UnavailableError: something is out of reach; the renewal stays where it was.
    """
    with _lease(opened, request):
        found = _standing(opened, request)
        if not found.is_over and found.renewal.status not in WAITING:
            found = _begin(opened, found, clock)
        return _advanced(opened, found, clock)


def advance(opened: Opened, request: str, *, clock: Clock = utc_now) -> RenewalStanding:
    """Take a renewal that waits for a person or a rollout further, if it can; nothing is computed."""
    found = _standing(opened, request)
    return _advanced(opened, found, clock) if found.renewal.status in WAITING else found


def _standing(opened: Opened, request: str) -> RenewalStanding:
    found = renew.renewal_standing(opened.store, opened.name)
    if found is None or found.request.id != request:
        raise NotFoundError(
            f"model {opened.name}: renewal {request[:40]} is not the newest", hint="palio log --loop shows which is"
        )
    return found


@contextmanager
def _lease(opened: Opened, request: str) -> Iterator[None]:
    """Hold the renewals of this project for the process; the lock ends with it, however it ends."""
    path = store.Layout(opened.folder).root / "renewals.lock"
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


def is_carried_out(opened: Opened) -> bool:
    """Tell whether a process of this machine is at work on a renewal of the project."""
    try:
        with _lease(opened, ""):
            return False
    except ConflictError:
        return True


def _begin(opened: Opened, found: RenewalStanding, clock: Clock) -> RenewalStanding:
    """Count the attempt; give up after too many."""
    before, identity = found.renewal, found.request.id
    if before.attempts >= MOST_ATTEMPTS:
        reason = f"it was begun {before.attempts} times and never came to an end"
        renewal = msgspec.structs.replace(before, status="failed", since=clock(), reason=reason)
        return renew.write_renewal(
            opened.store, found, renewal, f"Gave renewal {identity} up: {reason}.", kind="fail"
        )  # fmt: skip
    renewal = msgspec.structs.replace(before, attempts=before.attempts + 1)
    text = f"Began renewal {identity} of {found.request.model}."
    if before.attempts:
        text = f"Went on with renewal {identity}, which was interrupted when it was {before.status}."
    return renew.write_renewal(opened.store, found, renewal, text, kind="begin")


def _advanced(opened: Opened, found: RenewalStanding, clock: Clock) -> RenewalStanding:
    while not found.is_over:
        try:
            renewal, text, kind = renewal_steps.STEPS[found.renewal.status](opened, found)
        except UnavailableError:
            raise
        except PalioError as error:
            renewal, text, kind = renewal_steps.ended(found, error)
        if not text:
            break
        opened.progress.say(f"renew     {text}")
        renewal = msgspec.structs.replace(renewal, since=clock())
        try:
            found = renew.write_renewal(opened.store, found, renewal, text, kind=kind)
        except ConflictError:  # somebody else took this step: go on from what they wrote
            found = _standing(opened, found.request.id)
    return found
