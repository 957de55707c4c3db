"""Whether windows hold what was served, add up, and stay small."""

from __future__ import annotations

import datetime as dt

import msgspec
import numpy as np
import pytest

from palio.core.errors import InputError
from palio.core.monitoring import Reference, Window
from palio.measure import latency_quantile
from palio.monitor.thinning import RowSample
from palio.monitor.windows import LEVELS, WindowBuilder, merge
from tests.monitor.populations import SINCE, reference_of

UNTIL = SINCE + dt.timedelta(hours=1)


@pytest.fixture(scope="module")
def reference() -> Reference:
    chance = np.random.default_rng(1)
    return reference_of(
        {"x": chance.normal(size=1_000), "k": np.array(["a", "b"], object)[chance.integers(0, 2, 1_000)]}
    )


def batch(x: np.ndarray, *, bundle: str = "b", **more: np.ndarray) -> dict[str, np.ndarray]:
    n_rows = len(x)
    return {
        "id": np.array([f"r{row}.0" for row in range(n_rows)], object),
        "bundle": np.full(n_rows, bundle, object),
        "n_rows": np.ones(n_rows, np.int32),
        "latency_us": np.full(n_rows, 2_000.0, np.float32),
        "flags": np.full(n_rows, "", object),
        "input.x": x,
        "input.k": np.full(n_rows, "a", object),
        **more,
    }


def builder(reference: Reference | None, **facts) -> WindowBuilder:
    return WindowBuilder(reference, model="m", bundle="b", version=2, since=SINCE, until=UNTIL, **facts)


def window_of(reference: Reference | None, *batches: dict[str, np.ndarray]) -> Window:
    made = builder(reference)
    for one in batches:
        made.add(one)
    return made.finish()


def test_rows_of_other_bundles_are_passed_over(reference) -> None:
    mixed = batch(np.zeros(10))
    mixed["bundle"][:4] = "other"
    window = window_of(reference, mixed, batch(np.zeros(5), bundle="other"))
    assert (window.n_rows, window.n_requests) == (6, 6)
    assert sum(window.columns[0].counts) == 6


def test_a_request_of_several_rows_is_counted_once(reference) -> None:
    ids = np.array(["q.0", "q.1", "q.10", "p.0"], object)
    sizes, slow = np.array([3, 3, 3, 1], np.int32), np.array([9e6, 9e6, 9e6, 1e6], np.float32)
    window = window_of(reference, batch(np.zeros(4), id=ids, n_rows=sizes, latency_us=slow))
    assert (window.n_rows, window.n_requests, window.busy_s) == (4, 2, 10.0)
    assert sum(window.latencies) == 2
    assert latency_quantile(window.latencies, 0.99) == pytest.approx(9, rel=0.1)


def test_batches_of_any_size_give_the_same_window(reference) -> None:
    x = np.random.default_rng(2).normal(size=3_000)
    whole = window_of(reference, batch(x))
    pieces = window_of(reference, *(batch(part) for part in np.array_split(x, 170)))
    assert msgspec.structs.replace(whole, latencies=(), busy_s=0) == msgspec.structs.replace(
        pieces, latencies=(), busy_s=0
    )


def test_windows_of_replicas_and_hours_add_up(reference) -> None:
    chance = np.random.default_rng(3)
    x, y = chance.normal(size=2_000), chance.normal(3, 1, 1_000)
    one, other = window_of(reference, batch(x)), window_of(reference, batch(y))
    later = msgspec.structs.replace(other, since=UNTIL, until=UNTIL + dt.timedelta(hours=1), violations={"no age": 2})
    both, whole = merge([one, later]), window_of(reference, batch(np.concatenate([x, y])))
    assert both.columns[0].counts == whole.columns[0].counts
    assert both.columns[0].n_high == whole.columns[0].n_high
    assert both.latencies == whole.latencies
    assert (both.n_rows, both.since, both.until) == (3_000, SINCE, later.until)
    assert both.violations == {"no age": 2}
    assert both.columns[0].quantiles == pytest.approx(np.quantile(np.concatenate([x, y]), LEVELS), abs=0.15)


def test_windows_of_different_bundles_do_not_add_up(reference) -> None:
    one = window_of(reference, batch(np.zeros(3)))
    with pytest.raises(InputError, match="do not belong together"):
        merge([one, msgspec.structs.replace(one, bundle="c")])
    with pytest.raises(InputError, match="0 windows"):
        merge([])


def test_flags_are_counted_by_row(reference) -> None:
    flags = np.array(["x: out of range\nk: missing", "", "x: out of range"], object)
    assert window_of(reference, batch(np.zeros(3), flags=flags)).flags == {"x: out of range": 2, "k: missing": 1}


def test_failures_are_told_from_refusals_and_broken_contracts(reference) -> None:
    made = builder(reference)
    status = np.array([500, 504, 429, 503, 422, 400, 404, 500], np.int16)  # a broken row is 400 in some protocols
    bundle = np.array(["b", "", "", "b", "", "b", "", "other"], object)
    made.add_failures({"bundle": bundle, "status": status, "reason": np.full(8, "`age` is missing", object)})
    window = made.finish()
    assert (window.n_failed, window.n_refused, window.violations) == (2, 2, {"`age` is missing": 2})


def test_reasons_do_not_grow_without_bound(reference) -> None:
    made = builder(reference)
    reasons = np.array([f"reason {k}" for k in range(500)], object)
    made.add_failures({"bundle": np.full(500, "", object), "status": np.full(500, 422), "reason": reasons})
    assert len(made.finish().violations) <= 51
    assert sum(made.finish().violations.values()) == 500


def test_columns_that_were_redacted_or_left_out_are_not_counted(reference) -> None:
    gone = batch(np.zeros(50))
    del gone["input.k"]
    assert [one.name for one in window_of(reference, gone).columns] == ["x"]
    hidden = batch(np.zeros(50), **{"input.x": np.full(50, None)})
    assert [one.name for one in window_of(reference, hidden).columns] == ["k"]


def test_without_a_reference_requests_are_counted() -> None:
    window = window_of(None, batch(np.zeros(7)))
    assert (window.n_requests, window.columns) == (7, ())


def test_quantiles_are_those_of_the_rows(reference) -> None:
    x = np.random.default_rng(4).normal(size=50_000)
    (column, _) = window_of(reference, *(batch(part) for part in np.array_split(x, 7))).columns
    assert column.quantiles == pytest.approx(np.quantile(x, LEVELS), abs=0.15)


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_a_sample_is_even_and_bounded(size: int) -> None:
    sample = RowSample(["x"], limit=64)
    for start in range(0, 5_000, size):
        rows = np.arange(start, min(start + size, 5_000))
        sample.add({"x": rows}, n_rows=len(rows))
    kept = sample.rows()["x"]
    assert 32 <= len(kept) <= 64
    assert set(np.diff(kept)) == {128}
