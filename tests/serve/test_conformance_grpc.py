"""Unmodified clients of the protocol over gRPC: NVIDIA's, health, reflection."""

from __future__ import annotations

import asyncio
import gc
import gzip
import queue
import socket
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from palio import serve
from palio.core.errors import UnavailableError
from tests.serve.conftest import Switch
from tests.serve.small_model import GOOD, SmallBundle, small_bundle

grpc = pytest.importorskip("grpc")
client = pytest.importorskip("tritonclient.grpc")

from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: E402
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc  # noqa: E402
from tritonclient.grpc import service_pb2, service_pb2_grpc  # noqa: E402
from tritonclient.utils import InferenceServerException  # noqa: E402

CAPS = serve.Caps(max_body_bytes=200_000, max_rows=100, read_timeout_s=1.0)


@contextmanager
def listening(provider: Any) -> Iterator[tuple[str, Any]]:
    """A server on both ports; gives the address of gRPC, and the application."""
    door = serve.GrpcListener(max_body_bytes=CAPS.max_body_bytes)
    app = serve.create_app(provider, caps=CAPS, poll_s=0.05, grpc=door)
    with serve.background(app):
        yield f"127.0.0.1:{door.port}", app


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with listening(serve.fixed(small_bundle(), model="bank", version=3)) as (address, _):
        yield address


@pytest.fixture
def triton(address: str) -> Iterator[Any]:
    with client.InferenceServerClient(address) as triton:
        yield triton


@pytest.fixture
def stub(address: str) -> Iterator[Any]:
    with grpc.insecure_channel(address) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def tensor(name: str, values: Any, datatype: str) -> Any:
    made = client.InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values)
    return made


def row(**changes: Any) -> list[Any]:
    record = GOOD | changes
    text = {"job", "level"}
    made = [
        tensor(name, np.array([[record[name]]], object if name in text else np.float64), kind)
        for name, kind in (("age", "FP64"), ("balance", "FP64"), ("job", "BYTES"), ("level", "BYTES"))
    ]
    return [*made, tensor("married", np.array([["true" if record["married"] else "false"]], object), "BYTES")]


def wanted(bundle: SmallBundle, **changes: Any) -> Any:
    record = GOOD | {"married": "true"} | changes
    numbers = ("age", "balance")
    return bundle.graph.predict(
        {name: np.array([[value]], np.float64 if name in numbers else object) for name, value in record.items()}
    )


# ── what is served ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_server_lives_is_ready_and_says_what_it_is(triton: Any) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    about = triton.get_server_metadata()
    assert about.name == "palio"
    assert "binary_tensor_data" in about.extensions


def test_the_model_is_ready_and_says_what_it_takes(triton: Any) -> None:
    assert triton.is_model_ready("bank")
    assert triton.is_model_ready("bank", "3")
    about = triton.get_model_metadata("bank")
    assert (about.name, list(about.versions)) == ("bank", ["3"])
    assert [(i.name, i.datatype, list(i.shape)) for i in about.inputs][:3] == [
        ("age", "FP64", [-1, 1]),
        ("balance", "FP64", [-1, 1]),
        ("job", "BYTES", [-1, 1]),
    ]
    assert [(o.name, o.datatype) for o in about.outputs] == [("prediction", "BYTES"), ("probabilities", "FP64")]


# ── inference ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_carries_every_output_in_order_as_raw_bytes(triton: Any, bundle: SmallBundle) -> None:
    result = triton.infer("bank", row(), request_id="r-7")
    outputs = wanted(bundle)
    assert result.as_numpy("probabilities").tolist() == outputs.probabilities.tolist()
    assert [text.decode() for text in result.as_numpy("prediction")] == outputs.prediction.tolist()
    response = result.get_response()
    assert (response.id, response.model_name, response.model_version) == ("r-7", "bank", "3")
    assert [output.name for output in response.outputs] == ["prediction", "probabilities"]
    assert len(response.raw_output_contents) == 2


