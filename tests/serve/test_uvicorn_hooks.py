"""What we use of uvicorn beyond its public words is there, under its name: its next version may have moved it."""

from __future__ import annotations

import ast
import asyncio
import inspect
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http import httptools_impl
from uvicorn.server import ServerState

from palio.serve import connection, process
from palio.serve.connection import Call, Connection
from palio.serve.process import _Server

PROTOCOL = {
    "connection_made": ("transport",),
    "data_received": ("data",),
    "on_body": ("body",),
    "on_headers_complete": (),
    "on_message_begin": (),
    "on_message_complete": (),
    "on_response_complete": (),
    "send_400_response": ("msg",),
}
"""Methods of its protocol that `Connection` replaces, and what they are called with."""
SERVER = {
    "capture_signals": (),
    "on_tick": ("counter",),
    "run": ("sockets",),
    "shutdown": ("sockets",),
    "startup": ("sockets",),
}
"""Methods of its server that ours replaces."""
SERVER_BORROWED = {"config", "force_exit", "lifespan", "server_state", "servers", "should_exit"}
"""What ours reads of its server, or calls."""
BORROWED = {
    *("_start_asgi_task", "app", "config", "connections", "cycle", "expect_100_continue", "flow", "headers"),
    *("parser", "pipeline", "server_state", "transport", "url"),
}
"""What `Connection` reads of its protocol, or calls."""


def parameters(method: Any) -> tuple[str, ...]:
    return tuple(inspect.signature(method).parameters)[1:]


def used(cls: type, *, of: type) -> set[str]:
    """Return the names that a class of ours uses on itself without giving them."""
    tree = ast.parse(inspect.getsource(inspect.getmodule(cls)))  # type: ignore[arg-type]
    (body,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == cls.__name__]
    names = {n.attr for n in ast.walk(body) if isinstance(n, ast.Attribute) and _is_self(n.value)}
    given = {n.attr for n in ast.walk(body) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
    own = {name for base in cls.__mro__[: cls.__mro__.index(of)] for name in (*vars(base), *base.__annotations__)}
    return names - own - (given - set(vars(of)) - BORROWED - SERVER_BORROWED)


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


@pytest.mark.parametrize("name", PROTOCOL)
def test_the_protocol_still_has_the_hook_that_connections_replace(name: str) -> None:
    assert parameters(getattr(httptools_impl.HttpToolsProtocol, name)) == PROTOCOL[name]
    assert name in vars(Connection)


@pytest.mark.parametrize("name", SERVER)
def test_the_server_still_has_the_hook_that_ours_replaces(name: str) -> None:
    assert parameters(getattr(uvicorn.Server, name)) == SERVER[name]
    assert name in vars(_Server)


@pytest.mark.parametrize("name", sorted(BORROWED | {"shutdown"}))  # the server shuts connections
def test_the_protocol_still_has_what_connections_borrow(name: str) -> None:
    async def bare() -> httptools_impl.HttpToolsProtocol:
        config = uvicorn.Config(_nothing, ws="none", log_config=None)
        return httptools_impl.HttpToolsProtocol(config, ServerState(), {})

    made = asyncio.run(bare())
    set_later = "".join(inspect.getsource(httptools_impl.HttpToolsProtocol).split())
    assert hasattr(made, name) or f"self.{name}=" in set_later


@pytest.mark.parametrize("name", sorted(SERVER_BORROWED))
def test_the_server_still_has_what_ours_borrows(name: str) -> None:
    made = uvicorn.Server(uvicorn.Config(_nothing, log_config=None))
    assert hasattr(made, name) or f"self.{name}" in inspect.getsource(uvicorn.Server)


def test_a_call_answers_all_that_the_protocol_asks_its_cycle() -> None:
    tree = ast.parse(inspect.getsource(httptools_impl.HttpToolsProtocol))
    asked = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and (_is_self(node.value.value) and node.value.attr == "cycle")
    }
    replaced = {"body", "run_asgi"}  # in `on_body` and `_start_asgi_task`, which never meet a call
    assert asked - replaced <= {name for name in dir(Call) if not name.startswith("__")}


def test_the_lists_above_are_whole() -> None:
    theirs = httptools_impl.HttpToolsProtocol
    assert {name for name in vars(Connection) if name in vars(theirs) and not name.startswith("__")} == set(PROTOCOL)
    assert used(connection.Connection, of=theirs) == BORROWED
    ours = {name for name in vars(process._Server) if name in vars(uvicorn.Server) and not name.startswith("__")}
    assert ours == set(SERVER)
    assert used(process._Server, of=uvicorn.Server) == SERVER_BORROWED


async def _nothing(scope: Any, receive: Any, send: Any) -> None: ...
