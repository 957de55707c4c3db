"""Hold what is served: one immutable state, replaced by one assignment when the provider names another champion."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from palio import model as models
from palio.core.errors import IntegrityError, PalioError
from palio.core.records import Column, Deployment
from palio.serve.protocols.guards import NUMERIC, Guard, guard_of

if TYPE_CHECKING:
    from palio.model import Bundle, Graph, RecordReader
    from palio.store import Store

log = logging.getLogger("palio.serve")

RETRY_REFUSED_S = 30.0
"""A bundle that was refused is tried again after this time: a store may have been away for a moment."""
WARM_UP_RUNS = 20
GOLDEN_TOLERANCE = 1e-6
"""How far the numbers of the golden rows may be from those in the bundle: another processor adds up differently."""


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
class InputPlan:
    """What is known in advance about one input tensor (its name may differ from the column's)."""

    column: Column
    numeric: bool
    guard: Guard
    flag: str


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """A bundle that is loaded, checked and warm, with everything that can be worked out before the first request."""

    deployment: Deployment
    bundle: Bundle
    graph: Graph
    reader: RecordReader
    classes: tuple[str, ...]
    version: str
    plans: Mapping[str, InputPlan]
    outputs: Mapping[str, str]
    """Output name → datatype, in the order of the manifest."""
    latency_s: float
    """Shortest time of one warm row through the graph."""


@dataclass(frozen=True, slots=True)
class State:
    """What the server answers with at one moment."""

    served: Served | None
    trouble: str = ""
    """Why the newest champion is not served, in one sentence; empty if it is."""


def prepare(bundle: Bundle, deployment: Deployment) -> Served:
    """Check a bundle beside the one that serves, and warm it up.

    Raises:
        IntegrityError: it is not the bundle that was promoted, or no longer answers its golden rows as it did.
    """
    if bundle.id != deployment.bundle:
        raise IntegrityError("the bundle is not the one that the ledger names", hint="run palio model verify")
    manifest = bundle.manifest
    plans = {
        spec.name: InputPlan(
            column=column, numeric=column.type in NUMERIC, guard=guard_of(column), flag=flag_of(column)
        )
        for spec, column in zip(manifest.inputs, manifest.schema.features, strict=True)
    }
    return Served(
        deployment=deployment,
        bundle=bundle,
        graph=bundle.graph,
        reader=models.RecordReader(manifest.schema),
        classes=manifest.task.classes,
        version=str(deployment.version),
        plans=plans,
        outputs={spec.name: spec.datatype for spec in manifest.outputs},
        latency_s=_warm_up(bundle),
    )


def flag_of(column: Column) -> str:
    """Return the flag for an unusual value of `column` that its policy lets pass."""
    return f"{column.name}: {'out of range' if column.type in NUMERIC else 'unknown category'}"


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


def _warm_up(bundle: Bundle) -> float:
    """Let the graph answer its golden rows, compare, and time one row."""
    golden = bundle.golden()
    parity = models.check_parity(bundle.graph, golden.feeds, golden.outputs, tolerance=GOLDEN_TOLERANCE)
    if not parity.passed:
        raise IntegrityError(
            f"it answers its golden rows differently here: {parity.n_label_diffs} labels, "
            f"numbers by up to {parity.max_abs_diff:.2g}",
            hint="run palio model verify",
        )
    feeds: dict[str, Any] = {name: values[:1] for name, values in golden.feeds.items()}
    times = []
    for _ in range(WARM_UP_RUNS):
        begin = time.perf_counter()
        bundle.graph.predict(feeds)
        times.append(time.perf_counter() - begin)
    return min(times)  # what disturbs a measurement only adds to it
