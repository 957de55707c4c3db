"""Entries of a prediction log, as a server would add them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from palio.core.records import Deployment, TensorSpec
from palio.serve.journal_columns import Entry
from palio.serve.journal_origin import Origin, origin_of
from tests.serve.small_model import feeds, small_bundle

MODEL = "bank"
SOME_TIME_NS = 1_800_000_000_123_456_000


@lru_cache
def small_origin(version: int = 3) -> Origin:
    manifest = small_bundle().manifest
    deployment = Deployment(model=MODEL, version=version, bundle=f"{version}{version:063x}")
    return origin_of(deployment, manifest.inputs, manifest.outputs, manifest=manifest)


def foreign_origin() -> Origin:
    deployment = Deployment(model=MODEL, version=1, bundle="f" * 64)
    inputs = [
        TensorSpec(name="x", datatype="FP32", shape=(-1, 3)),
        TensorSpec(name="flag", datatype="BOOL", shape=(-1,)),
        TensorSpec(name="picture", datatype="UINT8", shape=(-1, 64, 64, 3)),
    ]
    return origin_of(deployment, inputs, [TensorSpec(name="y", datatype="INT64", shape=(-1, 2))])


def answer(request: str, n_rows: int = 1, *, origin: Origin | None = None, **changes: Any) -> Entry:
    return Entry(
        id=request,
        at_ns=SOME_TIME_NS,
        origin=origin or small_origin(),
        caller="ann",
        route="infer",
        latency_s=0.001,
        n_rows=n_rows,
        feeds=feeds(n_rows),
        outputs={
            "prediction": np.array(["no", "yes"] * n_rows, object)[:n_rows],
            "probabilities": np.linspace(0, 1, 2 * n_rows).reshape(n_rows, 2),
        },
        decision="d-1",
        **changes,
    )


def failure(request: str, status: int = 403, origin: Origin | None = None) -> Entry:
    return Entry(
        id=request,
        at_ns=SOME_TIME_NS,
        origin=origin,
        caller="bob",
        route="infer",
        status=status,
        decision="d-2",
        reason="no rule allows it",
    )
