"""What a model is: tensors, cost, parity, and the manifest of a bundle."""

from __future__ import annotations

from typing import Any, ClassVar

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


class Reading(Record, frozen=True, kw_only=True):
    """How the texts of a column become ids and counts before the graph: a rule and a vocabulary, no code.

    It stands in the ONNX file (`metadata_props`, key `palio.readings`), so that the file alone says how it is fed. The
    graph takes `<tensor>.ids` (int64) and `<tensor>.counts` (float64), of shape (n, longest row), 0 where a row is
    shorter; with `facts` also `<tensor>.facts` (float64, one column for each name in `FACTS`).
    """

    input: str
    """Name of the text column among the inputs that everybody sees."""
    tensor: str = ""
    """What the names of its tensors begin with; given by the graph that it enters."""
    rule: int = 1
    """Which rule cuts texts (`palio.model.reading.tokens`)."""
    words: tuple[int, int] = (1, 2)
    """Fewest and most words in a row that count together; (0, 0): words do not count."""
    pieces: tuple[int, int] = (2, 5)
    """Fewest and most characters of the pieces of words; (0, 0): pieces do not count."""
    most_characters: int = 20_000
    """Of a text that are read."""
    facts: bool = False
    """Whether length and share of capitals, digits and signs are read, too."""
    word_entries: tuple[str, ...] = ()
    """Words, and words in a row with a blank between them; the id of an entry is its place."""
    piece_entries: tuple[str, ...] = ()
    """Pieces of words; their ids follow those of `word_entries`."""
    n_entries: int = 0
    """Ids in all. A manifest tells this in place of the entries."""

    FACTS: ClassVar[tuple[str, ...]] = ("length", "words", "capitals", "digits", "signs")
    """Logarithms of characters and words (plus one), and shares of the characters."""


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
    readings: tuple[Reading, ...] = ()
    """How texts become numbers before the graph, without the entries, which stand in `model.onnx`."""


class Signature(Record, frozen=True, kw_only=True):
    """One key's word for one bundle."""

    bundle: str
    key: str
    """SHA-256 of the public key: says which key to check it with, and proves nothing."""
    signature: str
    """Base64 of the 64 bytes of ed25519."""
