"""Count and time what the server does, in the form that Prometheus reads; workers add up to one."""

from __future__ import annotations

import contextlib
import os
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

if TYPE_CHECKING:
    from palio.serve.registry import State

_BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
PUBLISH_S = 1.0
_MAXIMA = {"palio_champion_version", "palio_champion_refused"}
"""Gauges of which the largest of all workers is told; of the others the sum."""


class Meters:
    """The numbers of one server; a request costs four additions.

    Other parts count in `registry` too, or let their own numbers be read with `follow`. With `share`, `render` tells
    the sum over all workers, whoever is asked.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counts = _Counts()
        self.registry.register(self._counts)
        self._champion = Gauge("palio_champion_version", "Version that answers", ["model"], registry=self.registry)
        self._refused = Gauge("palio_champion_refused", "1 while the newest is not served", registry=self.registry)
        self._share: _Share | None = None

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count one answer of `route`."""
        counts, key = self._counts, (route, status)
        counts.answers[key] = counts.answers.get(key, 0) + 1
        timed = counts.seconds.get(route)
        if timed is None:
            timed = counts.seconds[route] = [0] * (len(_BUCKETS) + 1), [0.0]
        timed[0][bisect_left(_BUCKETS, seconds)] += 1
        timed[1][0] += seconds

    def predicted(self, model: str, version: str, n_rows: int, flags: Iterable[str]) -> None:
        """Count predicted rows and the flags that they raised."""
        counts, key = self._counts, (model, version)
        counts.rows[key] = counts.rows.get(key, 0) + n_rows
        for flag in flags:
            counts.flags[flag] = counts.flags.get(flag, 0) + 1

    def changed(self, state: State) -> None:
        """Note which version answers, and whether a newer one is refused."""
        self._refused.set(1 if state.trouble else 0)
        if state.served is not None:
            self._champion.labels(state.served.deployment.model).set(state.served.deployment.version)

    def follow(
        self, name: str, documentation: str, label: str, read: Callable[[], Mapping[str, float]], *, gauge: bool = False
    ) -> None:
        """Let numbers that are counted elsewhere be read when they are asked for.

        Args:
            label: What the keys of `read()` are; empty: there is one number, with the key `""`.
            gauge: They can go down.
        """
        self.registry.register(_Followed(name, documentation, label, read, gauge))

    def share(self, folder: Path, worker: int) -> None:
        """Add up with the other workers that share `folder`; go on where an earlier worker of this number ended."""
        self._share = _Share(self.registry, folder, worker)

    def close(self) -> None:
        """Publish the last numbers, and stop publishing."""
        if self._share is not None:
            self._share.close()

    def render(self) -> bytes:
        """Write all numbers in the Prometheus text format 0.0.4."""
        return generate_latest(self.registry if self._share is None else self._share.everyone())


class _Counts:
    """What every request adds to: plain numbers, since a counter of the library costs as much as decoding a request."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, int], int] = {}
        self.seconds: dict[str, tuple[list[int], list[float]]] = {}
        """Route → answers per bucket, and [sum]."""
        self.rows: dict[tuple[str, str], int] = {}
        self.flags: dict[str, int] = {}

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily("palio_requests", "Requests answered", labels=["route", "status"])
        for (route, status), count in list(self.answers.items()):
            requests.add_metric([route, str(status)], count)
        yield requests
        seconds = HistogramMetricFamily("palio_request_seconds", "From its body to its answer", labels=["route"])
        for route, (counts, total) in list(self.seconds.items()):
            upto = list(accumulate(counts))
            edges = [*(str(edge) for edge in _BUCKETS), "+Inf"]
            seconds.add_metric([route], list(zip(edges, upto, strict=True)), total[0])
        yield seconds
        rows = CounterMetricFamily("palio_rows", "Rows predicted", labels=["model", "version"])
        for key, count in list(self.rows.items()):
            rows.add_metric(list(key), count)
        yield rows
        flags = CounterMetricFamily("palio_flags", "Unusual values let through", labels=["flag"])
        for flag, count in list(self.flags.items()):
            flags.add_metric([flag], count)
        yield flags


class _Followed:
    def __init__(
        self, name: str, documentation: str, label: str, read: Callable[[], Mapping[str, float]], gauge: bool
    ) -> None:
        self.name, self.documentation, self.label, self.read, self.gauge = name, documentation, label, read, gauge

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        kind = GaugeMetricFamily if self.gauge else CounterMetricFamily
        family = kind(self.name, self.documentation, labels=[self.label] if self.label else [])
        for key, value in self.read().items():
            family.add_metric([key] if self.label else [], value)
        yield family


class _Family(msgspec.Struct, array_like=True):
    """One metric as it is published."""

    name: str
    kind: str
    documentation: str
    samples: dict[str, float]
    """JSON of (sample name, sorted labels) → value."""


_read = msgspec.msgpack.Decoder(list[_Family]).decode
_write = msgspec.msgpack.Encoder().encode
_key = msgspec.json.Encoder().encode
_unkey = msgspec.json.Decoder(tuple[str, list[tuple[str, str]]]).decode


class _Share:
    """What one worker publishes, and what all have published.

    A worker tells others, and itself, only what it has published before: so no sum goes down when it is killed. The
    file of a worker that died is where its successor begins to count.
    """

    def __init__(self, registry: CollectorRegistry, folder: Path, worker: int) -> None:
        self._registry = registry
        self._folder = folder
        self._path = folder / f"worker-{worker}"
        self._base = [family for family in self._published(self._path) if family.kind != "gauge"]
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="palio-meters", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._stop.wait(PUBLISH_S):
            self.publish()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)
        self.publish()

    def publish(self) -> None:
        with self._lock, contextlib.suppress(FileNotFoundError):  # the folder goes with the supervisor
            merged = _merge([self._base, [_family_of(metric) for metric in self._registry.collect()]])
            fresh = self._path.with_name(f".{self._path.name}-{os.getpid()}")
            fresh.write_bytes(_write(merged))
            fresh.replace(self._path)

    def everyone(self) -> CollectorRegistry:
        self.publish()
        families = _merge([self._published(path) for path in sorted(self._folder.glob("worker-*"))])
        registry = CollectorRegistry()
        registry.register(_Published(families))
        return registry

    @staticmethod
    def _published(path: Path) -> list[_Family]:
        try:
            return _read(path.read_bytes())
        except (OSError, msgspec.MsgspecError):
            return []


class _Published:
    def __init__(self, families: list[_Family]) -> None:
        self._families = families

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            metric = Metric(family.name, family.documentation, family.kind)
            for key, value in family.samples.items():
                name, labels = _unkey(key)
                metric.add_sample(name, dict(labels), value)
            yield metric


def _family_of(metric: Metric) -> _Family:
    samples = {
        _key((sample.name, sorted(sample.labels.items()))).decode(): sample.value
        for sample in metric.samples
        if not sample.name.endswith("_created")  # when a worker began says nothing about all
    }
    return _Family(metric.name, metric.type, metric.documentation, samples)


def _merge(lists: Iterable[list[_Family]]) -> list[_Family]:
    merged: dict[str, _Family] = {}
    for families in lists:
        for family in families:
            whole = merged.setdefault(family.name, _Family(family.name, family.kind, family.documentation, {}))
            add = max if family.name in _MAXIMA else float.__add__
            for key, value in family.samples.items():
                before = whole.samples.get(key)
                whole.samples[key] = float(value) if before is None else add(before, float(value))
    return list(merged.values())
