"""Run the server in a process or a thread, and stop it without failing a request."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from palio.core.errors import UnavailableError

if TYPE_CHECKING:
    from palio.serve.app import App

BACKLOG = 2048
KEEP_ALIVE_S = 75
DRAIN_S = 10.0
"""At most so long after SIGTERM: then whatever still runs is cut off."""
NOTICE_S = 1.0
"""So long after SIGTERM connections are still accepted: load balancers and clients learn that the server goes."""
_QUIET_S = 0.2
"""The notice ends early when nobody has been connected for this time."""


def run(
    app: App,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    ready: Callable[[str], None] | None = None,
    drain_s: float = DRAIN_S,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return. Prints nothing.

    Args:
        app: From `create_app`.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        ready: Called once with the real URL, when requests are answered.
        drain_s: How long requests may take to finish after the signal.

    Raises:
        UnavailableError: the address cannot be listened on.
    """
    listener = _listen(host, port)
    url = _url(host, listener)
    _Server(app, listener, drain_s=drain_s, ready=lambda: ready(url) if ready else None).run()


@contextlib.contextmanager
def background(app: App, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve from a thread of this process while the block runs; gives the URL.

    Raises:
        UnavailableError: the address cannot be listened on, or the server does not start.
    """
    listener = _listen(host, port)
    url = _url(host, listener)
    started = threading.Event()
    server = _Server(app, listener, drain_s=DRAIN_S, ready=started.set)
    thread = threading.Thread(target=server.run, name="palio-serve", daemon=True)
    thread.start()
    try:
        while not started.wait(0.05):
            if not thread.is_alive():
                raise UnavailableError("the server did not start", hint="see its log")
        yield url
    finally:
        server.hurry = server.should_exit = True
        thread.join(DRAIN_S + 5)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise UnavailableError(
            f"{host}:{port}: cannot listen: {reason}", hint="choose another port with --port, or 0 for a free one"
        ) from None
    return listener


def _url(host: str, listener: socket.socket) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


class _Server(uvicorn.Server):
    """uvicorn, with a stop that loses no request.

    1. Notice: not ready; each answer ends its connection; new ones are still accepted.
    2. The listener goes: what the kernel has already accepted for us is taken over first.
    3. Connections close when they are idle and nothing waits in their buffer, at the latest after `drain_s`.
    """

    def __init__(self, app: App, listener: socket.socket, *, drain_s: float, ready: Callable[[], object]) -> None:
        config = uvicorn.Config(
            app,
            http="httptools",
            loop="uvloop",
            ws="none",
            lifespan="on",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=max(1, int(drain_s)),
        )
        super().__init__(config)
        self._app = app
        self._listener = listener
        self._drain_s = drain_s
        self._ready = ready
        self.hurry = False  # skip the notice; requests that are under way still finish

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve on the listener until told to stop."""
        try:
            super().run([self._listener.dup(), *(sockets or [])])
        finally:
            self._listener.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then stop."""
        self._app.is_draining = True
        deadline = time.monotonic() + self._drain_s
        if not self.hurry:
            await self._notice()
        for server in self.servers:
            server.close()
        await self._take_over_backlog()
        await self._close_when_idle(deadline)
        await super().shutdown(sockets)

    async def _notice(self) -> None:
        end = time.monotonic() + min(NOTICE_S, self._drain_s / 2)
        quiet_since = time.monotonic()
        while time.monotonic() < end and not self.force_exit:
            if self.server_state.connections:
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > _QUIET_S:
                return
            await asyncio.sleep(0.02)

    async def _take_over_backlog(self) -> None:
        """Accept what waits in the kernel: closing the listener would reset it."""
        loop = asyncio.get_running_loop()
        _turn_new_ones_away(self._listener)
        waiting = []
        with contextlib.suppress(BlockingIOError):
            while True:
                waiting.append(self._listener.accept()[0])
        self._listener.close()
        for connection in waiting:
            connection.setblocking(False)
            await loop.connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> asyncio.Protocol:
        return HttpToolsProtocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    async def _close_when_idle(self, deadline: float) -> None:
        fresh_until = min(deadline, time.monotonic() + NOTICE_S)
        while self.server_state.connections and time.monotonic() < deadline and not self.force_exit:
            for connection in cast("list[HttpToolsProtocol]", list(self.server_state.connections)):
                is_fresh = connection.cycle is None and time.monotonic() < fresh_until and not self.hurry
                if not is_fresh and not _has_unread(connection):
                    connection.shutdown()  # now if it is idle, else with the end of its answer
            await asyncio.sleep(0.01)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT for the time of serving; they end in a return, not in death by signal."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, _frame: Any) -> None:
        self.force_exit = self.should_exit  # a second signal does not wait
        self.hurry = number == signal.SIGINT
        self.should_exit = True


_DROP_NEW = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))
"""Classic BPF: load the TCP flags; if SYN is set, drop the packet; else take all of it."""
_SO_ATTACH_FILTER = 26


def _turn_new_ones_away(listener: socket.socket) -> None:
    """Let the kernel ignore new handshakes, so that none ends between our last accept and the close.

    Their clients try again after a second and find the port closed: refused, which is no failed request. Without
    Linux, or without the right to filter, a gap of microseconds remains.
    """
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _DROP_NEW))
    header = struct.pack("HP", len(_DROP_NEW), ctypes.addressof(program))
    with contextlib.suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, header)


def _has_unread(connection: Any) -> bool:
    """Tell whether the client has sent bytes that the server has not read yet."""
    plain = connection.transport.get_extra_info("socket") if connection.transport else None
    if plain is None:
        return False
    try:
        with socket.socket(fileno=socket.dup(plain.fileno())) as peek:
            peek.setblocking(False)
            return len(peek.recv(1, socket.MSG_PEEK)) > 0
    except (BlockingIOError, OSError):
        return False
