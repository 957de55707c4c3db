from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from palio.core.errors import ConfigError, IntegrityError, PalioError, UnavailableError
from palio.store import engine, open_store


def test_every_commit_waits_for_the_disk_and_readers_do_not_wait_for_writers(tmp_path: Path) -> None:
    with open_store(tmp_path) as store, store.database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        threading.Thread(target=store.ledger.append, args=("a.b", "x", "While somebody reads.")).start()
        for _ in range(200):
            if store.ledger.head()[0]:
                break
            threading.Event().wait(0.01)
        assert store.ledger.head()[0] == 1


def test_postgresql_never_commits_without_sync(postgres_url: str, tmp_path: Path) -> None:
    with open_store(tmp_path, url=f"{postgres_url}&options=-csynchronous_commit%3Doff") as store:
        with store.database.write() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        with store.database.read() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "off"


def test_what_is_not_a_database_is_said_to_be_damaged(tmp_path: Path) -> None:
    (tmp_path / ".palio").mkdir()
    (tmp_path / ".palio" / "ledger.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(IntegrityError, match=r"ledger\.db: the ledger is damaged"):
        open_store(tmp_path)


def test_a_truncated_database_is_said_to_be_damaged(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for number in range(200):
            store.ledger.append("a.b", "x", f"Line {number} " + "x" * 500)
    path = tmp_path / ".palio" / "ledger.db"
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(IntegrityError, match="damaged"), open_store(tmp_path) as store:
        store.ledger.verify()


def test_a_database_that_stays_locked_is_reported_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(tmp_path).close()
    holder = sqlite3.connect(tmp_path / ".palio" / "ledger.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 0.05)
    with open_store(tmp_path) as store, pytest.raises(UnavailableError, match="locked") as caught:
        store.ledger.append("a.b", "x", "Line.")
    assert "fuser" in caught.value.hint
    holder.close()


def test_a_folder_that_cannot_be_made_is_reported_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UnavailableError, match=r"file/\.palio: Not a directory") as caught:
        open_store(tmp_path / "file")
    assert caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_rights_is_reported_with_a_hint(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UnavailableError, match="Permission denied"):
        open_store(tmp_path)
    tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:s3cret@127.0.0.1:1/palio",
        "postgresql://127.0.0.1:1/palio?user=ann&password=s3cret",
        "postgres://ann:s3cret@/palio?host=/nowhere",
        "postgresql+psycopg://ann:s3cret@no-such-host.invalid/palio",
    ],
)
def test_a_postgresql_that_does_not_answer_is_unavailable_and_its_password_stays_secret(
    tmp_path: Path, url: str
) -> None:
    with pytest.raises(UnavailableError, match=r"^postgresql://.*PostgreSQL does not answer") as caught:
        open_store(tmp_path, url=url)
    assert "s3cret" not in str(caught.value) + str(caught.value.as_json())
    assert "[store] url" in caught.value.hint


@pytest.mark.parametrize("url", ["mysql://ann:s3cret@db/palio", "s3cret", "postgresql://ann:s3cret@db:port/x", "://"])
def test_what_is_not_a_supported_url_is_refused_without_repeating_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match=r"\[store\] url") as caught:
        open_store(tmp_path, url=url)
    assert "s3cret" not in str(caught.value)


def test_a_wrong_database_name_is_named(tmp_path: Path, postgres_url: str) -> None:
    with pytest.raises(UnavailableError, match="does not exist"):
        open_store(tmp_path, url=postgres_url.replace("/palio_", "/absent_"))


def test_a_connection_that_the_server_dropped_is_replaced(tmp_path: Path, postgres_url: str) -> None:
    with open_store(tmp_path, url=postgres_url) as store:
        store.ledger.append("a.b", "x", "Before.")
        with pytest.raises(PalioError), store.database.read() as connection:
            connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
        assert store.ledger.append("a.b", "x", "After.").sequence == 2


def test_a_sqlite_url_names_a_file_elsewhere(tmp_path: Path) -> None:
    with open_store(tmp_path / "project", url=f"sqlite:///{tmp_path}/elsewhere.db") as store:
        store.ledger.append("a.b", "x", "Line.")
    assert (tmp_path / "elsewhere.db").exists()
    assert not (tmp_path / "project" / ".palio" / "ledger.db").exists()


def test_a_forked_child_takes_its_own_connection(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.ledger.append("a.b", "x", "Parent.")
        child = os.fork()
        if child == 0:
            try:
                store.ledger.append("a.b", "x", "Child.")
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        store.ledger.append("a.b", "x", "Parent again.")
        assert len(store.ledger.events()) == 3
        store.ledger.verify()
