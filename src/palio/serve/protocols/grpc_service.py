"""Answer `inference.GRPCInferenceService` with what the HTTP routes answer.

Each call becomes one request to the ASGI application, on the loop where that application lives: admission, access,
routing, checks and the log are the same for every transport, and stay on one thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any

import grpc
import msgspec
from google.protobuf import json_format
from google.protobuf.message import DecodeError

from palio.serve.protocols.grpc_bridge import Bridge, Headers, end, headers_of, refused, stopping, trailing_of
from palio.serve.protocols.grpc_messages import METHODS, POOL, SERVICE, message
from palio.serve.protocols.grpc_tensors import body_of, put, response_of
from palio.serve.protocols.wire import LARGE_BYTES, Reply, WireError

log = logging.getLogger("palio.serve")

MAX_READERS = 16
"""Messages that are read at once, and large ones that are under way: each is in memory three times."""
READ_S = 30.0
_STRANGER = "an API key that counts is needed: send it as x-api-key or as a bearer token"
_FOR_ALL = frozenset(("ServerLive", "ServerReady", "ServerMetadata"))

_OFF_THE_PORT = {
    "RepositoryModelLoad": (grpc.StatusCode.PERMISSION_DENIED, "models are loaded by promotion, not by callers"),
    "RepositoryModelUnload": (grpc.StatusCode.PERMISSION_DENIED, "models are unloaded by promotion, not by callers"),
    **{
        f"{kind}SharedMemory{verb}": (grpc.StatusCode.UNIMPLEMENTED, "shared memory is not offered")
        for kind in ("System", "Cuda")
        for verb in ("Status", "Register", "Unregister")
    },
    "TraceSetting": (grpc.StatusCode.UNIMPLEMENTED, "trace settings are not offered"),
    "LogSettings": (grpc.StatusCode.UNIMPLEMENTED, "log settings are not offered"),
}


class InferenceService(grpc.GenericRpcHandler):  # type: ignore[misc] # grpc has no types
    """The methods of the protocol, each answered through the bridge."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._closing = asyncio.Event()
        self._last_call = 0.0
        self._readers = asyncio.Semaphore(MAX_READERS)
        self._n_under_way = 0
        handlers: dict[str, Any] = {
            name: grpc.stream_unary_rpc_method_handler(self._unary(name)) for name in METHODS if name not in _ON_STREAM
        }
        handlers["ModelStreamInfer"] = grpc.stream_stream_rpc_method_handler(self._stream)
        for name, (code, text) in _OFF_THE_PORT.items():
            handlers[name] = grpc.unary_unary_rpc_method_handler(_refusal(code, text))
        self._handlers = {f"/{SERVICE}/{name}": handler for name, handler in handlers.items()}

    def service(self, details: Any) -> Any:
        """Find the method of one call."""
        return self._handlers.get(details.method)

    def is_quiet(self, for_s: float) -> bool:
        """Tell whether no call is under way, and none has begun or ended for some seconds."""
        return self._n_under_way == 0 and time.monotonic() - self._last_call > for_s

    def close(self) -> None:
        """Answer what is under way, and everything else with UNAVAILABLE, which clients try elsewhere; end streams."""
        self._closing.set()

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        self._n_under_way += 1
        self._last_call = time.monotonic()
        try:
            yield
        finally:
            self._n_under_way -= 1
            self._last_call = time.monotonic()

    def _unary(self, name: str) -> Callable[[AsyncIterator[bytes], Any], Awaitable[bytes]]:
        """Make the answer to a call of one message, which is read only when it is known who calls."""
        kind = message(f"{name}Request")
        answer = getattr(self, _ANSWERS[name])
        is_open = name in _FOR_ALL

        async def handle(requests: AsyncIterator[bytes], context: Any) -> bytes:
            try:
                if self._closing.is_set():
                    raise stopping()
                headers = headers_of(context)
                if not is_open and self._bridge.is_stranger(headers):
                    raise WireError(401, _STRANGER)
                with self._counted():
                    async with self._read(requests) as payload:
                        response, trailing = await answer(_parse(kind, payload), headers)
            except WireError as refusal:
                end(context, refusal)
                return b""
            except Exception:
                log.exception("an answer failed")
                end(context, WireError(500, "the server could not answer; its log says why"))
                return b""
            if trailing:
                context.set_trailing_metadata(trailing)
            return bytes(response.SerializeToString())

        return handle

    @contextlib.asynccontextmanager
    async def _read(self, requests: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Read the message of a call. Few are read at once, and large ones keep their place: they fill the memory."""
        is_held = True
        await self._readers.acquire()
        try:
            try:
                async with asyncio.timeout(READ_S):
                    payload = await _next(requests)
                    has_more = await _next(requests) is not None  # asked for its end, the runtime lets go of the first
            except TimeoutError:
                raise WireError(408, "the message did not arrive in time") from None
            if payload is None or has_more:
                raise WireError(400, "the call carries no message, or more than one")
            if len(payload) <= LARGE_BYTES:
                self._readers.release()
                is_held = False
            yield payload
        finally:
            if is_held:
                self._readers.release()

    async def _stream(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """Answer one request after the other; one that fails says so in its answer, and the stream goes on."""
        headers = headers_of(context)
        if self._bridge.is_stranger(headers):
            end(context, WireError(401, _STRANGER))
            return
        kind = message("ModelInferRequest")
        async for payload in self._until_closed(requests, context):
            response = message("ModelStreamInferResponse")()
            try:
                request = _parse(kind, payload)
                response.infer_response.id = request.id
                with self._counted():
                    answer, _ = await self._infer(request, headers)
                response.infer_response.CopyFrom(answer)
            except WireError as refusal:
                response.error_message = refusal.message
            except Exception:
                log.exception("an answer failed")
                response.error_message = "the server could not answer; its log says why"
            put(response.infer_response.parameters["triton_final_response"], True)
            yield response.SerializeToString()

    async def _until_closed(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """Give what arrives on a stream, until its client ends it or the server closes."""
        closing = asyncio.ensure_future(self._closing.wait())
        arriving: asyncio.Future[bytes | None] | None = None
        try:
            while True:
                arriving = asyncio.ensure_future(_next(requests))
                await asyncio.wait((arriving, closing), return_when=asyncio.FIRST_COMPLETED)
                if not arriving.done():
                    end(context, stopping())
                    return
                payload = arriving.result()
                if payload is None:
                    return
                yield payload
        finally:
            closing.cancel()
            if arriving is not None:
                arriving.cancel()

    async def _infer(self, request: Any, headers: Headers) -> tuple[Any, Any]:
        path = f"{_path(request.model_name, request.model_version)}/infer"
        body, length = body_of(request)
        header = (b"inference-header-content-length", b"%d" % length)
        reply = await self._asked("POST", path, (*headers, header), body)
        return response_of(reply), trailing_of(reply)

    async def _live(self, _request: Any, _headers: Headers) -> tuple[Any, Any]:
        return message("ServerLiveResponse")(live=True), None

    async def _ready(self, _request: Any, headers: Headers) -> tuple[Any, Any]:
        reply = await self._bridge("GET", "/v2/health/ready", headers)
        return message("ServerReadyResponse")(ready=reply.status == 200), None

    async def _model_ready(self, request: Any, headers: Headers) -> tuple[Any, Any]:
        reply = await self._bridge("GET", f"{_path(request.name, request.version)}/ready", headers)
        if reply.status not in (200, 503):
            raise refused(reply)
        return message("ModelReadyResponse")(ready=reply.status == 200), None

    async def _server(self, _request: Any, headers: Headers) -> tuple[Any, Any]:
        return await self._described("ServerMetadataResponse", "/v2", headers), None

    async def _model(self, request: Any, headers: Headers) -> tuple[Any, Any]:
        path = _path(request.name, request.version)
        return await self._described("ModelMetadataResponse", path, headers), None

    async def _config(self, request: Any, headers: Headers) -> tuple[Any, Any]:
        path = f"{_path(request.name, request.version)}/config"
        return await self._described("ModelConfigResponse", path, headers, inside="config"), None

    async def _statistics(self, request: Any, headers: Headers) -> tuple[Any, Any]:
        path = f"{_path(request.name, request.version)}/stats" if request.name else "/v2/models/stats"
        return await self._described("ModelStatisticsResponse", path, headers), None

    async def _index(self, request: Any, headers: Headers) -> tuple[Any, Any]:
        if request.repository_name:
            raise WireError(404, "there is one repository, and it has no name")
        body = msgspec.json.encode({"ready": request.ready})
        reply = await self._asked("POST", "/v2/repository/index", headers, body)
        return _message("RepositoryIndexResponse", {"models": msgspec.json.decode(reply.body)}), None

    async def _described(self, kind: str, path: str, headers: Headers, *, inside: str = "") -> Any:
        about = msgspec.json.decode((await self._asked("GET", path, headers)).body)
        return _message(kind, {inside: about} if inside else about)

    async def _asked(self, method: str, path: str, headers: Headers, body: bytes = b"") -> Reply:
        reply = await self._bridge(method, path, headers, body)
        if reply.status >= 400:
            raise await self._refused(reply)  # in a variable it would keep the frames, and the message
        return reply

    async def _refused(self, reply: Reply) -> WireError:
        refusal = refused(reply)
        if refusal.status == 503 and (await self._bridge("GET", "/v2/health/ready")).status == 200:
            refusal.status = 429  # it is well, but has too much to do: HTTP has one status for both, gRPC has two
        return refusal


async def _next(requests: AsyncIterator[bytes]) -> bytes | None:
    return await anext(requests, None)


_ON_STREAM = frozenset(("ModelStreamInfer",))
_ANSWERS = {
    "ServerLive": "_live",
    "ServerReady": "_ready",
    "ModelReady": "_model_ready",
    "ServerMetadata": "_server",
    "ModelMetadata": "_model",
    "ModelInfer": "_infer",
    "ModelConfig": "_config",
    "ModelStatistics": "_statistics",
    "RepositoryIndex": "_index",
}


def _refusal(code: Any, text: str) -> Callable[[bytes, Any], Awaitable[bytes]]:
    async def handle(_payload: bytes, context: Any) -> bytes:
        context.set_code(code)
        context.set_details(text)
        return b""

    return handle


def _parse(kind: Any, payload: bytes) -> Any:
    try:
        return kind.FromString(payload)
    except DecodeError:
        raise WireError(400, "the message is not of the protocol's form") from None


def _message(kind: str, about: Mapping[str, Any]) -> Any:
    return json_format.ParseDict(about, message(kind)(), ignore_unknown_fields=True, descriptor_pool=POOL)


def _path(model: str, version: str) -> str:
    """Name a model in a path; a name may hold slashes, but none that could be read as another path is known."""
    parts = model.split("/")
    if "" in parts or "versions" in parts or parts[-1] in _WORDS or "/" in version:
        raise WireError(404, "Request for unknown model: this name is not served")
    return f"/v2/models/{model}/versions/{version}" if version else f"/v2/models/{model}"


_WORDS = frozenset(("infer", "ready", "config", "stats"))
