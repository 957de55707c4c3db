"""Run the server in a process or a thread, and stop it without failing a request."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import uvicorn

from palio.core.errors import PalioError, UnavailableError
from palio.serve.connection import Connection, sweep
from palio.serve.express import Express
from palio.serve.listener import BACKLOG, DRAIN_S, NOTICE_S, ConnectionLimits, listen, turn_new_ones_away, url_of

if TYPE_CHECKING:
    from palio.serve.app import App

_QUIET_S = 0.2
"""The notice ends early when nobody has been connected for this time."""
_SETTLE_S = 0.1
"""So long after new handshakes are ignored, those that had begun may still end: on a busy machine the kernel handles a
packet milliseconds after it was sent, and a listener that is closed in between resets a client that thinks it is in."""
_SWEEP_TICKS = 10
_MOST_CONNECTIONS = 10_000
_OTHER_FILES = 256
"""Open files that are left for everything that is no connection."""


def run(
    app: App,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    ready: Callable[[str], None] | None = None,
    drain_s: float = DRAIN_S,
    limits: ConnectionLimits | None = None,
    reuse_port: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return. Prints nothing.

    Args:
        app: From `create_app`.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        ready: Called once with the real URL, when requests are answered.
        drain_s: How long requests may take to finish after the signal.
        limits: What one connection may take.
        reuse_port: Share the port with other processes of this user; the kernel spreads connections over them.

    Raises:
        UnavailableError: the address cannot be listened on.
    """
    _allow_many_files()
    listener = listen(host, port, reuse_port=reuse_port)
    url = url_of(host, listener)
    _Server(app, listener, drain_s=drain_s, limits=limits, ready=lambda: ready(url) if ready else None).run()


@contextlib.contextmanager
def background(
    app: App, *, host: str = "127.0.0.1", port: int = 0, limits: ConnectionLimits | None = None
) -> Iterator[str]:
    """Serve from a thread of this process while the block runs; gives the URL.

    Raises:
        UnavailableError: the address cannot be listened on, or the server does not start.
    """
    listener = listen(host, port)
    url = url_of(host, listener)
    started = threading.Event()
    server = _Server(app, listener, drain_s=DRAIN_S, limits=limits, ready=started.set)
    trouble: list[PalioError] = []

    def serve() -> None:
        try:
            server.run()
        except PalioError as error:
            trouble.append(error)

    thread = threading.Thread(target=serve, name="palio-serve", daemon=True)
    thread.start()
    try:
        while not started.wait(0.05):
            if not thread.is_alive():
                raise trouble[0] if trouble else UnavailableError("the server did not start", hint="see its log")
        yield url
    finally:
        server.hurry = server.should_exit = True
        thread.join(DRAIN_S + 5)


def _allow_many_files() -> None:
    """Raise the soft limit on open files to the hard one: each connection is a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 65_536) if hard != resource.RLIM_INFINITY else 65_536
    if soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _most_connections(limits: ConnectionLimits) -> int:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    most = max(16, min(_MOST_CONNECTIONS, files - _OTHER_FILES))
    return min(limits.max_connections, most) if limits.max_connections > 0 else most


class _Server(uvicorn.Server):
    """uvicorn, with a stop that loses no request.

    1. Notice: not ready; each answer ends its connection; new ones are still accepted.
    2. The listener goes: what the kernel has already accepted for us is taken over first.
    3. Connections close when they are idle and nothing waits in their buffer, at the latest after `drain_s`.
    """

    def __init__(
        self,
        app: App,
        listener: socket.socket,
        *,
        drain_s: float,
        limits: ConnectionLimits | None,
        ready: Callable[[], object],
    ) -> None:
        caps = app.caps
        limits = limits or ConnectionLimits(
            body_timeout_s=caps.read_timeout_s, max_message_bytes=2 * caps.max_body_bytes + 2**20
        )
        self._kind = Connection.limited(limits, n_allowed=_most_connections(limits))
        config = uvicorn.Config(
            app,
            http=self._kind,
            loop="uvloop",
            ws="none",
            lifespan="on",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=int(limits.idle_timeout_s),
            timeout_graceful_shutdown=max(1, int(drain_s)),
        )
        super().__init__(config)
        self._app = app
        self._listener = listener
        self._drain_s = drain_s
        self._ready = ready
        self.hurry = False  # skip the notice; requests that are under way still finish
        with contextlib.suppress(ValueError):  # an app may be served a second time
            app.meters.follow(
                "palio_connections", "Open", "", lambda: {"": len(self.server_state.connections)}, gauge=True
            )
            app.meters.follow("palio_connections_ended", "Turned away or cut off", "reason", lambda: self._kind.tally)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve on the listener until told to stop."""
        own = self._listener.dup()
        try:
            super().run([own, *(sockets or [])])
        finally:
            own.close()
            self._listener.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        express = Express(self._app.pipeline, asyncio.get_running_loop(), self._keep)
        self._kind.let_pass(express, lambda: self._app.is_draining)
        try:
            await super().startup(sockets)
        except SystemExit:  # uvicorn's way to say that the application did not start
            raise self._app.trouble or UnavailableError("the server did not start", hint="see its log") from None
        self._ready()

    def _keep(self, task: asyncio.Task[None]) -> None:
        """Let a task live, and let the stop wait for it."""
        self.server_state.tasks.add(task)
        task.add_done_callback(self.server_state.tasks.discard)

    async def on_tick(self, counter: int) -> bool:
        """Look at all connections once a second."""
        if counter % _SWEEP_TICKS == 0:
            sweep(self.server_state.connections)
        return await super().on_tick(counter)

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
        self._app.give_up()
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
        is_filtered = turn_new_ones_away(self._listener)
        settled = time.monotonic() + (_SETTLE_S if is_filtered else 0.0)
        while True:
            is_last = time.monotonic() >= settled or self.force_exit
            with contextlib.suppress(BlockingIOError):
                while True:
                    connection = self._listener.accept()[0]
                    connection.setblocking(False)
                    await loop.connect_accepted_socket(self._protocol, connection)
            if is_last:
                break
            await asyncio.sleep(0.01)
        self._listener.close()

    def _protocol(self) -> asyncio.Protocol:
        return self._kind(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    async def _close_when_idle(self, deadline: float) -> None:
        fresh_until = min(deadline, time.monotonic() + NOTICE_S)
        while self.server_state.connections and time.monotonic() < deadline and not self.force_exit:
            for connection in cast("list[Connection]", list(self.server_state.connections)):
                is_fresh = connection.cycle is None and time.monotonic() < fresh_until and not self.hurry
                is_served = connection.cycle is not None and not connection.cycle.response_complete
                if is_served or (not is_fresh and connection.is_between_requests() and not _has_unread(connection)):
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
