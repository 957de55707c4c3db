"""Challengers that the gate should not have said yes to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from palio import model
from palio.model.bundle.bundle import Facts
from palio.store import open_store
from palio.testing.racing import make_decision
from tests.serve.worse_graphs import swap_classes


def swapped(graph: bytes) -> bytes:
    """Say yes for no."""
    return swap_classes(graph, ("no", "yes"))


def put_worse(folder: Path, spoil: Callable[[bytes], bytes]) -> str:
    """Put a spoilt copy of the champion into the store, with a gate that was deceived; return its identity."""
    with open_store(folder) as store:
        champion = store.promotions.champion("bank")
        assert champion is not None
        bundle = model.load(store, champion.bundle)
        graph, rows = spoil(bundle.members["model.onnx"]), bundle.golden().feeds
        golden = model.Golden(feeds=rows, outputs=model.Graph(graph).predict(rows))
        facts: dict[str, Any] = {name: getattr(bundle.manifest, name) for name in Facts.__annotations__}
        reference = bundle.reference()
        assert reference is not None
        identity = model.pack(store, graph, reference=reference, golden=golden, **facts)
        decision = make_decision(identity, champion.bundle)
        store.records.put(decision, key=decision.id)
    return identity
