"""What bundles of small made graphs say of themselves."""

from __future__ import annotations

from palio.core.records import Manifest, Schema, Task
from palio.model import Graph


def manifest_of(graph: Graph, task: Task, schema: Schema, *, family: str) -> Manifest:
    return Manifest(
        format=3,
        task=task,
        schema=schema,
        inputs=graph.inputs,
        outputs=graph.outputs,
        family=family,
        params={},
        seed=0,
        n_parameters=1,
        snapshot="",
        parts="",
        trained_on=("train",),
        metrics={},
        parity=(),
        versions={},
        files={},
        readings=graph.readings,
        precision=graph.precision,
    )