def test_only_the_outputs_that_are_asked_for_come_in_the_order_asked(triton: Any) -> None:
    outputs = [client.InferRequestedOutput("probabilities"), client.InferRequestedOutput("prediction")]
    response = triton.infer("bank", row(), outputs=outputs).get_response()
    assert [output.name for output in response.outputs] == ["probabilities", "prediction"]
    one = triton.infer("bank", row(), outputs=outputs[:1])
    assert one.as_numpy("prediction") is None
    assert one.as_numpy("probabilities").shape == (1, 2)


def test_a_named_version_answers_as_the_one_that_is_served(triton: Any) -> None:
    assert triton.infer("bank", row(), model_version="3").get_response().model_version == "3"


def test_a_name_may_hold_slashes_and_is_never_read_as_a_path() -> None:
    with (
        listening(serve.fixed(small_bundle(), model="team/bank", version=3)) as (address, _),
        client.InferenceServerClient(address) as triton,
    ):
        assert triton.infer("team/bank", row(), model_version="3").get_response().model_name == "team/bank"
        assert triton.is_model_ready("team/bank")
        for name in ("team/bank/ready", "team/bank/versions/3", "team/bank/", "/team/bank", "team/bank/config", ""):
            with pytest.raises(InferenceServerException) as refused:
                triton.get_model_metadata(name)
            assert refused.value.status() == "StatusCode.NOT_FOUND"


def test_many_rows_are_answered_row_by_row(triton: Any, bundle: SmallBundle) -> None:
    ages = np.arange(18, 91, dtype=np.float64).reshape(-1, 1)
    n = len(ages)
    repeated = [
        tensor(i.name(), np.full((n, 1), value, kind), i.datatype())
        for i, value, kind in zip(
            row(), (0, 120.5, "student", "high", "true"), (float, float, object, object, object), strict=True
        )
        if i.name() != "age"
    ]
    result = triton.infer("bank", [tensor("age", ages, "FP64"), *repeated])
    got = result.as_numpy("probabilities")[:, 1]
    assert got == pytest.approx([wanted(bundle, age=float(age)).probabilities[0, 1] for age in ages[:, 0]], abs=1e-14)


@pytest.mark.parametrize(
    ("datatype", "dtype"),
    [
        ("INT8", np.int8),
        ("INT16", np.int16),
        ("INT32", np.int32),
        ("INT64", np.int64),
        ("UINT8", np.uint8),
        ("UINT16", np.uint16),
        ("UINT32", np.uint32),
        ("UINT64", np.uint64),
        ("FP16", np.float16),
        ("FP32", np.float32),
        ("FP64", np.float64),
    ],
)
def test_a_number_may_come_in_any_datatype_of_numbers(
    triton: Any, bundle: SmallBundle, datatype: str, dtype: Any
) -> None:
    inputs = [tensor("age", np.array([[41]], dtype), datatype), *row()[1:]]
    got = triton.infer("bank", inputs).as_numpy("probabilities")
    assert got.tolist() == wanted(bundle, age=41.0).probabilities.tolist()


TYPED = [
    ("INT8", "int_contents", 41),
    ("INT16", "int_contents", 41),
    ("INT32", "int_contents", 41),
    ("INT64", "int64_contents", 41),
    ("UINT8", "uint_contents", 41),
    ("UINT16", "uint_contents", 41),
    ("UINT32", "uint_contents", 41),
    ("UINT64", "uint64_contents", 41),
    ("FP32", "fp32_contents", 41.0),
    ("FP64", "fp64_contents", 41.0),
]


