"""Routes, methods, caps and pages over a real socket."""

from __future__ import annotations

import json
import socket
import time
from urllib.parse import urlsplit

import pytest

import palio
from palio import serve
from tests.serve.conftest import Wire
from tests.serve.protocols.test_tensors import tensors
from tests.serve.small_model import GOOD, SmallBundle


def test_the_protocol_describes_server_and_model(wire: Wire) -> None:
    _, server = wire.json("GET", "/v2")
    assert server["name"] == "palio"
    assert "binary_tensor_data" in server["extensions"]
    _, model = wire.json("GET", "/v2/models/bank/versions/3")
    assert model["versions"] == ["3"]
    assert {"name": "job", "datatype": "BYTES", "shape": [-1, 1]} in model["inputs"]
    assert {"name": "probabilities", "datatype": "FP64", "shape": [-1, 2]} in model["outputs"]
    assert wire.json("GET", "/v2/models/bank")[1] == model


def test_health_says_live_and_ready(wire: Wire) -> None:
    assert wire.json("GET", "/v2/health/live") == (200, {"live": True})
    assert wire.json("GET", "/v2/health/ready") == (200, {"ready": True, "model": "bank", "version": "3"})
    assert wire.json("GET", "/v2/models/bank/ready") == (200, {"name": "bank", "ready": True})
    assert wire.json("GET", "/health")[1]["ready"] is True


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/predict", "POST"),
        ("PUT", "/predict", "POST"),
        ("DELETE", "/v2/models/bank/infer", "POST"),
        ("GET", "/v2/models/bank/infer", "POST"),
        ("POST", "/v2", "GET, HEAD"),
        ("POST", "/v2/health/live", "GET, HEAD"),
        ("PATCH", "/v2/models/bank", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
        ("POST", "/metrics", "GET, HEAD"),
        ("OPTIONS", "/openapi.json", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_refused_with_the_allowed_ones(wire: Wire, method: str, path: str, allow: str) -> None:
    status, headers, body = wire(method, path)
    assert status == 405
    assert sorted(headers["allow"].split(", ")) == sorted(allow.split(", "))
    assert "error" in json.loads(body)


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/v2/nothing",
        "/v2/models",
        "/v2/models/",
        "/v2/models/other",
        "/v2/models/other/ready",
        "/v2/models/bank/versions/9",
        "/v2/models/bank/versions",
        "/v2/models/bank/versions/3/ready/more",
        "/v2/models/..%2f..%2fetc%2fpasswd",
        "/v2/models/../../etc/passwd",
        "/v2/models/bank%00",
        "/v2models/bank",
        "/predict/more",
    ],
)
def test_an_unknown_path_is_not_found_and_not_quoted(wire: Wire, path: str) -> None:
    status, _, body = wire("GET", path)
    assert status == 404
    assert set(json.loads(body)) == {"error"}
    assert b"passwd" not in body


@pytest.mark.parametrize(
    "path", ["/predict", "/invocations", "/feedback", "/health", "/metrics", "/v2", "/v2/models/bank"]
)
def test_a_slash_at_the_end_of_a_path_means_nothing(wire: Wire, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert wire(method, f"{path}/")[0] == wire(method, path)[0]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/predict?treshold=0.9", "did you mean `threshold`?"),
        ("/predict?Explain=1", "did you mean `explain`?"),
        ("/predict?explain=0&expalin=1", "did you mean `explain`?"),
        ("/invocations?foo", "use one of `explain`, `threshold`"),
        ("/v2/models/bank/infer?%74reshold=1", "did you mean `threshold`?"),
        ("/feedback?dry_run=1", "this route reads none"),
    ],
)
def test_a_parameter_that_nobody_reads_is_refused_by_its_name(wire: Wire, path: str, hint: str) -> None:
    status, _, body = wire("POST", path, GOOD, {"content-type": "application/json"})
    told = json.loads(body)
    if path.startswith("/feedback") and status == 404:
        pytest.skip("this server takes no feedback")
    assert status == 400 and "unknown parameter" in body.decode() and hint in body.decode(), told


def test_a_refusal_does_not_say_back_what_is_no_name(wire: Wire) -> None:
    status, _, body = wire("POST", "/predict?" + "%0a%60x" * 4_000, GOOD)
    assert status == 400 and len(body) < 400 and b"``" not in body


@pytest.mark.parametrize("path", ["/health", "/metrics", "/v2", "/v2/health/ready", "/v2/models/bank", "/"])
def test_routes_that_only_tell_name_the_parameters_that_they_ignore(wire: Wire, path: str) -> None:
    assert "x-palio-ignored" not in wire("GET", path)[1]
    status, headers, _ = wire("GET", path + "?verbose&n%C3%A4he=1&verbose=2")
    assert (status, headers["x-palio-ignored"]) == (200, "verbose,n%C3%A4he")


