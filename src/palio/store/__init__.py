"""The cellar: the only room that touches disk, object store or database.

`open_store` gives a `Store` with five shelves: `blobs` (bytes by their SHA-256), `ledger` (what happened, append-only),
`records` (what the rooms know), `steps` (what need not be done twice) and `promotions` (what is live).
SQLAlchemy is loaded at the first use, not at import.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.store.blobs import Blobs
    from palio.store.cellar import Store, open_store, upgrade_store
    from palio.store.layout import Layout
    from palio.store.ledger import Ledger, operating_system_user
    from palio.store.promotions import Promotions
    from palio.store.records import Records
    from palio.store.steps import Steps

__all__ = [
    "Blobs",
    "Layout",
    "Ledger",
    "Promotions",
    "Records",
    "Steps",
    "Store",
    "open_store",
    "operating_system_user",
    "upgrade_store",
]

_HOME = {
    "Blobs": "blobs",
    "Layout": "layout",
    "Ledger": "ledger",
    "Promotions": "promotions",
    "Records": "records",
    "Steps": "steps",
    "Store": "cellar",
    "open_store": "cellar",
    "operating_system_user": "ledger",
    "upgrade_store": "cellar",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
