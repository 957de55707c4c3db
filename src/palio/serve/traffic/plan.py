"""Derive what a server does from the ledger: champion, rules, keys and the newest state of a rollout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from palio.core.records import Deployment
from palio.core.serving import Plan, Policy, Rollout, RolloutState
from palio.serve.traffic.keys import read_policy
from palio.serve.traffic.rules import check_policy

if TYPE_CHECKING:
    from palio.core.records import Promotion
    from palio.store import Store

ROLLOUT = "renew.rollout"
"""Kinds of ledger lines that tell of rollouts begin so; each carries the `state` from then on."""


class PlanReader:
    """Read the plan of `model` again and again; asks for no more than the end of the ledger while nothing happens.

    Raises:
        InputError: a rule of `defaults` cannot be understood; a server must not start without its rules.
    """

    def __init__(self, store: Store, model: str, defaults: Policy = Policy()) -> None:  # noqa: B008 - a frozen record
        check_policy(defaults, where="palio.toml [[serve.rules]]")
        self._store = store
        self._model = model
        self._defaults = defaults
        self._seen: tuple[tuple[int, str], Plan] | None = None

    def read(self) -> Plan:
        """Return the plan of now; the same object as before if no line was written since."""
        head = self._store.ledger.head()
        if self._seen is None or self._seen[0] != head:
            plan = read_plan(self._store, self._model, self._defaults)
            if self._seen is not None and self._seen[1] == plan:
                plan = self._seen[1]
            self._seen = head, plan
        return self._seen[1]


def read_plan(store: Store, model: str, defaults: Policy = Policy()) -> Plan:  # noqa: B008 - a frozen record
    """Derive the plan of `model`. A rollout against another champion than the present one counts for nothing.

    Args:
        store: Whose ledger and promotions.
        model: Name of the model.
        defaults: Rules of `palio.toml`; those in the ledger replace them.
    """
    policy = read_policy(store, model, defaults).policy
    promotion = store.promotions.champion(model)
    if promotion is None:
        return Plan(policy=policy)
    champion = Deployment(model=model, version=promotion.version, bundle=promotion.bundle)
    found = _rollout(store, model, promotion)
    if found is None:
        return Plan(champion=champion, policy=policy)
    rollout, state = found
    return Plan(
        champion=champion,
        challenger=rollout.challenger,
        mode=state.mode,
        weight=state.weight,
        sticky=rollout.sticky,
        headers=rollout.headers,
        rollout=rollout.id,
        policy=policy,
    )


def _rollout(store: Store, model: str, promotion: Promotion) -> tuple[Rollout, RolloutState] | None:
    event = store.ledger.newest(ROLLOUT, model)
    if event is None:
        return None
    state = msgspec.convert(event.payload["state"], RolloutState)
    if state.status not in ("running", "paused") or state.mode == "off":
        return None
    rollout = store.records.require(Rollout, state.rollout)
    if (rollout.champion.version, rollout.champion.bundle) != (promotion.version, promotion.bundle):
        return None
    return rollout, state
