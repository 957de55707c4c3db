"""Write the answer to an inference request from parts that were encoded when the model was loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from palio.core.records import Deployment, TensorSpec
from palio.serve.protocols.datatypes import Array, bytes_of
from palio.serve.protocols.wire import BINARY, JSON, Reply, WireError

_encode = msgspec.json.Encoder().encode


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """One output that a request asks for, and its form."""

    name: str
    as_bytes: bool = False
    top: int = 0
    """Classification extension: so many of the largest values as texts `value:index:label`; 0 is off."""


class Writer:
    """Writes the answers of one model: only id, shapes and data differ from request to request.

    Args:
        deployment: Names model and version.
        outputs: What the model answers with, in order.
        labels: Output name → class labels of its columns.
    """

    def __init__(
        self, deployment: Deployment, outputs: Sequence[TensorSpec], labels: Mapping[str, tuple[str, ...]]
    ) -> None:
        head = {"model_name": deployment.model, "model_version": str(deployment.version)}
        self._head = _encode(head)[:-1]
        self._labels = labels
        self._parts = {
            spec.name: _encode({"name": spec.name, "datatype": spec.datatype})[:-1] + b',"shape":' for spec in outputs
        }
        self._all_as_json = tuple(self._parts.items())
        self.everything = {
            as_bytes: tuple(Wanted(name, as_bytes) for name in self._parts) for as_bytes in (False, True)
        }
        """What is sent to a request that names no outputs, as JSON and as bytes."""

    def write(
        self,
        outputs: Mapping[str, Array],
        identity: str,
        *,
        call_id: str | None = None,
        wanted: Sequence[Wanted] | None = None,
        n_flags: int = 0,
        absent: Sequence[str] = (),
    ) -> Reply:
        """Write one answer.

        Args:
            outputs: Of the graph.
            identity: Of the request, told as `parameters.prediction_id`; empty is not told.
            call_id: What the client named its request.
            wanted: Which outputs in which form; None is all of them as JSON.
            n_flags: How many unusual values the request held.
            absent: Inputs that the request left out.
        """
        pieces = [self._head]
        if call_id is not None:
            pieces += (b',"id":', _encode(call_id))
        if identity or n_flags or absent:
            pieces.append(_parameters(identity, n_flags, absent))
        pieces.append(b',"outputs":[')
        if wanted is None:
            for name, part in self._all_as_json:
                array = outputs[name]
                data = array.tolist() if array.ndim == 1 else array.reshape(-1).tolist()
                pieces += (part, _encode(array.shape), b',"data":', _encode(data), b"},")
            pieces[-1] = b"}]}"
            return Reply(200, b"".join(pieces))
        return self._write_wanted(pieces, outputs, wanted)

    def _write_wanted(self, pieces: list[bytes], outputs: Mapping[str, Array], wanted: Sequence[Wanted]) -> Reply:
        chunks: list[bytes] = []
        for one in wanted:
            array, part = outputs[one.name], self._parts[one.name]
            if one.top:
                array = _classes(array, one.top, self._labels.get(one.name, ()))
                part = _encode({"name": one.name, "datatype": "BYTES"})[:-1] + b',"shape":'
            pieces += (part, _encode(array.shape))
            if one.as_bytes:
                chunks.append(bytes_of(array))
                pieces.append(b',"parameters":{"binary_data_size":%d}},' % len(chunks[-1]))
            else:
                pieces += (b',"data":', _encode(array.reshape(-1).tolist()), b"},")
        pieces[-1] = pieces[-1][:-1] + b"]}" if wanted else pieces[-1] + b"]}"
        head = b"".join(pieces)
        if not chunks:
            return Reply(200, head, JSON)
        length = (b"inference-header-content-length", b"%d" % len(head))
        return Reply(200, b"".join((head, *chunks)), BINARY, (length,))


def _parameters(identity: str, n_flags: int, absent: Sequence[str]) -> bytes:
    if not n_flags and not absent:
        return b',"parameters":{"prediction_id":"%b"}' % identity.encode()
    told = {"prediction_id": identity, "flags": n_flags, "absent": ", ".join(absent)}
    return b',"parameters":' + _encode({name: value for name, value in told.items() if value})


def _classes(array: Array, top: int, labels: tuple[str, ...]) -> Array:
    """Return the `top` largest values of each row as texts `value:index[:label]`, largest first.

    Source: classification extension of the Triton Inference Server (`extension_classification.md`).
    """
    if array.dtype.kind not in "iuf":
        raise WireError(400, "classification needs an output of numbers")
    rows = array.reshape(1, -1) if array.ndim < 2 else array.reshape(len(array), -1)
    top = min(top, rows.shape[1])
    order = np.argsort(-rows.astype(np.float64), axis=1, kind="stable")[:, :top]
    texts = np.empty(order.shape, object)
    for at, index in np.ndenumerate(order):
        label = f":{labels[index]}" if index < len(labels) else ""
        texts[at] = f"{rows[at[0], index]!s}:{index}{label}"
    return texts[0] if array.ndim < 2 else texts


def wanted_outputs(
    outputs: Sequence[Any] | None, parameters: Mapping[str, Any] | None, writer: Writer, names: Mapping[str, Any]
) -> Sequence[Wanted] | None:
    """Say which outputs a request asks for and in which form; None is all of them as JSON.

    Raises:
        WireError: 400 an unknown output, one twice, or a parameter of the wrong kind; 501 shared memory.
    """
    as_bytes = flag(parameters, "binary_data_output", default=False)
    if not outputs:
        return writer.everything[True] if as_bytes else None
    wanted: dict[str, Wanted] = {}
    for output in outputs:
        name = output.name
        if name not in names:
            raise WireError(400, f"an output is not one of this model: {', '.join(names)}")
        if name in wanted:  # or a small request could ask for an endless answer
            raise WireError(400, f"output `{name}` is asked for twice")
        refuse_shared_memory(output.parameters)
        top = (output.parameters or {}).get("classification", 0)
        if type(top) is not int or not 0 <= top <= 2**31:
            raise WireError(400, f"output `{name}`: classification must be a whole number of classes")
        wanted[name] = Wanted(name, flag(output.parameters, "binary_data", default=as_bytes), top)
    return tuple(wanted.values())


def flag(parameters: Mapping[str, Any] | None, name: str, *, default: bool) -> bool:
    """Return a parameter that is true or false. Raises WireError 400 if it is neither."""
    if not parameters:
        return default
    value = parameters.get(name, default)
    if type(value) is not bool:
        raise WireError(400, f"the parameter {name} must be true or false")
    return value


def refuse_shared_memory(parameters: Mapping[str, Any] | None) -> None:
    """Refuse a tensor that is said to lie in shared memory: the server opens none."""
    if parameters and "shared_memory_region" in parameters:
        raise WireError(501, "shared memory is not offered; send the data with the request")
