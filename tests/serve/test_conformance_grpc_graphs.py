"""Graphs made elsewhere, over gRPC: every datatype there and back, and the statuses of everything that is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palio import serve
from tests.serve.small_graphs import write_identity, write_simple

grpc = pytest.importorskip("grpc")
client = pytest.importorskip("tritonclient.grpc")

from tritonclient.grpc import service_pb2, service_pb2_grpc  # noqa: E402
from tritonclient.utils import InferenceServerException  # noqa: E402

from palio.serve.protocols.grpc_bridge import Bridge  # noqa: E402
from palio.serve.protocols.grpc_service import InferenceService  # noqa: E402


@contextmanager
def serving(path: Path) -> Iterator[str]:
    door = serve.GrpcListener()
    with serve.background(serve.create_app(serve.any_onnx(path), grpc=door)):
        yield f"127.0.0.1:{door.port}"


def tensor(name: str, values: Any, datatype: str) -> Any:
    made = client.InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values)
    return made


VALUES = {
    **{f"INT{bits}": np.array([[-(2 ** (bits - 1)), 2 ** (bits - 1) - 1]], f"int{bits}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.array([[0, 2**bits - 1]], f"uint{bits}") for bits in (8, 16, 32, 64)},
    "FP16": np.array([[0.5, -65504]], np.float16),
    "FP32": np.array([[0.1, 3.4e38]], np.float32),
    "FP64": np.array([[0.1, 1.7e308]], np.float64),
    "BOOL": np.array([[True, False]]),
    "BYTES": np.array([["", "zwölf\n\0€"]], object),
}
FIELDS = {
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BOOL": "bool_contents",
    "BYTES": "bytes_contents",
}


@pytest.mark.parametrize("datatype", VALUES)
def test_every_datatype_travels_there_and_back_raw_and_typed(tmp_path: Path, datatype: str) -> None:
    values = VALUES[datatype]
    path = write_identity(tmp_path, datatype, ["n", 2])
    with serving(path) as address, client.InferenceServerClient(address) as triton:
        model = path.stem
        result = triton.infer(model, [tensor("x", values, datatype)])
        got = result.as_numpy("y")
        texts = [text.decode() for text in got.reshape(-1)] if datatype == "BYTES" else got.reshape(-1).tolist()
        assert texts == values.reshape(-1).tolist()
        assert got.shape == (1, 2)
        raw = result.get_response().raw_output_contents
        if datatype in FIELDS:
            request = service_pb2.ModelInferRequest(model_name=model)
            made = request.inputs.add(name="x", datatype=datatype, shape=[1, 2])
            typed = [text.encode() for text in texts] if datatype == "BYTES" else texts
            getattr(made.contents, FIELDS[datatype]).extend(typed)
            with grpc.insecure_channel(address) as channel:
                answer = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request)
            assert answer.raw_output_contents == raw


def test_the_examples_of_triton_run(tmp_path: Path) -> None:
    left, right = np.arange(16, dtype=np.int32).reshape(1, 16), np.ones((1, 16), np.int32)
    inputs = [tensor("INPUT0", left, "INT32"), tensor("INPUT1", right, "INT32")]
    with serving(write_simple(tmp_path)) as address, client.InferenceServerClient(address) as triton:
        result = triton.infer("simple", inputs, headers={"test": "1"})
        assert result.as_numpy("OUTPUT0").tolist() == (left + right).tolist()
        assert result.as_numpy("OUTPUT1").tolist() == (left - right).tolist()
        for one in inputs:  # inputs are used again, with other values
            one.set_data_from_numpy(right)
        assert triton.infer("simple", inputs).as_numpy("OUTPUT1").tolist() == np.zeros((1, 16)).tolist()
        (entry,) = triton.get_model_repository_index().models
        assert (entry.name, entry.version, entry.state) == ("simple", "1", "READY")
        config = triton.get_model_config("simple").config
        assert config.name == "simple"
        assert (config.input[0].name, config.input[0].data_type) == ("INPUT0", 8)  # TYPE_INT32
        (stats,) = triton.get_inference_statistics("simple").model_stats
        assert (stats.name, stats.inference_count, stats.inference_stats.success.count) == ("simple", 2, 2)
        assert stats.inference_stats.success.ns > 0
        with pytest.raises(InferenceServerException) as refused:
            triton.infer("wrong", inputs)
        assert refused.value.message().startswith("Request for unknown model")


def test_a_client_gets_the_top_classes_with_the_classification_parameter(tmp_path: Path) -> None:
    path = write_identity(tmp_path, "FP32", ["n", 3])
    with serving(path) as address, client.InferenceServerClient(address) as triton:
        wanted = [client.InferRequestedOutput("y", class_count=2)]
        x = tensor("x", np.array([[0.1, 0.7, 0.2]], np.float32), "FP32")
        got = triton.infer(path.stem, [x], outputs=wanted).as_numpy("y")
    assert [text.decode().split(":")[1] for text in got.reshape(-1)] == ["1", "2"]


@pytest.mark.parametrize(
    ("values", "datatype", "part"),
    [
        (np.zeros((1, 3), np.float32), "FP32", "shape"),
        (np.zeros((2,), np.float32), "FP32", "shape"),
        (np.zeros((1, 2), np.float64), "FP64", "datatype"),
        (np.zeros((0, 2), np.float32), "FP32", "row"),
    ],
)
def test_what_the_graph_does_not_declare_is_an_invalid_argument(
    tmp_path: Path, values: Any, datatype: str, part: str
) -> None:
    path = write_identity(tmp_path, "FP32", ["n", 2])
    with serving(path) as address, client.InferenceServerClient(address) as triton:
        with pytest.raises(InferenceServerException, match=part) as refused:
            triton.infer(path.stem, [tensor("x", values, datatype)])
        assert refused.value.status() == "StatusCode.INVALID_ARGUMENT"


# ── statuses ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Call:
    """The context of a call, as the runtime hands it to a method."""

    def __init__(self, metadata: dict[str, str | bytes]) -> None:
        self.metadata = tuple(metadata.items())
        self.trailing: Any = ()
        self.end: Any = None

    def invocation_metadata(self) -> Any:
        return self.metadata

    def set_trailing_metadata(self, trailing: Any) -> None:
        self.trailing = trailing

    def set_code(self, code: Any) -> None:
        self.end = (code.name,)

    def set_details(self, details: str) -> None:
        self.end = (*self.end, details)


class Details:
    method = "/inference.GRPCInferenceService/ModelInfer"


def ask(
    status: int,
    *,
    headers: Any = (),
    body: bytes = b"",
    metadata: dict[str, Any] | None = None,
    ready: int = 503,
    stranger: bool = False,
) -> Any:
    """Answer one call with an application that answers everything alike; give what it saw, the call, and the end."""
    seen: list[Any] = []

    class Alike:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope)
            answer = ready if scope["path"] == "/v2/health/ready" else status
            await send({"type": "http.response.start", "status": answer, "headers": list(headers)})
            await send({"type": "http.response.body", "body": body})

        def is_stranger(self, headers: Any) -> bool:
            return stranger

    async def arriving() -> Any:
        if stranger:
            seen.append("the message")
        yield service_pb2.ModelInferRequest(model_name="m").SerializeToString()

    async def run() -> Any:
        import threading

        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        call = Call(metadata or {})
        method = InferenceService(Bridge(Alike(), loop)).service(Details).stream_unary
        try:
            answer = await method(arriving(), call)
            return call.end or answer, call
        finally:
            loop.call_soon_threadsafe(loop.stop)
            await asyncio.to_thread(thread.join)
            loop.close()

    end, call = asyncio.run(run())
    return seen[0] if seen else None, call, end


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (408, "DEADLINE_EXCEEDED"),
        (413, "INVALID_ARGUMENT"),
        (422, "INVALID_ARGUMENT"),
        (429, "RESOURCE_EXHAUSTED"),
        (500, "INTERNAL"),
        (501, "UNIMPLEMENTED"),
        (503, "UNAVAILABLE"),
    ],
)
def test_each_status_of_http_has_one_of_grpc(status: int, code: str) -> None:
    body = json.dumps({"error": "no, because"}).encode()
    _, call, end = ask(status, headers=((b"retry-after", b"3"), (b"allow", b"POST")), body=body)
    assert end == (code, "no, because")
    assert call.trailing == (("retry-after", "3"),)


def test_the_message_of_a_stranger_is_not_even_read() -> None:
    """Or callers without a key could fill the memory: a compressed message is a thousand times larger than it looks."""
    seen, _, end = ask(200, stranger=True)
    assert end[0] == "UNAUTHENTICATED"
    assert seen is None


def test_a_server_that_is_well_but_busy_is_exhausted_not_unavailable() -> None:
    assert ask(503, body=b'{"error": "busy"}', ready=200)[2] == ("RESOURCE_EXHAUSTED", "busy")
    assert ask(503, body=b'{"error": "no champion"}', ready=503)[2] == ("UNAVAILABLE", "no champion")


def test_what_a_caller_says_of_itself_arrives_and_what_frames_the_message_does_not() -> None:
    metadata: dict[str, Any] = {
        "authorization": "Bearer k",
        "x-api-key": "k",
        "x-palio-purpose": "test",
        "content-type": "application/grpc",
        "content-length": "7",
        "content-encoding": "gzip",
        "inference-header-content-length": "99",
        "transfer-encoding": "chunked",
        "grpc-timeout": "1S",
        "trace-bin": b"\xff",
    }
    scope, _, _ = ask(404, body=b'{"error": "x"}', metadata=metadata)
    headers = dict(scope["headers"])
    assert headers.keys() == {
        b"authorization",
        b"x-api-key",
        b"x-palio-purpose",
        b"inference-header-content-length",
        b"content-length",
    }
    assert headers[b"inference-header-content-length"] == headers[b"content-length"] != b"99"


def test_an_answer_that_is_no_answer_is_an_internal_error() -> None:
    assert ask(200, body=b"not JSON")[2][0] == "INTERNAL"
    assert ask(503, body=b"<html>")[2] == ("UNAVAILABLE", "the request was refused")
