"""Answer requests: a champion behind the Open Inference Protocol V2 (REST) and `POST /predict`.

    app = create_app(StoreProvider(store, "term-deposit"))      # or create_app(fixed(model.open_folder(path)))
    run(app, port=8080, ready=print)                            # until SIGTERM; drains

`create_app` gives an ASGI callable: inference routes are raw ASGI with msgspec, the pages are Starlette. What is
served is one immutable `State`, replaced by one assignment when the provider names another champion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from palio.core.doors import door

if TYPE_CHECKING:
    from palio.serve.admin_port import beside as beside
    from palio.serve.app import App as App
    from palio.serve.app import create_app as create_app
    from palio.serve.client import Client as Client
    from palio.serve.client import replay as replay
    from palio.serve.feedback import Truths as Truths
    from palio.serve.journal import Journal as Journal
    from palio.serve.journal_columns import Entry as Entry
    from palio.serve.journal_origin import origin_of as origin_of
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
    from palio.serve.traffic.origins import Origins as Origins
    from palio.serve.traffic.quota import SharedQuotas as SharedQuotas
    from palio.serve.workers import Order as Order
    from palio.serve.workers import run_workers as run_workers
else:
    __getattr__, __dir__, __all__ = door(
        __name__,
        {
            "admin_port": "beside",
            "app": "App create_app",
            "client": "Client replay",
            "feedback": "Truths",
            "journal": "Journal",
            "journal_columns": "Entry",
            "journal_origin": "origin_of",
            "listener": "ConnectionLimits",
            "process": "background run",
            "protocols.description": "openapi",
            "protocols.foreign": "any_onnx",
            "protocols.grpc_listener": "GrpcListener",
            "protocols.wire": "Caps",
            "registry": "Provider StoreProvider fixed",
            "traffic.access": "what_if",
            "traffic.admin": "create_admin",
            "traffic.admission": "AdmissionLimits",
            "traffic.keys": "add_key read_policy read_rules revoke_key write_rules",
            "traffic.origins": "Origins",
            "traffic.quota": "SharedQuotas",
            "workers": "Order run_workers",
        },
    )
