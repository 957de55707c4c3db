"""Weigh the entries of texts by how rare they are, and add up what they say: as sparse matrices and as a graph.

Source: Salton and Buckley 1988, Information Processing & Management 24(5): 1 + ln(count), times ln((1 + texts) /
(1 + texts that hold the entry)) + 1, words and pieces each of length 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from palio.core.records import WordReading
from palio.model.graph.builder import GraphBuilder

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Weighing:
    """What each entry of a reading weighs."""

    reading: WordReading
    rarity: Array
    """Shape (n_entries,), float32: the graph keeps it in half of the bytes, and nothing else sees more digits."""

    def weigh(self, counts: Any) -> Any:
        """Turn counts (n_rows, n_entries) into weights, words and pieces of a text each of length 1; both sparse."""
        from scipy import sparse

        weights = sparse.csr_matrix(counts, dtype=np.float64, copy=True)
        weights.data = (1.0 + np.log(weights.data)) * self.rarity[weights.indices].astype(np.float64)
        is_word = weights.indices < len(self.reading.word_entries)
        row = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))
        for mine in (is_word, ~is_word):
            length = np.sqrt(np.bincount(row[mine], weights.data[mine] ** 2, minlength=weights.shape[0]))
            weights.data[mine] /= length[row[mine]]
        return weights

    def emit(self, builder: GraphBuilder, sums: Array) -> str:
        """Add the sums of `sums` over the entries of each text, weighed; return them, shape (n, n_sums) float64.

        Args:
            builder: Takes the nodes, and the reading.
            sums: Shape (n_entries, n_sums), float32.
        """
        reading = builder.reading(self.reading)
        if not reading.n_entries:
            return builder.node(
                "MatMul",
                builder.node("ReduceSum", f"{reading.tensor}.counts", builder.constant([1], "int64")),
                builder.constant(np.zeros((1, sums.shape[1]))),
            )
        ids, counts = f"{reading.tensor}.ids", f"{reading.tensor}.counts"
        one, last = builder.constant(1.0), builder.constant([1], "int64")
        often = builder.node("Add", builder.node("Log", builder.node("Max", counts, one)), one)
        rarity = builder.cast(builder.node("Gather", builder.constant(self.rarity, "float32"), ids), "double")
        held = builder.node("Min", counts, one)  # 0 where a row is shorter than the longest
        weights = builder.node("Mul", builder.node("Mul", often, held), rarity)
        weights = builder.node("Div", weights, self._length(builder, ids, weights, last))
        table = builder.cast(builder.node("Gather", builder.constant(sums, "float32"), ids), "double")
        found = builder.node("MatMul", builder.node("Unsqueeze", weights, last), table)
        return builder.node("Reshape", found, builder.constant([-1, sums.shape[1]], "int64"))

    def _length(self, builder: GraphBuilder, ids: str, weights: str, axis: str) -> str:
        """Return what each entry is divided by: the length of the words, or of the pieces, of its text."""
        n_words, n_entries = len(self.reading.word_entries), self.reading.n_entries
        nothing, least = builder.constant(0.0), builder.constant(1e-300)

        def length(of: str) -> str:
            square = builder.node("ReduceSum", builder.node("Mul", of, of), axis, keepdims=1)
            return builder.node("Max", builder.node("Sqrt", square), least)

        if n_words in (0, n_entries):
            return length(weights)
        is_word = builder.node("Less", ids, builder.constant(n_words, "int64"))
        words = length(builder.node("Where", is_word, weights, nothing))
        pieces = length(builder.node("Where", is_word, nothing, weights))
        return builder.node("Where", is_word, words, pieces)


def fit_weighing(reading: WordReading, counts: Any) -> Weighing:
    """Learn how rare entries are from `counts`, sparse (n_rows, n_entries)."""
    n_texts = np.bincount(counts.indices, minlength=reading.n_entries)
    rarity = np.log((1.0 + counts.shape[0]) / (1.0 + n_texts)) + 1.0
    return Weighing(reading, rarity.astype(np.float32))
