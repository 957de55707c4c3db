"""Row hashes: fixed for good, blind to the order of columns, and never equal by accident of type."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio.core.records import Schema
from palio.data import mix
from palio.split import hashing, row_ids
from palio.split.hashing import cell_hashes, occurrence_hashes, row_hashes, uniform


def frame() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "age": [41.5, None, -0.0],
            "n": [1, 2, None],
            "job": ["clerk", None, "größer"],
            "at": [dt.datetime(2026, 1, 1, tzinfo=dt.UTC), None, dt.datetime(1969, 1, 1, tzinfo=dt.UTC)],
        }
    )


def test_the_hash_of_a_row_is_fixed_for_good() -> None:
    # These numbers must never change: rows would change their part in every project that grows.
    hashes = row_hashes(frame().to_arrow(), ["age", "n", "job", "at"])
    assert hashes.tolist() == [2393967200558311888, 609367942165521864, 13714535635465094303]


def test_the_order_of_columns_does_not_matter() -> None:
    table = frame().to_arrow()
    first = row_hashes(table, ["age", "n", "job", "at"])
    assert (first == row_hashes(table.select(["at", "job", "n", "age"]), ["job", "at", "age", "n"])).all()


def test_swapping_the_values_of_two_columns_changes_the_hash() -> None:
    one = pl.DataFrame({"a": [1], "b": [2]}).to_arrow()
    other = pl.DataFrame({"a": [2], "b": [1]}).to_arrow()
    assert row_hashes(one, ["a", "b"]) != row_hashes(other, ["a", "b"])


def test_minus_zero_is_zero_and_every_missing_number_is_the_same() -> None:
    zeros = cell_hashes(pa.array([0.0, -0.0]))
    assert zeros[0] == zeros[1]
    missing = cell_hashes(pa.array([None, float("nan")], pa.float64()))
    assert missing[0] == missing[1] != zeros[0]


def test_text_hashes_the_same_however_arrow_stores_it() -> None:
    words = ["a", None, "", "a", "ß"]
    plain = cell_hashes(pa.array(words, pa.string()))
    for kind in (pa.large_string(), pa.string_view()):
        assert (cell_hashes(pa.array(words, kind)) == plain).all()
    assert (cell_hashes(pa.array(words).dictionary_encode()) == plain).all()
    assert (cell_hashes(pa.chunked_array([words[:2], words[2:]])) == plain).all()
    assert plain[0] == plain[3]
    assert len(set(plain.tolist())) == 4


def test_batches_do_not_change_hashes() -> None:
    table = pl.DataFrame({"x": np.arange(1000) / 7, "s": [str(i % 13) for i in range(1000)]}).to_arrow()
    whole = row_hashes(table, ["x", "s"])
    pieces = [row_hashes(batch, ["x", "s"]) for batch in table.to_batches(max_chunksize=77)]
    assert (np.concatenate(pieces) == whole).all()


def test_a_part_of_a_column_hashes_as_if_it_stood_alone() -> None:
    table = frame().to_arrow()
    for name in table.column_names:
        whole = cell_hashes(table.column(name))
        assert (cell_hashes(table.column(name).combine_chunks().slice(1)) == whole[1:]).all()


def test_hashing_rows_does_not_load_pandas() -> None:
    script = (
        "import sys, polars as pl; from palio.split.hashing import row_hashes; "
        "row_hashes(pl.DataFrame({'x': [1.5, None], 'n': [1, None], 's': ['a', None]}).to_arrow(), ['x', 'n', 's']); "
        "print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_empty_table_has_no_hashes() -> None:
    assert row_hashes(frame().clear().to_arrow(), ["age", "job"]).size == 0
    assert occurrence_hashes(np.empty(0, np.uint64)).size == 0


@given(st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=50))
def test_mixing_is_one_to_one(values: list[int]) -> None:
    assert len(set(mix(np.array(values, np.uint64)).tolist())) == len(values)


def test_small_consecutive_numbers_spread_evenly() -> None:
    hashes = row_hashes(pl.DataFrame({"id": np.arange(200_000)}).to_arrow(), ["id"])
    counts = np.histogram(uniform(hashes, 0, "split"), bins=50, range=(0, 1))[0]
    chi_squared = float(((counts - 4_000) ** 2 / 4_000).sum())
    assert 23 < chi_squared < 87  # 0.1 % and 99.9 % points of 49 degrees of freedom


def test_another_seed_or_use_is_independent() -> None:
    hashes = mix(np.arange(50_000, dtype=np.uint64))
    first = uniform(hashes, 0, "split")
    for other in (uniform(hashes, 1, "split"), uniform(hashes, 0, "folds")):
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.02


def test_the_first_of_equal_hashes_keeps_it_and_later_rows_leave_earlier_ones_alone() -> None:
    hashes = np.array([5, 9, 5, 5, 9, 7], np.uint64)
    told_apart = occurrence_hashes(hashes)
    assert told_apart[[0, 1, 5]].tolist() == [5, 9, 7]
    assert len(set(told_apart.tolist())) == 6
    assert (occurrence_hashes(hashes[:4]) == told_apart[:4]).all()


@given(st.lists(st.integers(0, 4), max_size=40), st.integers(1, 9))
def test_equal_hashes_are_told_apart_in_blocks_as_at_once(values: list[int], block: int) -> None:
    hashes = mix(np.array(values, np.uint64))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashing, "_BLOCK", block)
        found = occurrence_hashes(hashes)
    before = [hashes[:i].tolist().count(own) for i, own in enumerate(hashes.tolist())]
    expected = [
        own if n == 0 else int(mix(np.uint64([own]) ^ mix(np.uint64([n])))[0])
        for own, n in zip(hashes.tolist(), before, strict=True)
    ]
    assert found.tolist() == expected


def test_rows_are_named_by_their_id_or_by_their_hash() -> None:
    rows = pl.DataFrame({"k": ["a", None], "x": [1.0, 2.0], "y": ["0", "1"]})
    assert row_ids(rows, Schema(columns=(), id="k")) == ["a", ""]
    named = row_ids(rows, Schema(columns=(), target="y"))
    assert [len(name) for name in named] == [16, 16]
    assert named == row_ids(rows.drop("y"), Schema(columns=(), target="y"))
