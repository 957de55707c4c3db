"""Say in a few numbers what a text is about, for whoever reads numbers: where it lies, what it speaks for, its form.

- Directions: the axes along which the weighed entries of the training texts differ most. They look at no target, and
  tell subjects apart (Deerwester et al. 1990, JASIS 41(6); computed as in Halko, Martinsson and Tropp 2011, SIAM Review
  53(2)).
- Scores: what a penalised linear model makes of the entries, one for each thing there is to predict. A row that is
  learned from gets the score of a model that has not seen it.
- Facts: length, words, and the share of capitals, digits and signs.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.records import WordReading
from palio.core.seeds import derive
from palio.model.graph.builder import GraphBuilder
from palio.model.reading.words import WordReader
from palio.model.text.vocabulary import count_entries, learn_reading
from palio.model.text.weighing import Weighing, fit_weighing

Array = npt.NDArray[Any]

N_DIRECTIONS = 24
MOST_ENTRIES = 10_000
"""Words, and as many pieces: 24 directions and a score of each weigh 2 MB (LOG.md: texts beside numbers)."""
PENALTY = 2.0
"""Of the squares of the weights; a text's weights have length 1 for words, and 1 for pieces."""
N_FOLDS = 5
MOST_ROWS = 20_000
"""Rows that entries, directions and scores are learned from; all others get the scores of rows that come later."""
N_STEPS = 12
"""Of conjugate gradients; more change no score that matters (LOG.md: texts beside numbers)."""
_KEPT = 8


@dataclass(frozen=True, eq=False)
class TextSpec:
    """How the texts of one column become features: facts and directions first, then scores."""

    column: str
    weighing: Weighing
    sums: Array
    """Shape (n_entries, n_sums), float32: directions, then scores."""
    n_scores: int
    score_names: tuple[str, ...]
    center: Array
    """Shape (n_facts + n_sums,): taken off each feature, …"""
    scale: Array
    """… which is then divided by this."""

    @property
    def plain_names(self) -> tuple[str, ...]:
        """Names of the features that look at no target."""
        n_directions = self.sums.shape[1] - self.n_scores
        directions = (f"{self.column}: direction {number}" for number in range(1, n_directions + 1))
        return (*(f"{self.column}: {fact}" for fact in WordReading.FACTS), *directions)

    def emit(self, builder: GraphBuilder) -> str:
        """Add the nodes; return facts, directions and scores, shape (n, n_features)."""
        reading = builder.reading(self.weighing.reading)
        rows = builder.constant([-1, len(WordReading.FACTS)], "int64")
        facts = builder.node("Reshape", f"{reading.tensor}.facts", rows)
        found = facts
        if self.sums.shape[1]:
            found = builder.concat([facts, self.weighing.emit(builder, self.sums)])
        centred = builder.node("Sub", found, builder.constant(self.center))
        return builder.node("Div", centred, builder.constant(self.scale))


@dataclass(frozen=True)
class _Learned:
    """What texts and their truth say, whatever style of features is wanted."""

    weighing: Weighing
    sums: Array
    middles: Array
    """Shape (n_scores,): what a text without entries speaks for."""
    features: Array
    """Facts, directions and scores of the rows themselves, the scores from models that have not seen them."""


_learned: OrderedDict[bytes, _Learned] = OrderedDict()
"""What was learned last, by content: families of several styles learn from the same rows."""


def fit_text(
    column: str,
    tensor: str,
    texts: Sequence[str],
    *,
    signals: Array | None,
    signal_names: Sequence[str] = (),
    weights: Array | None = None,
    standardised: bool = False,
) -> tuple[TextSpec, Array] | None:
    """Learn how the texts of one column become features; None if all of them are alike.

    Args:
        column: Its name.
        tensor: Input that carries it.
        texts: Shape (n_rows,), the empty one is missing.
        signals: What scores are to tell, shape (n_rows, n_signals); None for no scores.
        signal_names: One for each signal, behind the name of a score.
        weights: What each row counts in a score, shape (n_rows,), or None.
        standardised: Whether features are to have mean 0 and deviation 1 on these rows.

    Returns:
        How later rows become features, and the scores that these rows may know of themselves, shape (n_rows, n_scores).
    """
    if len(set(texts)) < 2:
        return None
    found = _memorised(tensor, texts, signals, weights)
    n_scores = len(found.middles)
    n_others = found.features.shape[1] - n_scores
    center, scale = np.zeros(found.features.shape[1]), np.ones(found.features.shape[1])
    center[n_others:] = -found.middles
    own = found.features
    if standardised:
        middle, spread = own.mean(axis=0), own.std(axis=0)
        scale = np.where((spread > 1e-12) & np.isfinite(spread), spread, 1.0)
        center = center + middle
        own = (own - middle) / scale
    spec = TextSpec(
        column=column,
        weighing=found.weighing,
        sums=found.sums,
        n_scores=n_scores,
        score_names=tuple(f"{column}: score{name}" for name in signal_names) if n_scores else (),
        center=center,
        scale=scale,
    )
    return spec, own[:, n_others:]


def _memorised(tensor: str, texts: Sequence[str], signals: Array | None, weights: Array | None) -> _Learned:
    seen = hashlib.blake2b(tensor.encode())
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        seen.update(len(data).to_bytes(8, "little"))
        seen.update(data)
    for values in (signals, weights):
        seen.update(b"-" if values is None else np.ascontiguousarray(values, np.float64).tobytes())
    key = seen.digest()
    found = _learned.get(key)
    if found is None:
        found = _learn(tensor, texts, signals, weights)
        _learned[key] = found
        while len(_learned) > _KEPT:
            _learned.popitem(last=False)
    return found


