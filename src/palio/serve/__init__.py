"""Answer requests: a champion behind the Open Inference Protocol V2 (REST) and `POST /predict`.

    app = create_app(StoreProvider(store, "term-deposit"))      # or create_app(fixed(model.open_folder(path)))
    run(app, port=8080, ready=print)                            # until SIGTERM; drains

`create_app` gives an ASGI callable: inference routes are raw ASGI with msgspec, the pages are Starlette. What is
served is one immutable `State`, replaced by one assignment when the provider names another champion.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.serve.app import App as App
    from palio.serve.app import create_app as create_app
    from palio.serve.client import Answer as Answer
    from palio.serve.client import Client as Client
    from palio.serve.client import replay as replay
    from palio.serve.process import background as background
    from palio.serve.process import run as run
    from palio.serve.protocols.description import openapi as openapi
    from palio.serve.protocols.foreign import any_onnx as any_onnx
    from palio.serve.protocols.grpc_listener import GrpcListener as GrpcListener
    from palio.serve.protocols.wire import Caps as Caps
    from palio.serve.registry import Provider as Provider
    from palio.serve.registry import StoreProvider as StoreProvider
    from palio.serve.registry import fixed as fixed

_HOMES = {
    "Answer": "client",
    "App": "app",
    "Caps": "protocols.wire",
    "Client": "client",
    "GrpcListener": "protocols.grpc_listener",
    "Provider": "registry",
    "StoreProvider": "registry",
    "any_onnx": "protocols.foreign",
    "background": "process",
    "create_app": "app",
    "fixed": "registry",
    "openapi": "protocols.description",
    "replay": "client",
    "run": "process",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import what is asked for on first use, so that `import palio.serve` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"palio.serve.{_HOMES[name]}"), name)
