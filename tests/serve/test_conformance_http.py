"""Unmodified clients of the protocol over HTTP: NVIDIA's, plain and asyncio, against a bundle and foreign graphs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from palio import serve
from tests.serve import foreign_models as models
from tests.serve.conftest import Wire
from tests.serve.small_model import feeds, small_bundle

client = pytest.importorskip("tritonclient.http")
aio = pytest.importorskip("tritonclient.http.aio")

from tritonclient.utils import InferenceServerException  # noqa: E402

NUMPY = {
    **{f"{sign}INT{bits}": np.dtype(f"{sign.lower()}int{bits}") for sign in ("", "U") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"float{bits}") for bits in (16, 32, 64)},
    "BOOL": np.dtype(bool),
    "BYTES": np.dtype(object),
}


def extremes(datatype: str) -> Any:
    """Two rows of three values, the largest and smallest among them."""
    dtype = NUMPY[datatype]
    if datatype == "BYTES":
        return np.array([["", "ä€𝄞", 'a"b\\c'], ["null\0inside", "x" * 300, " "]], object)
    if datatype == "BOOL":
        return np.array([[True, False, True], [False, False, True]])
    if dtype.kind == "f":
        info = np.finfo(dtype)
        return np.array([[0.1, -0.0, info.max], [info.tiny, -1.5, info.min]], dtype)
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    return np.array([[low, high, 0], [1, high - 1, low + 1]], dtype)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Start a server of a model when it is first asked for."""
    folder = tmp_path_factory.mktemp("graphs")
    started: dict[str, str] = {}
    with ExitStack() as stack:

        def start(name: str) -> str:
            if name not in started:
                if name == "bank":
                    provider: Any = serve.fixed(small_bundle(), model="bank", version=3)
                else:
                    kind, _, datatype = name.partition("-")
                    make = getattr(models, kind)
                    path = models.write(folder, name, make(datatype) if datatype else make())
                    provider = serve.any_onnx(path)
                url = stack.enter_context(serve.background(serve.create_app(provider)))
                started[name] = urlsplit(url).netloc
            return started[name]

        yield start


@pytest.fixture
def open_client(address: Callable[[str], str]) -> Iterator[Callable[[str], Any]]:
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(client.InferenceServerClient(address(name)))


def tensor(name: str, values: Any, datatype: str, *, binary: bool = True) -> Any:
    made = client.InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, binary_data=binary)
    return made


def sixteen(datatype: str = "INT32", *, binary: bool = True) -> tuple[list[Any], Any, Any]:
    """Return the two inputs of `simple`, and the sum and difference that it answers."""
    first, second = np.arange(16, dtype=np.int32).reshape(1, 16), np.full((1, 16), 7, np.int32)
    given = [first, second]
    if datatype == "BYTES":
        given = [np.array([[str(n) for n in row] for row in values.tolist()], object) for values in given]
    return (
        [tensor(f"INPUT{i}", values, datatype, binary=binary) for i, values in enumerate(given)],
        first + second,
        first - second,
    )


# ── describe ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_server_and_model_are_live_and_ready(open_client: Any) -> None:
    triton = open_client("simple")
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("simple")
    assert triton.is_model_ready("simple", "1")
    assert not triton.is_model_ready("simple", "2")
    assert not triton.is_model_ready("other")


def test_the_server_says_what_it_can(open_client: Any) -> None:
    about = open_client("simple").get_server_metadata()
    assert about["name"] == "palio"
    assert {"binary_tensor_data", "classification", "statistics", "model_configuration"} <= set(about["extensions"])


