"""Route requests: a raw ASGI callable for inference; the pages around it are Starlette's (`pages`)."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from palio.core.clock import zone_of
from palio.core.errors import PalioError
from palio.model import end_watched_runs
from palio.serve.desk import Desk, allow
from palio.serve.feedback import Truths, receive_feedback
from palio.serve.meters import Meters
from palio.serve.pages import build_pages
from palio.serve.parameters import ignored
from palio.serve.pipeline import Held, Pipeline
from palio.serve.protocols.wire import (
    Caps,
    DisconnectError,
    Message,
    Receive,
    Reply,
    Scope,
    Send,
    WireError,
    read_request,
    refuse,
    send_reply,
)
from palio.serve.registry import Provider, Registry, State
from palio.serve.traffic.admission import Admission, AdmissionLimits
from palio.serve.traffic.batching import Batcher
from palio.serve.ways import PARAMETERS, way_of

if TYPE_CHECKING:
    from palio.serve.journal import Journal
    from palio.serve.protocols.grpc_listener import GrpcListener
    from palio.serve.traffic.origins import Origins
    from palio.serve.traffic.quota import Quotas
    from palio.store import FeedbackLog

log = logging.getLogger("palio.serve")


def create_app(
    provider: Provider,
    *,
    caps: Caps | None = None,
    poll_s: float = 0.5,
    limits: AdmissionLimits | None = None,
    quotas: Quotas | None = None,
    journal: Journal | None = None,
    feedback: FeedbackLog | None = None,
    grpc: GrpcListener | None = None,
    origins: Origins | None = None,
    zone: str = "UTC",
) -> App:
    """Build the server of the champion that `provider` names, as an ASGI callable.

    The provider is asked every `poll_s` seconds. A champion that cannot be served (none yet, damaged, wrong answers
    to its golden rows) leaves the old one in place; `/v2/health/ready` says why.

    Args:
        provider: A `StoreProvider`, `fixed(bundle)`, or `any_onnx(path)`.
        caps: How much one request may take.
        poll_s: Seconds between two looks for a new plan.
        limits: How much is taken in at once; the rest is shed.
        quotas: Where quotas are counted; None counts in this process alone.
        journal: Where answers and failures are logged; None logs nothing. Started and closed with the application.
        feedback: Where late truths go; None takes none.
        grpc: Answers gRPC on a port of its own while the application lives.
        origins: Whose pages may ask; None: nobody's but the server's own.
        zone: Of moments in late truths that name none.
    """
    return App(
        provider,
        caps=caps or Caps(),
        poll_s=poll_s,
        limits=limits,
        quotas=quotas,
        journal=journal,
        feedback=feedback,
        grpc=grpc,
        origins=origins,
        zone=zone,
    )


class App:
    """The ASGI callable. `is_draining` makes it not ready and ends each connection with its next answer."""

    def __init__(
        self,
        provider: Provider,
        *,
        caps: Caps,
        poll_s: float,
        limits: AdmissionLimits | None = None,
        quotas: Quotas | None = None,
        journal: Journal | None = None,
        feedback: FeedbackLog | None = None,
        grpc: GrpcListener | None = None,
        origins: Origins | None = None,
        zone: str = "UTC",
    ) -> None:
        zone_of(zone)  # refused before anybody sends a truth
        self.caps, self._zone = caps, zone
        self.meters = Meters()
        self.registry = Registry(provider, poll_s=poll_s, on_change=self._changed, quotas=quotas)
        self.is_draining = False
        self.trouble: PalioError | None = None
        """Why it could not start."""
        self._grpc = grpc
        self._origins = origins
        self._feedback = feedback
        self._journal = journal
        self._admission = Admission(limits)
        self._batcher = Batcher()
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="palio-wire")
        self.pipeline = Pipeline(
            self.registry,
            caps=caps,
            meters=self.meters,
            admission=self._admission,
            batcher=self._batcher,
            pool=self._pool,
            journal=journal,
            origins=origins,
        )
        self.desk = Desk(self.registry, journal, is_draining=lambda: self.is_draining)
        self._pages = build_pages(self.desk, self.meters, caps)
        self._follow()

    def _follow(self) -> None:
        """Let the meters tell what others count."""
        follow = self.meters.follow
        follow("palio_shed_requests", "Requests turned away", "limit", lambda: self._admission.shed)
        follow("palio_in_flight", "Requests under way", "", lambda: {"": self._admission.in_flight}, gauge=True)
        follow("palio_shadow_dropped", "Requests not shadowed", "", lambda: {"": self.pipeline.shadow.n_dropped})
        if self._journal is not None:
            self.meters.registry.register(self._journal)

    def _changed(self, state: State) -> None:
        self.meters.changed(state)
        if state.served is not None:
            self._admission.adapt(state.served.latency_s, self._batcher.n_threads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or start and stop with the server."""
        if scope["type"] == "http":
            path: str = scope["path"]
            way = way_of(path, scope["query_string"], scope["scheme"])
            if self._origins is not None and (way is None or scope["method"] == "OPTIONS"):
                await self._for_pages(self._origins, scope, receive, send)
            elif way is not None:
                if scope["query_string"]:
                    send = _telling(send, ignored(scope["query_string"], PARAMETERS))
                reply = await self.pipeline.answer(way, scope["method"], dict(scope["headers"]), receive)
                if reply is not None:
                    await send_reply(send, reply, close=self.is_draining)
            else:
                await self._tell(path, scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _for_pages(self, origins: Origins, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is no inference so that pages of allowed origins may read it."""
        headers = dict(scope["headers"])
        asked = origins.preflight(headers) if scope["method"] == "OPTIONS" else None
        if asked is not None:
            await send_reply(send, asked, close=self.is_draining)
            return

        await self._tell(scope["path"], scope, receive, _telling(send, origins.headers(headers)))

    async def _tell(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is no inference. A slash at the end of a path means nothing."""
        send = _telling(send, ignored(scope["query_string"]))
        if path == "/v2" or path.startswith("/v2/"):
            await send_reply(send, self._protocol(path, scope), close=self.is_draining)
        elif path.rstrip("/") == "/feedback":
            await send_reply(send, await self._take(scope, receive), close=self.is_draining)
        else:
            plain = path.rstrip("/") or "/"
            await self._pages(scope if plain == path else {**scope, "path": plain}, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.to_thread(self.registry.start)
        self.pipeline.start()
        try:
            if self._grpc is not None:
                await asyncio.to_thread(self._grpc.start, self, asyncio.get_running_loop())
        except PalioError as error:
            self.trouble = error
            await asyncio.to_thread(self.registry.stop)
            await send({"type": "lifespan.startup.failed"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._grpc is not None:
            await asyncio.to_thread(self._grpc.stop)
        await asyncio.to_thread(self.registry.stop)
        await asyncio.to_thread(self.pipeline.stop)
        self._batcher.close()
        self._pool.shutdown()
        self.meters.close()
        await send({"type": "lifespan.shutdown.complete"})

    def _protocol(self, path: str, scope: Scope) -> Reply:
        """Answer the reading routes of the protocol."""
        try:
            return self.desk.describe(scope["method"], dict(scope["headers"]), path.rstrip("/").split("/")[2:])
        except WireError as refusal:
            return refuse(refusal)

    async def _take(self, scope: Scope, receive: Receive) -> Reply:
        """Answer `POST /feedback`."""
        begin = time.perf_counter()
        held = Held(self._admission)
        try:
            allow(scope["method"], "POST")
            if self._feedback is None:
                raise WireError(404, "this server keeps no prediction log, so it takes no feedback")
            headers = dict(scope["headers"])
            caller = self.desk.check(headers, "feedback")
            self._admission.enter()
            request = await read_request(headers, receive, self.caps, held)
            served = self.registry.state.served
            manifest = None if served is None else served.manifest
            receive_all = partial(receive_feedback, caps=self.caps, caller=caller, now=dt.datetime.now(dt.UTC))
            kind = headers.get(b"content-type", b"")
            truths = Truths.of(manifest, zone=self._zone, sides=self.pipeline.sides)
            reply = await asyncio.to_thread(receive_all, request.body, kind, self._feedback, truths)
        except WireError as refusal:
            reply = refuse(refusal)
        except DisconnectError:
            reply = refuse(WireError(400, "the body did not arrive"))
        except PalioError as error:
            reply = refuse(WireError.of(error))
        except Exception:
            log.exception("feedback could not be taken")
            reply = refuse(WireError(500, "the server could not answer; its log says why"))
        finally:
            self._admission.release(held.n_bytes)
        self.meters.answered("feedback", reply.status, time.perf_counter() - begin)
        return reply

    def is_stranger(self, headers: dict[bytes, bytes]) -> bool:
        """Tell whether a request with these headers is refused whatever it asks for; from any thread."""
        return self.registry.state.access.is_stranger(headers, time.time())

    def give_up(self) -> None:
        """End runs that loop: the time for draining is over. Their clients are told 504."""
        end_watched_runs()

    def status(self) -> dict[str, Any]:
        """Say what is served and how, for the admin port."""
        state, plan = self.registry.state, self.registry.state.plan
        return {
            "champion": None if state.served is None else state.served.deployment,
            "challenger": None if state.challenger is None else state.challenger.deployment,
            "mode": plan.mode,
            "weight": plan.weight,
            "rollout": plan.rollout,
            "detail": state.trouble,
            "in_flight": self._admission.in_flight,
            "log": None if self._journal is None else self._journal.figures(),
        }

    def refresh(self) -> None:
        """Look for a new plan now; from any thread."""
        self.registry.refresh()


def _telling(send: Send, headers: tuple[tuple[bytes, bytes], ...]) -> Send:
    """Add headers to what is sent."""
    if not headers:
        return send

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *headers]}
        await send(message)

    return told