def typed(**contents: tuple[str, str, list[Any]]) -> Any:
    """A request whose tensors are typed; by keyword: datatype, field, values."""
    request = service_pb2.ModelInferRequest(model_name="bank")
    plain = {
        "age": ("FP64", "fp64_contents", [40.0]),
        "balance": ("FP64", "fp64_contents", [120.5]),
        "job": ("BYTES", "bytes_contents", [b"student"]),
        "level": ("BYTES", "bytes_contents", [b"high"]),
        "married": ("BOOL", "bool_contents", [True]),
    }
    for name, (datatype, field, values) in (plain | contents).items():
        made = request.inputs.add(name=name, datatype=datatype, shape=[1, 1])
        getattr(made.contents, field).extend(values)
    return request


@pytest.mark.parametrize(("datatype", "field", "value"), TYPED, ids=[case[0] for case in TYPED])
def test_typed_contents_are_read(stub: Any, bundle: SmallBundle, datatype: str, field: str, value: Any) -> None:
    response = stub.ModelInfer(typed(age=(datatype, field, [value])))
    got = np.frombuffer(response.raw_output_contents[1], np.float64)
    assert got.tolist() == wanted(bundle, age=41.0).probabilities[0].tolist()


def test_flags_arrive_as_a_parameter_of_the_answer(triton: Any) -> None:
    response = triton.infer("bank", row(job="astronaut")).get_response()
    assert "flags" in response.parameters


def test_compressed_messages_are_read(triton: Any) -> None:
    for algorithm in ("gzip", "deflate"):
        assert triton.infer("bank", row(), compression_algorithm=algorithm).as_numpy("probabilities").shape == (1, 2)


def test_calls_side_by_side_get_each_its_own_answer(triton: Any, bundle: SmallBundle) -> None:
    answers: queue.Queue[tuple[int, Any, Any]] = queue.Queue()
    for age in range(18, 68):
        triton.async_infer("bank", row(age=age), lambda result, error, age=age: answers.put((age, result, error)))
    for _ in range(50):
        age, result, error = answers.get(timeout=10)
        assert error is None
        assert result.as_numpy("probabilities").tolist() == wanted(bundle, age=float(age)).probabilities.tolist()


def test_a_client_that_gives_up_leaves_the_server_well(triton: Any) -> None:
    ends: queue.Queue[Any] = queue.Queue()
    calls = [triton.async_infer("bank", row(), lambda result, error: ends.put(error)) for _ in range(50)]
    for call in calls:
        call.cancel()
    given_up = [error for error in (ends.get(timeout=10) for _ in calls) if error is not None]
    assert given_up
    assert {error.status() for error in given_up} == {"StatusCode.CANCELLED"}
    assert triton.infer("bank", row()).as_numpy("probabilities").shape == (1, 2)


def test_a_stream_answers_each_request_and_outlives_a_bad_one(triton: Any) -> None:
    answers: queue.Queue[tuple[Any, Any]] = queue.Queue()
    triton.start_stream(lambda result, error: answers.put((result, error)))
    triton.async_stream_infer("bank", row(), request_id="1")
    triton.async_stream_infer("other", row(), request_id="2")
    triton.async_stream_infer("bank", row(age=5), request_id="3")
    triton.async_stream_infer("bank", row(), request_id="4", enable_empty_final_response=True)
    got = [answers.get(timeout=10) for _ in range(4)]
    triton.stop_stream()
    assert [error is None for _, error in got] == [True, False, False, True]
    assert "unknown model" in str(got[1][1])
    assert "`age`" in str(got[2][1])
    last = got[3][0].get_response()
    assert last.id == "4"
    assert last.parameters["triton_final_response"].bool_param


def test_the_asyncio_client_works(address: str, bundle: SmallBundle) -> None:
    from tritonclient.grpc.aio import InferenceServerClient

    async def ask() -> Any:
        async with InferenceServerClient(address) as triton:
            assert await triton.is_server_ready()

            async def requests() -> Any:
                for number in range(3):
                    yield {"model_name": "bank", "inputs": row(), "request_id": str(number)}

            streamed = [answer async for answer in triton.stream_infer(requests())]
            assert [result.get_response().id for result, error in streamed if error is None] == ["0", "1", "2"]
            results = await asyncio.gather(*(triton.infer("bank", row()) for _ in range(20)))
            return [result.as_numpy("probabilities").tolist() for result in results]

    assert asyncio.run(ask()) == [wanted(bundle).probabilities.tolist()] * 20


# ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────────────

SECRET = "4c1d-secret"


def short(inputs: list[Any]) -> Any:
    request = service_pb2.ModelInferRequest(model_name="bank")
    for one in inputs:
        request.inputs.add(name=one.name(), datatype=one.datatype(), shape=one.shape())
        request.raw_input_contents.append(one._get_content())
    return request


def changed(change: Callable[[Any], Any]) -> Any:
    request = short(row())
    change(request)
    return request


def set_shape(request: Any) -> None:
    request.inputs[0].shape[:] = [2, 1]


def both(request: Any) -> None:
    request.inputs[0].contents.fp64_contents.append(40.0)


BAD: list[tuple[str, Any, str, str]] = [
    ("unknown model", changed(lambda r: setattr(r, "model_name", SECRET)), "NOT_FOUND", "unknown model"),
    ("no model", changed(lambda r: setattr(r, "model_name", "")), "NOT_FOUND", "unknown model"),
    ("a path", changed(lambda r: setattr(r, "model_name", "../../etc/passwd")), "NOT_FOUND", "unknown model"),
    ("a version in the name", changed(lambda r: setattr(r, "model_name", "bank/versions/3")), "NOT_FOUND", "unknown"),
    ("unknown version", changed(lambda r: setattr(r, "model_version", "9")), "NOT_FOUND", "version"),
    ("unknown input", changed(lambda r: setattr(r.inputs[0], "name", SECRET)), "INVALID_ARGUMENT", "input"),
    ("input twice", changed(lambda r: setattr(r.inputs[0], "name", "balance")), "INVALID_ARGUMENT", "twice"),
    ("wrong shape", changed(set_shape), "INVALID_ARGUMENT", "age"),
    ("unknown datatype", changed(lambda r: setattr(r.inputs[0], "datatype", "FP8")), "INVALID_ARGUMENT", "age"),
    ("of another kind", changed(lambda r: setattr(r.inputs[0], "datatype", "BYTES")), "INVALID_ARGUMENT", "age"),
    ("short bytes", changed(lambda r: r.raw_input_contents.__setitem__(0, b"1234")), "INVALID_ARGUMENT", "age"),
    ("long bytes", changed(lambda r: r.raw_input_contents.__setitem__(0, b"1" * 16)), "INVALID_ARGUMENT", "age"),
    ("one content too few", changed(lambda r: r.raw_input_contents.pop()), "INVALID_ARGUMENT", "raw_input_contents"),
    ("raw and typed", changed(both), "INVALID_ARGUMENT", "one of the two"),
    ("an input is absent", short(row()[1:]), "INVALID_ARGUMENT", "age"),
    ("no input", service_pb2.ModelInferRequest(model_name="bank"), "INVALID_ARGUMENT", "absent"),
    ("unknown output", changed(lambda r: r.outputs.add(name=SECRET)), "INVALID_ARGUMENT", "output"),
    ("out of a closed range", short(row(age=5)), "INVALID_ARGUMENT", "`age`"),
    ("out of closed categories", short(row(level=SECRET)), "INVALID_ARGUMENT", "`level`"),
    ("NaN where none may be", short(row(age=float("nan"))), "INVALID_ARGUMENT", "`age`"),
    ("not UTF-8", changed(lambda r: r.raw_input_contents.__setitem__(2, b"\1\0\0\0\xff")), "INVALID_ARGUMENT", "`job`"),
    ("typed, of another field", typed(age=("FP64", "fp32_contents", [40.0])), "INVALID_ARGUMENT", "contents"),
    ("typed, does not fit", typed(age=("INT8", "int_contents", [1000])), "INVALID_ARGUMENT", "fit"),
    ("typed, empty", typed(age=("FP64", "fp64_contents", [])), "INVALID_ARGUMENT", "age"),
    ("typed FP16", typed(age=("FP16", "fp32_contents", [40.0])), "INVALID_ARGUMENT", "raw_input_contents"),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "code", "part"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_bad_request_gets_its_status_and_quotes_nothing(stub: Any, request_: Any, code: str, part: str) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        stub.ModelInfer(request_)
    assert refused.value.code().name == code, refused.value.details()
    assert part in refused.value.details()
    assert SECRET not in refused.value.details()


def test_a_message_that_is_none_is_refused(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        with pytest.raises(grpc.RpcError) as refused:
            call(b"\xff\xff\xff")
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_method_that_is_none_is_not_implemented(address: str) -> None:
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary("/inference.GRPCInferenceService/Drop")(b"")
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_too_many_rows_are_refused(triton: Any) -> None:
    values = {"age": 40.0, "balance": 1.0, "job": "student", "level": "high", "married": "true"}
    kinds = {"FP64": float, "BYTES": object}
    inputs = [
        tensor(one.name(), np.full((101, 1), values[one.name()], kinds[one.datatype()]), one.datatype())
        for one in row()
    ]
    with pytest.raises(InferenceServerException, match="100"):
        triton.infer("bank", inputs)


def test_a_message_beyond_the_cap_is_refused_before_it_is_read(address: str, triton: Any) -> None:
    bomb = b"\x00" * 8_000_000
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
            with pytest.raises(grpc.RpcError) as refused:
                call(bomb, compression=compression)
            assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert len(gzip.compress(bomb)) < 10_000  # the second one was small on the wire
    assert triton.is_server_live()


def test_a_call_that_was_refused_leaves_nothing_behind(stub: Any, address: str) -> None:
    """Neither what `abort` of the runtime keeps, nor what waits for a collection that seldom comes."""
    request = service_pb2.ModelInferRequest(model_name="bank", raw_input_contents=[bytes(100_000)])
    request.inputs.add(name="age", datatype="FP64", shape=[1, 1])

    def refuse() -> None:
        with pytest.raises(grpc.RpcError):
            stub.ModelInfer(request)

    refuse()
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(30):
            refuse()
        time.sleep(0.2)
        large = [trace for trace in tracemalloc.take_snapshot().traces if trace.size > 90_000]
    finally:
        tracemalloc.stop()
        gc.enable()
    assert len(large) < 10


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda t: t.load_model("bank"), "PERMISSION_DENIED"),
        (lambda t: t.load_model("bank", config="{}", files={"file:1/model.py": b"x"}), "PERMISSION_DENIED"),
        (lambda t: t.unload_model("bank"), "PERMISSION_DENIED"),
        (lambda t: t.register_system_shared_memory("a", "/a", 8), "UNIMPLEMENTED"),
        (lambda t: t.get_system_shared_memory_status(), "UNIMPLEMENTED"),
        (lambda t: t.register_cuda_shared_memory("a", b"", 0, 8), "UNIMPLEMENTED"),
        (lambda t: t.update_trace_settings(settings={"trace_level": "OFF"}), "UNIMPLEMENTED"),
        (lambda t: t.get_log_settings(), "UNIMPLEMENTED"),
    ],
)
def test_what_a_caller_may_not_do_is_refused(triton: Any, call: Any, code: str) -> None:
    with pytest.raises(InferenceServerException) as refused:
        call(triton)
    assert refused.value.status() == f"StatusCode.{code}"


