"""What a model is: tensors, cost, parity, and the manifest of a bundle."""

from __future__ import annotations

from typing import Any

from palio.core.records.base import Record
from palio.core.records.data import Schema, Task


class TensorSpec(Record, frozen=True, kw_only=True):
    """One input or output of a graph, in the words of the Open Inference Protocol; -1 is a free dimension."""

    name: str
    datatype: str
    shape: tuple[int, ...]


class Cost(Record, frozen=True, kw_only=True):
    """What a candidate costs, measured on the exported bundle: one row at a time, one thread."""

    fit_s: float
    latency_ms_p50: float
    latency_ms_p99: float
    size_mb: float
    n_timings: int = 1
    """How often the latency was measured: again, up to five times, while it is over the limit; the least counts."""


class Parity(Record, frozen=True, kw_only=True):
    """How far two ways of predicting the same rows are apart."""

    path: str
    """What was compared, e.g. `library and graph`, `graph and server`."""
    rows: int
    max_abs_diff: float
    n_label_diffs: int
    tolerance: float
    passed: bool


class Manifest(Record, frozen=True, kw_only=True):
    """What a bundle is. Holds nothing that changes between two equal trainings: no times, no durations, no paths."""

    format: int
    task: Task
    schema: Schema
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    family: str
    params: dict[str, Any]
    seed: int
    n_parameters: int
    snapshot: str
    parts: str
    trained_on: tuple[str, ...]
    """Parts whose rows the final fit saw."""
    metrics: dict[str, dict[str, float]]
    """`cross_validation`, `train`, `validation` → metric → value."""
    parity: tuple[Parity, ...]
    versions: dict[str, str]
    files: dict[str, str]
    """Member name → SHA-256: `model.onnx`, `golden.json`, `card.md`, `reference.json` and, if the model can be watched,
    `reference.arrows`; up to format 2 `profile.json`, too, and in format 1 no reference."""


class Signature(Record, frozen=True, kw_only=True):
    """One key's word for one bundle."""

    bundle: str
    key: str
    """SHA-256 of the public key: says which key to check it with, and proves nothing."""
    signature: str
    """Base64 of the 64 bytes of ed25519."""
