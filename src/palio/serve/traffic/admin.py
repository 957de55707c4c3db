"""The admin port: rules, keys and rollouts, on a listener of its own.

Nothing answers without an admin key, whatever the method or path, but the empty shell of the page. Two more doors are
shut before that: a `Host` that is not this machine's (a page that had its name resolved to 127.0.0.1), and an `Origin`
or `Sec-Fetch-Site` of another page.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from palio.core.errors import ConflictError, InputError, IntegrityError, NotFoundError, PalioError, UnavailableError
from palio.core.serving import ApiKey, Policy
from palio.serve.parameters import parameters
from palio.serve.protocols.wire import WireError
from palio.serve.traffic import keys as kept
from palio.serve.traffic.access import compile_policy, what_if
from palio.serve.traffic.admin_page import CONTENT_SECURITY_POLICY, PAGE

if TYPE_CHECKING:
    from palio.store import Store

log = logging.getLogger("palio.serve")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
MAX_BODY_BYTES = 1 << 20
ACTIONS = ("pause", "resume", "abort", "promote")
_LOCAL = ("127.0.0.1", "localhost", "[::1]")
_SAFE = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
}
_encode = msgspec.json.Encoder().encode


class Server(Protocol):
    """What the admin port asks of the server beside it."""

    def status(self) -> Mapping[str, Any]:
        """Say what is served, JSON-safe."""

    def refresh(self) -> None:
        """Look for a new plan now; called from a thread."""


class Rollouts(Protocol):
    """What the admin port asks of whoever moves rollouts: `palio.renew.RolloutControl`."""

    def show(self) -> Mapping[str, Any] | None:
        """Return the newest rollout and its state, JSON-safe; None if there never was one."""

    def act(self, action: str, *, reason: str, actor: str) -> Mapping[str, Any]:
        """Pause, resume, abort or promote; return what `show` returns then."""


def create_admin(
    store: Store,
    model: str,
    *,
    server: Server,
    rollouts: Rollouts,
    defaults: Policy = Policy(),  # noqa: B008 - a frozen record
    hosts: Iterable[str] = (),
) -> Admin:
    """Build the ASGI application of the admin port.

    Args:
        store: Whose ledger; the caller closes it after the application has stopped.
        model: Name of the model that is served.
        server: The server beside it.
        rollouts: Whoever moves rollouts.
        defaults: Rules of `palio.toml`.
        hosts: Names and addresses that it is reached by, beside those of this machine.
    """
    return Admin(_Desk(store, model, server, rollouts, defaults), hosts)


class Admin:
    """The guard in front of every route."""

    def __init__(self, desk: _Desk, hosts: Iterable[str]) -> None:
        self._desk = desk
        self._hosts = frozenset((*_LOCAL, *(host.lower() for host in hosts)))
        self._routes = _routes(desk)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] == "lifespan":
            for answer in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{answer}.complete"})
            return
        if scope["type"] != "http":
            return
        refusal = await self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._routes(scope, receive, send)

    async def _refusal(self, scope: Scope) -> Response | None:
        pairs: list[tuple[bytes, bytes]] = scope["headers"]
        headers = dict(pairs)
        named = [value for name, value in pairs if name == b"host"]
        if len(named) != 1 or _hostname(named[0]) not in self._hosts:
            return _refuse(403, "this name is not served here")
        if headers.get(b"origin") not in (None, b"http://" + named[0], b"https://" + named[0]):
            return _refuse(403, "requests of other pages are refused")
        is_page = scope["path"] == "/" and scope["method"] in ("GET", "HEAD")
        if is_page:
            return None  # a shell without a word of what is inside
        if headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
            return _refuse(403, "requests of other pages are refused")
        try:
            actor = await asyncio.to_thread(self._desk.admin_of, headers)
        except PalioError as error:
            return _answer_error(error)
        if not actor:
            text = "an admin key is needed; palio serve key add NAME --admin makes one"
            return _refuse(401, text, {"www-authenticate": "Bearer"})
        scope["palio.actor"] = actor
        return None


class _Desk:
    """What the routes do; every method runs in a thread."""

    def __init__(self, store: Store, model: str, server: Server, rollouts: Rollouts, defaults: Policy) -> None:
        self.store = store
        self.model = model
        self.server = server
        self.rollouts = rollouts
        self.defaults = defaults

    def admin_of(self, headers: Mapping[bytes, bytes]) -> str:
        """Name the admin whose key is shown, by the ledger of this moment; or nobody."""
        keys = kept.read_keys(self.store, self.model)  # no rules: a broken one must not lock admins out
        return compile_policy(Policy(keys=keys)).is_admin(headers, time.time())

    def status(self, _: Call) -> Any:
        return {"model": self.model, **self.server.status(), "rollout": self.rollouts.show()}

    def show_policy(self, _: Call) -> Any:
        found = kept.read_policy(self.store, self.model, self.defaults)
        source = "ledger" if found.rules_line else "palio.toml"
        return {
            "rules": found.policy.rules,
            "source": source,
            "line": found.rules_line,
            "otherwise": "deny" if found.policy.keys else "allow",
        }

    def set_policy(self, call: Call) -> Any:
        rules = kept.read_rules(call.body, where="body")
        kept.write_rules(self.store, self.model, rules, expected=call.expected, actor=call.actor)
        self.server.refresh()
        return self.show_policy(call)

    def check_policy(self, call: Call) -> Any:
        policy = kept.read_policy(self.store, self.model, self.defaults).policy
        if "rules" in call.body:
            policy = Policy(rules=kept.read_rules(call.body["rules"], where="rules"), keys=policy.keys)
        verdict = what_if(
            policy,
            self.model,
            caller=call.text("caller", "anonymous"),
            role=call.text("role", "") or None,
            purpose=call.text("purpose", ""),
            version=call.text("version", "champion"),
            now=time.time(),
        )
        return {"allowed": verdict.allowed, "status": verdict.status, "reason": verdict.reason, "rule": verdict.rule}

    def list_keys(self, _: Call) -> Any:
        return {"keys": [_shown(key) for key in kept.read_keys(self.store, self.model)]}

    def add_key(self, call: Call) -> Any:
        days = call.body.get("expires_days")
        if days is not None and (isinstance(days, bool) or not isinstance(days, int | float) or not 0 < days < 36_500):
            raise InputError("`expires_days`: got no number of days, allowed is above 0", hint="leave it out for ever")
        ends = None if days is None else dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
        if not isinstance(call.body.get("admin", False), bool):
            raise InputError("`admin`: got neither true nor false", hint="leave it out for a caller")
        key, secret = kept.add_key(
            self.store,
            self.model,
            call.text("name", ""),
            role=call.text("role", "caller"),
            admin=call.body.get("admin", False),
            expires_at=ends,
            actor=call.actor,
        )
        self.server.refresh()
        return _shown(key) | {"key": secret}

    def revoke_key(self, call: Call) -> Any:
        key = kept.revoke_key(self.store, self.model, call.path["name"], actor=call.actor)
        self.server.refresh()
        return _shown(key)

    def show_rollout(self, _: Call) -> Any:
        return {"rollout": self.rollouts.show()}

    def act(self, call: Call) -> Any:
        action = call.path["action"]
        if action not in ACTIONS:
            raise NotFoundError("there is no such action", hint=f"use one of {', '.join(ACTIONS)}")
        done = self.rollouts.act(action, reason=call.text("reason", ""), actor=call.actor)
        self.server.refresh()
        return {"rollout": done}

    def load(self, call: Call) -> Any:
        self._check_model(call)
        if call.body.get("parameters"):
            raise HTTPException(501, "a model is loaded from the ledger only: no `config`, no `file:` parameters")
        self.server.refresh()
        return {}

    def unload(self, call: Call) -> Any:
        self._check_model(call)
        raise HTTPException(501, "a champion is not unloaded: roll back, or stop the server")

    def _check_model(self, call: Call) -> None:
        if call.path["name"] != self.model:
            raise NotFoundError("Request for unknown model: this name is not served", hint="see /status")


class Call(msgspec.Struct, frozen=True):
    """One request that was let through."""

    actor: str
    path: Mapping[str, str]
    body: Any
    expected: int | None

    def text(self, name: str, default: str) -> str:
        """Return a text of the body.

        Raises:
            InputError: it is something else.
        """
        value = self.body.get(name, default)
        if not isinstance(value, str):
            raise InputError(f"`{name}`: got no text", hint="put it in quotes")
        return value


def _routes(desk: _Desk) -> Starlette:
    async def page(_: Request) -> Response:
        headers = _SAFE | {"content-security-policy": CONTENT_SECURITY_POLICY}
        return Response(PAGE, media_type="text/html; charset=utf-8", headers=headers)

    def route(path: str, methods: Mapping[str, Callable[[Call], Any]]) -> Route:
        async def answer(request: Request) -> Response:
            handler = methods["GET" if request.method == "HEAD" else request.method]
            try:
                call = await _read(request)
                found = await asyncio.to_thread(handler, call)
            except PalioError as error:
                return _answer_error(error)
            headers = {"etag": f'"{found["line"]}"'} if isinstance(found, dict) and "line" in found else {}
            return Response(_encode(found), media_type="application/json", headers=_SAFE | headers)

        return Route(path, answer, methods=list(methods))

    async def refused(_: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            texts = {404: "there is no such route", 405: "this method is not allowed here"}
            detail = texts.get(error.status_code, error.detail)
            return _refuse(error.status_code, detail, dict(error.headers or {}))
        log.error("an admin request failed", exc_info=error)
        return _refuse(500, "it failed; the server's log says why")

    routes = [
        Route("/", page),
        route("/status", {"GET": desk.status}),
        route("/policy", {"GET": desk.show_policy, "PUT": desk.set_policy}),
        route("/policy/check", {"POST": desk.check_policy}),
        route("/keys", {"GET": desk.list_keys, "POST": desk.add_key}),
        route("/keys/{name}", {"DELETE": desk.revoke_key}),
        route("/rollout", {"GET": desk.show_rollout}),
        route("/rollout/{action}", {"POST": desk.act}),
        route("/v2/repository/models/{name}/load", {"POST": desk.load}),
        route("/v2/repository/models/{name}/unload", {"POST": desk.unload}),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: refused, Exception: refused})


def _read_no_parameters(query: bytes) -> None:
    try:
        parameters(query)
    except WireError as refusal:
        raise InputError(refusal.message, hint="send it in the body") from None


async def _read(request: Request) -> Call:
    """Read the body within its cap: a JSON object, or a list of rules."""
    _read_no_parameters(request.scope["query_string"])
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > MAX_BODY_BYTES:
            raise HTTPException(413, f"the body is larger than the {MAX_BODY_BYTES} bytes that are allowed")
    body: Any = {}
    if data:
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise HTTPException(415, "send the body as application/json")
        try:
            body = msgspec.json.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise InputError("the body is not JSON", hint="send a JSON object") from None
    if not isinstance(body, dict) and request.url.path != "/policy":
        raise InputError("the body is no JSON object", hint="send a JSON object")
    condition = request.headers.get("if-match", "*").strip()
    if condition != "*" and not re.fullmatch(r'"\d{1,15}"', condition):
        raise InputError("If-Match: got something else than the ETag of the rules", hint="send what GET /policy gave")
    expected = None if condition == "*" else int(condition.strip('"'))
    return Call(request.scope["palio.actor"], request.path_params, body, expected)


def _shown(key: ApiKey) -> dict[str, Any]:
    return {
        "caller": key.caller,
        "role": key.role,
        "admin": key.admin,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
    }


def _hostname(host: bytes) -> str:
    """Return a Host header without its port, in lower case.

    Example:
        >>> _hostname(b"LocalHost:8081"), _hostname(b"[::1]:8081"), _hostname(b"127.0.0.1")
        ('localhost', '[::1]', '127.0.0.1')
    """
    match = re.fullmatch(rb"(\[[0-9a-fA-F:.]+\]|[^\[\]:@/]+)(:\d{1,5})?", host)
    return "" if match is None else match[1].decode("latin-1").lower()


def _answer_error(error: PalioError) -> Response:
    if isinstance(error, UnavailableError | IntegrityError) and not isinstance(error, ConflictError):
        log.error("the admin port cannot answer: %s", error.message)
        return _refuse(503, "the ledger cannot be used; the server's log says why")  # its message names places
    body = {"error": error.message} | ({"hint": error.hint} if error.hint else {})
    return Response(_encode(body), error.http_status, media_type="application/json", headers=_SAFE)


def _refuse(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        _encode({"error": text}), status, media_type="application/json", headers=_SAFE | dict(headers or {})
    )
