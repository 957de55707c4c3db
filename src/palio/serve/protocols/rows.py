"""`POST /predict`: records in, one answer per record out."""

from __future__ import annotations

import itertools
import secrets
from typing import TYPE_CHECKING, Any

import msgspec

from palio.core.errors import ContractError
from palio.serve.protocols.wire import Caps, Reply, Request, WireError

if TYPE_CHECKING:
    from palio.serve.served import Served

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class PredictionIds:
    """Name answers: a random prefix for this process and a counter; unique without asking anybody.

    Example:
        >>> ids = PredictionIds()
        >>> first, second = ids.take(2)
        >>> first != second, first.rpartition("-")[0] == second.rpartition("-")[0]
        (True, True)
    """

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(8)
        self._counter = itertools.count(1)

    def take(self, n_rows: int) -> list[str]:
        """Return `n_rows` new names."""
        prefix, counter = self._prefix, self._counter
        return [f"{prefix}-{next(counter):x}" for _ in range(n_rows)]


def parse_records(body: bytes, caps: Caps) -> list[dict[str, Any]]:
    """Read `{"records": [{…}, …]}`, `[{…}, …]` or one `{…}`.

    Raises:
        WireError: 400 if the body is not JSON of one of these forms, or holds no row or too many.
    """
    try:
        value = _decode(body)
    except RecursionError:
        raise WireError(400, "the JSON is nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise WireError(400, 'the body is not JSON; send {"records": [{"column": value, …}, …]}') from None
    if isinstance(value, dict) and isinstance(value.get("records"), list):
        if len(value) > 1:
            raise WireError(400, "beside `records` nothing else is allowed")
        value = value["records"]
    rows = value if isinstance(value, list) else [value]
    if not rows:
        raise WireError(400, "there is no record to predict")
    if len(rows) > caps.max_rows:
        raise WireError(413, f"{len(rows)} records are more than the {caps.max_rows} that are allowed in one request")
    if not all(type(row) is dict for row in rows):
        raise WireError(400, "a record must be an object of column names and values")
    return rows


def predict(served: Served, request: Request, caps: Caps, ids: PredictionIds) -> tuple[Reply, int, list[str]]:
    """Answer one `/predict` request.

    Returns:
        The reply, how many rows it answers, and all flags that were raised.

    Raises:
        WireError: 400 malformed, 413 too many rows, 422 rows that break the schema.
    """
    rows = parse_records(request.body, caps)
    try:
        feeds, flags = served.reader.read(rows)
    except ContractError as error:
        raise WireError.of(error) from None
    outputs = served.graph.predict(feeds)
    answers = _answers(served, outputs.prediction.tolist(), outputs.probabilities, flags, ids)
    reply = {"model": served.deployment.model, "version": served.deployment.version, "predictions": answers}
    return Reply(200, _encode(reply)), len(rows), [flag for row in flags for flag in row]


def _answers(
    served: Served, predictions: list[Any], probabilities: Any, flags: Any, ids: PredictionIds
) -> list[dict[str, Any]]:
    version = served.deployment.version
    names = ids.take(len(predictions))
    if probabilities is None:
        return [
            {"id": name, "prediction": prediction, "version": version, "flags": raised}
            for name, prediction, raised in zip(names, predictions, flags, strict=True)
        ]
    classes = served.classes
    return [
        {
            "id": name,
            "prediction": prediction,
            "probabilities": dict(zip(classes, shares, strict=True)),
            "version": version,
            "flags": raised,
        }
        for name, prediction, shares, raised in zip(names, predictions, probabilities.tolist(), flags, strict=True)
    ]