def _learn(tensor: str, texts: Sequence[str], signals: Array | None, weights: Array | None) -> _Learned:
    import threadpoolctl

    chosen = np.unique(np.linspace(0, len(texts) - 1, min(MOST_ROWS, len(texts))).astype(int))
    some = [texts[row] for row in chosen.tolist()]
    reading, counts = learn_reading(tensor, some, facts=True, most_words=MOST_ENTRIES, most_pieces=MOST_ENTRIES)
    weighing = fit_weighing(reading, counts)
    weighed = weighing.weigh(counts).astype(np.float32)
    everything = weighed
    if len(some) < len(texts):
        everything = weighing.weigh(count_entries(reading, texts)).astype(np.float32)
    reader = WordReader(reading)
    facts = np.array([reader.facts(text) for text in texts]).reshape(len(texts), len(WordReading.FACTS))
    with threadpoolctl.threadpool_limits(1, user_api="blas"):  # sums must not depend on the machine's load
        axes = directions(weighed, N_DIRECTIONS)
        blocks, own, middles = [axes], [facts, everything @ axes], np.zeros(0)
        if signals is not None and reading.n_entries:
            row_weights = np.ones(len(some)) if weights is None else np.asarray(weights, np.float64)[chosen]
            tables, middles, held_out = _scores(weighed, signals[chosen], row_weights, key=tensor)
            scores = everything @ tables + middles
            scores[chosen] = held_out
            blocks.append(tables)
            own.append(scores)
    return _Learned(weighing, np.hstack(blocks).astype(np.float32), middles, np.hstack(own))


def directions(weighed: Any, n: int) -> Array:
    """Find the axes along which rows differ most, shape (n_entries, at most n), float32; the same for the same rows.

    Args:
        weighed: Sparse, shape (n_rows, n_entries).
        n: How many.
    """
    n = min(n, min(weighed.shape) - 1)
    if n < 1 or not weighed.nnz:
        return np.zeros((weighed.shape[1], 0), np.float32)
    A = weighed.astype(np.float32)
    size = min(n + 8, min(A.shape))
    chance = np.random.default_rng(derive(0, "directions", *A.shape))
    found = A @ chance.normal(size=(A.shape[1], size)).astype(np.float32)
    for _ in range(3):
        found = A @ (A.T @ np.linalg.qr(found)[0])
    base = np.linalg.qr(found)[0]
    axes = np.linalg.svd((A.T @ base).T, full_matrices=False)[2][:n].T
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    return np.ascontiguousarray(axes * np.where(signs == 0, 1, signs), np.float32)


def _scores(weighed: Any, signals: Array, weights: Array, *, key: str) -> tuple[Array, Array, Array]:
    """Return weights of the entries (n_entries, n_signals), the middles, and scores of rows that were not seen."""
    n_rows, n_signals = signals.shape
    fold = np.random.default_rng(derive(0, "text", key, n_rows)).permutation(n_rows) % N_FOLDS
    counts = np.column_stack([weights * (fold != number) for number in range(N_FOLDS)] + [weights])
    tables, middles = _ridges(weighed, signals, counts)
    found = (weighed @ tables).reshape(n_rows, N_FOLDS + 1, n_signals) + middles
    last = tables.reshape(-1, N_FOLDS + 1, n_signals)[:, -1]
    return np.ascontiguousarray(last), middles[-1], found[np.arange(n_rows), fold]


def _ridges(weighed: Any, signals: Array, counts: Array) -> tuple[Array, Array]:
    """Fit signals by least squares with a penalty on the squares of the weights, for several weights of the rows.

    All of them take their steps of conjugate gradients together, so that the texts are gone through once for all.

    Returns:
        Weights of the entries, float32 (n_entries, n_weightings * n_signals), and middles (n_weightings, n_signals).

    Source: Hoerl and Kennard 1970, Technometrics 12(1); Hestenes and Stiefel 1952, J. Res. NBS 49(6).
    """
    middles = (counts.T @ signals) / np.maximum(counts.sum(axis=0), 1e-300)[:, None]
    spread = np.abs(signals - middles[-1]).max(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    away = ((signals[:, None] - middles) / spread).reshape(len(signals), -1).astype(np.float32)
    often = np.repeat(counts, signals.shape[1], axis=1).astype(np.float32)
    columns = weighed.T.tocsr()
    left = columns @ (often * away)
    found, step = np.zeros_like(left), left.copy()
    size = (left * left).sum(axis=0, dtype=np.float64)
    for _ in range(N_STEPS):
        turned = columns @ (often * (weighed @ step)) + np.float32(PENALTY) * step
        curved = (step * turned).sum(axis=0, dtype=np.float64)
        share = np.divide(size, curved, out=np.zeros_like(size), where=curved > 0).astype(np.float32)
        found += share * step
        left -= share * turned
        before, size = size, (left * left).sum(axis=0, dtype=np.float64)
        step = left + np.divide(size, before, out=np.zeros_like(size), where=before > 0).astype(np.float32) * step
    return found * np.tile(spread, len(middles)).astype(np.float32), middles


def emit_texts(builder: GraphBuilder, specs: Sequence[TextSpec]) -> tuple[list[str], list[str]]:
    """Add the nodes of `specs`; return blocks of features that look at no target, and blocks of scores."""
    plain, scores = [], []
    for spec in specs:
        found = spec.emit(builder)
        n_plain = len(spec.plain_names)
        if not spec.n_scores:
            plain.append(found)
            continue
        plain.append(builder.columns(found, list(range(n_plain))))
        scores.append(builder.columns(found, list(range(n_plain, n_plain + spec.n_scores))))
    return plain, scores
