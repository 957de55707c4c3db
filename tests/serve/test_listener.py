"""A port that cannot be had: the hint names the option that helps."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from palio.core.errors import UnavailableError
from palio.serve import GrpcListener, background, beside, create_app, fixed
from palio.serve.listener import listen
from tests.serve.small_model import small_bundle


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def hint_of(act: Callable[[], object]) -> str:
    with pytest.raises(UnavailableError) as refused:
        act()
    return refused.value.hint


def admin(port: int) -> None:
    with beside(None, port=port):
        pass


def test_each_port_is_told_by_its_own_option(taken: int) -> None:
    assert "--port" in hint_of(lambda: listen("127.0.0.1", taken))
    assert "--admin-port" in hint_of(lambda: admin(taken))
    assert "--grpc-port" in hint_of(lambda: GrpcListener(port=taken))


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1", "a" * 80])
def test_an_address_that_is_none_of_this_machine_is_not_blamed_on_the_port(host: str) -> None:
    hint = hint_of(lambda: listen(host, 0))
    assert "--host" in hint
    assert "--port" not in hint


def test_a_port_that_is_lost_while_the_server_starts_is_told_without_a_trace(
    taken: int, capfd: pytest.CaptureFixture[str]
) -> None:
    listener = GrpcListener(port=0)
    listener.port = taken  # somebody was faster
    app = create_app(fixed(small_bundle(), model="bank"), grpc=listener)
    with pytest.raises(UnavailableError, match="gRPC"), background(app):
        pass
    assert "Traceback" not in capfd.readouterr().err
