"""Answer what is not on the hot path, with Starlette: the page for people, OpenAPI, metrics, health."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from palio.core.version import __version__
from palio.serve.protocols import description, playground
from palio.serve.protocols.wire import Reply, WireError, refuse

if TYPE_CHECKING:
    from palio.serve.desk import Desk
    from palio.serve.meters import Meters
    from palio.serve.protocols.wire import Caps
    from palio.serve.registry import State
    from palio.serve.served import Served

_encode = msgspec.json.Encoder().encode
_SAFE = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "x-frame-options": "DENY"}


def build_pages(desk: Desk, meters: Meters, caps: Caps) -> Starlette:
    """Build the pages of a server."""

    async def home(_: Request) -> Response:
        shell = playground.shell()
        headers = {"content-security-policy": shell.content_security_policy, "cache-control": "no-cache"}
        return HTMLResponse(shell.page, headers=headers | _SAFE)

    def tell(request: Request, what: Callable[[Served, State], dict[str, Any]]) -> Response:
        try:
            served, state = desk.champion(), desk.state
            desk.check(dict(request.scope["headers"]), "metadata")
            return _respond(Reply(200, _encode(what(served, state))), extra={"cache-control": "no-store"})
        except WireError as refusal:
            headers = {name.decode(): value.decode() for name, value in refusal.headers}
            return _respond(refuse(refusal), extra=headers)

    def openapi(request: Request) -> Response:
        def describe(served: Served, state: State) -> dict[str, Any]:
            deployment = served.deployment
            needs_key = state.access.needs_key(deployment.model, deployment.version, time.time())
            return description.document(served, needs_key=needs_key, caps=caps)

        return tell(request, describe)

    def form(request: Request) -> Response:
        return tell(request, playground.form)

    async def metrics(_: Request) -> Response:
        return Response(meters.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def health(_: Request) -> Response:
        return _respond(desk.health())

    async def ping(_: Request) -> Response:
        return Response("\n", desk.health().status, media_type="application/json", headers=_SAFE)

    async def version(_: Request) -> Response:
        return Response(__version__, media_type="text/plain", headers=_SAFE)

    async def refused(_: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        text = {404: "there is no such route", 405: "this method is not allowed here"}.get(status, "it failed")
        headers = getattr(error, "headers", None) or {}
        return _respond(refuse(WireError(status, text)), extra=dict(headers))

    routes = [
        Route("/", home),
        Route("/openapi.json", openapi),
        Route("/playground.json", form),
        Route("/metrics", metrics),
        Route("/health", health),
        Route("/ping", ping),
        Route("/version", version),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: refused, Exception: refused})


def _respond(reply: Reply, *, extra: dict[str, str] | None = None) -> Response:
    return Response(reply.body, reply.status, media_type=reply.content_type.decode(), headers=_SAFE | (extra or {}))
