"""Where a network breaks a limit, its graph in smaller numbers competes; what it costs in the metric is measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from palio import data, model, split, train
from palio.core.records import Search
from palio.store import Store, open_store

pytest.importorskip("torch", reason="torch is not installed")

ANSWERS = ["pos", "neg", "neg"] * 40


pytestmark = pytest.mark.slow


def searched(folder: Path, size_mb: float | None) -> tuple[Search, Store]:
    rng, said = np.random.default_rng(0), {"pos": ["lovely", "bright"], "neg": ["dark", "damp"]}
    reviews = [f"the box came on monday {rng.choice(said[one])} {i} with paper" for i, one in enumerate(ANSWERS)]
    path = folder / "own.csv"
    pl.DataFrame({"review": reviews, "y": ANSWERS}).write_csv(path)
    store = open_store(folder)
    schema = data.survey(data.open_source(path), target="y").schema
    snapshot = data.ingest(data.open_source(path), store=store, schema=schema)
    task = data.infer_task(store, snapshot)
    parts = split.cut(store, snapshot, task=task)
    how = {"families": ("textcnn",), "trials": 2, "engine": "inline", "size_mb": size_mb}
    return train.search(store, snapshot, parts, task=task, **how), store  # type: ignore[arg-type]


def test_limits_decide_between_a_network_and_its_lighter_graphs(tmp_path: Path) -> None:
    found, store = searched(tmp_path, 0.36)
    (chosen,) = [run for run in found.runs if run.chosen]
    (taught,) = [run for run in found.runs if run.family == "textcnn" and "precision" not in run.params]
    assert taught.cost is None or taught.cost.size_mb > 0.36
    assert chosen.family == "textcnn" and chosen.params["precision"] in ("float16", "int8")
    assert chosen.cost is not None and chosen.cost.size_mb <= 0.36
    bundle = model.load(store, found.bundle)
    assert bundle.graph.precision == chosen.params["precision"]
    assert all(check.passed for check in model.verify_bundle(bundle))
    assert not list((tmp_path / ".palio" / "unfinished").glob("*"))
