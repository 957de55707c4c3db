"""Write feedback into the prediction log: late truths, on disk before they are acknowledged."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from palio.core.clock import Clock, utc_now
from palio.core.serving import Feedback
from palio.store.arrow import BatchLayout, Field, same_text, text_of, values_of
from palio.store.predictions import PredictionLog, Series
from palio.store.predictions_redaction import Redaction

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_LAYOUT = BatchLayout(
    [
        Field("id", "text"),
        Field("key", "text"),
        Field("at", "timestamp"),
        Field("received", "timestamp"),
        Field("label", "text"),
        Field("number", "float64"),
        Field("values", "text"),
        Field("caller", "text"),
    ]
)


class FeedbackLog:
    """Append feedback on one model; safe to use from several threads.

    Args:
        folder: Root of the log.
        model: Whose answers it is about.
        redaction: As for the answers, so that hashed keys meet again.
    """

    def __init__(self, folder: Path, model: str, *, redaction: Redaction, clock: Clock = utc_now) -> None:
        self._log = PredictionLog(folder, clock=clock, is_strict=True)
        self._series = Series(model, "feedback", "", _LAYOUT)
        self._redaction = redaction
        self._clock = clock
        self._turn = threading.Lock()

    def __enter__(self) -> FeedbackLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, feedback: Sequence[Feedback], *, caller: str = "") -> None:
        """Write feedback; when this returns it would survive a loss of power.

        Raises:
            UnavailableError: it cannot be written.
        """
        if not feedback:
            return
        n_rows = len(feedback)
        labels = [one.label for one in feedback]
        is_number = [isinstance(label, int | float) and not isinstance(label, bool) for label in labels]
        numbers = [label if given else np.nan for label, given in zip(labels, is_number, strict=True)]
        columns = [
            text_of([one.prediction_id for one in feedback]),
            text_of(self._shown("key", [one.key for one in feedback])),
            values_of(np.array([_microseconds(one.at) for one in feedback]), "timestamp"),
            values_of(np.full(n_rows, _microseconds(self._clock())), "timestamp"),
            text_of(["" if given else _text(label) for label, given in zip(labels, is_number, strict=True)]),
            values_of(np.array(numbers, np.float64), "float64"),
            text_of([msgspec.json.encode(one.values).decode() if one.values else "" for one in feedback]),
            same_text(self._shown("caller", [caller])[0], n_rows),
        ]
        with self._turn:
            self._log.append(self._series, n_rows, columns)
            self._log.sync()

    def close(self) -> None:
        """Close the segment."""
        with self._turn:
            self._log.close()

    def _shown(self, name: str, values: list[str]) -> list[str]:
        if name in self._redaction.empty:
            return [""] * len(values)
        return self._redaction.texts(values) if name in self._redaction.hashed else values


def _microseconds(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _text(label: object) -> str:
    return str(label).lower() if isinstance(label, bool) else "" if label is None else str(label)
