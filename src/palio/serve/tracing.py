"""Tell OpenTelemetry of requests: one span each, where an exporter is configured; else nothing is imported or paid.

A span is made after its answer, from what is known of the request by then. Whether it is wanted at all is decided
first, from the parent's flag or a random number: a request that is not sampled costs about a microsecond.

Source: W3C Trace Context (level 1), OpenTelemetry specification 1.x, environment variables of the SDK.
"""

from __future__ import annotations

import logging
import os
import random
import re
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from palio.core.version import __version__

if TYPE_CHECKING:
    from palio.serve.ticket import Ticket

log = logging.getLogger("palio.serve")

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
DEFAULT_RATE = 0.01
"""Share of the requests without a parent that are traced unless `OTEL_TRACES_SAMPLER` says otherwise: at thousands of
requests a second all of them would be more than the exporter's queue (2,048) takes."""
CLOSE_S = 3.0
"""How long what waits may take to be sent when the server stops; a collector that is away must not hold it up."""

_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_ALL = 1 << 64


class Parent(NamedTuple):
    """The span of the caller, as its `traceparent` header names it."""

    trace_id: int
    span_id: int
    is_sampled: bool


class Sampling(NamedTuple):
    """Which requests become spans."""

    bound: int
    """Of 2^64: a trace is sampled if the lower half of its id is below."""
    follows_parent: bool
    """Whether a caller that has decided is followed."""

    def wants(self, parent: Parent | None) -> bool:
        """Decide for one request."""
        if parent is None:
            return random.getrandbits(64) < self.bound
        if self.follows_parent:
            return parent.is_sampled
        return parent.trace_id % _ALL < self.bound


class Tracer:
    """Makes spans and sends them from a thread of its own. Close it: what waits is sent then.

    Args:
        provider: A `TracerProvider` that records everything it is given.
        exporter: Where spans go in the end; told to give up when closing takes too long.
        sampling: Which requests are told of.
    """

    def __init__(self, provider: Any, exporter: Any, sampling: Sampling) -> None:
        from opentelemetry import context, trace

        self._trace = trace
        self._root = context.Context()
        self._provider = provider
        self._exporter = exporter
        self._sampling = sampling
        self._tracer = provider.get_tracer("palio.serve", __version__)

    def finished(self, ticket: Ticket, status: int, headers: Mapping[bytes, bytes]) -> None:
        """Tell of a request that was answered with `status`; never raises, never waits."""
        told, state = headers.get(b"traceparent"), headers.get(b"tracestate")
        parent = None if told is None else parent_of(told)
        if self._sampling.wants(parent):
            try:
                self._tell(ticket, status, parent, state)
            except Exception:
                log.exception("a span could not be made")

    def close(self) -> None:
        """Send what waits, for at most `CLOSE_S` seconds."""
        last = threading.Thread(target=self._provider.shutdown, name="palio-spans", daemon=True)
        last.start()
        last.join(CLOSE_S)
        if last.is_alive():
            log.warning("traces: the collector does not answer; the last spans are lost")
            self._exporter.shutdown()

    def _tell(self, ticket: Ticket, status: int, parent: Parent | None, state: bytes | None) -> None:
        trace = self._trace
        span = self._tracer.start_span(
            ticket.route,
            context=trace.set_span_in_context(self._remote(parent, state)) if parent else self._root,
            kind=trace.SpanKind.SERVER,
            attributes=_attributes(ticket, status),
            start_time=ticket.at_ns,
        )
        if status >= 500:
            span.set_status(trace.Status(trace.StatusCode.ERROR))
        span.end(max(time.time_ns(), ticket.at_ns))

    def _remote(self, parent: Parent, state: bytes | None) -> Any:
        trace = self._trace
        return trace.NonRecordingSpan(
            trace.SpanContext(
                parent.trace_id,
                parent.span_id,
                is_remote=True,
                trace_flags=trace.TraceFlags(int(parent.is_sampled)),
                trace_state=trace.TraceState.from_header([state.decode("latin-1")]) if state else None,
            )
        )


