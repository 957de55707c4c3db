"""Start a server from a project or from an exported bundle; imports no room that trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from palio.core import config as settings
from palio.core.errors import NotFoundError, need

if TYPE_CHECKING:
    from palio.serve import GrpcListener, Provider


Ready = Callable[[str], None]


def serve_project(folder: Path, *, host: str | None, port: int | None, grpc_port: int | None, ready: Ready) -> None:
    """Serve the champion of the project in `folder` until told to stop.

    Raises:
        NotFoundError: the project has no champion yet.
        UnavailableError: the `serve` extra (or `grpc`, for a port of its own) is not installed, or a port is taken.
    """
    config = settings.load(folder, flags={"serve.host": host, "serve.port": port, "serve.grpc_port": grpc_port})
    try:
        from palio import serve, store
    except ImportError as error:
        raise need("serve", error) from None
    table = config.serve
    with store.open_store(folder, url=config.store.url, blobs=config.store.blobs) as opened:
        name = config.project.name
        if opened.promotions.champion(name) is None:
            raise NotFoundError(f"model `{name}` has no champion yet", hint="run palio run first")
        caps = serve.Caps(max_body_bytes=int(table.max_body_mb * 2**20), max_rows=table.max_rows)
        door = _grpc(table.host, table.grpc_port, caps.max_body_bytes)
        app = serve.create_app(serve.StoreProvider(opened, name), caps=caps, grpc=door)
        serve.run(app, host=table.host, port=table.port, ready=ready)


def serve_onnx(path: Path, *, host: str | None, port: int | None, grpc_port: int | None, ready: Ready) -> None:
    """Serve one ONNX file, made anywhere, until told to stop.

    Raises:
        NotFoundError: there is no such file.
        IntegrityError: it is no plain, self-contained ONNX model that the protocol can carry.
        UnavailableError: the `serve` extra (or `grpc`, for a port of its own) is not installed, or a port is taken.
    """
    try:
        from palio import serve
    except ImportError as error:
        raise need("serve", error) from None
    _serve(serve.any_onnx(path), host, port, grpc_port, ready)


def serve_bundle(path: Path, *, host: str | None, port: int | None, grpc_port: int | None, ready: Ready) -> None:
    """Serve one exported bundle until told to stop.

    Raises:
        IntegrityError: a member of the bundle is not what its hash says.
        UnavailableError: the `serve` extra (or `grpc`, for a port of its own) is not installed, or a port is taken.
    """
    try:
        from palio import model, serve
    except ImportError as error:
        raise need("serve", error) from None
    _serve(serve.fixed(model.open_folder(path)), host, port, grpc_port, ready)


def _serve(provider: Provider, host: str | None, port: int | None, grpc_port: int | None, ready: Ready) -> None:
    """Serve without a project: what no option says is as in a new one."""
    from palio import serve

    table = settings.ServeTable()
    host = host or table.host
    door = _grpc(host, table.grpc_port if grpc_port is None else grpc_port, serve.Caps().max_body_bytes)
    serve.run(serve.create_app(provider, grpc=door), host=host, port=table.port if port is None else port, ready=ready)


def _grpc(host: str, port: int, max_body_bytes: int) -> GrpcListener | None:
    if not port:
        return None
    try:
        from palio.serve import GrpcListener
    except ImportError as error:
        raise need("grpc", error) from None
    return GrpcListener(host=host, port=port, max_body_bytes=max_body_bytes)
