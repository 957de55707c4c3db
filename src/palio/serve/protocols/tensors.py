"""Read and answer Open Inference Protocol V2 requests: JSON, and the binary tensor extension.

Source: Open Inference Protocol V2, REST (`inference_rest.md`) and the binary tensor data extension
(`extension_binary_data.md`) of the Triton Inference Server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from palio.core.errors import ContractError
from palio.serve.protocols.absent import fill_absent
from palio.serve.protocols.datatypes import DTYPES, Array
from palio.serve.protocols.malformed import TWICE, not_json
from palio.serve.protocols.picture_plan import PicturePlan
from palio.serve.protocols.plans import Fed
from palio.serve.protocols.quick import CallOf, TensorWanted
from palio.serve.protocols.replies import Wanted, refuse_shared_memory, wanted_outputs
from palio.serve.protocols.wire import Asked, Caps, Reply, Request, WireError, compressed
from palio.serve.saying import threshold_in

if TYPE_CHECKING:
    from palio.serve.served import Served


class TensorIn(msgspec.Struct, gc=False):
    """One tensor of a request; `data` is decoded when its datatype is known."""

    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    parameters: dict[str, Any] | None = None


class InferRequest(msgspec.Struct, gc=False):
    """The JSON of an inference request; keys that are not named here are ignored, as the protocol wants."""

    inputs: list[TensorIn]
    id: str | None = None
    outputs: list[TensorWanted] | None = None
    parameters: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(InferRequest).decode
Flags = Sequence[tuple[int, str]]
"""Rows, and what is unusual about them."""


def read(served: Served, request: Request, caps: Caps) -> Asked:
    """Read one inference request and hold it to the signature of the model.

    Raises:
        WireError: 400, it breaks the protocol or the schema; 413, too many rows; 501, shared memory.
    """
    call: CallOf[Any] | InferRequest | None
    wanted: Sequence[Wanted] | None
    quick = served.quick if request.header_length is None else None
    try:
        found = None if quick is None else quick(request.body)
        flags: Flags = ()
        absent: Sequence[str] = ()
        if found is not None:
            call, feeds, n_rows = found
        else:
            call, feeds, flags = _thorough(served, request)
            n_rows = 0
            if len(feeds) < len(served.plans):
                absent, more = fill_absent(feeds, served.plans, caps)
                flags = [*flags, *more]
        if call is None:
            call_id, wanted = None, served.writer.everything[True]
        else:
            call_id = call.id
            wanted = wanted_outputs(call.outputs, call.parameters, served.writer, served.outputs)
        n_rows = n_rows or count_rows(feeds, served, caps)
    except ContractError as error:
        raise WireError.of(error, status=400) from None
    write = partial(_write, served, call_id, wanted, len(flags), absent, request.encoding)
    given = None if call is None or call.parameters is None else call.parameters.get("threshold")
    threshold = None if given is None or served.saying is None else threshold_in(given)
    if not flags:
        return Asked(feeds, n_rows, (), write, threshold=threshold)
    raised = [flag for _, flag in flags]
    return Asked(feeds, n_rows, raised, write, None, _by_row(flags, n_rows), threshold)


def _by_row(flags: Flags, n_rows: int) -> list[list[str]]:
    of_rows: list[list[str]] = [[] for _ in range(n_rows)]
    for row, flag in flags:
        of_rows[row].append(flag)
    return of_rows


def _thorough(served: Served, request: Request) -> tuple[InferRequest | None, dict[str, Array], Flags]:
    if request.header_length == 0:
        name, (feed, flags) = _only_bytes(request.body, served)
        return None, {name: feed}, flags
    call, rest = parse(request)
    return call, *feeds_of(call, rest, served)


def _write(
    served: Served,
    call_id: str | None,
    wanted: Sequence[Wanted] | None,
    n_flags: int,
    absent: Sequence[str],
    encoding: bytes,
    outputs: Mapping[str, Array],
    identity: str,
) -> Reply:
    reply = served.writer.write(outputs, identity, call_id=call_id, wanted=wanted, n_flags=n_flags, absent=absent)
    return compressed(reply, encoding)


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
        if bytes(view[:1]) == b'"':
            raise WireError(400, TWICE) from None
        raise WireError(400, f"the request is not of the protocol's form: {_lower(str(error))}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise not_json(view[:cut]) from None


def feeds_of(call: InferRequest, rest: memoryview, served: Served) -> tuple[dict[str, Array], list[tuple[int, str]]]:
    """Turn the tensors of a request into the feeds of the graph, and say which rows are unusual, and why.

    Raises:
        WireError: 400 for an unknown or double input, a wrong datatype, shape or size; 501 for shared memory.
        ContractError: a cell breaks the contract of its column.
    """
    feeds: dict[str, Array] = {}
    flags: list[tuple[int, str]] = []
    for tensor in call.inputs:
        name, data = tensor.name, tensor.data
        plan = served.plans.get(name)
        if plan is None:
            raise WireError(400, f"an input is not one of the {len(served.plans)} of this model (see its metadata)")
        if name in feeds:
            raise WireError(400, f"input `{name}` is given twice", fields=(name,))
        refuse_shared_memory(tensor.parameters)
        if isinstance(data, msgspec.UnsetType):
            size = (tensor.parameters or {}).get("binary_data_size")
            if type(size) is not int or not 0 <= size <= len(rest):
                needs = "needs `data`, or `binary_data_size` bytes after the JSON"
                raise WireError(400, f"input `{name}` {needs}", fields=(name,))
            feeds[name], raised = plan.of_bytes(tensor.datatype, tensor.shape, rest[:size])
            rest = rest[size:]
        else:
            if (tensor.parameters or {}).get("binary_data_size"):
                raise WireError(400, f"input `{name}`: either `data` or `binary_data_size`, not both", fields=(name,))
            feeds[name], raised = plan.of_json(tensor.datatype, tensor.shape, data)
        flags += raised
    if len(rest):
        raise WireError(400, "the body holds more bytes than its tensors")
    return feeds, flags


def count_rows(feeds: Mapping[str, Array], served: Served, caps: Caps) -> int:
    """Count the rows of a request: the first size of its inputs, which all inputs of a bundle share.

    Raises:
        WireError: 400 if there are none, or not as many in each input; 413 if there are too many.
    """
    n_rows = -1
    for name, feed in feeds.items():
        n = feed.shape[0] if feed.ndim else 1
        if n == 0 and served.plans[name].shape[0] != 0:
            raise WireError(400, f"input `{name}`: there is no row to predict", fields=(name,))
        if n > caps.max_rows:
            raise WireError(413, f"{n} rows are more than the {caps.max_rows} that are allowed in one request")
        if n_rows < 0:
            n_rows = n
        elif n != n_rows and served.by_row:
            raise WireError(400, f"input `{name}` has {n} rows, the inputs before it have {n_rows}", fields=(name,))
    return n_rows


def _only_bytes(body: bytes, served: Served) -> tuple[str, Fed]:
    """Read a raw binary request: no JSON, the body is the one tensor of the model."""
    if len(served.plans) != 1:
        raise WireError(400, f"a body without JSON is for models of one input; this has {len(served.plans)}")
    name, plan = next(iter(served.plans.items()))
    if isinstance(plan, PicturePlan):
        return name, plan.of_file(body)
    shape = list(plan.shape)
    if plan.datatype == "BYTES" or shape.count(-1) > 1:
        raise WireError(400, "a body without JSON is for an input of numbers with one free size; send the JSON too")
    if -1 in shape:
        fixed = DTYPES[plan.datatype].itemsize
        for size in shape:
            fixed *= size if size >= 0 else 1
        if not body or fixed == 0 or len(body) % fixed:
            raise WireError(400, f"input `{name}`: the body is no whole number of rows", fields=(name,))
        shape[shape.index(-1)] = len(body) // fixed
    return name, plan.of_bytes(plan.datatype, shape, memoryview(body))


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