@pytest.mark.parametrize("version", ["", "1"])
def test_a_graph_is_described_as_it_declares_itself(open_client: Any, version: str) -> None:
    about = open_client("simple").get_model_metadata("simple", version)
    assert about == {
        "name": "simple",
        "versions": ["1"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": f"INPUT{i}", "datatype": "INT32", "shape": [1, 16]} for i in (0, 1)],
        "outputs": [{"name": f"OUTPUT{i}", "datatype": "INT32", "shape": [1, 16]} for i in (0, 1)],
    }


def test_a_graph_has_a_configuration(open_client: Any) -> None:
    config = open_client("simple_string").get_model_config("simple_string")
    assert (config["name"], config["max_batch_size"]) == ("simple_string", 0)
    assert config["input"][0] == {"name": "INPUT0", "data_type": "TYPE_STRING", "dims": [1, 16]}


def test_statistics_count_answers_and_refusals(open_client: Any) -> None:
    triton = open_client("simple")
    before = triton.get_inference_statistics("simple", "1")["model_stats"][0]["inference_stats"]
    inputs, _, _ = sixteen()
    triton.infer("simple", inputs)
    with pytest.raises(InferenceServerException):
        triton.infer("simple", inputs[:1])
    listed = triton.get_inference_statistics("simple")["model_stats"]
    assert len(listed) == 1
    after = listed[0]["inference_stats"]
    assert after["success"]["count"] == before["success"]["count"] + 1
    assert after["fail"]["count"] == before["fail"]["count"] + 1
    assert after["success"]["ns"] > before["success"]["ns"]
    assert triton.get_inference_statistics()["model_stats"][0]["name"] == "simple"


def test_the_repository_lists_what_is_served(open_client: Any) -> None:
    index = open_client("simple").get_model_repository_index()
    assert index == [{"name": "simple", "version": "1", "state": "READY", "reason": ""}]


def test_loading_and_unloading_is_refused_on_this_port(open_client: Any) -> None:
    triton = open_client("simple")
    for attempt in (
        lambda: triton.load_model("simple"),
        lambda: triton.load_model("evil", config="{}", files={"file:1/model.onnx": b"x"}),
        lambda: triton.unload_model("simple"),
    ):
        with pytest.raises(InferenceServerException, match="admin port"):
            attempt()
    assert triton.is_model_ready("simple")


def test_shared_memory_trace_and_log_settings_are_not_offered(open_client: Any) -> None:
    triton = open_client("simple")
    for attempt in (
        triton.get_system_shared_memory_status,
        triton.get_cuda_shared_memory_status,
        lambda: triton.register_system_shared_memory("region", "/region", 64),
        lambda: triton.register_cuda_shared_memory("region", b"handle", 0, 64),
        triton.unregister_system_shared_memory,
        triton.unregister_cuda_shared_memory,
        triton.get_trace_settings,
        triton.get_log_settings,
    ):
        with pytest.raises(InferenceServerException, match="not offered") as caught:
            attempt()
        assert caught.value.status() == "501"


@pytest.mark.parametrize("where", ["input", "output"])
def test_a_tensor_in_shared_memory_is_refused(open_client: Any, where: str) -> None:
    inputs, _, _ = sixteen()
    wanted = client.InferRequestedOutput("OUTPUT0")
    (inputs[0] if where == "input" else wanted).set_shared_memory("region", 64)
    with pytest.raises(InferenceServerException, match="shared memory"):
        open_client("simple").infer("simple", inputs, outputs=[wanted])


# ── infer ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("binary_out", [True, False])
@pytest.mark.parametrize("binary_in", [True, False])
def test_sum_and_difference_in_json_and_bytes(open_client: Any, binary_in: bool, binary_out: bool) -> None:
    inputs, total, difference = sixteen(binary=binary_in)
    wanted = [client.InferRequestedOutput(f"OUTPUT{i}", binary_data=binary_out) for i in (0, 1)]
    result = open_client("simple").infer("simple", inputs, outputs=wanted, request_id="r-1")
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), total)
    np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), difference)
    said = result.get_response()
    assert (said["id"], said["model_name"], said["model_version"]) == ("r-1", "simple", "1")
    assert said["parameters"]["prediction_id"]


def test_json_and_bytes_may_be_mixed(open_client: Any) -> None:
    (first, _), total, difference = sixteen()
    second = tensor("INPUT1", np.full((1, 16), 7, np.int32), "INT32", binary=False)
    wanted = [client.InferRequestedOutput(f"OUTPUT{i}", binary_data=bool(i)) for i in (0, 1)]
    for inputs in ([first, second], [second, first]):
        result = open_client("simple").infer("simple", inputs, outputs=wanted)
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), total)
        np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), difference)
        sizes = ["binary_data_size" in output.get("parameters", {}) for output in result.get_response()["outputs"]]
        assert sizes == [False, True]


