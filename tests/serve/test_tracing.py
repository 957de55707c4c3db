"""Spans reach a collector over OTLP/HTTP: a real one, on loopback, that reads the protocol's own messages."""

from __future__ import annotations

import gzip
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

import palio
from palio import serve
from palio.serve.tracing import Parent, Sampling, open_tracer, parent_of, sampling_of
from tests.serve.conftest import Wire
from tests.serve.small_model import GOOD, SmallBundle

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, NOT_SAMPLED = f"00-{TRACE}-{CALLER}-01", f"00-{TRACE}-{CALLER}-00"


class Collector:
    """Keeps what is sent to it."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                if self.path == "/v1/traces":
                    collector.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def spans(self) -> list[Span]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture
def env(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set the variables of OpenTelemetry, and no others of them."""

    def put(**values: str) -> None:
        for name, value in {"NO_PROXY": "127.0.0.1", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **values}.items():
            monkeypatch.setenv(name, value)

    return put


def attributes(span: Span) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def test_each_kind_of_answer_is_one_span(bundle: SmallBundle, collector: Collector, env: Callable[..., None]) -> None:
    env(OTEL_TRACES_SAMPLER="always_on", OTEL_RESOURCE_ATTRIBUTES="deployment.environment=test")
    before = time.time_ns()
    with serve.background(serve.create_app(serve.fixed(bundle, model="bank", version=3))) as url:
        wire = Wire(url)
        told = wire.json("POST", "/predict", {"records": [GOOD, GOOD]})[1]
        assert wire("POST", "/predict", {"records": [{**GOOD, "age": "secret"}]})[0] >= 400
        assert wire("POST", "/v2/models/nobody/infer", {"inputs": []})[0] == 404
        assert wire("GET", "/v2/health/ready")[0] == 200
        wire.connection.close()
    good, bad, unknown = sorted(collector.spans(), key=lambda span: span.start_time_unix_nano)
    assert (good.name, bad.name, unknown.name) == ("predict", "predict", "infer")
    assert good.kind == Span.SPAN_KIND_SERVER
    assert before <= good.start_time_unix_nano <= good.end_time_unix_nano <= bad.start_time_unix_nano
    assert bad.end_time_unix_nano <= time.time_ns()
    assert (
        attributes(good).items()
        >= {
            "http.response.status_code": 200,
            "palio.model": "bank",
            "palio.version": 3,
            "palio.role": "champion",
            "palio.rows": 2,
        }.items()
    )
    first = told["predictions"][0]["id"]
    assert first == attributes(good)["palio.prediction_id"] + ".0"
    assert 400 <= attributes(bad)["http.response.status_code"] < 500
    assert attributes(unknown)["http.response.status_code"] == 404
    assert {span.status.code for span in (good, bad, unknown)} == {Status.STATUS_CODE_UNSET}
    assert not good.parent_span_id
    resource = collector.requests[0].resource_spans[0].resource
    named = {one.key: one.value.string_value for one in resource.attributes}
    assert (named["service.name"], named["service.version"]) == ("palio", palio.__version__)
    assert named["deployment.environment"] == "test"
    assert b"secret" not in b"".join(request.SerializeToString() for request in collector.requests)


def test_the_caller_is_the_parent_and_decides(
    bundle: SmallBundle, collector: Collector, env: Callable[..., None]
) -> None:
    env(OTEL_TRACES_SAMPLER="parentbased_always_off", OTEL_EXPORTER_OTLP_COMPRESSION="gzip", OTEL_SERVICE_NAME="bank")
    with serve.background(serve.create_app(serve.fixed(bundle))) as url:
        wire = Wire(url)
        wire("POST", "/predict", {"records": [GOOD]})
        wire("POST", "/predict", {"records": [GOOD]}, {"traceparent": NOT_SAMPLED})
        wire("POST", "/predict", {"records": [GOOD]}, {"traceparent": "00-broken-01"})
        wire("POST", "/predict", {"records": [GOOD]}, {"traceparent": SAMPLED, "tracestate": "shop=7"})
        wire.connection.close()
    (span,) = collector.spans()
    assert (span.trace_id.hex(), span.parent_span_id.hex(), span.trace_state) == (TRACE, CALLER, "shop=7")
    resource = collector.requests[0].resource_spans[0].resource
    assert "bank" in {one.value.string_value for one in resource.attributes if one.key == "service.name"}


