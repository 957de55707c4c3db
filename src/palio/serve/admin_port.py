"""Open a second port beside the server, for the few who administer it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from palio.core.errors import UnavailableError
from palio.serve.listener import Named, listen, url_of

STOP_S = 5.0
MOST_CONNECTIONS = 64
"""Few administer: more at once are told to come back."""

_NAMED = Named(port="--admin-port", host="[serve] admin_host", none="0 for none")


class _Server(uvicorn.Server):
    def __init__(self, application: Any, started: threading.Event) -> None:
        config = uvicorn.Config(
            application,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=int(STOP_S / 2),
        )
        super().__init__(config)
        self._announce = started

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self._announce.set()


@contextmanager
def beside(application: Any, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve an ASGI application from a thread while the block runs; gives the URL.

    Raises:
        UnavailableError: the address cannot be listened on, or the application does not start.
    """
    listener = listen(host, port, named=_NAMED)
    url, started = url_of(host, listener), threading.Event()
    server = _Server(application, started)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="palio-admin", daemon=True)
    thread.start()
    try:
        while not started.wait(0.05):
            if not thread.is_alive():
                raise UnavailableError("the admin port did not start", hint="see the log of the server")
        yield url
    finally:
        server.should_exit = True
        thread.join(STOP_S)
        server.force_exit = True  # too late, for good
        listener.close()
