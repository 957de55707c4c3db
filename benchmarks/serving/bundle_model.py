"""Make a bundle: LightGBM, 100 trees of 31 leaves, over 12 numbers and 8 categories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

N_NUMBERS, N_CATEGORIES = 12, 8


def make_bundle(folder: Path) -> dict[str, Any]:
    """Train, export to `folder/bundle`, and return one record."""
    import lightgbm
    import numpy as np
    import polars as pl

    from palio import model, store
    from palio.core.records import Column, Schema, Task

    random = np.random.default_rng(0)
    n_rows = 4000
    numbers = {f"number_{i}": random.normal(size=n_rows) for i in range(N_NUMBERS)}
    levels = [f"level_{i}" for i in range(8)]
    codes = random.integers(0, 8, (n_rows, N_CATEGORIES))
    categories = {f"category_{i}": [levels[c] for c in codes[:, i]] for i in range(N_CATEGORIES)}
    frame = pl.DataFrame(numbers | categories)
    weight = sum(numbers.values()) + codes @ random.normal(size=N_CATEGORIES) + random.normal(size=n_rows)
    truth = (weight > np.median(weight)).astype(int)
    schema = Schema(
        columns=(
            *(Column(name=name, type="number", low=-6.0, high=6.0) for name in numbers),
            *(Column(name=name, type="category", categories=tuple(levels)) for name in categories),
        )
    )
    task = Task(kind="classification", target="y", classes=("no", "yes"))
    preprocessing = model.fit_preprocessing(frame, schema, task=task, target=truth, style="tree")
    data = lightgbm.Dataset(preprocessing.transform(frame), truth, categorical_feature=list(preprocessing.categorical))
    booster = lightgbm.train({"objective": "binary", "num_leaves": 31, "verbose": -1, "num_threads": 1}, data, 100)
    builder = model.GraphBuilder(schema)
    model.emit_answers(builder, model.emit_lightgbm(builder, preprocessing.emit(builder), booster, task), task)
    graph = builder.build()
    with store.open_store(folder / "project") as opened:
        bundle = model.pack(
            opened,
            graph,
            reference=model.make_reference(model.feeds_from_frame(frame, schema), schema, task),
            golden=model.make_golden(model.Graph(graph), frame, schema),
            task=task,
            schema=schema,
            family="lightgbm",
            params={},
            seed=0,
            n_parameters=0,
            snapshot="0" * 64,
            parts="0" * 64,
            trained_on=(),
            metrics={},
            parity=(),
            versions={},
        )
        model.export(opened, bundle, folder / "bundle")
    return frame.row(0, named=True)


def tensors_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Write a record as the Open Inference Protocol does: a tensor for each column."""
    return [
        {"name": key, "shape": [1, 1], "datatype": "BYTES" if isinstance(value, str) else "FP64", "data": [value]}
        for key, value in record.items()
    ]
