from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from palio import store as room
from palio.core.errors import IntegrityError, UnavailableError
from palio.store import tables


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


def test_a_database_from_a_newer_version_is_left_alone(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "SCHEMA_VERSION", 7)
    room.open_store(tmp_path, url=url).close()
    monkeypatch.undo()
    for attempt in (room.open_store, room.upgrade_store):
        with pytest.raises(UnavailableError, match="newer Palio") as caught:
            attempt(tmp_path, url=url)
        assert "pip install --upgrade palio" in caught.value.hint


def test_an_older_database_is_upgraded_only_on_demand_and_keeps_its_lines(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with room.open_store(tmp_path, url=url) as store:
        store.ledger.append("a.b", "x", "Old line.")
    monkeypatch.setattr(tables, "SCHEMA_VERSION", 2)
    monkeypatch.setattr(tables, "MIGRATIONS", {1: ("ALTER TABLE palio_steps ADD COLUMN note TEXT",)})
    with pytest.raises(UnavailableError, match="older Palio") as caught:
        room.open_store(tmp_path, url=url)
    assert "palio store upgrade" in caught.value.hint
    assert room.upgrade_store(tmp_path, url=url) == 2
    assert room.upgrade_store(tmp_path, url=url) == 2
    with room.open_store(tmp_path, url=url) as store:
        assert [line.text for line in store.ledger.events()] == ["Old line."]
        store.ledger.verify()
        with store.database.read() as connection:
            assert connection.execute(sa.text("SELECT note FROM palio_steps")).all() == []


def test_an_upgrade_that_fails_changes_nothing(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    room.open_store(tmp_path, url=url).close()
    with monkeypatch.context() as patch:
        patch.setattr(tables, "SCHEMA_VERSION", 2)
        patch.setattr(tables, "MIGRATIONS", {1: ("ALTER TABLE palio_steps ADD COLUMN note TEXT", "NO SUCH STATEMENT")})
        with pytest.raises((UnavailableError, IntegrityError)):
            room.upgrade_store(tmp_path, url=url)
    with room.open_store(tmp_path, url=url) as store, store.database.read() as connection:
        assert "note" not in {column["name"] for column in sa.inspect(connection).get_columns("palio_steps")}


def test_a_ledger_without_version_is_damaged(tmp_path: Path, url: str) -> None:
    with room.open_store(tmp_path, url=url) as store, store.database.write() as connection:
        connection.execute(sa.text("DELETE FROM palio_meta"))
    with pytest.raises(IntegrityError, match="version is missing"):
        room.open_store(tmp_path, url=url)


def test_the_database_may_hold_other_tables(tmp_path: Path, url: str) -> None:
    with room.open_store(tmp_path, url=url) as store, store.database.write() as connection:
        connection.execute(sa.text("CREATE TABLE events (a TEXT)"))
        names = sa.inspect(connection).get_table_names()
        assert {name for name in names if not name.startswith("palio_")} == {"events"}


def test_what_lies_in_the_folder_is_kept_out_of_git(tmp_path: Path) -> None:
    room.open_store(tmp_path / "new" / "project").close()
    assert (tmp_path / "new" / "project" / ".palio" / ".gitignore").read_text() == "*\n"
