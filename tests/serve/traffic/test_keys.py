from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from palio.core.errors import ConflictError, InputError, NotFoundError
from palio.core.serving import Policy, Rule
from palio.serve.traffic.access import compile_policy
from palio.serve.traffic.keys import add_key, read_policy, read_rules, revoke_key, write_rules
from palio.store import Store
from palio.testing.racing import Place, race

NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)


def test_rules_in_the_ledger_replace_those_of_the_settings(store: Store) -> None:
    defaults = Policy(rules=(Rule(caller="ann"),))
    assert read_policy(store, "bank", defaults).policy == defaults
    write_rules(store, "bank", (Rule(caller="bob", since=NOW),))
    found = read_policy(store, "bank", defaults)
    assert found.policy.rules == (Rule(caller="bob", since=NOW),) and found.rules_line == 1
    assert read_policy(store, "another", defaults).policy == defaults
    write_rules(store, "bank", ())
    assert read_policy(store, "bank", defaults).policy.rules == ()


def test_a_key_is_shown_once_and_only_its_hash_is_kept(store: Store) -> None:
    key, secret = add_key(store, "bank", "ann", role="risk")
    assert len(secret) > 40
    assert all(secret not in event.text + str(event.payload) for event in store.ledger.events())
    policy = read_policy(store, "bank").policy
    assert policy.keys == (key,)
    assert compile_policy(policy).identify({b"x-api-key": secret.encode()}, 0.0)[:2] == ("ann", "risk")


def test_a_revoked_key_is_refused_and_keeps_the_server_closed(store: Store) -> None:
    _, secret = add_key(store, "bank", "ann")
    revoke_key(store, "bank", "ann")
    access = compile_policy(read_policy(store, "bank").policy)
    later = dt.datetime.now(dt.UTC).timestamp()
    assert "revoked" in access.identify({b"x-api-key": secret.encode()}, later).trouble
    assert not access.decide(access.identify({}, later), "bank", 1, "champion", "", later).allowed
    with pytest.raises(NotFoundError, match="no such key"):
        revoke_key(store, "bank", "ann")
    add_key(store, "bank", "ann")


def test_one_caller_has_one_key(store: Store) -> None:
    add_key(store, "bank", "ann")
    with pytest.raises(ConflictError, match="has one already"):
        add_key(store, "bank", "ann")
    add_key(store, "another", "ann")


def test_an_expired_key_makes_room_for_a_new_one(store: Store) -> None:
    add_key(store, "bank", "ann", expires_at=NOW + dt.timedelta(days=1), clock=lambda: NOW)
    key, _ = add_key(store, "bank", "ann", clock=lambda: NOW + dt.timedelta(days=2))
    assert read_policy(store, "bank").policy.keys == (key,)


@pytest.mark.parametrize("name", ["", "*", "anonymous", "a b", "../x", "x" * 65, "ann\n"])
def test_a_name_that_rules_cannot_mean_is_refused(store: Store, name: str) -> None:
    with pytest.raises(InputError, match="letters, digits"):
        add_key(store, "bank", name)


def test_a_key_that_would_have_expired_is_refused(store: Store) -> None:
    with pytest.raises(InputError, match="expired already"):
        add_key(store, "bank", "ann", expires_at=NOW, clock=lambda: NOW)


def test_who_changes_rules_that_changed_meanwhile_is_told(store: Store) -> None:
    seen = read_policy(store, "bank").rules_line
    write_rules(store, "bank", (Rule(),), expected=seen)
    with pytest.raises(ConflictError, match="first"):
        write_rules(store, "bank", (Rule(allow=False),), expected=seen)
    assert read_policy(store, "bank").policy.rules == (Rule(),)


@pytest.mark.parametrize(
    ("value", "says", "hint"),
    [
        ({"rulez": []}, "no list", "rules"),
        ("x", "no list", "rules"),
        ([{"calller": "ann"}], "unknown key `calller`", "caller"),
        ([{"allow": "yes"}], "allow", "correct"),
        ([{}, {"days": "mon-fry"}], "rule 1: `days`", "fri"),
        ([{"per": "week"}], "per", "correct"),
        (["x"], "expected `object`", "correct"),
    ],
)
def test_rules_that_a_person_wrote_are_checked(value: Any, says: str, hint: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        read_rules(value, where="FILE")
    assert caught.match(hint)


def test_rules_are_read_from_a_table_or_a_list() -> None:
    rules = (Rule(caller="ann", since=NOW),)
    assert read_rules({"rules": [{"caller": "ann", "since": NOW}]}, where="f") == rules
    assert read_rules([{"caller": "ann", "since": "2026-05-04T12:00:00Z"}], where="f") == rules


def _add(place: Place, name: str) -> str:
    with place.open() as store:
        return add_key(store, "bank", name)[0].caller


def _set(place: Place, expected: int, name: str) -> int:
    with place.open() as store:
        return write_rules(store, "bank", (Rule(caller=name),), expected=expected).sequence


def test_writers_who_race_lose_no_key(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.open().close()
    names = [f"caller-{n}" for n in range(8)]
    assert race(_add, [(place, name) for name in names]) == names
    with place.open() as store:
        assert {key.caller for key in read_policy(store, "bank").policy.keys} == set(names)


def test_of_writers_who_race_for_one_name_one_wins(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.open().close()
    results = race(_add, [(place, "ann")] * 6)
    assert sorted(results) == ["ConflictError"] * 5 + ["ann"]


def test_of_writers_who_saw_the_same_rules_one_wins(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.open().close()
    results = race(_set, [(place, 0, f"caller-{n}") for n in range(6)])
    assert results.count("ConflictError") == 5 and results.count(1) == 1
