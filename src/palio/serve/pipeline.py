"""Lead one inference request through the server, whatever form it has: who asks, who answers, compute, log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from palio.core.errors import ContractError, PalioError
from palio.serve.pictures import SMALL_PIXELS
from palio.serve.protocols.rows import PredictionIds
from palio.serve.protocols.wire import (
    Asked,
    Caps,
    DisconnectError,
    Receive,
    Reply,
    Request,
    WireError,
    read_request,
)
from palio.serve.sides import Sides
from palio.serve.ticket import Ticket, entry_of_answer, entry_of_failure, entry_of_shadow, shadowed
from palio.serve.tracing import open_tracer
from palio.serve.traffic.shadow import Shadow, Shadowed
from palio.serve.ways import Way

if TYPE_CHECKING:
    from palio.serve.journal import Journal
    from palio.serve.meters import Meters
    from palio.serve.pictures import Sight
    from palio.serve.registry import Registry, State
    from palio.serve.served import Served
    from palio.serve.tracing import Tracer
    from palio.serve.traffic.admission import Admission
    from palio.serve.traffic.batching import Batcher
    from palio.serve.traffic.origins import Origins

log = logging.getLogger("palio.serve")

INLINE_BODY_BYTES = 32 * 1024
"""A request no larger than this is read and written on the event loop: a hop to a thread costs more. Where it is
computed is planned for each model (`batch_plan`)."""
PURPOSE = b"x-palio-purpose"
GONE = 499
"""What the log calls a request whose client went away; nobody is answered."""

Headers = Mapping[bytes, bytes]


class Pipeline:
    """What all inference routes share.

    Args:
        registry: What is served, to whom.
        caps: How much one request may take.
        meters: Where it is counted.
        admission: How many are let in at once.
        batcher: Computes what is too slow for the event loop.
        pool: Reads and writes what is too large for it.
        journal: Where it is logged; None logs nothing.
        origins: Whose pages may ask; None: nobody's but the server's own.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        caps: Caps,
        meters: Meters,
        admission: Admission,
        batcher: Batcher,
        pool: ThreadPoolExecutor,
        journal: Journal | None,
        origins: Origins | None = None,
    ) -> None:
        self.caps = caps
        self._origins = origins
        self.journal, self.sides = journal, Sides()
        self.tracer: Tracer | None = None
        self.shadow = Shadow(self._shadowed)
        self._registry = registry
        self._meters = meters
        self.admission = admission
        self._batcher = batcher
        self._pool = pool
        self._patient = ThreadPoolExecutor(1, thread_name_prefix="palio-explain")
        self._large = ThreadPoolExecutor(1, thread_name_prefix="palio-large")
        self._ids = PredictionIds()
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to log; on the event loop that answers."""
        self._loop = asyncio.get_running_loop()
        self.tracer = open_tracer()
        if self.journal is not None:
            self.journal.start(self._loop)

    def stop(self) -> None:
        """Let the shadow finish, and write the log to its end. Takes a while: not on the event loop."""
        self.shadow.close()
        self._patient.shutdown()
        self._large.shutdown()
        if self.journal is not None:
            self.journal.close()
        if self.tracer is not None:
            self.tracer.close()

    @property
    def state(self) -> State:
        """What is served now, to whom."""
        return self._registry.state

    def is_quick(self, state: State) -> bool:
        """Tell whether all who may answer do so on the event loop, without waiting for a thread or a disk."""
        if self.journal is not None and self.journal.is_awaited:
            return False
        both = (state.served, state.challenger)
        return all(one is None or (one.sight is None and one.batching.mode in ("inline", "queued")) for one in both)

    def open(self, route: str, state: State, at_ns: int, began: float) -> Ticket:
        """Begin with a request of a form, at a time since 1970 and on the clock of intervals."""
        return Ticket(self._ids.take(), route, at_ns, began, state)

    async def answer(
        self,
        way: Way,
        method: str,
        headers: Headers,
        receive: Receive,
    ) -> Reply | None:
        """Answer one request.

        Args:
            way: Where its path leads.
            method: Of the request.
            headers: Of the request, names in lower case.
            receive: Gives its body.

        Returns:
            The reply; None if nobody is left to read it.
        """
        ticket = self.open(way.route, self.state, time.time_ns(), time.perf_counter())
        reply: Reply | None
        try:
            if method != "POST":
                raise WireError(405, "only POST is allowed here", headers=((b"allow", b"POST"),))
            reply = await self._lead(ticket, headers, receive, way)
        except Exception as error:  # noqa: BLE001 - the catch-all of the wire
            reply = self.refused(ticket, way, error)
        return self.closed(ticket, reply, headers)

    def refused(self, ticket: Ticket, way: Way, error: Exception) -> Reply | None:
        """Say why a request is not answered, and keep the reason for the log; None if nobody is left to read it."""
        if isinstance(error, WireError):
            ticket.reason = error.reason
            return way.refused(error)
        if isinstance(error, DisconnectError):
            ticket.reason = "the client went away"
            return None
        if isinstance(error, PalioError):
            refusal = WireError.of(error)
            ticket.reason = refusal.reason
            return way.refused(refusal)
        log.error("an answer failed", exc_info=error)
        ticket.reason = f"unexpected {type(error).__name__}"
        return way.refused(WireError(500, "the server could not answer; its log says why"))

    def closed(self, ticket: Ticket, reply: Reply | None, headers: Headers) -> Reply | None:
        """Count a request that has its reply, and log it if it was not answered as asked."""
        status = GONE if reply is None else reply.status
        if ticket.reason:
            self._failed(ticket, status)
        self._meters.answered(ticket.route, status, time.perf_counter() - ticket.began)
        if self.tracer is not None:
            self.tracer.finished(ticket, status, headers)
        if self._origins is not None and reply is not None and b"origin" in headers:
            return self._origins.told(reply, headers)
        return reply

    async def _lead(self, ticket: Ticket, headers: Headers, receive: Receive, way: Way) -> Reply:
        admission = self.admission
        admission.enter()
        served = self.admit(ticket, headers, way.model, way.version)
        held = Held(admission)
        try:
            request = await read_request(headers, receive, self.caps, held)
            admission.begin()
        except BaseException:
            admission.release(held.n_bytes)
            raise
        try:
            ticket.began = time.perf_counter()
            ticket.n_bytes = len(request.body)
            return await self._compute(ticket, served, way, request, held)
        finally:
            admission.end(held.n_bytes)

    def admit(self, ticket: Ticket, headers: Headers, model: str, version: str) -> Served:
        """Decide whether a request may be made, and who answers it.

        Raises:
            WireError: 503 nothing is served; 404 no such model or version; 401, 403, 429 by the policy.
        """
        state, now = ticket.state, ticket.at_ns / 1e9
        if state.served is None:
            raise WireError(503, state.trouble, headers=((b"retry-after", b"1"),))
        caller = ticket.caller = state.access.identify(headers, now)
        known = not model or model == state.served.deployment.model
        target = state.route.choose(headers, caller.name, version) if known else None
        if target is not None:
            ticket.target = target
        served = state.challenger if target == "challenger" and state.challenger is not None else state.served
        purpose = headers.get(PURPOSE, b"").decode("latin-1")
        name_asked = state.served.deployment.model if known else model
        version_asked = version if target is None else served.version
        verdict = state.access.decide(caller, name_asked, version_asked, target or "", purpose, now)
        if not verdict.allowed and served is state.challenger and state.route.is_open(headers, version):
            served, ticket.target = state.served, "champion"  # who may not ask the challenger is none of its share
            verdict = state.access.decide(caller, name_asked, served.version, "champion", purpose, now)
        ticket.verdict = verdict
        if not verdict.allowed:
            raise WireError(verdict.status, verdict.reason, headers=verdict.headers)
        if target is None:
            what = "version" if known else "name"
            raise WireError(404, f"Request for unknown model: this {what} is not served")
        ticket.served = served
        return served

    async def _compute(self, ticket: Ticket, served: Served, way: Way, request: Request, held: Held) -> Reply:
        is_large = way.is_slow or len(request.body) > INLINE_BODY_BYTES
        begin = time.perf_counter()
        try:
            if is_large:
                pool = self._patient if way.is_slow else self._pool  # explanations wait for each other, not others
                asked = await self._aside(pool, way.read, served, request, self.caps)
            else:
                asked = way.read(served, request, self.caps)
            if way.threshold is not None:
                asked = replace(asked, threshold=way.threshold)
            if asked.threshold is not None and served.saying is None:
                raise WireError(400, "the parameter threshold is for models that find boxes")
            ticket.asked = asked
            if asked.n_rows > 1:
                self.charge(ticket, asked.n_rows - 1)
            if served.sight is not None:
                asked = ticket.asked = await self._seen(served.sight, asked, way, held)
            middle = time.perf_counter()
            mode = served.batching.mode
            if (is_large or served.sight is not None) and mode in ("inline", "queued"):
                outputs = await self._aside(pool if is_large else self._pool, served.run, asked.feeds)
            elif mode == "inline":
                outputs = served.run(asked.feeds)
            else:
                outputs = await self._batcher.run(served, asked.feeds, asked.n_rows)
            computed = time.perf_counter()
            told = outputs if served.saying is None else served.saying(outputs, asked.threshold)
            if is_large:
                reply: Reply = await self._aside(pool, asked.write, told, ticket.id)
            else:
                reply = asked.write(told, ticket.id)
        except Exception:
            served.tally.failed(int((time.perf_counter() - begin) * 1e9))
            raise
        waiter = self.answered(ticket, served, asked, outputs, time.perf_counter() - begin, computed - middle)
        if waiter is not None and not await waiter:
            raise WireError(503, "the answer could not be logged", headers=((b"retry-after", b"1"),))
        return reply

    async def _seen(self, sight: Sight, asked: Asked, way: Way, held: Held) -> Asked:
        """Let the pictures of a request be decoded: small ones do not wait for large ones.

        Raises:
            WireError: a picture cannot be used; 413, 503, they are too many.
        """
        held(sight.n_bytes(asked.n_rows))
        try:
            feeds = await self._aside(self._pool, sight, asked.feeds, SMALL_PIXELS)
            if feeds is None:
                feeds = await self._aside(self._large, sight, asked.feeds)
        except ContractError as error:
            raise WireError.of(error, status=way.misfit) from None
        return replace(asked, feeds=feeds)

    def answered(
        self,
        ticket: Ticket,
        served: Served,
        asked: Asked,
        outputs: Mapping[str, Any],
        seconds: float,
        compute_s: float,
    ) -> asyncio.Future[bool] | None:
        """Count an answer, log it, and offer it to the shadow.

        Returns:
            What the reply must wait for; None if it need not.
        """
        served.tally.succeeded(asked.n_rows, int(seconds * 1e9), int(compute_s * 1e9))
        self._meters.predicted(served.deployment.model, served.version, asked.n_rows, asked.flags)
        waiter = None
        self.sides.remember(ticket.id, asked.feeds)
        if self.journal is not None:
            waiter = self.journal.add(entry_of_answer(ticket, served, asked, outputs, seconds))
        state = ticket.state
        if state.plan.mode == "shadow" and state.challenger is not None and served is state.served:
            self.shadow.offer(state.challenger, shadowed(ticket, asked))
        return waiter

    @staticmethod
    async def _aside(pool: ThreadPoolExecutor, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, work, *arguments)

    def charge(self, ticket: Ticket, n_rows: int) -> None:
        """Take the rows beyond the first from the caller's quota."""
        verdict = ticket.verdict
        if verdict is None or verdict.rule < 0:
            return
        verdict = ticket.state.access.charge(verdict, ticket.caller, n_rows, ticket.at_ns / 1e9)
        if not verdict.allowed:
            ticket.verdict = verdict
            raise WireError(verdict.status, verdict.reason, headers=verdict.headers)

    def _failed(self, ticket: Ticket, status: int) -> None:
        """Log a request that was not answered as asked; nobody waits for this."""
        if self.journal is not None:
            self.journal.add(entry_of_failure(ticket, status, time.perf_counter() - ticket.began))

    def _shadowed(self, challenger: Served, given: Shadowed, outputs: Any, seconds: float, reason: str) -> None:
        """Log what a challenger answered. Runs on the shadow's thread; the journal belongs to the event loop."""
        if self.journal is not None and self._loop is not None:
            entry = entry_of_shadow(challenger, given, outputs, seconds, reason)
            self._loop.call_soon_threadsafe(self.journal.add, entry)


class Held:
    """Counts what the body of one request holds of the memory for bodies."""

    __slots__ = ("_admission", "n_bytes")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.n_bytes = 0

    def __call__(self, n_bytes: int) -> None:
        """Count more of it, or raise WireError 503."""
        self._admission.hold(n_bytes)
        self.n_bytes += n_bytes