def test_a_request_that_names_no_output_gets_all_as_bytes(open_client: Any) -> None:
    inputs, total, _ = sixteen()
    result = open_client("simple").infer("simple", inputs, model_version="1")
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), total)
    assert result.get_output("OUTPUT1")["parameters"] == {"binary_data_size": 64}


def test_only_the_outputs_that_are_asked_for_come_back(open_client: Any) -> None:
    inputs, _, _ = sixteen()
    result = open_client("simple").infer("simple", inputs, outputs=[client.InferRequestedOutput("OUTPUT1")])
    assert result.as_numpy("OUTPUT0") is None
    assert result.as_numpy("OUTPUT1") is not None


@pytest.mark.parametrize("binary", [True, False])
def test_texts_that_hold_numbers(open_client: Any, binary: bool) -> None:
    inputs, total, _ = sixteen("BYTES", binary=binary)
    result = open_client("simple_string").infer("simple_string", inputs)
    texts = [text.decode() for text in result.as_numpy("OUTPUT0").reshape(-1)]
    assert texts == [str(n) for n in total.reshape(-1)]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("datatype", list(models.KINDS))
def test_every_datatype_survives_both_ways_to_the_last_bit(open_client: Any, datatype: str, binary: bool) -> None:
    name = f"identity-{datatype}"
    values = extremes(datatype)
    wanted = [client.InferRequestedOutput("OUTPUT0", binary_data=binary)]
    result = open_client(name).infer(name, [tensor("INPUT0", values, datatype, binary=binary)], outputs=wanted)
    got = result.as_numpy("OUTPUT0")
    if datatype == "BYTES":
        got = np.array([t.decode() if isinstance(t, bytes) else t for t in got.reshape(-1)], object).reshape(2, 3)
    assert got.dtype == values.dtype
    assert got.tolist() == values.tolist()


def test_bytes_may_hold_what_json_cannot(open_client: Any) -> None:
    values = np.array([[np.nan, np.inf, -np.inf]], np.float32)
    result = open_client("identity-FP32").infer("identity-FP32", [tensor("INPUT0", values, "FP32")])
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), values)


@pytest.mark.parametrize("answer", [None, "gzip", "deflate"])
@pytest.mark.parametrize("question", [None, "gzip", "deflate"])
def test_bodies_may_be_compressed_both_ways(open_client: Any, question: str | None, answer: str | None) -> None:
    values = np.arange(3000, dtype=np.float32).reshape(30, 100)
    result = open_client("identity-FP32").infer(
        "identity-FP32",
        [tensor("INPUT0", values, "FP32")],
        request_compression_algorithm=question,
        response_compression_algorithm=answer,
    )
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), values)


def test_only_a_long_answer_is_compressed_and_only_if_it_is_taken(address: Any, connect: Any) -> None:
    wire: Wire = connect(f"http://{address('identity-FP32')}")
    for n_values, accepts, wanted in (
        (2, "gzip", None),
        (2000, "gzip", "gzip"),
        (2000, "gzip;q=0, deflate", "deflate"),
        (2000, "br", None),
        (2000, "", None),
    ):
        body = {"inputs": [{"name": "INPUT0", "shape": [1, n_values], "datatype": "FP32", "data": [1.5] * n_values}]}
        status, headers, _ = wire(
            "POST", "/v2/models/identity-FP32/infer", body, {"accept-encoding": accepts} if accepts else {}
        )
        assert (status, headers.get("content-encoding")) == (200, wanted)


@pytest.mark.parametrize("binary", [True, False])
def test_the_largest_classes_come_as_texts(open_client: Any, binary: bool) -> None:
    values = np.array([[1, 2, 3, 4], [-1, -2, -3, -4]], np.float32)
    wanted = [client.InferRequestedOutput("probabilities", binary_data=binary, class_count=2)]
    triton = open_client("classifier")
    result = triton.infer("classifier", [tensor("x", values, "FP32")], outputs=wanted)
    said = [
        [text.decode() if isinstance(text, bytes) else text for text in row] for row in result.as_numpy("probabilities")
    ]
    plain = triton.infer("classifier", [tensor("x", values, "FP32")]).as_numpy("probabilities")
    assert [row[0].split(":")[1:] for row in said] == [["2", "eel"], ["0", "cat"]]
    for texts, shares in zip(said, plain, strict=True):
        assert [float(text.split(":")[0]) for text in texts] == pytest.approx(sorted(shares, reverse=True)[:2])


