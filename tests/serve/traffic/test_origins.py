"""Pages of other origins: by default no browser shows them an answer; a setting lets them ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from palio import serve
from palio.core.errors import ConfigError
from tests.serve.conftest import Wire
from tests.serve.small_model import GOOD, SmallBundle

HERE, THERE = "https://app.example:8443", "https://other.example"
ASKS = {"access-control-request-method": "POST", "access-control-request-headers": "content-type, x-api-key"}
ROUTES = ("/predict", "/invocations", "/feedback", "/v2/models/bank/infer", "/health", "/openapi.json")


@pytest.fixture(scope="module")
def origins(bundle: SmallBundle) -> Iterator[str]:
    """A server that pages of one origin may ask."""
    app = serve.create_app(serve.fixed(bundle, model="bank"), origins=serve.Origins([HERE]))
    with serve.background(app) as url:
        yield url


@pytest.mark.parametrize("route", ROUTES)
def test_a_browser_is_told_that_a_page_of_an_allowed_origin_may_ask(
    origins: str, connect: Callable[[str], Wire], route: str
) -> None:
    wire = connect(origins)
    status, headers, _ = wire("OPTIONS", route, headers={"origin": HERE} | ASKS)
    assert status == 204
    assert headers["access-control-allow-origin"] == HERE
    assert headers["access-control-allow-headers"] == ASKS["access-control-request-headers"]
    assert "access-control-allow-credentials" not in headers
    assert wire("OPTIONS", route, headers={"origin": THERE} | ASKS)[0] == 403


def test_only_a_page_of_an_allowed_origin_may_read_answers_and_refusals(
    origins: str, connect: Callable[[str], Wire]
) -> None:
    wire = connect(origins)
    for body, status in ((GOOD, 200), ({"age": "old"}, 422)):
        found, headers, _ = wire("POST", "/predict", body, {"origin": HERE})
        assert (found, headers["access-control-allow-origin"]) == (status, HERE)
        assert "access-control-allow-origin" not in wire("POST", "/predict", body, {"origin": THERE})[1]
    assert wire("GET", "/health", headers={"origin": HERE})[1]["access-control-allow-origin"] == HERE
    assert wire("GET", "/health")[1]["vary"] == "origin"  # what a cache keeps for one is not for another


def test_without_the_setting_no_origin_is_told_anything(wire: Wire) -> None:
    status, headers, _ = wire("OPTIONS", "/predict", headers={"origin": HERE} | ASKS)
    assert status == 405
    assert not [name for name in headers if name.startswith("access-control")]
    assert "access-control-allow-origin" not in wire("POST", "/predict", GOOD, {"origin": HERE})[1]


def test_all_origins_may_be_allowed() -> None:
    reply = serve.Origins(["*"]).preflight({b"origin": THERE.encode(), b"access-control-request-method": b"POST"})
    assert reply is not None
    assert (b"access-control-allow-origin", b"*") in reply.headers


@pytest.mark.parametrize("text", ["app.example", "https://", "https://app.example/page", "https://a:x", "https://u@a"])
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no origin"):
        serve.Origins([text])
