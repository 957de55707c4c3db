"""Small snapshots, made by the room before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from palio import data, split
from palio.core.records import Column, Parts, Schema, Snapshot, Task
from palio.store import Store, open_store

TYPES = {pl.Float64: "number", pl.Int64: "integer", pl.String: "category"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


@dataclass
class Bench:
    """Makes snapshots of frames and looks into cuts."""

    store: Store
    folder: Path
    n_made: int = 0

    def snapshot(self, frame: pl.DataFrame, **roles: Any) -> Snapshot:
        """Store a frame; `y` is the target, `roles` are id, group, time and exclude."""
        special = {roles.get("id"), roles.get("group"), *roles.get("exclude", ()), "y"}
        columns = tuple(
            Column(
                name=name, type=TYPES[type(kind)] if type(kind) in TYPES else TYPES[kind], feature=name not in special
            )  # type: ignore[index, arg-type]
            for name, kind in frame.schema.items()
        )
        schema = Schema(
            columns=columns, target="y", id=roles.get("id"), group=roles.get("group"), time=roles.get("time", ())
        )
        self.n_made += 1
        file = self.folder / f"rows-{self.n_made}.parquet"
        frame.write_parquet(file)
        return data.ingest(data.open_source(str(file)), store=self.store, schema=schema)

    def assignment(self, parts: Parts) -> np.ndarray:
        """Return the part of every row."""
        return np.frombuffer(self.store.blobs.get(parts.assignment), np.uint8)

    def cut(self, frame: pl.DataFrame, task: Task, *, roles: dict[str, Any] | None = None, **how: Any) -> Parts:
        """Store a frame and cut it."""
        return split.cut(self.store, self.snapshot(frame, **(roles or {})), task=task, **how)


@pytest.fixture
def bench(store: Store, tmp_path: Path) -> Bench:
    return Bench(store, tmp_path)


@pytest.fixture
def yes_no() -> Task:
    return Task(kind="classification", target="y", classes=("no", "yes"), positive="yes")


@pytest.fixture
def number() -> Task:
    return Task(kind="regression", target="y")


def rows(n_rows: int, *, seed: int = 0, share: float = 0.2) -> pl.DataFrame:
    """Make rows with a number, a category and a two-class target."""
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "x": rng.normal(size=n_rows),
            "c": rng.choice(["a", "b", "ü"], n_rows),
            "y": np.where(rng.random(n_rows) < share, "yes", "no"),
        }
    )


Rows = Callable[..., pl.DataFrame]


@pytest.fixture
def make_rows() -> Rows:
    return rows


def without(parts: Parts, **changes: Any) -> Parts:
    """Change fields of a cut."""
    return msgspec.structs.replace(parts, **changes)
