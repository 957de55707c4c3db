"""A store for the tests of this room, and small tables to put into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from palio.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "project") as opened:
        yield opened
