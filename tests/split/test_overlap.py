"""Looks are weighed by the rows that they showed."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from palio import split
from palio.core.errors import SealError
from palio.core.records import Parts, Snapshot, Task

from .conftest import Bench, Rows


def opened(bench: Bench, parts: Parts, n_looks: int = 1) -> None:
    snapshot = bench.store.records.require(Snapshot, parts.snapshot)
    for _ in range(n_looks):
        split.open_test(bench.store, snapshot, parts, candidate="c", why="w")


def test_a_row_more_renews_nothing(bench: Bench, make_rows: Rows, yes_no: Task) -> None:
    frame = make_rows(1_010)
    first = bench.cut(frame[:1_000], yes_no, looks=20)
    opened(bench, first, 20)
    more = bench.cut(frame, yes_no, looks=20, previous=first)
    assert more.counts["test"] > first.counts["test"]
    assert more.test_id != first.test_id
    assert split.looks(bench.store, more) == 20
    assert split.looks_left(bench.store, more) == 0
    with pytest.raises(SealError, match="budget of 20 looks is used up"):
        opened(bench, more)


@pytest.mark.parametrize("roles", [{}, {"id": "i"}, {"group": "g"}])
def test_twice_the_test_rows_halve_what_was_used(
    bench: Bench, make_rows: Rows, yes_no: Task, roles: dict[str, Any]
) -> None:
    frame = make_rows(4_000).with_columns(i=pl.int_range(4_000), g=pl.int_range(4_000) // 5)
    first = bench.cut(frame[:2_000], yes_no, roles=roles, policy="cv", looks=20)
    opened(bench, first, 8)
    second = bench.cut(frame, yes_no, roles=roles, policy="cv", looks=20, previous=first)
    used = 8 * first.counts["test"] / second.counts["test"]
    assert used == pytest.approx(4, abs=0.6)
    assert split.looks(bench.store, second) == np.ceil(used - 1e-9)


def test_rows_of_the_future_owe_nothing_and_late_rows_of_the_past_renew_nothing(
    bench: Bench, make_rows: Rows, yes_no: Task
) -> None:
    frame = make_rows(4_000).with_columns(t=pl.int_range(4_000))
    first = bench.cut(frame[:2_000], yes_no, roles={"time": ("t",)}, policy="cv", looks=20)
    opened(bench, first, 8)
    late = pl.concat([frame[:2_000], make_rows(500, seed=7).with_columns(t=pl.int_range(500))])
    second = bench.cut(late, yes_no, roles={"time": ("t",)}, looks=20, previous=first)
    assert split.looks(bench.store, second) == 8
    third = bench.cut(frame[:2_200], yes_no, roles={"time": ("t",)}, looks=20, previous=first)
    assert split.looks(bench.store, third) == np.ceil(8 * 240 / 440)  # 1,760 to 1,999 of 1,760 to 2,199
    assert split.looks(bench.store, bench.cut(frame, yes_no, roles={"time": ("t",)}, previous=first)) == 0


@pytest.mark.parametrize("how", [{"seed": 1}, {"policy": "80-10-10"}, {"method": "grouped"}])
def test_another_cut_of_the_same_rows_counts_by_the_rows_that_were_seen(
    bench: Bench, make_rows: Rows, yes_no: Task, how: dict[str, Any]
) -> None:
    frame = make_rows(2_000).with_columns(g=pl.int_range(2_000) % 500)
    snapshot = bench.snapshot(frame, group="g")
    first = split.cut(bench.store, snapshot, task=yes_no, method="random", policy="cv", looks=20)
    opened(bench, first, 10)
    second = split.cut(bench.store, snapshot, task=yes_no, looks=20, **{"method": "random", "policy": "cv"} | how)
    both = (bench.assignment(first) == 2) & (bench.assignment(second) == 2)
    expected = int(np.ceil(10 * both.sum() / second.counts["test"] - 1e-9))
    assert split.looks(bench.store, second) == expected >= 1


def test_neither_another_order_nor_a_new_column_nor_another_id_hides_what_was_seen(
    bench: Bench, make_rows: Rows, yes_no: Task
) -> None:
    frame = make_rows(1_000).with_columns(i=pl.int_range(1_000))
    first = bench.cut(frame, yes_no, roles={"id": "i"}, looks=5)
    opened(bench, first, 5)
    turned = bench.cut(frame.reverse(), yes_no, roles={"id": "i"}, looks=5)
    wider = bench.cut(frame.with_columns(z=pl.col("x") * 2), yes_no, roles={"id": "i"}, looks=5)
    assert split.looks(bench.store, turned) == split.looks(bench.store, wider) == 5
    nameless = bench.cut(frame, yes_no, looks=5)  # cut by all columns: another fifth of the rows
    both = (bench.assignment(first) == 2) & (bench.assignment(nameless) == 2)
    assert split.looks(bench.store, nameless) == np.ceil(5 * both.sum() / nameless.counts["test"] - 1e-9) >= 1


def test_a_corrected_label_hides_nothing(bench: Bench, make_rows: Rows, yes_no: Task) -> None:
    frame = make_rows(1_000)
    first = bench.cut(frame, yes_no, looks=5)
    opened(bench, first, 5)
    turned = pl.when(pl.int_range(pl.len()) % 20 == 3).then(pl.lit("yes")).otherwise(pl.col("y"))
    second = bench.cut(frame.with_columns(y=turned), yes_no, looks=5, previous=first)
    assert second.test_id != first.test_id
    assert split.looks(bench.store, second) == 5


def test_equal_rows_are_counted_as_often_as_they_stand_in_both(bench: Bench, yes_no: Task) -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"a": rng.integers(0, 2, 4_000), "y": np.where(rng.random(4_000) < 0.5, "yes", "no")})
    first = bench.cut(frame[:2_000], yes_no, policy="cv", looks=20)
    opened(bench, first, 10)
    second = bench.cut(frame, yes_no, policy="cv", looks=20, previous=first)
    assert 5 <= split.looks(bench.store, second) <= 6


def test_fresh_rows_alone_owe_nothing_and_neither_does_another_target(
    bench: Bench, make_rows: Rows, yes_no: Task
) -> None:
    frame = make_rows(1_000).with_columns(w=pl.col("y"))
    first = bench.cut(frame, yes_no, looks=2)
    opened(bench, first, 2)
    assert split.looks(bench.store, bench.cut(make_rows(1_000, seed=5), yes_no)) == 0
    snapshot = bench.snapshot(frame)
    schema = msgspec.structs.replace(snapshot.schema, target="w")
    other = msgspec.structs.replace(snapshot, id="e" * 64, schema=schema)
    bench.store.records.put(other, key=other.id)
    task = msgspec.structs.replace(yes_no, target="w")
    assert split.looks(bench.store, split.cut(bench.store, other, task=task)) == 0


def test_a_cut_that_is_gone_counts_in_full(bench: Bench, make_rows: Rows, yes_no: Task) -> None:
    parts = bench.cut(make_rows(300), yes_no)
    bench.store.ledger.append("evaluate.look", "t", "Looked.", payload={"parts": "d" * 64})
    assert split.looks(bench.store, parts) == 1


def test_keys_that_were_cleared_away_are_made_again(bench: Bench, make_rows: Rows, yes_no: Task) -> None:
    frame = make_rows(600)
    first = bench.cut(frame[:500], yes_no, looks=9)
    opened(bench, first, 3)
    second = bench.cut(frame, yes_no, looks=9, previous=first)
    blobs = bench.folder / ".palio" / "blobs"
    before = set(blobs.rglob("*"))
    used = split.looks(bench.store, second)
    made = [path for path in set(blobs.rglob("*")) - before if path.is_file()]
    assert len(made) == 2
    for path in made:
        path.unlink()
    assert split.looks(bench.store, second) == used == 3


def test_looks_that_race_share_no_last_look(bench: Bench, make_rows: Rows, yes_no: Task) -> None:
    frame = make_rows(1_010)
    first = bench.cut(frame[:1_000], yes_no, looks=4)
    opened(bench, first, 2)
    grown = bench.cut(frame, yes_no, looks=4, previous=first)
    gate, given = threading.Barrier(6), []

    def race() -> None:
        gate.wait()
        try:
            opened(bench, grown)
        except SealError:
            return
        given.append(1)

    racers = [threading.Thread(target=race) for _ in range(6)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len(given) == 2
