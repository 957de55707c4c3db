from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio.serve.traffic.quota import OwnQuotas, Quotas, SharedQuotas


@pytest.fixture(params=["own", "shared"])
def quotas(request: pytest.FixtureRequest, tmp_path: Path) -> Quotas:
    return OwnQuotas() if request.param == "own" else SharedQuotas(tmp_path / "quotas")


def test_what_was_used_comes_back_evenly(quotas: Quotas) -> None:
    take: Callable[[int, float], float] = lambda n, now: quotas.take("ann", n, capacity=60, rate=1.0, now=now)  # noqa: E731
    assert take(60, 100.0) == 0.0
    assert take(1, 100.0) == 1.0
    assert take(30, 130.0) == 0.0
    assert take(60, 130.0) == 60.0
    assert take(60, 10_000.0) == 0.0, "and no more than the capacity is saved up"
    assert take(1, 10_000.0) == 1.0


def test_more_than_the_bucket_holds_is_never_there(quotas: Quotas) -> None:
    assert quotas.take("ann", 61, capacity=60, rate=1.0, now=0.0) == float("inf")
    assert quotas.take("ann", 60, capacity=60, rate=1.0, now=0.0) == 0.0


def test_callers_do_not_share(quotas: Quotas) -> None:
    assert [quotas.take(f"caller {n}", 1, capacity=1, rate=0.001, now=5.0) for n in range(500)] == [0.0] * 500
    assert all(quotas.take(f"caller {n}", 1, capacity=1, rate=0.001, now=5.0) > 0 for n in range(500))


def test_a_clock_that_steps_back_gives_nothing_away(quotas: Quotas) -> None:
    assert quotas.take("ann", 10, capacity=10, rate=1.0, now=1000.0) == 0.0
    assert quotas.take("ann", 1, capacity=10, rate=1.0, now=0.0) > 0
    assert quotas.take("ann", 1, capacity=10, rate=1.0, now=1000.5) > 0


def test_threads_cannot_take_the_same_row(quotas: Quotas) -> None:
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: quotas.take("ann", 1, capacity=100, rate=1e-9, now=1.0), range(400)))
    assert taken.count(0.0) == 100


@given(st.lists(st.tuples(st.integers(1, 20), st.floats(0, 5)), max_size=60))
def test_no_more_than_twice_the_quota_within_one_window(asks: list[tuple[int, float]]) -> None:
    quotas, now, granted = OwnQuotas(), 0.0, []
    for n_rows, pause in asks:
        now += pause
        if quotas.take("ann", n_rows, capacity=10, rate=1.0, now=now) == 0.0:
            granted.append((now, n_rows))
    for begin, _ in granted:
        assert sum(n for at, n in granted if begin <= at < begin + 10) <= 20 + 1e-6


def _drain(path: Path) -> int:
    with SharedQuotas(path) as quotas:
        return sum(quotas.take("ann", 1, capacity=1000, rate=1e-9, now=1.0) == 0.0 for _ in range(700))


def test_workers_share_one_quota(tmp_path: Path) -> None:
    with multiprocessing.get_context("forkserver").Pool(3) as pool:
        taken = pool.map(_drain, [tmp_path / "quotas"] * 3)
    assert sum(taken) == 1000


def test_the_file_of_quotas_is_not_followed_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"link"):
        SharedQuotas(tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()
