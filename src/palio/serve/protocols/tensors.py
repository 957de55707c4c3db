"""Read and write Open Inference Protocol V2 tensors: JSON, and the binary tensor extension.

Source: Open Inference Protocol V2, REST (`inference_rest.md`) and the binary tensor data extension
(`extension_binary_data.md`) of the Triton Inference Server.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np

from palio.core.errors import ContractError
from palio.serve.protocols.guards import Array
from palio.serve.protocols.wire import BINARY, JSON, Caps, Reply, Request, WireError

if TYPE_CHECKING:
    from palio.serve.served import Served


class TensorIn(msgspec.Struct, gc=False):
    """One tensor of a request; `data` is decoded when its datatype is known."""

    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    parameters: dict[str, Any] | None = None


class TensorWanted(msgspec.Struct, gc=False):
    """One output that the request asks for."""

    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(msgspec.Struct, gc=False):
    """The JSON of an inference request; keys that are not named here are ignored, as the protocol wants."""

    inputs: list[TensorIn]
    id: str | None = None
    outputs: list[TensorWanted] | None = None
    parameters: dict[str, Any] | None = None


def _whole(low: int, high: int) -> Any:
    return Annotated[int, msgspec.Meta(ge=low, le=high)]


_INTEGERS = {
    **{f"INT{bits}": _whole(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": _whole(0, min(2**bits, 2**63) - 1) for bits in (8, 16, 32, 64)},
}
_SCALARS: dict[str, Any] = {**_INTEGERS, "FP32": float, "FP64": float, "BOOL": bool, "BYTES": str}


def _list_of(kind: Any) -> Any:
    return GenericAlias(list, (kind,))


_FLAT = {name: msgspec.json.Decoder(_list_of(scalar | None)).decode for name, scalar in _SCALARS.items()}
_NESTED = {name: msgspec.json.Decoder(_list_of(_list_of(scalar | None))).decode for name, scalar in _SCALARS.items()}
_BINARY = {
    **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
    "BOOL": np.dtype("?"),
}
_NUMBERS = tuple(name for name in _BINARY if name != "BOOL")
_decode = msgspec.json.Decoder(InferRequest).decode
_encode = msgspec.json.Encoder().encode


def parse(request: Request) -> tuple[InferRequest, memoryview]:
    """Read the JSON of an inference request, and what lies behind it.

    Raises:
        WireError: 400 if it is not JSON or not of the protocol's form.
    """
    cut = len(request.body) if request.header_length is None else request.header_length
    view = memoryview(request.body)
    try:
        return _decode(view[:cut]), view[cut:]
    except RecursionError:
        raise WireError(400, "the JSON is nested too deeply") from None
    except msgspec.ValidationError as error:
        raise WireError(400, f"the request is not of the protocol's form: {_lower(str(error))}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise WireError(400, "the body is not JSON") from None


def feeds_of(call: InferRequest, rest: memoryview, served: Served, caps: Caps) -> tuple[dict[str, Array], list[str]]:
    """Turn the tensors of a request into the feeds of the graph, held to the schema.

    Returns:
        Feeds of shape (n_rows, 1), float64 or str, and one flag per row and column that is unusual.

    Raises:
        WireError: 400 for an unknown, double or absent input, a wrong datatype, shape or size; 413 for too many rows.
        ContractError: a value breaks the contract of its column.
    """
    feeds: dict[str, Array] = {}
    flags: list[str] = []
    n_rows = -1
    for tensor in call.inputs:
        plan = served.plans.get(tensor.name)
        if plan is None:
            raise WireError(400, f"an input is not one of the {len(served.plans)} of this model (see its metadata)")
        name = tensor.name
        if name in feeds:
            raise WireError(400, f"input `{name}` is given twice", fields=(name,))
        shape = tensor.shape
        n = shape[0] if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1) else -1
        if n < 0:
            raise WireError(400, f"input `{name}`: shape must be [rows, 1] or [rows]", fields=(name,))
        if n_rows != n:
            n_rows = _first_count(n, n_rows, name, caps)
        if isinstance(tensor.data, msgspec.UnsetType):
            values, rest = _from_bytes(tensor, rest, plan.numeric, name)
        else:
            values = _from_json(tensor.data, tensor.datatype, plan.numeric, name)
        if len(values) != n:
            raise WireError(400, f"input `{name}`: shape says {n} values, data holds {len(values)}", fields=(name,))
        column = values.reshape(n, 1)
        flags.extend(plan.guard(column))
        feeds[name] = column
    if len(rest):
        raise WireError(400, "the body holds more bytes than its tensors")
    if len(feeds) < len(served.plans):
        absent = tuple(name for name in served.plans if name not in feeds)
        raise WireError(400, f"{len(absent)} inputs are absent, first `{absent[0]}`", fields=absent)
    return feeds, flags


def _first_count(n: int, n_rows: int, name: str, caps: Caps) -> int:
    if n_rows >= 0:
        raise WireError(400, f"input `{name}` has {n} rows, the inputs before it have {n_rows}", fields=(name,))
    if n == 0:
        raise WireError(400, f"input `{name}`: there is no row to predict", fields=(name,))
    if n > caps.max_rows:
        raise WireError(413, f"{n} rows are more than the {caps.max_rows} that are allowed in one request")
    return n


def _from_json(data: msgspec.Raw, datatype: str, numeric: bool, name: str) -> Array:
    decode = _FLAT.get(datatype)
    if decode is None:
        raise _wrong_datatype(numeric, name)
    try:
        values = decode(data)
    except msgspec.ValidationError:
        values = _nested(data, datatype, name)
    except UnicodeDecodeError:
        raise WireError(400, f"input `{name}`: a text is not UTF-8", fields=(name,)) from None
    return _as_feed(values, datatype, numeric, name)


def _nested(data: Any, datatype: str, name: str) -> list[Any]:
    try:
        return [value for row in _NESTED[datatype](data) for value in row]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        what = {"BYTES": "texts", "BOOL": "true and false"}.get(datatype, f"numbers that fit {datatype}")
        raise WireError(400, f"input `{name}`: data must be a list of {what}", fields=(name,)) from None


def _as_feed(values: list[Any], datatype: str, numeric: bool, name: str) -> Array:
    if numeric:
        if datatype in ("BYTES", "BOOL"):
            raise _wrong_datatype(numeric, name)
        return np.array(values, np.float64)  # None becomes NaN: a missing number
    if datatype == "BOOL":
        values = ["" if value is None else "true" if value else "false" for value in values]
    elif datatype != "BYTES":
        raise _wrong_datatype(numeric, name)
    elif None in values:
        values = ["" if value is None else value for value in values]
    feed = np.empty(len(values), object)
    feed[:] = values
    return feed


def _from_bytes(tensor: TensorIn, rest: memoryview, numeric: bool, name: str) -> tuple[Array, memoryview]:
    size = (tensor.parameters or {}).get("binary_data_size")
    if type(size) is not int or not 0 <= size <= len(rest):
        raise WireError(400, f"input `{name}` needs `data`, or `binary_data_size` bytes after the JSON", fields=(name,))
    raw, rest = rest[:size], rest[size:]
    if tensor.datatype == "BYTES":
        return _as_feed(_texts(raw, name), "BYTES", numeric, name), rest
    dtype = _BINARY.get(tensor.datatype)
    if dtype is None or (numeric and tensor.datatype == "BOOL"):
        raise _wrong_datatype(numeric, name)
    if size % dtype.itemsize:
        raise WireError(400, f"input `{name}`: {size} bytes are no whole number of {tensor.datatype}", fields=(name,))
    values = np.frombuffer(raw, dtype)
    return (values.astype(np.float64) if numeric else _as_feed(values.tolist(), tensor.datatype, False, name)), rest


def _texts(raw: memoryview, name: str) -> list[str]:
    texts, at = [], 0
    try:
        while at < len(raw):
            (size,) = struct.unpack_from("<I", raw, at)
            if size > len(raw) - at - 4:
                raise WireError(400, f"input `{name}`: a text is longer than its bytes", fields=(name,))
            texts.append(str(raw[at + 4 : at + 4 + size], "utf-8"))
            at += 4 + size
    except (struct.error, UnicodeDecodeError):
        raise WireError(400, f"input `{name}`: not a list of UTF-8 texts with their lengths", fields=(name,)) from None
    return texts


def _wrong_datatype(numeric: bool, name: str) -> WireError:
    allowed = f"FP64 (or {', '.join(n for n in _NUMBERS if n != 'FP64')})" if numeric else "BYTES"
    return WireError(400, f"input `{name}`: datatype must be {allowed}", fields=(name,))


def infer(served: Served, request: Request, caps: Caps) -> tuple[Reply, int, list[str]]:
    """Answer one inference request.

    Returns:
        The reply, how many rows it answers, and all flags that were raised.

    Raises:
        WireError: 400, the request breaks the protocol or the schema; 413, too many rows.
    """
    call, rest = parse(request)
    wanted = _wanted(call, served)
    try:
        feeds, flags = feeds_of(call, rest, served, caps)
    except ContractError as error:
        raise WireError.of(error, status=400) from None
    outputs = served.graph.predict(feeds)
    tensors = {"prediction": outputs.prediction, "probabilities": outputs.probabilities}
    return _reply(call, wanted, tensors, served, len(flags)), len(outputs.prediction), flags


def _wanted(call: InferRequest, served: Served) -> list[tuple[str, bool]]:
    """List the outputs to send, and whether each goes as bytes."""
    as_bytes = bool((call.parameters or {}).get("binary_data_output", False))
    if not call.outputs:
        return [(name, as_bytes) for name in served.outputs]
    wanted: list[tuple[str, bool]] = []
    for output in call.outputs:
        if output.name not in served.outputs:
            raise WireError(400, f"an output is not one of this model: {', '.join(served.outputs)}")
        if any(output.name == name for name, _ in wanted):  # or a small request could ask for an endless answer
            raise WireError(400, f"output `{output.name}` is asked for twice")
        wanted.append((output.name, bool((output.parameters or {}).get("binary_data", as_bytes))))
    return wanted


def _reply(
    call: InferRequest,
    wanted: list[tuple[str, bool]],
    tensors: Mapping[str, Array | None],
    served: Served,
    n_flags: int,
) -> Reply:
    described: list[dict[str, Any]] = []
    chunks: list[bytes] = []
    for name, as_bytes in wanted:
        array = tensors[name]
        if array is None:  # pragma: no cover - the outputs of a manifest are those of its graph
            raise WireError(500, "the graph did not answer with every output")
        one: dict[str, Any] = {"name": name, "datatype": served.outputs[name], "shape": array.shape}
        if as_bytes:
            chunks.append(_to_bytes(array))
            one["parameters"] = {"binary_data_size": len(chunks[-1])}
        else:
            one["data"] = array.reshape(-1).tolist()
        described.append(one)
    answer: dict[str, Any] = {"model_name": served.deployment.model, "model_version": served.version}
    if call.id is not None:
        answer["id"] = call.id
    if n_flags:
        answer["parameters"] = {"flags": n_flags}
    answer["outputs"] = described
    head = _encode(answer)
    if not chunks:
        return Reply(200, head, JSON)
    length = (b"inference-header-content-length", b"%d" % len(head))
    return Reply(200, b"".join((head, *chunks)), BINARY, (length,))


def _to_bytes(array: Array) -> bytes:
    if array.dtype.kind in "OUS":
        encoded = [str(text).encode() for text in array.reshape(-1).tolist()]
        return b"".join(part for text in encoded for part in (struct.pack("<I", len(text)), text))
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
