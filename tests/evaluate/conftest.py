"""Real bundles, trained on real snapshots."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from palio import data, model, split
from palio.core.records import Parts, Snapshot, Task
from palio.model import Bundle, GraphBuilder
from palio.store import Store, open_store


@dataclass
class Bench:
    """A store with one snapshot, its cut, and a quick way to train bundles on it."""

    store: Store
    snapshot: Snapshot
    task: Task
    parts: Parts

    def rows(self, part: str) -> pl.DataFrame:
        return split.read(self.store, self.snapshot, self.parts, part)

    def bundle(
        self, *, drop: tuple[str, ...] = (), rows: int | None = None, task: Task | None = None, **params: Any
    ) -> Bundle:
        """Train LightGBM on the training part without the columns in `drop`, and pack it."""
        import lightgbm
        import msgspec

        task = task or self.task
        frame = self.rows("train").head(rows) if rows else self.rows("train")
        columns = tuple(
            msgspec.structs.replace(c, feature=c.feature and c.name not in drop) for c in self.snapshot.schema.columns
        )
        schema = msgspec.structs.replace(self.snapshot.schema, columns=columns)
        truth = data.target_array(frame, task)
        kept = truth >= 0 if task.kind == "classification" else np.isfinite(truth)
        frame, truth = frame.filter(kept), truth[kept]
        steps = model.fit_preprocessing(frame, schema, task=task, target=truth, style="tree")
        builder = GraphBuilder(schema)
        features = steps.emit(builder)
        kind = {"regression": "regression"}.get(task.kind, "binary" if len(task.classes) == 2 else "multiclass")
        settings = {"objective": kind, "verbose": -1, "seed": 0, "deterministic": True, "num_threads": 1, **params}
        if kind == "multiclass":
            settings["num_class"] = len(task.classes)
        n_rounds = settings.pop("rounds", 30)
        train_set = lightgbm.Dataset(
            steps.transform(frame), truth, categorical_feature=list(steps.categorical), free_raw_data=False
        )
        booster = lightgbm.train(settings, train_set, num_boost_round=n_rounds)
        model.emit_answers(builder, model.emit_lightgbm(builder, features, booster, task), task)
        graph = builder.build()
        opened = model.Graph(graph)
        identity = model.pack(
            self.store,
            graph,
            reference=model.make_reference(model.feeds_from_frame(frame, schema), schema, task),
            golden=model.make_golden(opened, frame.head(200), schema),
            task=task,
            schema=schema,
            family="lightgbm",
            params=params,
            seed=0,
            n_parameters=1,
            snapshot=self.snapshot.id,
            parts=self.parts.id,
            trained_on=("train",),
            metrics={},
            parity=(),
            versions={},
        )
        return model.load(self.store, identity)


@dataclass
class Benches:
    """Makes benches of frames or files."""

    folder: Path
    stores: list[Store] = field(default_factory=list)

    def of_frame(self, frame: pl.DataFrame, **how: Any) -> Bench:
        file = self.folder / f"rows-{len(self.stores)}.parquet"
        frame.write_parquet(file)
        return self.of_file(file, target="y", **how)

    def of_file(self, file: Path, *, target: str, metric: str = "auto", positive: str = "", **how: Any) -> Bench:
        store = open_store(self.folder / f"store-{len(self.stores)}")
        self.stores.append(store)
        source = data.open_source(str(file))
        schema = data.survey(source, target=target).schema
        snapshot = data.ingest(source, store=store, schema=schema)
        task = data.infer_task(store, snapshot, metric=metric, positive=positive)
        return Bench(store, snapshot, task, split.cut(store, snapshot, task=task, **how))


def customers(n_rows: int = 4000, *, seed: int = 0) -> pl.DataFrame:
    """Customers whose answer depends on age and job, but is a coin toss in the north."""
    rng = np.random.default_rng(seed)
    age, region = rng.integers(18, 80, n_rows), rng.choice(["north", "south", "east"], n_rows, p=[0.2, 0.4, 0.4])
    job = rng.choice(["cook", "smith", "baker"], n_rows)
    logit = np.where(region == "north", 0.0, 0.12 * (age - 48) + 2.0 * (job == "cook") - 0.7)
    y = np.where(rng.random(n_rows) < 1 / (1 + np.exp(-logit)), "yes", "no")
    income = np.where(rng.random(n_rows) < 0.1, np.nan, rng.normal(3000, 500, n_rows))
    return pl.DataFrame({"age": age, "job": job, "region": region, "income": income, "y": y}).with_columns(
        pl.col("income").fill_nan(None)
    )


def houses(n_rows: int = 3000, *, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    size, district = rng.uniform(30, 200, n_rows), rng.choice(["old", "new"], n_rows)
    price = 1000 + 12.5 * size + np.where(district == "old", 300.0, 0.0) + rng.normal(0, 60, n_rows)
    return pl.DataFrame({"size": size, "district": district, "noise": rng.normal(size=n_rows), "y": price})


@pytest.fixture
def benches(tmp_path: Path) -> Iterator[Benches]:
    made = Benches(tmp_path)
    yield made
    for store in made.stores:
        store.close()


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Customers, cut; shared, so nobody may look at its test part."""
    made = Benches(tmp_path_factory.mktemp("customers"))
    yield made.of_frame(customers())
    for store in made.stores:
        store.close()


@pytest.fixture(scope="session")
def good(bench: Bench) -> Bundle:
    return bench.bundle()


@pytest.fixture(scope="session")
def regression(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Benches(tmp_path_factory.mktemp("houses"))
    yield made.of_frame(houses())
    for store in made.stores:
        store.close()


@pytest.fixture
def frames() -> dict[str, Callable[..., pl.DataFrame]]:
    return {"customers": customers, "houses": houses}


@pytest.fixture
def shares() -> Callable[[Bench], tuple[float, ...]]:
    """Class shares of the training part."""

    def of(bench: Bench) -> tuple[float, ...]:
        truth = data.target_array(bench.rows("train"), bench.task)
        return tuple((np.bincount(truth, minlength=len(bench.task.classes)) / len(truth)).tolist())

    return of
