"""A small model built by hand, behind a real server on loopback."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from palio import serve
from palio.core.records import Deployment
from palio.core.serving import Plan
from palio.serve.served import Served, prepare
from tests.serve.small_model import SmallBundle, small_bundle


class Wire:
    """One keep-alive connection; every call gives (status, headers, body)."""

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)

    def __call__(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.connection.request(method, path, body, headers or {})
        response = self.connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()

    def json(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        status, _, answer = self(method, path, body)
        return status, json.loads(answer)


class Switch:
    """A provider whose champion the test changes."""

    def __init__(self, bundles: dict[int, SmallBundle], version: int | None = 1) -> None:
        self.bundles = bundles
        self.version = version
        self.refusals: list[tuple[int, str]] = []

    def current(self) -> Plan:
        return Plan(champion=None if self.version is None else self.deployment(self.version))

    def deployment(self, version: int) -> Deployment:
        return Deployment(model="bank", version=version, bundle=self.bundles[version].promoted_id)

    def load(self, deployment: Deployment) -> Served:
        return prepare(self.bundles[deployment.version].fetch(), deployment)

    def refused(self, deployment: Deployment, why: str) -> None:
        self.refusals.append((deployment.version, why))


@pytest.fixture(scope="session")
def bundle() -> SmallBundle:
    return small_bundle()


@pytest.fixture(scope="session")
def url(bundle: SmallBundle) -> Iterator[str]:
    caps = serve.Caps(max_body_bytes=200_000, max_rows=100, read_timeout_s=1.0)
    with serve.background(serve.create_app(serve.fixed(bundle, model="bank", version=3), caps=caps)) as url:
        yield url


@pytest.fixture
def wire(url: str) -> Iterator[Wire]:
    wire = Wire(url)
    yield wire
    wire.connection.close()


@pytest.fixture
def connect() -> Iterator[Callable[[str], Wire]]:
    opened: list[Wire] = []

    def connect(url: str) -> Wire:
        opened.append(Wire(url))
        return opened[-1]

    yield connect
    for wire in opened:
        wire.connection.close()
