from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from palio.store import Store, open_store


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with open_store(tmp_path, url=url) as opened:
        yield opened
