"""What a model is: tensors, cost, parity, and the manifest of a bundle."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from palio.core.records.base import Record
from palio.core.records.data import Schema, Task

Fit = Literal["crop", "letterbox", "squash"]
"""How a picture of any shape is brought into a square."""
Precision = Literal["float64", "float32", "float16", "int8"]
"""What a graph computes in: tables in float64, networks in float32."""


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


class WordReading(Record, frozen=True, kw_only=True, tag_field="kind", tag="words"):
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


class PictureReading(Record, frozen=True, kw_only=True, tag_field="kind", tag="picture"):
    """How the pictures of a column become pixels before the graph, by `palio.pixels` alone.

    The graph takes `<tensor>.pixels`: uint8 of shape (n, size, size, 3), red, green, blue; it scales them itself.
    """

    input: str
    """Name of the picture column among the inputs that everybody sees."""
    tensor: str = ""
    """What the name of its tensor begins with; given by the graph that it enters."""
    rule: int = 1
    """Which rule makes pixels of a file (what `palio.pixels.fitted` does)."""
    size: int
    """Pixels of a side, as the graph takes them."""
    short: int = 0
    """What the shorter side is resized to before the middle is cut out (`crop`); 0: `size`."""
    fit: Fit = "crop"
    """`crop` the middle, `letterbox` to the top left with grey behind it, or `squash`."""
    max_pixels: int = 50_000_000
    """Pictures of more are refused before a pixel is read."""
    max_bytes: int = 50_000_000
    """Files of more bytes are refused."""
    batch: int = 0
    """How many pictures the graph takes at once; 0: any number."""


class TokenReading(Record, frozen=True, kw_only=True, tag_field="kind", tag="tokens"):
    """How the texts of a column become a row of ids before the graph, by a `tokenizer.json`, which is data only.

    The graph takes `<tensor>.ids` and `<tensor>.mask`, int64 of shape (n, longest row); both are 0 where a row is
    shorter. Special tokens inside of a text are text.
    """

    input: str
    """Name of the text column among the inputs that everybody sees."""
    tensor: str = ""
    rule: int = 1
    length: int = 128
    """Most ids of a text; what is longer is cut off at its end."""
    tokenizer: str = ""
    """The tokenizer, as the library `tokenizers` writes it. A manifest tells its SHA-256 in place of it."""


Reading = WordReading | PictureReading | TokenReading
"""What happens to the cells of a column before the graph."""


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
    """How texts and pictures become numbers before the graph, without entries and tokenizers: `model.onnx` has them."""
    precision: Precision = "float64"


class Signature(Record, frozen=True, kw_only=True):
    """One key's word for one bundle."""

    bundle: str
    key: str
    """SHA-256 of the public key: says which key to check it with, and proves nothing."""
    signature: str
    """Base64 of the 64 bytes of ed25519."""
