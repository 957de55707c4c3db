"""`POST /invocations`: the forms in which clients of MLflow send rows, answered as MLflow answers them.

Every form becomes records, which are then read as on `/predict`; a cell of CSV is text. Where MLflow guesses (short
rows, an index longer than the data, a missing value that may not be), we refuse.
`tests/serve/protocols/mlflow_forms.json` lists both answers side by side.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from palio.core.cells import MISSING
from palio.core.errors import ContractError
from palio.serve.protocols import invocations_files as files
from palio.serve.protocols.absent import told
from palio.serve.protocols.datatypes import Array
from palio.serve.protocols.malformed import TWICE, is_json_in_json, not_json
from palio.serve.protocols.rows import keys_of, predictions_of
from palio.serve.protocols.wire import Asked, Caps, Reply, Request, WireError, compressed

if TYPE_CHECKING:
    from palio.serve.served import Served

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "ENDPOINT_NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    413: "REQUEST_LIMIT_EXCEEDED",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""Status → code in MLflow's words."""
_ONE_OF = f"the body must be a JSON object with exactly one of {', '.join(FORMS)}"
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def read(served: Served, request: Request, caps: Caps) -> Asked:
    """Read one `/invocations` request and hold it to the schema.

    Raises:
        WireError: 415 an unknown content type; 400 malformed, or rows that break the schema; 413 too many rows.
    """
    kind = _media_type(request.content_type)
    if kind == CSV:
        rows: list[Any] = files.read_csv(request.body, caps, is_exact=served.manifest is None)
    elif kind == PARQUET:
        rows = files.read_parquet(request.body, caps)
    else:
        rows = _rows_of(_parse(request.body), caps)
    if not rows:
        raise WireError(400, "there is no row to predict")
    if served.manifest is None:
        rows = _of_graph(rows, served)
    elif not all(type(row) is dict for row in rows):
        raise WireError(400, "this model takes named columns: send records, or columns and data")
    try:
        feeds, flags = served.reader.read(rows)
    except ContractError as error:
        raise WireError.of(error, status=400) from None
    absent = () if served.expected is None else served.expected.absent(rows, caps, status=400)
    raised = [flag for row in flags for flag in row]
    unusual = ((b"x-palio-flags", b"%d" % len(raised)),) if raised else ()
    write = partial(_write, served, len(rows), request.encoding, (*told(absent), *unusual))
    return Asked(feeds, len(rows), raised, write, keys_of(rows, served), flags if raised else None)


def refuse(refusal: WireError) -> Reply:
    """Answer as MLflow's clients expect it: `{"error_code": …, "message": …}`; 415 as plain text."""
    status, text = refusal.status, refusal.message
    if status == 415:
        return Reply(415, text.encode(), b"text/plain; charset=utf-8", refusal.headers)
    code = CODES.get(status, "INTERNAL_ERROR" if status >= 500 else "BAD_REQUEST")
    if status == 400 and refusal.fields:
        code = "INVALID_PARAMETER_VALUE"
    return Reply(status, _encode({"error_code": code, "message": text}), headers=refusal.headers)


def _write(
    served: Served,
    n_rows: int,
    encoding: bytes,
    headers: tuple[tuple[bytes, bytes], ...],
    outputs: Mapping[str, Array],
    identity: str,
) -> Reply:
    """Answer `{"predictions": …}`: a list, or a list per output if a graph has several of equal rank."""
    if served.others:
        predictions: Any = {name: array.tolist() for name, array in outputs.items()}
    else:
        predictions = predictions_of(served, outputs, n_rows)
    if identity:
        headers = ((b"x-palio-prediction-id", identity.encode()), *headers)
    return compressed(Reply(200, _encode({"predictions": predictions}), headers=headers), encoding)


def _media_type(content_type: bytes) -> str:
    kind, *parameters = [part.strip() for part in content_type.decode("latin-1").lower().split(";")]
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "charset" and value.strip('"') != "utf-8":
            raise WireError(415, "only UTF-8 is read")
        if name not in ("charset", ""):
            raise WireError(415, "of the parameters of a content type only charset is known")
    if kind not in (JSON, CSV, PARQUET):
        raise WireError(415, f"the content type must be one of {JSON}, {CSV}, {PARQUET}")
    return kind


