"""`palio serve policy|key|rollout` and `palio watch`, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from palio.cli.app import palio
from palio.core.durations import read_duration
from palio.core.errors import InputError
from palio.store import open_store
from palio.testing.racing import make_decision, promote, put_bundle

TOML = """
[project]
name = "bank"
[[serve.rules]]
role = "risk"
hours = "08:00-18:00"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "palio.toml").write_text(TOML)
    return tmp_path


def call(folder: Path, *arguments: str, exit_code: int = 0) -> Any:
    result = CliRunner().invoke(palio, [*arguments, "--dir", str(folder), "--json"])
    assert result.exit_code == exit_code, (result.output, result.exception)
    told = json.loads(result.stdout)
    if exit_code:
        assert told["hint"] and "defect" not in told["error"], told
    return told


def say(folder: Path, *arguments: str) -> str:
    result = CliRunner().invoke(palio, [*arguments, "--dir", str(folder)])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


@pytest.fixture
def decided(folder: Path) -> str:
    """A champion, and a challenger that the gate said yes to; its bundle."""
    with open_store(folder) as store:
        champion = promote(store, put_bundle(store, "champion"), expected=None)
        decision = make_decision(put_bundle(store, "challenger"), champion.bundle)
        store.records.put(decision, key=decision.id)
        waiting = msgspec.structs.replace(decision, verdict="needs_approval", id="f" * 64, challenger="e" * 64)
        store.records.put(waiting, key=waiting.id)
        return decision.challenger


def test_rules_of_the_settings_hold_until_others_are_set(folder: Path) -> None:
    assert call(folder, "serve", "policy", "show")["source"] == "palio.toml"
    (folder / "rules.json").write_text('[{"allow": false, "purpose": "ads", "reason": "no consent"}, {"quota": 10}]')
    assert call(folder, "serve", "policy", "set", str(folder / "rules.json"))["line"] == 1
    shown = say(folder, "serve", "policy", "show")
    assert "0  deny, purpose ads (no consent)" in shown and "10 rows per minute" in shown
    assert "else allow (there are no keys)" in shown


def test_what_would_be_answered_can_be_asked(folder: Path) -> None:
    call(folder, "serve", "key", "add", "ann", "--role", "risk")
    check = ("serve", "policy", "check", "--caller", "ann")
    assert call(folder, *check, "--at", "2026-05-04T09:00:00Z")["allowed"] is True
    assert call(folder, *check, "--at", "2026-05-04T19:00:00Z")["status"] == 403
    assert call(folder, *check, "--role", "other", "--at", "2026-05-04T09:00:00Z")["status"] == 403
    assert call(folder, "serve", "policy", "check")["status"] == 401
    (folder / "r.toml").write_text("[[rules]]\nquota = 5\n")
    tried = (*check, "--file", str(folder / "r.toml"), "--rows")
    assert [call(folder, *tried, rows)["status"] for rows in ("5", "6")] == [200, 429]
    assert "denied (401)" in say(folder, "serve", "policy", "check")


def test_a_key_is_printed_once(folder: Path) -> None:
    secret = say(folder, "serve", "key", "add", "ann", "--expires", "90d").splitlines()[0]
    assert secret.startswith("palio_")
    assert secret not in say(folder, "serve", "key", "list") + say(folder, "log") + say(
        folder, "serve", "policy", "show"
    )
    call(folder, "serve", "key", "revoke", "ann")
    assert call(folder, "serve", "key", "list")["keys"][0]["expires_at"]


def test_a_rollout_goes_from_start_to_end(folder: Path, decided: str) -> None:
    begun = call(folder, "serve", "rollout", "start", "--bundle", decided[:8])
    assert begun["state"]["status"] == "running" and begun["rollout"]["challenger"]["bundle"] == decided
    assert call(folder, "watch", "--once")["said"][0].startswith("The challenger shadows")
    assert "▶ 2. look" in say(folder, "serve", "rollout", "status")
    assert "paused" in say(folder, "serve", "rollout", "pause", "--reason", "lunch")
    call(folder, "serve", "rollout", "resume")
    assert "challenger" not in say(folder, "watch", "--once")
    promoted = call(folder, "serve", "rollout", "promote", "--reason", "good enough")
    assert promoted["state"]["status"] == "promoted"
    assert "Promoted the challenger of rollout" in say(folder, "log")


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (("policy", "set", "nothing.toml"), 2),
        (("policy", "check", "--at", "noon"), 2),
        (("key", "add", "a b"), 2),
        (("key", "add", "ann", "--expires", "soon"), 2),
        (("key", "revoke", "ann"), 3),
        (("rollout", "status"), 3),
        (("rollout", "start"), 3),
        (("rollout", "start", "--bundle", "abc", "--version", "1"), 2),
        (("rollout", "start", "--plan", "nothing.toml"), 2),
        (("rollout", "start", "--version", "7"), 3),
        (("rollout", "start", "--approve", "123456"), 3),
        (("rollout", "abort"), 3),
    ],
)
def test_what_a_person_gets_wrong_is_told_with_a_hint(folder: Path, arguments: tuple[str, ...], exit_code: int) -> None:
    call(folder, "serve", *arguments, exit_code=exit_code)


def test_what_waits_for_a_person_is_not_rolled_out_by_its_bundle(folder: Path, decided: str) -> None:
    assert "has not said yes" in call(folder, "serve", "rollout", "start", "--bundle", "eeeeee", exit_code=4)["error"]


def test_options_in_front_of_a_word_are_refused(folder: Path) -> None:
    result = CliRunner().invoke(palio, ["serve", "--port", "1", "policy", "show"])
    assert result.exit_code == 2 and "stands in front" in result.stderr


def test_a_wrong_key_in_a_rule_of_the_settings_is_named(folder: Path) -> None:
    (folder / "palio.toml").write_text(TOML.replace("hours", "huors"))
    told = call(folder, "serve", "policy", "show", exit_code=2)
    assert "[[serve.rules]] 1: unknown key `huors`" in told["error"] and told["hint"] == "did you mean `hours`?"


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1y", "0d", "9999999d"])
def test_a_duration_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="duration"):
        read_duration(text)