def test_more_classes_than_there_are_give_all_of_them_and_texts_have_none(open_client: Any) -> None:
    values = np.ones((1, 4), np.float32)
    triton = open_client("classifier")
    many = [client.InferRequestedOutput("probabilities", class_count=99)]
    assert triton.infer("classifier", [tensor("x", values, "FP32")], outputs=many).as_numpy("probabilities").shape == (
        1,
        3,
    )
    with pytest.raises(InferenceServerException, match="numbers"):
        text = [client.InferRequestedOutput("label", class_count=1)]
        triton.infer("classifier", [tensor("x", values, "FP32")], outputs=text)


def test_a_bundle_is_one_tensor_per_column(open_client: Any) -> None:
    rows = feeds(20)
    inputs = [tensor(k, v, "FP64" if v.dtype.kind == "f" else "BYTES") for k, v in rows.items()]
    wanted = small_bundle().graph.predict(rows)
    triton = open_client("bank")
    for version in ("", "3"):
        result = triton.infer("bank", inputs, model_version=version)
        assert [text.decode() for text in result.as_numpy("prediction")] == wanted.prediction.tolist()
        np.testing.assert_array_equal(result.as_numpy("probabilities"), wanted.probabilities)
    top = [client.InferRequestedOutput("probabilities", class_count=1)]
    labels = triton.infer("bank", inputs, outputs=top).as_numpy("probabilities").reshape(-1)
    assert [text.decode().split(":")[2] for text in labels] == wanted.prediction.tolist()


def test_many_requests_at_once_from_one_client(open_client: Any) -> None:
    triton = open_client("simple")
    inputs, total, _ = sixteen()
    pending = [triton.async_infer("simple", inputs, request_id=str(n)) for n in range(20)]
    for n, request in enumerate(pending):
        result = request.get_result()
        assert result.get_response()["id"] == str(n)
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), total)


def test_the_asyncio_client_does_the_same(address: Any) -> None:
    inputs, total, _ = sixteen()

    async def ask() -> None:
        async with aio.InferenceServerClient(address("simple")) as triton:
            assert await triton.is_server_ready()
            assert (await triton.get_model_metadata("simple"))["name"] == "simple"
            assert (await triton.get_model_config("simple"))["name"] == "simple"
            assert (await triton.get_model_repository_index())[0]["state"] == "READY"
            assert (await triton.get_inference_statistics("simple"))["model_stats"][0]["version"] == "1"
            for question in (None, "gzip", "deflate"):
                answers = await asyncio.gather(
                    *(
                        triton.infer(
                            "simple",
                            inputs,
                            request_compression_algorithm=question,
                            response_compression_algorithm=question,
                        )
                        for _ in range(5)
                    )
                )
                for result in answers:
                    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), total)
            with pytest.raises(InferenceServerException, match="absent"):
                await triton.infer("simple", inputs[:1])

    asyncio.run(ask())


# ── refuse ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def refused(triton: Any, name: str, inputs: list[Any], **options: Any) -> tuple[str, str]:
    with pytest.raises(InferenceServerException) as caught:
        triton.infer(name, inputs, **options)
    return caught.value.status(), caught.value.message()


def test_an_unknown_model_or_version_is_not_found(open_client: Any) -> None:
    inputs, _, _ = sixteen()
    triton = open_client("simple")
    for name, version in (("other", ""), ("simple", "2")):
        status, message = refused(triton, name, inputs, model_version=version)
        assert status == "404"
        assert message.startswith("Request for unknown model")


def test_what_does_not_fit_the_signature_is_refused_by_name(open_client: Any) -> None:
    triton = open_client("simple")
    good, _, _ = sixteen()
    ones = np.ones((1, 16))
    bad = {
        "INPUT1: absent": good[:1],
        "not one of": [*good, tensor("INPUT9", ones.astype(np.int32), "INT32")],
        "INPUT0: twice": [good[0], *good],
        "INPUT1: datatype must be INT32": [good[0], tensor("INPUT1", ones.astype(np.float32), "FP32")],
        "INPUT1: shape must be": [good[0], tensor("INPUT1", np.ones((2, 16), np.int32), "INT32")],
        "INPUT1: shape": [good[0], tensor("INPUT1", np.ones(16, np.int32), "INT32")],
    }
    for what, inputs in bad.items():
        for words in (inputs,):
            status, message = refused(triton, "simple", words)
            assert status == "400"
            for part in what.split(": "):
                assert part in message, message


