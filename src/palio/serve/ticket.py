"""What is known of a request that is under way, and what the log and the shadow keep of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from palio.serve.journal_columns import Entry
from palio.serve.pictures import for_log
from palio.serve.traffic.routing import Target
from palio.serve.traffic.rules import ANONYMOUS, Caller, Verdict
from palio.serve.traffic.shadow import Shadowed

if TYPE_CHECKING:
    from palio.serve.protocols.wire import Asked
    from palio.serve.registry import State
    from palio.serve.served import Served


class Ticket(msgspec.Struct, gc=False):
    """What is known of a request that is under way."""

    id: str
    route: str
    at_ns: int
    began: float
    state: State
    caller: Caller = ANONYMOUS
    target: Target = "champion"
    verdict: Verdict | None = None
    served: Served | None = None
    asked: Asked | None = None
    n_bytes: int = 0
    reason: str = ""


def entry_of_answer(
    ticket: Ticket, served: Served, asked: Asked, outputs: Mapping[str, Any], latency_s: float
) -> Entry:
    """Say what the log keeps of an answer."""
    verdict = ticket.verdict
    return Entry(
        id=ticket.id,
        at_ns=ticket.at_ns,
        origin=served.origin,
        caller=ticket.caller.name,
        route=ticket.route,
        role=ticket.target,
        status=200,
        latency_s=latency_s,
        n_rows=asked.n_rows,
        feeds=_logged(asked.feeds, served),
        outputs=outputs,
        decision="" if verdict is None else verdict.id,
        keys=asked.keys,
        flags=asked.row_flags,
        size_bytes=ticket.n_bytes,
    )


def entry_of_failure(ticket: Ticket, status: int, latency_s: float) -> Entry:
    """Say what the log keeps of a request that was not answered as asked."""
    served = ticket.served
    return Entry(
        id=ticket.id,
        at_ns=ticket.at_ns,
        origin=None if served is None else served.origin,
        caller=ticket.caller.name,
        route=ticket.route,
        role=ticket.target,
        status=status,
        latency_s=latency_s,
        decision="" if ticket.verdict is None else ticket.verdict.id,
        reason=ticket.reason,
    )


def entry_of_shadow(challenger: Served, given: Shadowed, outputs: Any, seconds: float, reason: str) -> Entry:
    """Say what the log keeps of what a challenger answered beside the champion; `reason`: why it could not."""
    return Entry(
        id=given.request_id,
        at_ns=given.at_ns,
        origin=challenger.origin,
        caller=given.caller,
        route=given.route,
        role="shadow",
        status=500 if reason else 200,
        latency_s=seconds,
        n_rows=given.n_rows,
        feeds=None if reason else _logged(given.feeds, challenger, with_bytes=False),
        outputs=outputs,
        reason=reason,
        keys=given.keys,
    )


def shadowed(ticket: Ticket, asked: Asked) -> Shadowed:
    """Say what the shadow needs of a request that was answered."""
    return Shadowed(
        ticket.id, ticket.at_ns, ticket.caller.name, ticket.route, asked.n_rows, asked.keys, asked.feeds, ticket.n_bytes
    )


def _logged(feeds: Mapping[str, Any], served: Served, *, with_bytes: bool = True) -> Mapping[str, Any]:
    return feeds if served.sight is None else for_log(feeds, with_bytes=with_bytes)
