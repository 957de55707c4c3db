from __future__ import annotations

import datetime as dt
import pwd
from pathlib import Path

import pytest

from palio.core.errors import ConflictError
from palio.core.records import Stratum
from palio.store import open_store, operating_system_user


def test_the_actor_is_the_user_of_the_process_not_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(name, "mallory")
    with open_store(tmp_path) as store:
        assert store.ledger.append("a.b", "x", "Line.").actor == operating_system_user() != "mallory"


def test_a_user_without_a_name_is_called_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(number: int) -> object:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert operating_system_user().startswith("uid ")


def test_the_clock_can_be_held_and_times_are_utc(tmp_path: Path) -> None:
    summer = dt.datetime(2026, 7, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    with open_store(tmp_path, clock=lambda: summer) as store:
        line = store.ledger.append("a.b", "x", "Line.")
        assert line.at == summer and line.at.utcoffset() == dt.timedelta(0)
        assert store.ledger.events() == [line]


def test_a_payload_may_hold_records(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        line = store.ledger.append("a.b", "x", "Line.", payload={"stratum": Stratum(key="a", train=0.5, validation=1)})
        assert line.payload["stratum"]["key"] == "a"


def test_a_long_ledger_is_verified_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palio.store.ledger._PAGE_ROWS", 7)
    with open_store(tmp_path) as store:
        for number in range(21):
            store.ledger.append("a.b", "x", f"Line {number}.")
        store.ledger.verify()


def test_a_line_is_written_only_behind_the_one_that_was_seen(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        assert store.ledger.newest("a.b", "x") is None
        first = store.ledger.append_after("a.b.start", "x", "First.", family="a.b", after=0)
        store.ledger.append("a.b", "another subject", "Line.")
        store.ledger.append("a.c", "x", "Another kind.")
        with pytest.raises(ConflictError, match=f"line {first.sequence} first"):
            store.ledger.append_after("a.b.go", "x", "Too late.", family="a.b", after=0)
        second = store.ledger.append_after("a.b.go", "x", "Second.", family="a.b", after=first.sequence)
        assert store.ledger.newest("a.b", "x") == second
        assert store.ledger.newest("a.b.start", "x") == first
        store.ledger.verify()
