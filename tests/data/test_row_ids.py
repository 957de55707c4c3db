"""An id that a person declared names one row; this is found out in streams, exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from palio import data
from palio.core.errors import ContractError
from palio.core.records import Schema
from palio.data.row_ids import RowIds
from palio.store import Store


def source(path: Path, ids: list[str]) -> tuple[data.Source, Schema]:
    rows = pl.DataFrame({"key": ids, "x": [i / 7 for i in range(len(ids))], "y": ["n", "j"] * (len(ids) // 2)})
    rows.write_csv(path)
    opened = data.open_source(path)
    return opened, data.survey(opened, target="y", id="key").schema


@pytest.mark.parametrize("kind", ["text", "integer", "number", "datetime"])
def test_repeats_are_those_that_a_set_finds(kind: str) -> None:
    rng = np.random.default_rng(1)
    numbers = pl.Series(rng.integers(0, 40_000, 60_000))
    ids = {
        "text": numbers.cast(pl.String) + "k",
        "integer": numbers,
        "number": numbers / 8,
        "datetime": numbers.cast(pl.Datetime("us", "UTC")),
    }[kind]
    watch, found = RowIds("key"), []
    for start in range(0, len(ids), 1_777):
        found.extend(watch.repeated(ids[start : start + 1_777]).to_list())
    assert found == (~ids.is_first_distinct()).to_list()
    assert watch.is_exact([ids], n_times=2)


def test_a_repeated_id_refuses_the_source_with_examples_and_counts(tmp_path: Path, store: Store) -> None:
    opened, schema = source(tmp_path / "t.csv", [f"k{i}" for i in range(98)] + ["k3", "k3"])
    with pytest.raises(ContractError, match=r"column `key`: 2 cells name rows .*k3 \(row 99\)") as caught:
        data.ingest(opened, store=store, schema=schema)
    assert "[data] id" in str(caught.value.hint)
    assert caught.value.facts["violations"][0]["rule"] == "id"


def test_quarantine_keeps_the_first_row_of_an_id(tmp_path: Path, store: Store) -> None:
    opened, schema = source(tmp_path / "t.csv", [f"k{i}" for i in range(98)] + ["k3", "k3"])
    snapshot = data.ingest(opened, store=store, schema=schema, on_violation="quarantine")
    assert (snapshot.n_rows, snapshot.n_quarantined) == (98, 2)
    assert data.read(store, snapshot, columns=["key"])["key"].to_list() == [f"k{i}" for i in range(98)]


def test_rows_without_an_id_are_no_repeats(tmp_path: Path, store: Store) -> None:
    opened, schema = source(tmp_path / "t.csv", [f"k{i}" for i in range(98)] + ["", ""])
    assert data.ingest(opened, store=store, schema=schema).n_rows == 100


@pytest.mark.parametrize("declared", [True, False])
def test_two_texts_with_one_hash_are_told_apart(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch, declared: bool
) -> None:
    opened, schema = source(tmp_path / "t.csv", [f"k{i}" for i in range(100)])
    seeds = []
    true_hashes = RowIds._hashes

    def colliding(self: RowIds, ids: pl.Series) -> np.ndarray[Any, Any]:
        seeds.append(self._seed)
        hashes = true_hashes(self, ids)
        return hashes if self._seed else hashes & np.uint64(7)

    monkeypatch.setattr(RowIds, "_hashes", colliding)
    snapshot = data.ingest(opened, store=store, schema=schema, id_is_declared=declared)
    assert (snapshot.n_rows, snapshot.schema.id, snapshot.violations) == (100, "key", ())
    assert sorted(set(seeds)) == [0, 1]


def test_a_guessed_id_that_repeats_is_no_id(tmp_path: Path, store: Store) -> None:
    opened, schema = source(tmp_path / "t.csv", [f"k{i}" for i in range(98)] + ["k3", "k3"])
    snapshot = data.ingest(opened, store=store, schema=schema, id_is_declared=False)
    assert (snapshot.n_rows, snapshot.schema.id) == (100, None)
    assert snapshot.schema == msgspec.structs.replace(schema, id=None)
