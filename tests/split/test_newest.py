"""The newest rows alone: the rows of before are set aside, the test part stays what it is."""

from __future__ import annotations

import numpy as np

from palio import split
from palio.core.records import Task

from .conftest import Bench, Rows


def test_only_the_newest_rows_are_learned_from_and_the_test_part_stays(
    bench: Bench, make_rows: Rows, yes_no: Task
) -> None:
    snapshot = bench.snapshot(make_rows(400))
    whole = split.cut(bench.store, snapshot, task=yes_no, policy="60-20-20")
    few = split.newest_only(bench.store, whole, 300)
    for part in ("train", "validation"):
        places = split.part_places(bench.store, whole, part)
        np.testing.assert_array_equal(split.part_places(bench.store, few, part), places[places >= 300])
        assert split.read(bench.store, snapshot, few, part).height == few.counts[part] == (places >= 300).sum()
    assert (few.test_id, few.counts["test"], few.first_row) == (whole.test_id, whole.counts["test"], 300)
    assert few.id != whole.id and split.newest_only(bench.store, whole, 300).id == few.id


def test_a_look_at_it_is_a_look_at_the_same_rows(bench: Bench, make_rows: Rows, yes_no: Task) -> None:
    snapshot = bench.snapshot(make_rows(400))
    whole = split.cut(bench.store, snapshot, task=yes_no, policy="60-20-20", looks=5)
    few = split.newest_only(bench.store, whole, 300)
    look = split.open_test(bench.store, snapshot, few, candidate="a" * 64, why="gate")
    assert look.rows.height == whole.counts["test"]
    assert split.looks(bench.store, whole) == 1
