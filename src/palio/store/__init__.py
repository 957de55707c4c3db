"""The cellar: the only room that touches disk, object store or database.

`open_store` gives a `Store` with five shelves: `blobs` (bytes by their SHA-256), `ledger` (what happened, append-only),
`records` (what the rooms know), `steps` (what need not be done twice) and `promotions` (what is live).
Beside it lies the prediction log: `PredictionLog` appends, `scan_log` and `log_frame` read, `tidy_log` tidies.
Libraries are loaded at the first use, not at import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from palio.core.doors import door

if TYPE_CHECKING:
    from palio.store.arrow import ARROW_NUMBERS as ARROW_NUMBERS
    from palio.store.arrow import BatchLayout as BatchLayout
    from palio.store.arrow import Field as Field
    from palio.store.arrow import same_text as same_text
    from palio.store.arrow import text_of as text_of
    from palio.store.arrow import values_of as values_of
    from palio.store.arrow_reading import read_stream as read_stream
    from palio.store.blobs import Blobs as Blobs
    from palio.store.blobs import open_blobs as open_blobs
    from palio.store.cellar import Store as Store
    from palio.store.cellar import open_store as open_store
    from palio.store.cellar import upgrade_store as upgrade_store
    from palio.store.files import write_whole as write_whole
    from palio.store.layout import Layout as Layout
    from palio.store.ledger import Ledger as Ledger
    from palio.store.ledger import operating_system_user as operating_system_user
    from palio.store.predictions import COMMON_FIELDS as COMMON_FIELDS
    from palio.store.predictions import LogKind as LogKind
    from palio.store.predictions import PredictionLog as PredictionLog
    from palio.store.predictions import Series as Series
    from palio.store.predictions_feedback import FeedbackLog as FeedbackLog
    from palio.store.predictions_pictures import KeptPictures as KeptPictures
    from palio.store.predictions_reading import latest_feedback as latest_feedback
    from palio.store.predictions_reading import log_frame as log_frame
    from palio.store.predictions_reading import log_segments as log_segments
    from palio.store.predictions_reading import scan_log as scan_log
    from palio.store.predictions_redaction import Redaction as Redaction
    from palio.store.predictions_redaction import salt_of as salt_of
    from palio.store.predictions_tidy import tidy_log as tidy_log
    from palio.store.records import Records as Records
else:
    __getattr__, __dir__, __all__ = door(
        __name__,
        {
            "arrow": "ARROW_NUMBERS BatchLayout Field same_text text_of values_of",
            "arrow_reading": "read_stream",
            "blobs": "Blobs open_blobs",
            "cellar": "Store open_store upgrade_store",
            "files": "write_whole",
            "layout": "Layout",
            "ledger": "Ledger operating_system_user",
            "predictions": "COMMON_FIELDS LogKind PredictionLog Series",
            "predictions_feedback": "FeedbackLog",
            "predictions_pictures": "KeptPictures",
            "predictions_reading": "latest_feedback log_frame log_segments scan_log",
            "predictions_redaction": "Redaction salt_of",
            "predictions_tidy": "tidy_log",
            "records": "Records",
        },
    )
