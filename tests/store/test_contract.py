"""Every store keeps the same promises: SQLite and PostgreSQL, files and fsspec."""

from __future__ import annotations

from pathlib import Path

import pytest

from palio.testing.racing import Place
from palio.testing.store import StoreContract


class TestSQLiteAndFiles(StoreContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return Place(tmp_path / "project")


class TestPostgreSQLAndFiles(StoreContract):
    @pytest.fixture
    def place(self, tmp_path: Path, postgres_url: str) -> Place:
        return Place(tmp_path / "project", url=postgres_url)


class TestSQLiteAndFsspec(StoreContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        # `local://` goes the whole way through fsspec, and processes share it
        return Place(tmp_path / "project", blobs=f"local://{tmp_path}/bucket")
