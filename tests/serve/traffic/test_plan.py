from __future__ import annotations

import pytest

from palio.core.errors import InputError
from palio.core.serving import Policy, Rule
from palio.serve.traffic.keys import add_key, write_rules
from palio.serve.traffic.plan import PlanReader, read_plan
from palio.store import Store
from palio.testing.racing import promote, put_bundle


def test_a_plan_names_champion_rules_and_keys(store: Store) -> None:
    defaults = Policy(rules=(Rule(caller="ann"),))
    assert read_plan(store, "bank", defaults).champion is None
    promotion = promote(store, put_bundle(store, "a"), expected=None)
    key, _ = add_key(store, "bank", "ann")
    plan = read_plan(store, "bank", defaults)
    assert plan.champion is not None and plan.champion.bundle == promotion.bundle
    assert plan.policy == Policy(rules=defaults.rules, keys=(key,))


def test_a_reader_looks_again_only_when_a_line_was_written(store: Store) -> None:
    promote(store, put_bundle(store, "a"), expected=None)
    reader = PlanReader(store, "bank")
    first = reader.read()
    assert reader.read() is first
    store.ledger.append("data.ingest", "x", "Something else happened.")
    assert reader.read() is first, "the plan is the same, so it stays the very same object"
    write_rules(store, "bank", (Rule(allow=False),))
    assert reader.read().policy.rules == (Rule(allow=False),)


def test_a_server_does_not_start_without_the_rules_of_its_settings(store: Store) -> None:
    with pytest.raises(InputError, match=r"serve.rules.*rule 0: `days`"):
        PlanReader(store, "bank", Policy(rules=(Rule(days="mon-fry"),)))


@pytest.mark.parametrize("rule", [{"allow": True, "country": "ch"}, {"hours": "sunset-sunrise"}])
def test_a_rule_that_a_newer_palio_wrote_is_not_half_understood(store: Store, rule: dict[str, object]) -> None:
    promote(store, put_bundle(store, "a"), expected=None)
    store.ledger.append("serve.policy", "bank", "Set rules.", payload={"rules": [rule]})
    with pytest.raises(InputError, match="ledger line 2"):
        read_plan(store, "bank")
