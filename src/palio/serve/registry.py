"""Hold what is served: one immutable state, replaced by one assignment when the provider names another champion."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from palio import model as models
from palio.core.errors import PalioError
from palio.core.records import Deployment
from palio.serve.served import Served, prepare

if TYPE_CHECKING:
    from palio.model import Bundle
    from palio.store import Store

log = logging.getLogger("palio.serve")

RETRY_REFUSED_S = 30.0
"""A bundle that was refused is tried again after this time: a store may have been away for a moment."""


class Provider(Protocol):
    """Say what is to be served, and fetch it. Called from a background thread, never while a request is answered."""

    def current(self) -> Deployment | None:
        """Return the champion of now; None if there is none yet."""

    def load(self, deployment: Deployment) -> Bundle:
        """Fetch its bundle, every member checked against its hash."""


class StoreProvider:
    """Serve the champion of `model` in the promotion ledger of `store`, and follow it.

    The store stays the caller's: close it after the server has stopped.
    """

    def __init__(self, store: Store, model: str) -> None:
        self._store = store
        self._model = model

    def current(self) -> Deployment | None:
        """Return the champion of now."""
        promotion = self._store.promotions.champion(self._model)
        if promotion is None:
            return None
        return Deployment(model=self._model, version=promotion.version, bundle=promotion.bundle)

    def load(self, deployment: Deployment) -> Bundle:
        """Fetch and check the bundle."""
        return models.load(self._store, deployment.bundle)


@dataclass(frozen=True, slots=True)
class _Fixed:
    bundle: Bundle
    deployment: Deployment

    def current(self) -> Deployment:
        return self.deployment

    def load(self, deployment: Deployment) -> Bundle:  # noqa: ARG002 - there is only one
        return self.bundle


def fixed(bundle: Bundle, *, model: str = "", version: int = 1) -> Provider:
    """Serve one bundle for ever, under the name `model` (default: the target that it predicts)."""
    name = model or bundle.manifest.task.target
    return _Fixed(bundle, Deployment(model=name, version=version, bundle=bundle.id))


@dataclass(frozen=True, slots=True)
class State:
    """What the server answers with at one moment."""

    served: Served | None
    trouble: str = ""
    """Why the newest champion is not served, in one sentence; empty if it is."""


class Registry:
    """Keep the state in step with the provider.

    `state` is read by every request, once, and never changed in place. A new champion is loaded beside the old one,
    checked and warmed up; only then one assignment swaps it in. Requests that began with the old one end with it.
    """

    def __init__(
        self, provider: Provider, *, poll_s: float = 0.5, on_change: Callable[[State], None] | None = None
    ) -> None:
        self.state = State(None, "no champion has been loaded yet")
        self._provider = provider
        self._poll_s = poll_s
        self._on_change = on_change
        self._refused: tuple[Deployment, float] | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Load the champion of now, and watch for the next one in the background."""
        self.refresh()
        self._thread = threading.Thread(target=self._watch, name="palio-champion", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def refresh(self) -> None:
        """Ask the provider once, and swap if it names something else; never raises for a bad bundle."""
        served = self.state.served
        deployment: Deployment | None = None
        try:
            deployment = self._provider.current()
            if deployment is None:
                self._set(State(served, "there is no champion in the ledger"))
            elif served is not None and served.deployment == deployment:
                self._set(State(served))
            elif not self._just_refused(deployment):
                fresh = prepare(self._provider.load(deployment), deployment)
                self._refused = None
                self._set(State(fresh))
        except Exception as error:  # noqa: BLE001 - the edge of a thread: whatever is wrong, the old one keeps serving
            self._refuse(deployment, error)

    def _just_refused(self, deployment: Deployment) -> bool:
        if self._refused is None or self._refused[0] != deployment:
            return False
        return time.monotonic() - self._refused[1] < RETRY_REFUSED_S

    def _refuse(self, deployment: Deployment | None, error: Exception) -> None:
        what = "the ledger" if deployment is None else f"version {deployment.version}"
        why = error.message if isinstance(error, PalioError) else f"unexpected {type(error).__name__}"
        if deployment is not None:
            self._refused = (deployment, time.monotonic())
        trouble = f"{what} is refused: {why}"
        if trouble != self.state.trouble:
            log.warning("%s", trouble, exc_info=None if isinstance(error, PalioError) else error)
        self._set(State(self.state.served, trouble))

    def _set(self, state: State) -> None:
        before = self.state
        if state == before:
            return
        self.state = state
        if state.served is not before.served and state.served is not None:
            log.info("serving %s version %s", state.served.deployment.model, state.served.version)
        if self._on_change is not None:
            self._on_change(state)

    def _watch(self) -> None:
        while not self._stop.wait(self._poll_s):
            self.refresh()
