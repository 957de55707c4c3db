"""Hold what is served: one immutable state, replaced by one assignment when the provider names another champion."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from dataclasses import replace as changed
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol

from msgspec.structs import replace

from palio import model as models
from palio.core.errors import PalioError, RefusedError
from palio.core.records import Deployment
from palio.core.serving import Plan, Policy, Rule
from palio.serve.loading import Loading
from palio.serve.served import Served, prepare
from palio.serve.traffic.access import Access, compile_policy
from palio.serve.traffic.plan import PlanReader
from palio.serve.traffic.quota import Quotas
from palio.serve.traffic.routing import Route, compile_route

if TYPE_CHECKING:
    from palio.model import Bundle, Trust
    from palio.store import Store

log = logging.getLogger("palio.serve")

PATIENCE_S = 0.2
"""So long a look waits for a model to load; a slower one is swapped in by a later look, and holds up no rule."""
RETRY_REFUSED_S = 30.0
"""A bundle that was refused is tried again after this time: a store may have been away for a moment."""


NOBODY = Policy(rules=(Rule(allow=False, reason="the access policy has not been read yet"),))
"""Holds until the first policy has been read: a server that cannot read its rules lets nobody in."""


class Provider(Protocol):
    """Say what is to be served, and fetch it. Called from a background thread, never while a request is answered."""

    def current(self) -> Plan:
        """Return the plan of now; its `champion` is None if there is none yet."""

    def load(self, deployment: Deployment) -> Served:
        """Fetch a model, check every part of it against its hash, and warm it up."""

    def refused(self, deployment: Deployment, why: str) -> None:
        """Note that `deployment` is not served, and why."""


class StoreProvider:
    """Serve the champion of `model` in the promotion ledger of `store`, and follow it: promotions, policy, rollouts.

    The store stays the caller's: close it after the server has stopped. `defaults` are the rules of `palio.toml`; with
    `trust` only bundles that one of its keys signed are served.
    """

    def __init__(
        self,
        store: Store,
        model: str,
        defaults: Policy = Policy(),  # noqa: B008 - a frozen record
        *,
        device: Literal["cpu", "cuda"] = "cpu",
        trust: Trust | None = None,
    ) -> None:
        self._store = store
        self._trust = trust
        self._device: Literal["cpu", "cuda"] = device
        self._plans = PlanReader(store, model, defaults)

    def current(self) -> Plan:
        """Return the plan of now."""
        return self._plans.read()

    def load(self, deployment: Deployment) -> Served:
        """Fetch, check and warm up the bundle."""
        bundle = models.load(self._store, deployment.bundle, device=self._device, trust=self._trust)
        return prepare(bundle, deployment)

    def refused(self, deployment: Deployment, why: str) -> None:
        """Write it into the ledger, once for each bundle, however many servers refuse it."""
        self._store.ledger.append_once(
            "serve.refuse",
            deployment.bundle,
            f"Version {deployment.version} of `{deployment.model}` was refused by the server: {why}.",
            payload={"model": deployment.model, "version": deployment.version, "why": why},
        )


@dataclass(frozen=True, slots=True)
class _Fixed:
    bundle: Bundle
    plan: Plan

    def current(self) -> Plan:
        return self.plan

    def load(self, deployment: Deployment) -> Served:
        return prepare(self.bundle, deployment)

    def refused(self, deployment: Deployment, why: str) -> None:
        """Say nothing: whoever starts the server reads it in its log."""


def fixed(bundle: Bundle, *, model: str = "", version: int = 1) -> Provider:
    """Serve one bundle for ever, under the name `model` (default: the target that it predicts)."""
    name = model or bundle.manifest.task.target
    return _Fixed(bundle, Plan(champion=Deployment(model=name, version=version, bundle=bundle.id)))


@dataclass(frozen=True, slots=True)
class State:
    """What the server answers with at one moment; replaced as a whole, never changed."""

    served: Served | None
    """The champion."""
    trouble: str = ""
    """Why the newest champion or challenger is not served, in one sentence; empty if both are as planned."""
    challenger: Served | None = None
    plan: Plan = Plan()  # noqa: RUF009 - a frozen record
    access: Access = field(default_factory=lambda: compile_policy(NOBODY))
    """Who may ask, worked out."""
    route: Route = field(default_factory=lambda: compile_route(Plan()))
    """Who answers, worked out; knows only what is loaded."""


class _LoadingError(Exception):
    """A model is still being loaded."""


class Registry:
    """Keep the state in step with the provider.

    `state` is read by every request, once, and never changed in place. A new model is loaded beside the old one,
    checked and warmed up; only then one assignment swaps it in. Requests that began with the old one end with it, and
    with the last of them it is freed.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        poll_s: float = 0.5,
        on_change: Callable[[State], None] | None = None,
        quotas: Quotas | None = None,
    ) -> None:
        self.state = State(None, "no champion has been loaded yet", access=compile_policy(NOBODY, quotas))
        self._policy = NOBODY
        self._turn = threading.Lock()
        self._provider = provider
        self._poll_s = poll_s
        self._on_change = on_change
        self._refused: dict[Deployment, tuple[float, str]] = {}
        self._loading: dict[Deployment, Loading[Served]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Load what is planned now, and watch for what comes next in the background."""
        self.refresh()
        self._thread = threading.Thread(target=self._watch, name="palio-champion", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def refresh(self) -> None:
        """Ask the provider once, and swap if it plans something else; never raises for a bad model."""
        with self._turn:
            self._refresh()

    def _refresh(self) -> None:
        before = self.state
        try:
            plan = self._provider.current()
        except Exception as error:  # noqa: BLE001 - the edge of a thread: whatever is wrong, the old one keeps serving
            self._set(changed(before, trouble=f"the ledger cannot be read: {_reason(error)}"), error)
            return
        if plan == before.plan and not before.trouble and not self._loading:
            return
        self._loading = {one: load for one, load in self._loading.items() if one in (plan.champion, plan.challenger)}
        access, worse = self._access(plan, before)
        if access is not before.access:  # rules and revoked keys hold at once, however long a model takes to load
            before = changed(before, access=access)
            self._set(before)
        if plan.champion is None:
            self._set(changed(before, trouble="there is no champion in the ledger"))
            return
        try:
            champion, trouble = self._held(plan.champion, before)
        except _LoadingError:
            return  # the old one answers meanwhile, and all that was planned with it holds
        try:
            challenger, more = (None, "") if plan.challenger is None else self._held(plan.challenger, before)
        except _LoadingError:
            challenger, more = None, ""
        held = plan if challenger is not None else replace(plan, challenger=None, mode="off")
        served = champion or before.served
        if served is not None and served.deployment != held.champion:
            held = replace(held, champion=served.deployment)
        state = State(served, trouble or more or worse, challenger, plan, access, compile_route(held))
        self._set(before if _is_same(state, before) else state)

    def _access(self, plan: Plan, before: State) -> tuple[Access, str]:
        """Work the policy out, with the counts of quotas so far; keep the old one if the new one cannot be read."""
        if plan.policy == self._policy:
            return before.access, ""
        try:
            access = compile_policy(plan.policy, before.access.quotas)
        except PalioError as error:
            return before.access, f"the access policy is refused: {error.message}"
        self._policy = plan.policy
        return access, ""

    def _held(self, deployment: Deployment, before: State) -> tuple[Served | None, str]:
        """Return a model that is loaded already, or load it; on failure, None and why.

        Raises:
            _LoadingError: it is under way; ask again. Only the first champion is waited for.
        """
        for held in (before.served, before.challenger):
            if held is not None and held.deployment == deployment:
                return held, ""
        refused = self._refused.get(deployment)
        if refused is not None and time.monotonic() < refused[0]:
            return None, refused[1]
        loading = self._loading.setdefault(deployment, Loading(partial(self._provider.load, deployment)))
        if not loading.wait(None if self._thread is None else PATIENCE_S):
            raise _LoadingError
        del self._loading[deployment]
        try:
            served = loading.result()
        except Exception as error:
            trouble = f"version {deployment.version} is refused: {_reason(error)}"
            # A missing signature is known without reading the bundle, and may be there at the next look.
            wait_s = 0.0 if type(error) is RefusedError else RETRY_REFUSED_S
            self._refused[deployment] = time.monotonic() + wait_s, trouble
            if wait_s or refused is None or refused[1] != trouble:
                self._tell(deployment, _reason(error))
            if not isinstance(error, PalioError):
                log.warning("%s", trouble, exc_info=error)
            return None, trouble
        self._refused.pop(deployment, None)
        return served, ""

    def _tell(self, deployment: Deployment, why: str) -> None:
        try:
            self._provider.refused(deployment, why)
        except Exception as error:  # noqa: BLE001 - the ledger may be what is broken
            log.warning("the refusal could not be noted: %s", _reason(error))

    def _set(self, state: State, error: Exception | None = None) -> None:
        before = self.state
        if state == before:
            return
        self.state = state
        if state.trouble and state.trouble != before.trouble:
            log.warning("%s", state.trouble, exc_info=None if isinstance(error, PalioError) else error)
        for fresh, old in ((state.served, before.served), (state.challenger, before.challenger)):
            if fresh is not None and fresh is not old:
                log.info("serving %s version %s", fresh.deployment.model, fresh.version)
        if self._on_change is not None:
            self._on_change(state)

    def _watch(self) -> None:
        while not self._stop.wait(self._poll_s):
            self.refresh()


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, PalioError) else f"unexpected {type(error).__name__}"


def _is_same(state: State, before: State) -> bool:
    """Tell whether nothing has changed that a request or a reader of health could notice."""
    return (
        state.served is before.served
        and state.challenger is before.challenger
        and state.trouble == before.trouble
        and state.plan == before.plan
        and state.access is before.access
    )
