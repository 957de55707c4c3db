"""Ask an application without a server: the same callable, no socket, no thread that answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from palio.serve import App


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(app: App, method: str, path: str, body: Any = b"", headers: Mapping[str, str] | None = None) -> Answer:
    """Send one request, and wait for its answer; `app` has loaded what it serves (`app.refresh()`)."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    path, _, query = path.partition("?")
    given = {"content-length": str(len(body)), "content-type": "application/json", **(headers or {})}
    scope = {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    async def run() -> None:
        await app(scope, receive, send)

    asyncio.run(run())
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:]))
