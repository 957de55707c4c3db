"""Texts that become rows of ids go through a graph by their length, and come back in their own order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palio.core.records import Column, Schema, TokenReading
from palio.model import Graph, GraphBuilder
from palio.model.reading.readers import SORTED_FROM, Readers

pytest.importorskip("tokenizers")
WORDS = [f"w{place}" for place in range(20)]


def reading(column: str = "note") -> TokenReading:
    import tokenizers
    from tokenizers import models, pre_tokenizers

    vocabulary = {word: place for place, word in enumerate(["[UNK]", *WORDS])}
    made = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return TokenReading(input=column, length=60, tokenizer=made.to_str())


def texts_of(n: int) -> Any:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, rng.integers(1, 50))) for _ in range(n)]
    return np.array(texts, object)[:, None]


def widths_of(feeds: dict[str, Any]) -> int:
    return sum(part[f"{reading().tensor}.ids"].size for part, _ in Readers([reading()]).chunks(feeds, frozenset()))


def test_rows_of_about_one_length_are_padded_less() -> None:
    feeds = {"note": texts_of(600)}
    order = Readers([reading()]).order(feeds)
    assert order is not None and sorted(order.tolist()) == list(range(600))
    assert widths_of({"note": feeds["note"][order]}) < 0.7 * widths_of(feeds)


def test_few_texts_stay_in_their_order() -> None:
    assert Readers([reading()]).order({"note": texts_of(SORTED_FROM - 1)}) is None


def test_what_is_no_column_of_cells_is_left_to_who_reads_it() -> None:
    two_a_row = np.concatenate([texts_of(100), texts_of(100)], axis=1)
    assert Readers([reading()]).order({"note": two_a_row}) is None


def test_each_row_has_its_own_answer_whatever_order_they_went_through_in() -> None:
    builder = GraphBuilder(Schema(columns=(Column(name="note", type="text"),)))
    tensor = builder.reading(reading()).tensor
    kept = builder.node("Mul", f"{tensor}.ids", f"{tensor}.mask")
    total = builder.node("ReduceSum", kept, builder.constant([1], "int64"), keepdims=1)
    builder.output("sums", builder.cast(total, "double"), "double", (None, 1))
    graph, texts = Graph(builder.build()), texts_of(300)
    found = graph.compute_rows({"note": texts})["sums"].ravel()
    expected = [sum(1 + WORDS.index(word) for word in text.split()) for text in texts.ravel()]
    assert found.tolist() == expected