def test_an_unknown_output_is_refused(open_client: Any) -> None:
    good, _, _ = sixteen()
    status, message = refused(open_client("simple"), "simple", good, outputs=[client.InferRequestedOutput("OUTPUT9")])
    assert status == "400"
    assert "OUTPUT0, OUTPUT1" in message


def test_numbers_that_do_not_fit_the_datatype_are_refused(address: Any, connect: Any) -> None:
    cases = {
        "INT8": [128, -129, 1.5, "1", True, None],
        "UINT64": [-1, 2**64, 1.5],
        "INT64": [2**63],
        "FP16": [1e6, "1"],
        "FP32": [1e39, None],
        "BOOL": [1, "true"],
        "BYTES": [1, True, None],
    }
    for datatype, values in cases.items():
        name = f"identity-{datatype}"
        wire = connect(f"http://{address(name)}")
        for value in values:
            body = {"inputs": [{"name": "INPUT0", "shape": [1, 1], "datatype": datatype, "data": [value]}]}
            status, answer = wire.json("POST", f"/v2/models/{name}/infer", body)
            assert status == 400, (datatype, value, answer)
            assert "`INPUT0`" in answer["error"]
            assert answer["fields"] == ["INPUT0"]


def test_nested_and_flat_data_are_the_same(address: Any, connect: Any) -> None:
    wire = connect(f"http://{address('identity-INT64')}")
    answers = []
    for data in ([1, 2, 3, 4, 5, 6], [[1, 2, 3], [4, 5, 6]]):
        body = {"inputs": [{"name": "INPUT0", "shape": [2, 3], "datatype": "INT64", "data": data}]}
        status, answer = wire.json("POST", "/v2/models/identity-INT64/infer", body)
        assert status == 200
        answers.append(answer["outputs"])
    assert (
        answers[0]
        == answers[1]
        == [{"name": "OUTPUT0", "datatype": "INT64", "shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]}]
    )


def test_a_body_without_json_is_the_one_tensor(address: Any, connect: Any) -> None:
    wire = connect(f"http://{address('classifier')}")
    values = np.arange(8, dtype=np.float32).reshape(2, 4)
    headers = {"inference-header-content-length": "0"}
    status, answered, body = wire("POST", "/v2/models/classifier/infer", values.tobytes(), headers)
    assert status == 200
    head = json.loads(body[: int(answered["inference-header-content-length"])])
    assert [output["shape"] for output in head["outputs"]] == [[2], [2, 3]]
    assert wire("POST", "/v2/models/classifier/infer", values.tobytes()[:-2], headers)[0] == 400
    assert wire("POST", "/v2/models/classifier/infer", b"", headers)[0] == 400


def test_every_route_answers_other_methods_with_405_or_404(address: Any, connect: Any) -> None:
    wire = connect(f"http://{address('simple')}")
    routes = {
        "GET": ["/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/stats"]
        + [
            f"/v2/models/simple{verb}"
            for verb in ("", "/ready", "/config", "/stats", "/versions/1", "/versions/1/stats")
        ],
        "POST": ["/v2/models/simple/infer", "/v2/repository/index", "/predict"],
    }
    for good, paths in routes.items():
        for path in paths:
            for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} - {good}:
                status, headers, _ = wire(method, path)
                assert (status, good in headers.get("allow", "")) == (405, True), (method, path)


def test_the_path_of_a_model_is_the_name_of_its_file(tmp_path: Path, connect: Any) -> None:
    path = models.write(tmp_path, "my model v2.1", models.identity("FP32"))
    with serve.background(serve.create_app(serve.any_onnx(path))) as url:
        wire = connect(url)
        assert wire.json("GET", "/v2/models/my%20model%20v2.1")[1]["name"] == "my model v2.1"
        assert wire.json("GET", "/openapi.json")[0] == 200
        assert wire("GET", "/")[0] == 200
        wire.connection.close()
