"""Keep the renewals of a model: each plan and each step is one line of the ledger, written by compare-and-set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from palio.core.clock import Clock, utc_now
from palio.core.errors import ConflictError, NotFoundError
from palio.core.ids import digest_of
from palio.core.renewal import Renewal, RetrainRequest

if TYPE_CHECKING:
    from palio.store import Store

RENEWAL = "renew.retrain"
"""Begins the kinds of all lines that tell of a renewal; their subject is the model."""
StepKind = Literal["begin", "collect", "train", "judge", "rollout", "release", "refuse", "fail"]


class RenewalStanding(NamedTuple):
    """A renewal and where it stands."""

    request: RetrainRequest
    renewal: Renewal
    line: int
    """Of the ledger: the newest that tells of a renewal of this model."""

    @property
    def is_over(self) -> bool:
        """Whether nothing will happen any more."""
        return self.renewal.is_over


def renewal_standing(store: Store, model: str) -> RenewalStanding | None:
    """Return the newest renewal of `model`, over or not; None if there never was one."""
    event = store.ledger.newest(RENEWAL, model)
    if event is None:
        return None
    renewal = msgspec.convert(event.payload["renewal"], Renewal)
    return RenewalStanding(store.records.require(RetrainRequest, renewal.request), renewal, event.sequence)


def write_plan(
    store: Store, request: RetrainRequest, *, actor: str | None = None, clock: Clock = utc_now
) -> RenewalStanding:
    """Write a plan into the ledger, unless a renewal of the model is under way: one at a time.

    The request gets its identity here: of all that it holds and of the line that it follows.

    Raises:
        ConflictError: a renewal is under way, or somebody else planned one at this moment; nothing was planned.
    """
    before = renewal_standing(store, request.model)
    if before is not None and not before.is_over:
        raise ConflictError(
            f"model {request.model}: renewal {before.request.id} is under way ({before.renewal.status})",
            hint="wait for it, or withdraw it with palio retrain --withdraw",
            facts={"renewal": before.request.id, "status": before.renewal.status},
        )
    after = 0 if before is None else before.line
    request = msgspec.structs.replace(request, id=digest_of([msgspec.structs.replace(request, id=""), after])[:12])
    store.records.put(request, key=request.id)
    renewal = Renewal(request=request.id, status="planned", since=clock())
    text = (
        f"Planned renewal {request.id} of {request.model}, to learn from {request.n_labels:,} new labelled rows: "
        f"{' '.join(request.reasons)}"
    )
    event = store.ledger.append_after(
        f"{RENEWAL}.plan",
        request.model,
        text,
        family=RENEWAL,
        after=after,
        payload={"renewal": renewal, "findings": request.findings},
        actor=actor,
    )
    return RenewalStanding(request, renewal, event.sequence)


def write_renewal(
    store: Store, before: RenewalStanding, renewal: Renewal, text: str, *, kind: StepKind, actor: str | None = None
) -> RenewalStanding:
    """Write where a renewal stands now.

    Raises:
        ConflictError: somebody else wrote a line about a renewal of this model since `before` was read.
    """
    event = store.ledger.append_after(
        f"{RENEWAL}.{kind}",
        before.request.model,
        text,
        family=RENEWAL,
        after=before.line,
        payload={"renewal": renewal},
        actor=actor,
    )
    return RenewalStanding(before.request, renewal, event.sequence)


def withdraw(
    store: Store, model: str, *, reason: str = "", actor: str | None = None, clock: Clock = utc_now
) -> RenewalStanding:
    """End the renewal that is under way; its rows stay in the data, its rollout (if one began) is not touched.

    Raises:
        NotFoundError: none is under way.
        ConflictError: somebody else was first.
    """
    found = renewal_standing(store, model)
    if found is None or found.is_over:
        raise NotFoundError(f"model {model}: no renewal is under way", hint="palio retrain begins one")
    why = reason.strip().rstrip(".") or "no reason given"
    renewal = msgspec.structs.replace(found.renewal, status="refused", since=clock(), reason=f"withdrawn: {why}")
    text = f"Withdrew renewal {found.request.id} of {model}: {why}."
    return write_renewal(store, found, renewal, text, kind="refuse", actor=actor)
