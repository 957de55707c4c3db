"""Start a server from a project or from an exported bundle; imports no room that trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from palio.core import config as settings
from palio.core.errors import NotFoundError, need


def serve_project(folder: Path, *, host: str | None, port: int | None, ready: Callable[[str], None]) -> None:
    """Serve the champion of the project in `folder` until told to stop.

    Raises:
        NotFoundError: the project has no champion yet.
        UnavailableError: the `serve` extra is not installed, or the port is taken.
    """
    config = settings.load(folder, flags={"serve.host": host, "serve.port": port})
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
        app = serve.create_app(serve.StoreProvider(opened, name), caps=caps)
        serve.run(app, host=table.host, port=table.port, ready=ready)


def serve_onnx(path: Path, *, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve one ONNX file, made anywhere, until told to stop.

    Raises:
        NotFoundError: there is no such file.
        IntegrityError: it is no plain, self-contained ONNX model that the protocol can carry.
        UnavailableError: the `serve` extra is not installed, or the port is taken.
    """
    try:
        from palio import serve
    except ImportError as error:
        raise need("serve", error) from None
    provider = serve.any_onnx(path)
    serve.run(serve.create_app(provider), host=host, port=port, ready=ready)


def serve_bundle(path: Path, *, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve one exported bundle until told to stop.

    Raises:
        IntegrityError: a member of the bundle is not what its hash says.
        UnavailableError: the `serve` extra is not installed, or the port is taken.
    """
    try:
        from palio import model, serve
    except ImportError as error:
        raise need("serve", error) from None
    app = serve.create_app(serve.fixed(model.open_folder(path)))
    serve.run(app, host=host, port=port, ready=ready)
