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
    from palio.serve.admin_port import beside as beside
    from palio.serve.app import App as App
    from palio.serve.app import create_app as create_app
    from palio.serve.client import Answer as Answer
    from palio.serve.client import Client as Client
    from palio.serve.client import replay as replay
    from palio.serve.feedback import Truths as Truths
    from palio.serve.feedback import receive_feedback as receive_feedback
    from palio.serve.journal import Journal as Journal
    from palio.serve.journal_columns import Entry as Entry
    from palio.serve.journal_columns import Origin as Origin
    from palio.serve.journal_columns import origin_of as origin_of
    from palio.serve.listener import ConnectionLimits as ConnectionLimits
    from palio.serve.process import background as background
    from palio.serve.process import run as run
    from palio.serve.protocols.description import openapi as openapi
    from palio.serve.protocols.foreign import any_onnx as any_onnx
    from palio.serve.protocols.grpc_listener import GrpcListener as GrpcListener
    from palio.serve.protocols.wire import Caps as Caps
    from palio.serve.registry import Provider as Provider
    from palio.serve.registry import StoreProvider as StoreProvider
    from palio.serve.registry import fixed as fixed
    from palio.serve.traffic.access import what_if as what_if
    from palio.serve.traffic.admin import create_admin as create_admin
    from palio.serve.traffic.admission import AdmissionLimits as AdmissionLimits
    from palio.serve.traffic.keys import add_key as add_key
    from palio.serve.traffic.keys import read_policy as read_policy
    from palio.serve.traffic.keys import read_rules as read_rules
    from palio.serve.traffic.keys import revoke_key as revoke_key
    from palio.serve.traffic.keys import write_rules as write_rules
    from palio.serve.traffic.plan import PlanReader as PlanReader
    from palio.serve.traffic.plan import read_plan as read_plan
    from palio.serve.traffic.quota import SharedQuotas as SharedQuotas
    from palio.serve.workers import Order as Order
    from palio.serve.workers import run_workers as run_workers

_HOMES = {
    "AdmissionLimits": "traffic.admission",
    "Answer": "client",
    "App": "app",
    "Caps": "protocols.wire",
    "Client": "client",
    "ConnectionLimits": "listener",
    "Entry": "journal_columns",
    "GrpcListener": "protocols.grpc_listener",
    "Journal": "journal",
    "Order": "workers",
    "Origin": "journal_columns",
    "PlanReader": "traffic.plan",
    "Provider": "registry",
    "SharedQuotas": "traffic.quota",
    "StoreProvider": "registry",
    "Truths": "feedback",
    "add_key": "traffic.keys",
    "any_onnx": "protocols.foreign",
    "background": "process",
    "beside": "admin_port",
    "create_admin": "traffic.admin",
    "create_app": "app",
    "fixed": "registry",
    "openapi": "protocols.description",
    "origin_of": "journal_columns",
    "read_plan": "traffic.plan",
    "read_policy": "traffic.keys",
    "read_rules": "traffic.keys",
    "receive_feedback": "feedback",
    "replay": "client",
    "revoke_key": "traffic.keys",
    "run": "process",
    "run_workers": "workers",
    "what_if": "traffic.access",
    "write_rules": "traffic.keys",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import what is asked for on first use, so that `import palio.serve` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"palio.serve.{_HOMES[name]}"), name)