def parent_of(header: bytes) -> Parent | None:
    """Read a `traceparent` header; None if it is not one, as the standard wants.

    Example:
        >>> parent_of(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").is_sampled
        True
        >>> parent_of(b"00-00000000000000000000000000000000-b7ad6b7169203331-01")
    """
    match = _PARENT.fullmatch(header.strip())
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    parent = Parent(int(trace_id, 16), int(span_id, 16), bool(int(flags, 16) & 1))
    if version == b"ff" or (version == b"00" and more) or not parent.trace_id or not parent.span_id:
        return None
    return parent


def sampling_of(env: Mapping[str, str]) -> Sampling:
    """Read `OTEL_TRACES_SAMPLER` and its argument; what is not known is warned of, and the default counts.

    Example:
        >>> sampling_of({"OTEL_TRACES_SAMPLER": "always_on"}).follows_parent
        False
    """
    name = env.get("OTEL_TRACES_SAMPLER", "").strip().lower() or "parentbased_traceidratio"
    base, follows = name.removeprefix("parentbased_"), name.startswith("parentbased_")
    if base in ("always_on", "always_off"):
        return Sampling(_ALL if base == "always_on" else 0, follows)
    if base != "traceidratio":
        log.warning("traces: OTEL_TRACES_SAMPLER: got `%s`; taking parentbased_traceidratio instead", name[:100])
        follows = True
    text = env.get("OTEL_TRACES_SAMPLER_ARG", "").strip()
    try:
        rate = float(text) if text else DEFAULT_RATE
        if not 0 <= rate <= 1:
            raise ValueError
    except ValueError:
        log.warning("traces: OTEL_TRACES_SAMPLER_ARG: got `%s`, allowed 0 to 1; taking %g", text[:100], DEFAULT_RATE)
        rate = DEFAULT_RATE
    return Sampling(round(rate * _ALL), follows)


def open_tracer(env: Mapping[str, str] | None = None) -> Tracer | None:
    """Return what makes spans if the environment names a collector; else None. One line of the log says what holds."""
    env = os.environ if env is None else env
    endpoint = next((env[name] for name in ENDPOINTS if env.get(name, "").strip()), "")
    is_off = env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if not endpoint or is_off or env.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return None
    protocol = next((env[name] for name in PROTOCOLS if env.get(name, "").strip()), "http/protobuf")
    if protocol != "http/protobuf":
        log.warning("no traces: OTLP is sent as http/protobuf only, but the environment asks for `%s`", protocol[:100])
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON
    except ImportError as error:
        log.warning(
            'no traces: a collector is configured, but package %s is not installed; run pip install "palio[otel]"',
            error.name or error,
        )
        return None
    try:
        exporter = OTLPSpanExporter()
        provider = TracerProvider(sampler=ALWAYS_ON, resource=_resource(), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(exporter))
    except Exception as error:  # noqa: BLE001 - whatever a variable holds, the server answers
        log.warning("no traces: the OTEL_ variables cannot be used: %s", error)
        return None
    sampling = sampling_of(env)
    log.info("traces: %g %% of the requests that have no parent are sent", 100 * sampling.bound / _ALL)
    return Tracer(provider, exporter, sampling)


def _resource() -> Any:
    """Name the service `palio`, unless the environment has a name for it."""
    from opentelemetry.sdk.resources import Resource

    found = Resource.create()
    if str(found.attributes.get("service.name", "unknown_service")).startswith("unknown_service"):
        found = found.merge(Resource({"service.name": "palio"}))
    return found.merge(Resource({"service.version": __version__}))


def _attributes(ticket: Ticket, status: int) -> dict[str, Any]:
    """Say what is known: never what was asked, nor by whom; the id leads to the prediction log, which may know."""
    told: dict[str, Any] = {"http.response.status_code": status, "palio.prediction_id": ticket.id}
    if ticket.served is not None:
        deployment = ticket.served.deployment
        told |= {"palio.model": deployment.model, "palio.version": deployment.version, "palio.role": ticket.target}
    if ticket.asked is not None:
        told["palio.rows"] = ticket.asked.n_rows
    if ticket.verdict is not None:
        told["palio.decision"] = ticket.verdict.id
    if status >= 500:
        told["error.type"] = str(status)
    return told