def test_shared_memory_of_a_tensor_is_refused(triton: Any) -> None:
    inputs = row()
    inputs[0].set_shared_memory("region", 8)
    with pytest.raises(InferenceServerException) as refused:
        triton.infer("bank", inputs)
    assert refused.value.status() == "StatusCode.UNIMPLEMENTED"


# ── health, reflection, life ────────────────────────────────────────────────────────────────────────────────────────


def test_health_follows_what_is_served() -> None:
    switch = Switch({1: small_bundle()}, version=None)
    with listening(switch) as (address, app), grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=20)
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert not client.InferenceServerClient(address).is_server_ready()
        with pytest.raises(InferenceServerException) as refused:
            client.InferenceServerClient(address).infer("bank", row())
        assert refused.value.status() == "StatusCode.UNAVAILABLE"
        switch.version = 1
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        for service in ("", "inference.GRPCInferenceService"):
            answer = health.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        app.is_draining = True
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.RpcError) as unknown:
            health.Check(health_pb2.HealthCheckRequest(service="other"))
        assert unknown.value.code() == grpc.StatusCode.NOT_FOUND


def test_reflection_names_the_services_and_describes_their_messages(address: str) -> None:
    ask = reflection_pb2.ServerReflectionRequest
    questions = [
        ask(list_services=""),
        ask(file_containing_symbol="inference.GRPCInferenceService"),
        ask(file_containing_symbol="grpc.health.v1.Health"),
    ]
    with grpc.insecure_channel(address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        services, protocol, health = stub.ServerReflectionInfo(iter(questions))
    names = {service.name for service in services.list_services_response.service}
    assert names >= {"inference.GRPCInferenceService", "grpc.health.v1.Health"}
    assert b"ModelInferRequest" in protocol.file_descriptor_response.file_descriptor_proto[0]
    assert b"HealthCheckRequest" in health.file_descriptor_response.file_descriptor_proto[0]


def test_a_stop_fails_no_call_that_was_sent_before_it() -> None:
    answers: queue.Queue[Any] = queue.Queue()
    with listening(serve.fixed(small_bundle(), model="bank")) as (address, _):
        triton = client.InferenceServerClient(address)
        triton.infer("bank", row())
        for _ in range(50):
            triton.async_infer("bank", row(), lambda result, error: answers.put(error))
    assert [answers.get(timeout=10) for _ in range(50)] == [None] * 50
    with pytest.raises(InferenceServerException) as refused:
        triton.infer("bank", row(), client_timeout=2)
    triton.close()
    assert refused.value.status() in ("StatusCode.UNAVAILABLE", "StatusCode.DEADLINE_EXCEEDED")


def test_a_stop_ends_streams_that_wait_for_requests() -> None:
    answers: queue.Queue[tuple[Any, Any]] = queue.Queue()
    triton: Any = None
    with listening(serve.fixed(small_bundle(), model="bank")) as (address, _):
        triton = client.InferenceServerClient(address)
        triton.start_stream(lambda result, error: answers.put((result, error)))
        triton.async_stream_infer("bank", row())
        assert answers.get(timeout=10)[1] is None
        began = time.monotonic()
    assert time.monotonic() - began < 5  # it does not wait for its clients until the grace is over
    assert answers.get(timeout=10)[1].status() == "StatusCode.UNAVAILABLE"
    triton.stop_stream()
    triton.close()


def test_a_taken_port_is_said_before_anything_is_served() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UnavailableError, match=r"cannot listen.*gRPC"):
            serve.GrpcListener(port=taken.getsockname()[1])


def test_the_messages_are_those_of_the_protocol() -> None:
    from google.protobuf import descriptor_pool

    from palio.serve.protocols import grpc_messages

    theirs = descriptor_pool.Default()
    for name in grpc_messages._MESSAGES:
        ours = grpc_messages.POOL.FindMessageTypeByName(f"inference.{name}")
        other = theirs.FindMessageTypeByName(f"inference.{name}")
        for field in ours.fields:
            match = other.fields_by_name[field.name]
            assert (field.number, field.type, field.is_repeated) == (match.number, match.type, match.is_repeated), name
