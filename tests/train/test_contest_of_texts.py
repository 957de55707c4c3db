"""A table of texts alone is learned from; where no family reads texts, that is said before anything is tried."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from palio import data, model, split, train
from palio.core.errors import InputError
from palio.core.records import Run, Search
from palio.store import open_store

ANSWERS = ["pos", "neg", "neg"] * 40


def searched(tmp_path: Path, reviews: list[str], families: tuple[str, ...]) -> tuple[Search, object]:
    path = tmp_path / "own.csv"
    pl.DataFrame({"review": reviews, "y": ANSWERS}).write_csv(path)
    store = open_store(tmp_path)
    schema = data.survey(data.open_source(path), target="y").schema
    snapshot = data.ingest(data.open_source(path), store=store, schema=schema)
    task = data.infer_task(store, snapshot)
    parts = split.cut(store, snapshot, task=task)
    try:
        return train.search(store, snapshot, parts, task=task, families=families, budget_s=120.0), store
    except InputError:
        assert not store.records.all(Run)
        assert split.looks(store, parts) == 0
        raise


def reviews() -> list[str]:
    rng, said = np.random.default_rng(0), {"pos": ["lovely", "bright"], "neg": ["dark", "damp"]}
    return [f"the box came on monday {rng.choice(said[one])} {i} with paper inside" for i, one in enumerate(ANSWERS)]


def test_a_table_of_texts_alone_is_learned_from(tmp_path: Path) -> None:
    found, store = searched(tmp_path, reviews(), ("words",))
    assert next(run for run in found.runs if run.chosen).family == "words"
    manifest = model.load(store, found.bundle).manifest  # type: ignore[arg-type]
    assert manifest.readings[0].n_entries
    assert not manifest.readings[0].word_entries  # they stand in the graph, once


def test_families_that_read_no_texts_are_refused_before_anything_is_tried(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none can do classification on text data"):
        searched(tmp_path, reviews(), ("bayes",))
