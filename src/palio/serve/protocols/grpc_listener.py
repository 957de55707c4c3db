"""Listen for gRPC in a thread of its own, beside the HTTP server of the same application."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time

import grpc
import uvloop
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from palio.core.errors import UnavailableError
from palio.serve.listener import Named, bind
from palio.serve.protocols.grpc_bridge import Application, Bridge
from palio.serve.protocols.grpc_health import Health
from palio.serve.protocols.grpc_messages import POOL, SERVICE
from palio.serve.protocols.grpc_service import InferenceService

HEAD_BYTES = 2**20
"""Room in a message beside its tensors."""
MAX_CALLS = 512
"""More calls at once than this are turned away with RESOURCE_EXHAUSTED before they are read."""
START_S = 30.0
NOTICE_S = 1.0
"""So long after `stop` calls are still taken, unless none come for `QUIET_S`."""
REFUSE_S = 0.5
"""So long after that calls are still turned away in words."""
QUIET_S = 0.05
_NAMED = Named(port="--grpc-port", none="0 for none")


class GrpcListener:
    """A gRPC server for an ASGI application: give it to `create_app`, which starts and stops it with the rest.

    The port is bound, and answers, from `start` until `stop`.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        max_body_bytes: Largest tensors that one message may carry, before and after decompression.
        reuse_port: Let several processes listen on the port.

    Raises:
        UnavailableError: the address cannot be listened on.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        max_body_bytes: int = 64 * 2**20,
        reuse_port: bool = False,
    ) -> None:
        try:
            bind(
                host, port, reuse_port=reuse_port, named=_NAMED
            ).close()  # the runtime would only say so when it starts
        except UnavailableError as error:
            raise UnavailableError(f"{error.message} (gRPC)", hint=error.hint) from None
        self.port = port
        self._address = f"[{host}]" if ":" in host else host
        self._options = (
            ("grpc.max_receive_message_length", max_body_bytes + HEAD_BYTES),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_metadata_size", 16 * 1024),
            ("grpc.so_reuseport", int(reuse_port)),
        )
        self._started = threading.Event()
        self._trouble: UnavailableError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Queue[float] = asyncio.Queue()
        self._thread: threading.Thread | None = None

    def start(self, application: Application, loop: asyncio.AbstractEventLoop) -> None:
        """Listen; calls are answered by `application` on `loop`, where it lives.

        Raises:
            UnavailableError: the address cannot be listened on.
        """
        bridge = Bridge(application, loop)
        self._thread = threading.Thread(target=self._run, args=(bridge,), name="palio-grpc", daemon=True)
        self._thread.start()
        if not self._started.wait(START_S):
            raise UnavailableError("the gRPC server did not start", hint="see its log")
        if self._trouble is not None:
            raise self._trouble

    def stop(self, grace_s: float = 10.0) -> None:
        """Wait for a quiet moment, turn new calls away, let those under way end within `grace_s`, and return.

        Call it from a thread other than that of the application's loop, which still has calls to answer.
        """
        if self._loop is None or self._thread is None or not self._thread.is_alive():
            return
        with contextlib.suppress(RuntimeError):  # it has just ended
            self._loop.call_soon_threadsafe(self._ending.put_nowait, grace_s)
        self._thread.join(grace_s + 5)

    def _run(self, bridge: Bridge) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            self._loop = runner.get_loop()
            runner.run(self._serve(bridge))

    async def _serve(self, bridge: Bridge) -> None:
        server = grpc.aio.server(options=self._options, maximum_concurrent_rpcs=MAX_CALLS)
        service = InferenceService(bridge)
        server.add_generic_rpc_handlers((service,))
        conditions = Health(bridge)
        health_pb2_grpc.add_HealthServicer_to_server(conditions, server)
        reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server, pool=POOL)
        address = f"{self._address}:{self.port}"
        try:
            self.port = server.add_insecure_port(address)
            await server.start()
        except RuntimeError:
            self._trouble = UnavailableError(
                f"{address}: cannot listen (gRPC)", hint=f"choose another port with {_NAMED.port}, or {_NAMED.none}"
            )
            self._started.set()
            return
        self._started.set()
        grace_s = await self._ending.get()
        await _wait_for_quiet(service, min(NOTICE_S, grace_s / 2))
        service.close()
        conditions.is_closed = True
        await _wait_for_quiet(service, min(REFUSE_S, grace_s / 2))
        await server.stop(grace_s)


async def _wait_for_quiet(service: InferenceService, at_most_s: float) -> None:
    """Wait until no call is under way or begins. When the runtime stops, it cancels calls that wait to begin."""
    end = time.monotonic() + at_most_s
    while time.monotonic() < end and not service.is_quiet(QUIET_S):
        await asyncio.sleep(0.01)


def _describe_health() -> None:
    """Let reflection describe the health service too."""
    POOL.AddSerializedFile(health_pb2.DESCRIPTOR.serialized_pb)


_describe_health()