# ── JSON ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _parse(body: bytes) -> Any:
    try:
        return _decode(body)
    except RecursionError:
        raise WireError(400, "the JSON is nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        if b"NaN" in body:
            return _parse_loosely(body)
        raise not_json(body) from None


def _parse_loosely(body: bytes) -> Any:
    """Read the JSON that Python writes of a data frame: a missing number is the bare word NaN."""
    try:
        return _decode(_encode(json.loads(body, parse_constant=_missing, parse_float=_finite)))
    except RecursionError:
        raise WireError(400, "the JSON is nested too deeply") from None
    except (ValueError, OverflowError, msgspec.MsgspecError):  # of which errors of JSON and Unicode are kinds
        raise not_json(body.replace(b"NaN", b"null")) from None


def _missing(word: str) -> None:
    if word != "NaN":
        raise ValueError("not finite")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("not finite")
    return number


def _rows_of(value: Any, caps: Caps) -> list[Any]:
    """Turn any of MLflow's forms into a list of records or of plain values."""
    if not isinstance(value, dict):
        raise WireError(400, TWICE if is_json_in_json(value) else _ONE_OF)
    given = [name for name in FORMS if name in value]
    if len(given) != 1:
        raise WireError(400, f"{_ONE_OF}; {len(given)} are given")
    form, data = given[0], value[given[0]]
    if form == "dataframe_split":
        data = _split(data)
    elif isinstance(data, dict) and form != "dataframe_records":
        data = _by_column(data, caps)
    if not isinstance(data, list):
        raise WireError(400, f"`{form}` must be a list of rows")
    if len(data) > caps.max_rows:
        raise WireError(413, f"{len(data)} rows are more than the {caps.max_rows} that are allowed in one request")
    return data


def _split(data: Any) -> list[Any]:
    if not isinstance(data, dict) or not isinstance(data.get("data"), list):
        raise WireError(400, '`dataframe_split` must be {"columns": [names], "data": [rows]}')
    if data.keys() - {"columns", "data", "index"}:
        raise WireError(400, "`dataframe_split` takes columns, data and index, nothing else")
    names, rows, index = data.get("columns"), data["data"], data.get("index")
    if index is not None and (not isinstance(index, list) or len(index) != len(rows)):
        raise WireError(400, "`dataframe_split`: index and data must be of equal length")
    if names is None:
        return list(rows)
    if not isinstance(names, list) or len(names) > files.MAX_COLUMNS or not all(type(name) is str for name in names):
        raise WireError(400, f"`dataframe_split`: columns must be a list of at most {files.MAX_COLUMNS} names")
    if len(set(names)) != len(names):
        raise WireError(400, "`dataframe_split`: a column is named twice")
    if not all(type(row) is list and len(row) == len(names) for row in rows):
        raise WireError(400, f"`dataframe_split`: each row of data must be a list of {len(names)} values")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _by_column(columns: dict[str, Any], caps: Caps) -> list[Any]:
    """Turn `{column: values}` into records; plain values are one record."""
    if columns and not any(isinstance(values, list) for values in columns.values()):
        return [columns]
    lengths = {len(values) if isinstance(values, list) else -1 for values in columns.values()}
    if len(lengths) != 1:
        raise WireError(400, "each column must be a list, and all of equal length")
    if max(lengths) > caps.max_rows:
        raise WireError(413, f"{max(lengths)} rows are more than the {caps.max_rows} that are allowed in one request")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


# ── records of a graph from elsewhere ───────────────────────────────────────────────────────────────────────────────


def _of_graph(rows: list[Any], served: Served) -> list[Any]:
    """Fit records to the inputs of a graph; the columns of a frame that names none of them are its one input."""
    names = tuple(served.plans)
    floats = {name: plan.datatype.startswith("FP") for name, plan in served.plans.items()}
    numbers = {name: plan.datatype not in ("BYTES", "BOOL") for name, plan in served.plans.items()}
    if not any(type(row) is dict for row in rows):
        return [_cells(row, floats[names[0]], numbers[names[0]]) for row in rows] if len(names) == 1 else rows
    first = rows[0].keys() if type(rows[0]) is dict else ()
    if any(type(row) is not dict or row.keys() != first for row in rows):
        raise WireError(400, "each record must be an object of the same names")
    if len(names) == 1 and names[0] not in first:
        return [_cells([row[name] for name in first], floats[names[0]], numbers[names[0]]) for row in rows]
    return [{name: _cells(row[name], floats[name], numbers[name]) for name in names if name in row} for row in rows]


def _cells(value: Any, is_float: bool, is_number: bool) -> Any:
    """Convert the texts of a file to numbers, and what is missing to NaN."""
    if type(value) is list:
        return [_cells(cell, is_float, is_number) for cell in value]
    if is_number and type(value) is str:
        value = None if value in MISSING else files.number_of(value)
        if type(value) is float and not is_float and value.is_integer():
            return int(value)
    return math.nan if value is None and is_float else value
