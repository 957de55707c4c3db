"""The cellar: the only room that touches disk, object store or database.

`open_store` gives a `Store` with five shelves: `blobs` (bytes by their SHA-256), `ledger` (what happened, append-only),
`records` (what the rooms know), `steps` (what need not be done twice) and `promotions` (what is live).
Beside it lies the prediction log: `PredictionLog` appends, `scan_log` and `log_frame` read, `tidy_log` tidies.
Libraries are loaded at the first use, not at import.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palio.store.arrow import ARROW_NUMBERS, BatchLayout, Field, same_text, text_of, values_of
    from palio.store.arrow_reading import Batch, read_stream
    from palio.store.blobs import Blobs
    from palio.store.cellar import Store, open_store, upgrade_store
    from palio.store.files import write_whole
    from palio.store.layout import Layout
    from palio.store.ledger import Ledger, operating_system_user
    from palio.store.predictions import COMMON_FIELDS, LogKind, PredictionLog, Series
    from palio.store.predictions_feedback import FeedbackLog
    from palio.store.predictions_reading import latest_feedback, log_frame, log_segments, scan_log
    from palio.store.predictions_redaction import Redaction, salt_of
    from palio.store.predictions_tidy import Tidied, tidy_log
    from palio.store.promotions import Promotions
    from palio.store.records import Records
    from palio.store.steps import Steps

__all__ = [
    "ARROW_NUMBERS",
    "COMMON_FIELDS",
    "Batch",
    "BatchLayout",
    "Blobs",
    "FeedbackLog",
    "Field",
    "Layout",
    "Ledger",
    "LogKind",
    "PredictionLog",
    "Promotions",
    "Records",
    "Redaction",
    "Series",
    "Steps",
    "Store",
    "Tidied",
    "latest_feedback",
    "log_frame",
    "log_segments",
    "open_store",
    "operating_system_user",
    "read_stream",
    "salt_of",
    "same_text",
    "scan_log",
    "text_of",
    "tidy_log",
    "upgrade_store",
    "values_of",
    "write_whole",
]

_HOME = {
    "ARROW_NUMBERS": "arrow",
    "Batch": "arrow_reading",
    "BatchLayout": "arrow",
    "Blobs": "blobs",
    "COMMON_FIELDS": "predictions",
    "FeedbackLog": "predictions_feedback",
    "Field": "arrow",
    "Layout": "layout",
    "Ledger": "ledger",
    "LogKind": "predictions",
    "PredictionLog": "predictions",
    "Promotions": "promotions",
    "Records": "records",
    "Redaction": "predictions_redaction",
    "Series": "predictions",
    "Steps": "steps",
    "Store": "cellar",
    "Tidied": "predictions_tidy",
    "latest_feedback": "predictions_reading",
    "log_frame": "predictions_reading",
    "log_segments": "predictions_reading",
    "open_store": "cellar",
    "operating_system_user": "ledger",
    "read_stream": "arrow_reading",
    "salt_of": "predictions_redaction",
    "same_text": "arrow",
    "scan_log": "predictions_reading",
    "text_of": "arrow",
    "tidy_log": "predictions_tidy",
    "upgrade_store": "cellar",
    "values_of": "arrow",
    "write_whole": "files",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
