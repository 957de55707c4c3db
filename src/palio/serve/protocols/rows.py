"""`POST /predict`: records in, one answer per record out."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from palio.core.cells import row_key
from palio.core.errors import ContractError
from palio.serve.protocols import picture_bodies
from palio.serve.protocols.absent import told
from palio.serve.protocols.datatypes import Array
from palio.serve.protocols.malformed import TWICE, is_json_in_json, not_json
from palio.serve.protocols.wire import Asked, Caps, Reply, Request, WireError, compressed
from palio.serve.saying import as_json

if TYPE_CHECKING:
    from palio.model import Contributions, Explainer
    from palio.serve.served import Served

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class PredictionIds:
    """Name requests: a random prefix for this process and a counter; unique without asking anybody.

    Row `i` of a request is `<request>.<i>`.

    Example:
        >>> ids = PredictionIds()
        >>> first, second = ids.take(), ids.take()
        >>> first != second, first.rpartition("-")[0] == second.rpartition("-")[0]
        (True, True)
    """

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(8)
        self._counter = itertools.count(1)

    def take(self) -> str:
        """Return a new name."""
        return f"{self._prefix}-{next(self._counter):x}"


def parse_records(body: bytes, caps: Caps, *, lists: bool = False) -> list[Any]:
    """Read `{"records": [{…}, …]}`, `[{…}, …]` or one `{…}`; with `lists` a record may be a list of values, too.

    Raises:
        WireError: 400 if the body is not JSON of one of these forms, or holds no row or too many.
    """
    try:
        value = _decode(body)
    except RecursionError:
        raise WireError(400, "the JSON is nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise not_json(body, 'send {"records": [{"column": value, …}, …]}') from None
    if is_json_in_json(value) and not lists:
        raise WireError(400, TWICE)
    if isinstance(value, dict) and "records" in value:
        if len(value) > 1:
            raise WireError(400, "beside `records` nothing else is allowed")
        value = value["records"]
        if not isinstance(value, list):
            raise WireError(400, "`records` must be a list of records", fields=("records",))
    is_one = not isinstance(value, list) or (lists and bool(value) and not isinstance(value[0], list | dict))
    rows = [value] if is_one else value
    if not rows:
        raise WireError(400, "there is no record to predict")
    if len(rows) > caps.max_rows:
        raise WireError(413, f"{len(rows)} records are more than the {caps.max_rows} that are allowed in one request")
    if not all(type(row) is dict or (lists and type(row) is list) for row in rows):
        what = "an object of input names and values, or a list of values" if lists else "of column names and values"
        raise WireError(400, f"a record must be {what}" if lists else f"a record must be an object {what}")
    return rows


def read(served: Served, request: Request, caps: Caps) -> Asked:
    """Read one `/predict` request and hold it to the schema.

    Raises:
        WireError: 400 malformed, 413 too many rows, 422 rows that break the schema.
    """
    rows: list[Any] | None = None
    if served.sight is not None:
        rows = picture_bodies.records_of(request, served.sight, caps)
    if rows is None:
        rows = parse_records(request.body, caps, lists=served.manifest is None)
    if len(rows) == 1 and served.quick_record is not None:
        found = served.quick_record(rows[0])
        if found is not None:
            return Asked(found, 1, (), partial(_write, served, ((),), request.encoding), keys_of(rows, served))
    try:
        feeds, flags = served.reader.read(rows)
    except ContractError as error:
        raise WireError.of(error) from None
    absent = () if served.expected is None else served.expected.absent(rows, caps, status=422)
    raised = [flag for row in flags for flag in row]
    write = partial(_write, served, flags, request.encoding, absent=absent)
    return Asked(feeds, len(rows), raised, write, keys_of(rows, served), flags if raised else None)


YES, NO = ("1", "true", "t", "yes", "y", "on"), ("0", "false", "f", "no", "n", "off")
"""What the parameter `explain` may say, in capitals, too."""
MAX_EXPLAINED = 100
"""Rows that one request may have explained: each costs some hundred rows of the model."""


def explain(served: Served, request: Request, caps: Caps) -> Asked:
    """Read one `/predict?explain=1` request: as `read`, and each answer will say what each column contributed.

    Raises:
        WireError: as `read`; 400 if this model cannot be explained, 413 if there are too many rows for that.
    """
    if served.explainer is None:
        why = "it looks at pictures" if served.sight is not None else "nothing is known of typical rows"
        raise WireError(400, f"this model cannot be explained: {why}")
    asked = read(served, request, caps)
    if asked.n_rows > MAX_EXPLAINED:
        raise WireError(
            413, f"{asked.n_rows} rows are more than the {MAX_EXPLAINED} that one request may have explained"
        )
    reasons = partial(_reasons, served.explainer, asked.feeds, asked.n_rows)
    write: Any = asked.write  # made above, of a function that takes reasons
    return replace(asked, write=partial(write, reasons=reasons))


def _reasons(explainer: Callable[[], Explainer], feeds: Mapping[str, Array], n_rows: int) -> list[Contributions]:
    told = explainer()
    return [told.explain({name: values[row : row + 1] for name, values in feeds.items()}) for row in range(n_rows)]


def keys_of(rows: Sequence[Any], served: Served) -> list[str] | None:
    """Return the value of the id column of each record, empty where it is not given; None if no record has it."""
    column = None if served.manifest is None else served.manifest.schema.id
    if column is None or not any(column in row for row in rows):
        return None
    return [row_key(row.get(column)) for row in rows]


def _write(
    served: Served,
    flags: Sequence[Sequence[str]],
    encoding: bytes,
    outputs: Mapping[str, Array],
    identity: str,
    *,
    absent: Sequence[str] = (),
    reasons: Callable[[], Sequence[Contributions]] | None = None,
) -> Reply:
    n_rows, version = len(flags), served.deployment.version
    parts: dict[str, list[Any]] = {
        "id": [f"{identity}.{row}" for row in range(n_rows)],
        "prediction": predictions_of(served, outputs, n_rows),
    }
    if served.probabilities:
        classes = served.classes
        shares = by_row(outputs[served.probabilities], n_rows)
        parts["probabilities"] = [dict(zip(classes, row, strict=True)) for row in shares]
    if served.others:
        columns = [by_row(outputs[name], n_rows) for name in served.others]
        parts["outputs"] = [dict(zip(served.others, row, strict=True)) for row in zip(*columns, strict=True)]
    parts |= {"version": [version] * n_rows, "flags": list(flags)}
    if reasons is not None:
        parts["explanation"] = list(reasons())
    answers = [dict(zip(parts, row, strict=True)) for row in zip(*parts.values(), strict=True)]
    body = _encode({"model": served.deployment.model, "version": version, "predictions": answers})
    reply = Reply(200, body, headers=told(absent) if absent else ())
    return compressed(reply, encoding)


def predictions_of(served: Served, outputs: Mapping[str, Array], n_rows: int) -> list[Any]:
    """Return the prediction of each row, as JSON holds it. Raises WireError as `by_row`."""
    rows = by_row(outputs[served.prediction], n_rows)
    return rows if served.saying is None else as_json(rows)


def by_row(output: Array, n_rows: int) -> list[Any]:
    """Cut an output of the graph into one value per row; a column of single values becomes plain values.

    Raises:
        WireError: 400, the graph does not answer row by row, and there is more than one.
    """
    if output.ndim and len(output) == n_rows:
        values: list[Any] = (output.reshape(-1) if output.size == n_rows else output).tolist()
        return values
    if n_rows == 1:
        return [output.tolist()]
    raise WireError(400, "this graph does not answer row by row; send one record at a time")