def test_a_defect_is_an_error(
    bundle: SmallBundle, collector: Collector, env: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    env(OTEL_TRACES_SAMPLER="always_on")
    app = serve.create_app(serve.fixed(bundle))
    with serve.background(app) as url:
        monkeypatch.setattr(app.pipeline, "admit", lambda *_: 1 / 0)
        wire = Wire(url)
        assert wire("POST", "/predict", {"records": [GOOD]})[0] == 500
        wire.connection.close()
    (span,) = collector.spans()
    assert span.status.code == Status.STATUS_CODE_ERROR
    assert attributes(span)["error.type"] == "500"


def test_a_collector_that_is_away_holds_nothing_up(bundle: SmallBundle, env: Callable[..., None]) -> None:
    env(OTEL_TRACES_SAMPLER="always_on", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    with serve.background(serve.create_app(serve.fixed(bundle))) as url:
        wire = Wire(url)
        assert wire("POST", "/predict", {"records": [GOOD]})[0] == 200
        wire.connection.close()
        begin = time.monotonic()
    assert time.monotonic() - begin < 8


@pytest.mark.parametrize(
    "values",
    [
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_nothing_is_traced_unless_it_is_asked_for(env: Callable[..., None], values: dict[str, str]) -> None:
    env(**values)
    assert open_tracer() is None


def test_a_missing_package_is_one_clear_warning(
    env: Callable[..., None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    env()
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    assert open_tracer() is None
    (line,) = caplog.messages
    assert 'pip install "palio[otel]"' in line


def test_a_protocol_that_is_not_spoken_is_one_clear_warning(
    env: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    env(OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    assert open_tracer() is None
    (line,) = caplog.messages
    assert "`grpc`" in line


def test_a_server_without_a_collector_imports_nothing_of_it() -> None:
    script = (
        "import sys; from palio.serve import create_app, tracing;"
        "print(tracing.open_tracer(), [name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None []"


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"00",
        SAMPLED.upper().encode(),
        SAMPLED.encode()[:-1],
        SAMPLED.encode() + b"-more",
        b"ff" + SAMPLED.encode()[2:],
        b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01",
        b"00-0af7651916cd43dd8448eb211c80319c-" + b"0" * 16 + b"-01",
        b"\xff" * 55,
    ],
)
def test_what_is_no_parent_is_none(header: bytes) -> None:
    assert parent_of(header) is None


def test_a_parent_is_read_also_from_a_later_version() -> None:
    wanted = Parent(int(TRACE, 16), int(CALLER, 16), True)
    assert parent_of(SAMPLED.encode()) == wanted
    assert parent_of(f"01-{TRACE}-{CALLER}-03-more".encode()) == wanted
    assert parent_of(NOT_SAMPLED.encode()) == wanted._replace(is_sampled=False)


@pytest.mark.parametrize(
    ("sampler", "argument", "rate", "follows"),
    [
        ("", "", 0.01, True),
        ("", "0.5", 0.5, True),
        ("always_on", "", 1, False),
        ("always_off", "", 0, False),
        ("parentbased_always_on", "", 1, True),
        ("traceidratio", "0.25", 0.25, False),
        ("parentbased_traceidratio", "1", 1, True),
        ("traceidratio", "7", 0.01, False),
        ("traceidratio", "nan", 0.01, False),
        ("traceidratio", "a lot", 0.01, False),
        ("jaeger_remote", "", 0.01, True),
    ],
)
def test_the_sampler_is_read_from_the_environment(
    sampler: str, argument: str, rate: float, follows: bool, caplog: pytest.LogCaptureFixture
) -> None:
    found = sampling_of({"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument})
    assert found == Sampling(round(rate * 2**64), follows)
    is_wrong = argument in ("7", "nan", "a lot") or sampler == "jaeger_remote"
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * is_wrong


def test_the_share_that_is_sampled_is_the_share_that_was_asked_for() -> None:
    sampling = Sampling(round(0.25 * 2**64), False)
    n_sampled = sum(sampling.wants(None) for _ in range(10_000))
    assert 2_200 <= n_sampled <= 2_800  # seven standard deviations
    traces = [Parent((n << 64) + n * 2**52, 1, True) for n in range(1, 2**12)]
    assert sum(sampling.wants(parent) for parent in traces) == 2**10 - 1


def test_a_call_of_grpc_is_a_span_under_its_caller(
    bundle: SmallBundle, collector: Collector, env: Callable[..., None]
) -> None:
    pytest.importorskip("grpc")
    client: Any = pytest.importorskip("tritonclient.grpc")
    env(OTEL_TRACES_SAMPLER="parentbased_always_off")
    door = serve.GrpcListener(port=0)
    with (
        serve.background(serve.create_app(serve.fixed(bundle, model="bank"), grpc=door)),
        client.InferenceServerClient(f"127.0.0.1:{door.port}") as triton,
        pytest.raises(Exception, match="unknown"),
    ):
        triton.infer("nobody", [], headers={"traceparent": SAMPLED})
    (span,) = collector.spans()
    assert (span.name, span.parent_span_id.hex()) == ("grpc", CALLER)
