"""A store that may only be read: what was written is found, what would be written is refused in words."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from palio import store
from palio.core.errors import UnavailableError
from palio.store.engine import open_sqlite
from palio.store.layout import Layout


def written(folder: Path) -> Path:
    with store.open_store(folder) as opened:
        opened.ledger.append("note", "x", "A line.")
    return Layout(folder).ledger


def lines(path: Path) -> int:
    database = open_sqlite(path, read_only=True)
    with database.read() as connection:
        return int(connection.exec_driver_sql("SELECT COUNT(*) FROM palio_events").scalar() or 0)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    assert lines(written(tmp_path)) == 1


def test_what_others_write_meanwhile_is_seen(tmp_path: Path) -> None:
    path = written(tmp_path)
    with store.open_store(tmp_path) as opened:
        opened.ledger.append("note", "x", "Another line.")
        assert lines(path) == 2


def test_whoever_wants_to_write_is_refused_in_words(tmp_path: Path) -> None:
    database = open_sqlite(written(tmp_path), read_only=True)
    with pytest.raises(UnavailableError, match="can only be read here"), database.write():
        pass


def test_changes_that_cannot_be_read_from_here_are_not_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path)
    with store.open_store(tmp_path) as opened:
        opened.ledger.append("note", "x", "Another line.")
        copy = tmp_path / "copy"
        copy.mkdir()
        for name in ("ledger.db", "ledger.db-wal"):  # as a disk is found that was taken away from a running writer
            shutil.copy(path.with_name(name), copy / name)
    (copy / "ledger.db-shm").symlink_to(tmp_path / "nowhere" / "at-all")
    with pytest.raises(UnavailableError):
        lines(copy / "ledger.db")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_the_store_of_a_folder_that_cannot_be_written_is_opened_for_reading(tmp_path: Path) -> None:
    path = written(tmp_path)
    for one in (*path.parent.iterdir(), path.parent):
        one.chmod(one.stat().st_mode & ~0o222)
    with store.open_store(tmp_path) as opened:
        assert opened.is_read_only
    path.parent.chmod(0o700)
