"""Route requests: a raw ASGI callable for inference, Starlette for the pages around it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as PageRequest
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

import palio
from palio.core.errors import PalioError
from palio.serve.meters import Meters
from palio.serve.protocols import description, invocations, repository, rows, tensors
from palio.serve.protocols.wire import (
    JSON,
    Answered,
    Asked,
    Caps,
    DisconnectError,
    Receive,
    Reply,
    Request,
    Scope,
    Send,
    WireError,
    read_request,
    refuse,
    send_reply,
)
from palio.serve.registry import Provider, Registry, State
from palio.serve.served import Served

if TYPE_CHECKING:
    from palio.serve.protocols.grpc_listener import GrpcListener

log = logging.getLogger("palio.serve")

INLINE_BODY_BYTES = 32 * 1024
INLINE_LATENCY_S = 0.0005
"""A request no larger than this, for a model no slower than this, is answered on the event loop: a hop to a thread
costs more than the answer. Others go to a small pool; ONNX Runtime lets go of the interpreter while it computes."""
_encode = msgspec.json.Encoder().encode
Handler = Callable[[Served, Request, Caps], Asked]


def create_app(
    provider: Provider, *, caps: Caps | None = None, poll_s: float = 0.5, grpc: GrpcListener | None = None
) -> App:
    """Build the server of the champion that `provider` names, as an ASGI callable.

    The provider is asked every `poll_s` seconds. A champion that cannot be served (none yet, damaged, wrong answers
    to its golden rows) leaves the old one in place; `/v2/health/ready` says why.

    Args:
        provider: A `StoreProvider`, or `fixed(bundle)`.
        caps: How much one request may take.
        poll_s: Seconds between two looks for a new champion.
        grpc: Answers gRPC on a port of its own while the application lives.
    """
    return App(provider, caps=caps or Caps(), poll_s=poll_s, grpc=grpc)


class App:
    """The ASGI callable. `is_draining` makes it not ready and ends each connection with its next answer."""

    def __init__(self, provider: Provider, *, caps: Caps, poll_s: float, grpc: GrpcListener | None = None) -> None:
        self.caps = caps
        self._grpc = grpc
        self.meters = Meters()
        self.registry = Registry(provider, poll_s=poll_s, on_change=self.meters.changed)
        self.is_draining = False
        self._ids = rows.PredictionIds()
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="palio-infer")
        self._pages = _pages(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or start and stop with the server."""
        if scope["type"] == "http":
            path: str = scope["path"]
            if path == "/predict":
                await self._answer("predict", scope, receive, send, [], rows.read)
            elif path == "/invocations":
                await self._answer("invocations", scope, receive, send, [], invocations.read, invocations.refuse)
            elif path.startswith("/v2"):
                await self._protocol(path, scope, receive, send)
            else:
                await self._pages(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.to_thread(self.registry.start)
        if self._grpc is not None:
            await asyncio.to_thread(self._grpc.start, self, asyncio.get_running_loop())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._grpc is not None:
            await asyncio.to_thread(self._grpc.stop)
        await asyncio.to_thread(self.registry.stop)
        self._pool.shutdown()
        await send({"type": "lifespan.shutdown.complete"})

    async def _protocol(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        parts = path.rstrip("/").split("/")[2:]
        if parts and parts[0] == "models" and parts[-1] == "infer":
            await self._answer("infer", scope, receive, send, parts[1:-1], tensors.read)
            return
        try:
            reply = self._describe(scope["method"], parts)
        except WireError as refusal:
            reply = refuse(refusal)
        await send_reply(send, reply, close=self.is_draining)

    async def _answer(
        self,
        route: str,
        scope: Scope,
        receive: Receive,
        send: Send,
        name: list[str],
        handler: Handler,
        refused: Callable[[WireError], Reply] = refuse,
    ) -> None:
        """Answer one inference request: read, predict, count, write. The one catch-all of the wire."""
        begin = time.perf_counter()
        try:
            _allow(scope["method"], "POST")
            served = repository.find(name, self._models()) if name else self._served()
            request = await read_request(dict(scope["headers"]), receive, self.caps)
            begin = time.perf_counter()
            if len(request.body) <= INLINE_BODY_BYTES and served.latency_s <= INLINE_LATENCY_S:
                answered = self._compute(handler, served, request)
            else:
                loop = asyncio.get_running_loop()
                answered = await loop.run_in_executor(self._pool, self._compute, handler, served, request)
            reply = answered.reply
            self.meters.predicted(served.deployment.model, served.version, answered.n_rows, answered.flags)
        except WireError as refusal:
            reply = refused(refusal)
        except DisconnectError:
            return
        except PalioError as error:
            reply = refused(WireError.of(error))
        except Exception:
            log.exception("an answer failed")
            reply = refused(WireError(500, "the server could not answer; its log says why"))
        self.meters.answered(route, reply.status, time.perf_counter() - begin)
        await send_reply(send, reply, close=self.is_draining)

    def _served(self) -> Served:
        state = self.registry.state
        if state.served is None:
            raise WireError(503, state.trouble, headers=((b"retry-after", b"1"),))
        return state.served

    def _models(self) -> list[Served]:
        """List what is served, the champion first. Raises WireError 503: nothing is."""
        return self._held() if self._served() else []

    def _compute(self, handler: Handler, served: Served, request: Request) -> Answered:
        """Read a request, feed the graph, and write the answer."""
        begin = time.perf_counter_ns()
        try:
            asked = handler(served, request, self.caps)
            middle = time.perf_counter_ns()
            outputs = served.run(asked.feeds)
            computed = time.perf_counter_ns()
            reply = asked.write(outputs, self._ids.take())
        except Exception:
            served.tally.failed(time.perf_counter_ns() - begin)
            raise
        served.tally.succeeded(asked.n_rows, time.perf_counter_ns() - begin, computed - middle)
        return Answered(reply, asked.feeds, outputs, asked.n_rows, asked.flags)

    def _describe(self, method: str, parts: list[str]) -> Reply:
        """Answer the reading routes of the protocol."""
        if parts[:1] == ["health"]:
            _allow(method, "GET", "HEAD")
            if parts[1:] == ["live"]:
                return Reply(200, b'{"live":true}')
            if parts[1:] == ["ready"]:
                return self._ready(self.registry.state)
        return repository.describe(method, parts, self._models() if parts[:1] == ["models"] else self._held())

    def _held(self) -> list[Served]:
        """List what is served, even if that is nothing."""
        return [served for served in (self.registry.state.served, self.registry.state.challenger) if served is not None]

    def _ready(self, state: State) -> Reply:
        is_ready = state.served is not None and not self.is_draining
        about: dict[str, Any] = {"ready": is_ready}
        if state.served is not None:
            about |= {"model": state.served.deployment.model, "version": state.served.version}
        detail = "the server is stopping" if self.is_draining else state.trouble
        if detail:
            about["detail"] = detail
        return Reply(200 if is_ready else 503, _encode(about), JSON)

    def health(self) -> Reply:
        """Say whether requests are answered, and by which version."""
        return self._ready(self.registry.state)


def _allow(method: str, *methods: str) -> None:
    if method not in methods:
        allowed = ", ".join(methods)
        raise WireError(405, f"only {allowed} is allowed here", headers=((b"allow", allowed.encode()),))


def _pages(app: App) -> Starlette:
    """Build what is not on the hot path: the start page, OpenAPI, metrics, health."""

    async def home(_: PageRequest) -> Response:
        headers = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return HTMLResponse(description.page(app.registry.state), headers=headers | _SAFE)

    async def openapi(_: PageRequest) -> Response:
        served = app.registry.state.served
        if served is None:
            return _respond(refuse(WireError(503, app.registry.state.trouble)))
        document = description.openapi(
            served.manifest, served.deployment, inputs=served.inputs, outputs=tuple(served.outputs.values())
        )
        return _respond(Reply(200, _encode(document)))

    async def metrics(_: PageRequest) -> Response:
        return Response(app.meters.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def health(_: PageRequest) -> Response:
        return _respond(app.health())

    async def ping(_: PageRequest) -> Response:
        return Response("\n", app.health().status, media_type="application/json", headers=_SAFE)

    async def version(_: PageRequest) -> Response:
        return Response(palio.__version__, media_type="application/json", headers=_SAFE)

    async def refused(_: PageRequest, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        text = {404: "there is no such route", 405: "this method is not allowed here"}.get(status, "it failed")
        headers = getattr(error, "headers", None) or {}
        return _respond(refuse(WireError(status, text)), extra=dict(headers))

    routes = [
        Route("/", home),
        Route("/openapi.json", openapi),
        Route("/metrics", metrics),
        Route("/health", health),
        Route("/ping", ping),
        Route("/version", version),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: refused, Exception: refused})


_SAFE = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "x-frame-options": "DENY"}


def _respond(reply: Reply, *, extra: dict[str, str] | None = None) -> Response:
    return Response(reply.body, reply.status, media_type=reply.content_type.decode(), headers=_SAFE | (extra or {}))