def test_other_extensions_of_the_protocol_are_refused_as_unsupported(wire: Wire) -> None:
    assert wire("GET", "/v2/systemsharedmemory/status")[0] == 501


def test_an_unknown_model_is_refused_in_the_words_that_clients_look_for(wire: Wire) -> None:
    status, answer = wire.json("POST", "/v2/models/other/infer", {"inputs": tensors()})
    assert status == 404
    assert answer["error"].startswith("Request for unknown model")


def test_metrics_count_requests_rows_and_flags(wire: Wire) -> None:
    changed = tensors(job={"data": ["astronaut"]})
    wire("POST", "/v2/models/bank/infer", {"inputs": changed})
    wire("POST", "/v2/models/bank/infer", b"bad")
    status, headers, body = wire("GET", "/metrics")
    text = body.decode()
    assert status == 200
    assert headers["content-type"].startswith("text/plain")
    for line in (
        'palio_requests_total{route="infer",status="200"}',
        'palio_requests_total{route="infer",status="400"}',
        'palio_flags_total{flag="job: unknown category"}',
        'palio_rows_total{model="bank",version="3"}',
        'palio_champion_version{model="bank"} 3.0',
        "palio_champion_refused 0.0",
        'palio_request_seconds_bucket{le="0.001",route="infer"}',
    ):
        assert line in text


def test_a_head_request_has_no_body(wire: Wire) -> None:
    status, _, body = wire("HEAD", "/v2/health/live")
    assert (status, body) == (200, b"")


def plain_socket(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


def test_a_body_without_a_length_is_capped_while_it_arrives(url: str) -> None:
    with plain_socket(url) as raw:
        raw.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        chunk = b"%x\r\n" % 50_000 + b" " * 50_000 + b"\r\n"
        for _ in range(5):
            raw.sendall(chunk)
        assert raw.recv(4096).startswith(b"HTTP/1.1 413")


def test_a_client_that_does_not_send_its_body_is_told_so(url: str) -> None:
    with plain_socket(url) as raw:
        raw.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        begin = time.monotonic()
        assert raw.recv(4096).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - begin < 5


def test_a_client_that_goes_away_early_harms_nobody(url: str, wire: Wire) -> None:
    for _ in range(5):
        with plain_socket(url) as raw:
            raw.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
    assert wire("GET", "/health")[0] == 200


def test_bytes_that_are_not_http_are_dropped(url: str, wire: Wire) -> None:
    with plain_socket(url) as raw:
        raw.sendall(b"\x16\x03\x01\x02\x00 hello\r\n\r\n")
        assert raw.recv(4096).startswith(b"HTTP/1.1 400")
    assert wire("GET", "/health")[0] == 200


def test_requests_in_one_packet_are_answered_in_order(url: str) -> None:
    with plain_socket(url) as raw:
        raw.sendall(
            b"GET /v2/health/live HTTP/1.1\r\nhost: x\r\n\r\nGET /v2 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        )
        answers = b""
        while part := raw.recv(4096):
            answers += part
    assert answers.index(b'"live"') < answers.index(b'"palio"')


def test_a_model_may_have_any_name(bundle: SmallBundle) -> None:
    name = "über/alles {x} %20?"
    with serve.background(serve.create_app(serve.fixed(bundle, model=name))) as url, serve.Client(url) as client:
        outputs = client.infer(name, tensors())
        paths = json.loads(client.request("GET", "/openapi.json"))["paths"]
        for path in paths:
            assert "{" not in path
            if path.endswith("/ready") and "models" in path:
                assert json.loads(client.request("GET", path)) == {"name": name, "ready": True}
    assert outputs["prediction"]["shape"] == [1]


def test_mlflows_routes_answer_its_clients(wire: Wire) -> None:
    rows = {"dataframe_records": [GOOD]}
    headers = {"content-type": "application/json"}
    status, answered, body = wire("POST", "/invocations", rows, headers)
    assert status == 200
    assert set(json.loads(body)) == {"predictions"}
    assert answered["x-palio-prediction-id"]
    status, _, body = wire("POST", "/invocations", {"dataframe_records": [GOOD | {"age": 5}]}, headers)
    assert (status, json.loads(body)["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    status, answered, _ = wire("POST", "/invocations", rows, {"content-type": "text/plain"})
    assert (status, answered["content-type"].partition(";")[0]) == (415, "text/plain")
    assert wire("POST", "/invocations", b" " * 200_001, headers)[0] == 413
    assert wire("GET", "/ping")[0::2] == (200, b"\n")
    assert wire("GET", "/version")[2].decode() == palio.__version__
