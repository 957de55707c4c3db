"""Who asks a server about itself asks at the desk: which model answers, is it well, may I know."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from palio.serve.protocols import repository
from palio.serve.protocols.wire import JSON, Reply, WireError
from palio.serve.registry import Registry, State
from palio.serve.served import Served

if TYPE_CHECKING:
    from palio.serve.journal import Journal

_encode = msgspec.json.Encoder().encode


class Desk:
    """What the routes of the protocol and the pages tell alike.

    Args:
        registry: Knows what is served.
        journal: Its trouble is told with the health; None if nothing is logged.
        is_draining: Whether the server is stopping.
    """

    def __init__(self, registry: Registry, journal: Journal | None, *, is_draining: Callable[[], bool]) -> None:
        self._registry = registry
        self._journal = journal
        self._is_draining = is_draining

    @property
    def state(self) -> State:
        """What is served now, and to whom."""
        return self._registry.state

    def champion(self) -> Served:
        """Return the model that is served. Raises WireError 503: none is."""
        state = self.state
        if state.served is None:
            raise WireError(503, state.trouble, headers=((b"retry-after", b"1"),))
        return state.served

    def check(self, headers: dict[bytes, bytes], purpose: str) -> str:
        """Hold a request that predicts nothing to the policy; return the caller. Raises WireError 401, 403, 429."""
        state, now = self.state, time.time()
        caller = state.access.identify(headers, now)
        served = state.served
        model, version = ("", "") if served is None else (served.deployment.model, served.version)
        verdict = state.access.decide(caller, model, version, "champion", purpose, now)
        if not verdict.allowed:
            raise WireError(verdict.status, verdict.reason, headers=verdict.headers)
        return caller.name

    def describe(self, method: str, headers: dict[bytes, bytes], parts: list[str]) -> Reply:
        """Answer the reading routes of the protocol. Whether the server lives and is ready, everyone may know.

        Raises:
            WireError: 401, 403, 404, 405, 429 or 503.
        """
        if parts[:1] == ["health"]:
            allow(method, "GET", "HEAD")
            if parts[1:] == ["live"]:
                return Reply(200, b'{"live":true}')
            if parts[1:] == ["ready"]:
                return self.health()
        if parts:
            self.check(headers, "metadata")
        return repository.describe(method, parts, self._models() if parts[:1] == ["models"] else self._held())

    def health(self) -> Reply:
        """Say whether requests are answered, and by which version."""
        state = self.state
        is_ready = state.served is not None and not self._is_draining()
        about: dict[str, Any] = {"ready": is_ready}
        if state.served is not None:
            about |= {"model": state.served.deployment.model, "version": state.served.version}
        detail = "the server is stopping" if self._is_draining() else state.trouble
        if not detail and self._journal is not None:
            detail = self._journal.trouble
        if detail:
            about["detail"] = detail
        return Reply(200 if is_ready else 503, _encode(about), JSON)

    def _models(self) -> list[Served]:
        """List what is served, the champion first. Raises WireError 503: nothing is."""
        return self._held() if self.champion() else []

    def _held(self) -> list[Served]:
        """List what is served, even if that is nothing."""
        return [served for served in (self.state.served, self.state.challenger) if served is not None]


def allow(method: str, *methods: str) -> None:
    """Let these methods pass. Raises WireError 405 for others."""
    if method not in methods:
        allowed = ", ".join(methods)
        raise WireError(405, f"only {allowed} is allowed here", headers=((b"allow", allowed.encode()),))
