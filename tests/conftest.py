"""What every test may ask for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from palio.testing.postgres import Server, find_binaries, throwaway_server

# How fast a test is depends on who else is at work. The same examples each time: what is taken in must pass again;
# HYPOTHESIS_PROFILE=hunt looks for new ones.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("hunt", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

# A search in worker processes is what tests/train/engine, and a few others that ask for it, are about.
os.environ.setdefault("PALIO_TRAIN_ENGINE", "inline")

# Workers share the cores: threads that one starts for each core would wait for those of the other, and by default they
# spin meanwhile, which costs four times the fit. Said before a library that uses OpenMP is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if n_workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // n_workers)))

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets beside the checkout; tests that need it are skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the shared data sets are not beside this checkout")
    return SHARED_DATA


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A real, throw-away PostgreSQL server; tests that need it are skipped where PostgreSQL is not installed."""
    pytest.importorskip("psycopg", reason="the postgres extra is not installed")
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: neither initdb on the PATH nor /usr/lib/postgresql/*/bin")
    with throwaway_server(binaries) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """The URL of an empty database."""
    with postgres_server.database() as url:
        yield url
