"""Turn a `ModelInfer` request into the binary tensor form of the REST protocol, and the answer back.

Both forms carry the same: a description and raw little-endian tensors. So what is checked, predicted and logged is one
code for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from palio.serve.protocols.grpc_messages import message
from palio.serve.protocols.wire import Reply, WireError

ModelInferResponse = message("ModelInferResponse")

_CONTENTS = {
    "BOOL": ("bool_contents", np.dtype("?")),
    **{f"INT{bits}": ("int_contents", np.dtype(f"<i{bits // 8}")) for bits in (8, 16, 32)},
    "INT64": ("int64_contents", np.dtype("<i8")),
    **{f"UINT{bits}": ("uint_contents", np.dtype(f"<u{bits // 8}")) for bits in (8, 16, 32)},
    "UINT64": ("uint64_contents", np.dtype("<u8")),
    "FP32": ("fp32_contents", np.dtype("<f4")),
    "FP64": ("fp64_contents", np.dtype("<f8")),
}
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def body_of(request: Any) -> tuple[bytes, int]:
    """Write a `ModelInferRequest` as JSON followed by its tensors.

    Returns:
        The body, and how many of its bytes are JSON.

    Raises:
        WireError: 400, contents are given twice, not at all, or in the field of another datatype; 501, shared memory.
    """
    raw = request.raw_input_contents
    if any(
        key.startswith("shared_memory") for tensor in (*request.inputs, *request.outputs) for key in tensor.parameters
    ):
        raise WireError(501, "shared memory is not offered")
    if raw and len(raw) != len(request.inputs):
        raise WireError(400, f"raw_input_contents has {len(raw)} entries for {len(request.inputs)} inputs")
    described, chunks = [], []
    for index, tensor in enumerate(request.inputs):
        chunk = _raw(raw[index], tensor, index) if raw else _typed(tensor, index)
        chunks.append(chunk)
        size = {"binary_data_size": len(chunk)}
        shape = list(tensor.shape)
        one = {"name": tensor.name, "datatype": tensor.datatype, "shape": shape}
        described.append(one | {"parameters": _values(tensor.parameters) | size if tensor.parameters else size})
    head: dict[str, Any] = {"inputs": described}
    if request.id:
        head["id"] = request.id
    head["parameters"] = _values(request.parameters) | {"binary_data_output": True}
    if request.outputs:
        head["outputs"] = [
            {"name": output.name, "parameters": _values(output.parameters) | {"binary_data": True}}
            for output in request.outputs
        ]
    text = _encode(head)
    return b"".join((text, *chunks)), len(text)


def response_of(reply: Reply) -> Any:
    """Read the reply to such a request as a `ModelInferResponse`; tensors go raw, in the order of the outputs."""
    length = dict(reply.headers).get(b"inference-header-content-length")
    cut = len(reply.body) if length is None else int(length)
    answer, rest = _decode(memoryview(reply.body)[:cut]), memoryview(reply.body)[cut:]
    response = ModelInferResponse(
        model_name=answer["model_name"], model_version=answer.get("model_version", ""), id=answer.get("id", "")
    )
    _put(response.parameters, answer.get("parameters") or {})
    for output in answer["outputs"]:
        parameters = dict(output.get("parameters") or {})
        size = parameters.pop("binary_data_size")
        tensor = response.outputs.add(name=output["name"], datatype=output["datatype"], shape=output["shape"])
        _put(tensor.parameters, parameters)
        response.raw_output_contents.append(bytes(rest[:size]))
        rest = rest[size:]
    return response


def _raw(chunk: bytes, tensor: Any, index: int) -> bytes:
    if tensor.HasField("contents") and tensor.contents.ListFields():
        raise WireError(400, f"input {index} has contents beside raw_input_contents; send one of the two")
    return chunk


def _typed(tensor: Any, index: int) -> bytes:
    """Write the typed contents of one input as the bytes that `raw_input_contents` would hold."""
    filled = {descriptor.name: values for descriptor, values in tensor.contents.ListFields()}
    if tensor.datatype == "BYTES":
        texts = filled.pop("bytes_contents", ())
        chunk = b"".join(part for text in texts for part in (len(text).to_bytes(4, "little"), text))
    elif tensor.datatype in _CONTENTS:
        field, dtype = _CONTENTS[tensor.datatype]
        try:
            chunk = np.array(filled.pop(field, ()), dtype).tobytes()
        except OverflowError:
            raise WireError(400, f"input {index}: a number does not fit {tensor.datatype}") from None
    elif filled:
        raise WireError(400, f"input {index}: this datatype has no typed contents; send raw_input_contents")
    else:
        chunk = b""
    if filled:
        raise WireError(400, f"input {index}: its contents are not in the field of its datatype")
    return chunk


def _values(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Read a map of `InferParameter`; those of Triton itself are no business of a model."""
    found = {}
    for key, parameter in parameters.items():
        choice = parameter.WhichOneof("parameter_choice")
        if choice is not None and not key.startswith("triton_"):
            found[key] = getattr(parameter, choice)
    return found


def _put(target: Any, parameters: Mapping[str, Any]) -> None:
    for key, value in parameters.items():
        put(target[key], value)


def put(parameter: Any, value: Any) -> None:
    """Set an `InferParameter` to a JSON value; lists and objects go as JSON text."""
    if isinstance(value, bool):
        parameter.bool_param = value
    elif isinstance(value, int):
        parameter.int64_param = value
    elif isinstance(value, float):
        parameter.double_param = value
    else:
        parameter.string_param = value if isinstance(value, str) else _encode(value).decode()
