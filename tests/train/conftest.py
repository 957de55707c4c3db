"""Small real tables, ingested and cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from sklearn import datasets

from palio import data, split
from palio.core.records import Parts, Snapshot, Task
from palio.store import Store, open_store

TABLES = {"cancer": datasets.load_breast_cancer, "wine": datasets.load_wine, "diabetes": datasets.load_diabetes}


@dataclass(frozen=True)
class Ready:
    """A store with a table that is cut, ready to be trained on."""

    folder: Path
    store: Store
    snapshot: Snapshot
    parts: Parts
    task: Task


def make_ready(stack: ExitStack, folder: Path, name: str, n_columns: int = 6, policy: str = "auto") -> Ready:
    """Ingest and cut one of `TABLES` in a store in `folder`, which `stack` closes."""
    table = TABLES[name]()
    frame = pl.DataFrame(table.data[:, :n_columns], schema=list(table.feature_names[:n_columns]))
    truth = pl.Series("y", table.target)
    if name != "diabetes":
        truth = pl.Series("y", [f"class {label}" for label in table.target])
    path = folder / "table.csv"
    frame.with_columns(truth).write_csv(path)
    store = stack.enter_context(open_store(folder))
    snapshot = data.ingest(data.open_source(path), store=store, target="y")
    task = data.infer_task(store, snapshot)
    parts = split.cut(store, snapshot, task=task, policy=policy)
    return Ready(folder, store, snapshot, parts, task)


@pytest.fixture
def prepare(tmp_path: Path) -> Iterator[Callable[..., Ready]]:
    """Return a function that ingests and cuts one of `TABLES` in a store of its own."""
    with ExitStack() as stack:

        def make(name: str, place: str = "project", n_columns: int = 6, policy: str = "auto") -> Ready:
            folder = tmp_path / place
            folder.mkdir()
            return make_ready(stack, folder, name, n_columns, policy)

        yield make
