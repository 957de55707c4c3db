"""Check a bundle, warm it up, and work out in advance all that requests need of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from palio import model as models
from palio.core.errors import IntegrityError
from palio.core.records import Column, Deployment
from palio.serve.protocols.guards import NUMERIC, Guard, guard_of

if TYPE_CHECKING:
    from palio.model import Bundle, Graph, RecordReader

WARM_UP_RUNS = 20
GOLDEN_TOLERANCE = 1e-6
"""How far the numbers of the golden rows may be from those in the bundle: another processor adds up differently."""


@dataclass(frozen=True, slots=True)
class InputPlan:
    """What is known in advance about one input tensor (its name may differ from the column's)."""

    column: Column
    numeric: bool
    guard: Guard


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """A bundle that is loaded, checked and warm, with everything that can be worked out before the first request."""

    deployment: Deployment
    bundle: Bundle
    graph: Graph
    reader: RecordReader
    classes: tuple[str, ...]
    version: str
    plans: Mapping[str, InputPlan]
    outputs: Mapping[str, str]
    """Output name → datatype, in the order of the manifest."""
    latency_s: float
    """Shortest time of one warm row through the graph."""


def prepare(bundle: Bundle, deployment: Deployment) -> Served:
    """Check a bundle beside the one that serves, and warm it up.

    Raises:
        IntegrityError: it is not the bundle that was promoted, or no longer answers its golden rows as it did.
    """
    if bundle.id != deployment.bundle:
        raise IntegrityError("the bundle is not the one that the ledger names", hint="run palio model verify")
    manifest = bundle.manifest
    plans = {
        spec.name: InputPlan(column=column, numeric=column.type in NUMERIC, guard=guard_of(column))
        for spec, column in zip(manifest.inputs, manifest.schema.features, strict=True)
    }
    return Served(
        deployment=deployment,
        bundle=bundle,
        graph=bundle.graph,
        reader=models.RecordReader(manifest.schema),
        classes=manifest.task.classes,
        version=str(deployment.version),
        plans=plans,
        outputs={spec.name: spec.datatype for spec in manifest.outputs},
        latency_s=_warm_up(bundle),
    )


def _warm_up(bundle: Bundle) -> float:
    """Let the graph answer its golden rows, compare, and time one row."""
    golden = bundle.golden()
    parity = models.check_parity(bundle.graph, golden.feeds, golden.outputs, tolerance=GOLDEN_TOLERANCE)
    if not parity.passed:
        raise IntegrityError(
            f"it answers its golden rows differently here: {parity.n_label_diffs} labels, "
            f"numbers by up to {parity.max_abs_diff:.2g}",
            hint="run palio model verify",
        )
    feeds: dict[str, Any] = {name: values[:1] for name, values in golden.feeds.items()}
    times = []
    for _ in range(WARM_UP_RUNS):
        begin = time.perf_counter()
        bundle.graph.predict(feeds)
        times.append(time.perf_counter() - begin)
    return min(times)  # what disturbs a measurement only adds to it
