"""Count and time what the server does, in the form that Prometheus reads."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from palio.serve.registry import State

_BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Meters:
    """The numbers of one server. Children are looked up once and kept: a request costs two additions."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter("palio_requests", "Requests answered", ["route", "status"], registry=self.registry)
        self._seconds = Histogram(
            "palio_request_seconds",
            "From the whole body to the whole answer",
            ["route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._rows = Counter("palio_rows", "Rows predicted", ["model", "version"], registry=self.registry)
        self._flags = Counter("palio_flags", "Unusual values let through", ["flag"], registry=self.registry)
        self._champion = Gauge("palio_champion_version", "Version that answers", ["model"], registry=self.registry)
        self._refused = Gauge("palio_champion_refused", "1 while the newest is not served", registry=self.registry)
        self._answered: dict[tuple[str, int], Counter] = {}
        self._timed: dict[str, Histogram] = {}
        self._predicted: dict[tuple[str, str], Counter] = {}

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count one answer of `route`."""
        counter = self._answered.get((route, status))
        if counter is None:
            counter = self._answered[route, status] = self._requests.labels(route, str(status))
            self._timed[route] = self._seconds.labels(route)
        counter.inc()
        self._timed[route].observe(seconds)

    def predicted(self, model: str, version: str, n_rows: int, flags: Iterable[str]) -> None:
        """Count predicted rows and the flags that they raised."""
        counter = self._predicted.get((model, version))
        if counter is None:
            counter = self._predicted[model, version] = self._rows.labels(model, version)
        counter.inc(n_rows)
        for flag, count in Tally(flags).items():
            self._flags.labels(flag).inc(count)

    def changed(self, state: State) -> None:
        """Note which version answers, and whether a newer one is refused."""
        self._refused.set(1 if state.trouble else 0)
        if state.served is not None:
            self._champion.labels(state.served.deployment.model).set(state.served.deployment.version)

    def render(self) -> bytes:
        """Write all numbers in the Prometheus text format 0.0.4."""
        return generate_latest(self.registry)
