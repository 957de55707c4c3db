"""Every family of tables reads texts, alone and beside other columns, and what stands in them together says more."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from palio import model
from palio.core.errors import InputError
from palio.core.records import Column, Schema, Task
from palio.testing.examples import TASKS, examples_of, text_examples
from palio.train import FAMILIES, Examples
from palio.train.family import graph_of, reads
from palio.train.table import load_family

READERS = [name for name in FAMILIES if name != "dummy"]


def fitted(name: str, examples: Examples) -> Any:
    family = load_family(name)
    params = dict(family.defaults(examples.shape, examples.task)[0])
    if family.rounds:
        params[family.rounds] = min(int(params.get(family.rounds, 60)), 60)
    return family.fit(examples, params=params, seed=0)


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("name", READERS)
def test_the_graph_answers_texts_as_the_library_does(name: str, alone: bool) -> None:
    examples = text_examples(TASKS["three classes"], alone=alone)
    learned = fitted(name, examples)
    graph = graph_of(learned, examples.schema, examples.task)
    for rows in (examples.feeds(), model.stress_feeds(examples.frame, examples.schema, graph)):
        parity = model.check_parity(model.Graph(graph), rows, learned.reference(rows))
        assert parity.passed, parity


def made(n_rows: int, seed: int, *columns: str) -> Examples:
    """The truth needs the subject of a text, a number, and the hour of a moment."""
    rng = np.random.default_rng(seed)
    which = rng.integers(0, 3, n_rows)
    words = [["goal", "match", "team"], ["bank", "stock", "price"], ["moon", "star", "orbit"]]
    texts = [" ".join(rng.choice([*words[one], "the", "and", "of", "a"], 7)) for one in which]
    size, hour = rng.normal(size=n_rows), rng.integers(0, 24, n_rows)
    level = np.array([1.5, -1.0, 0.0])[which] + 1.5 * np.sin(2 * size) + np.where((hour > 7) & (hour < 19), 1.0, -1.0)
    target = (level + rng.logistic(size=n_rows) * 0.5 > 0).astype(np.int64)
    moments = pl.Series((rng.integers(0, 700, n_rows) * 24 + hour) * 3_600_000_000).cast(pl.Datetime("us", "UTC"))
    frame = pl.DataFrame({"note": texts, "size": size, "sold": moments}).select(columns)
    types = {"note": "text", "size": "number", "sold": "datetime"}
    schema = Schema(columns=tuple(Column(name=n, type=types[n]) for n in columns), target="y")  # type: ignore[arg-type]
    task = Task(kind="classification", target="y", classes=("no", "yes"), positive="yes", metric="roc_auc")
    return Examples(frame, target, schema, task)


def test_text_numbers_and_moments_together_beat_each_alone() -> None:
    def score(*columns: str) -> float:
        learned, later = fitted("lightgbm", made(1_500, 0, *columns)), made(1_500, 1, *columns)
        answers = learned.reference(later)
        assert answers.probabilities is not None
        return float(roc_auc_score(later.target, answers.probabilities[:, 1]))

    together = score("note", "size", "sold")
    assert together > 0.03 + max(score("note"), score("size"), score("sold"))


def test_a_family_of_words_needs_a_text() -> None:
    words, table = load_family("words"), examples_of(TASKS["value"])
    assert not reads(words, table.schema)
    assert reads(words, text_examples(TASKS["value"]).schema)
    assert reads(words, text_examples(TASKS["value"], alone=True).schema)
    with pytest.raises(InputError, match="no column is a text"):
        words.fit(table, params=dict(words.defaults(table.shape, table.task)[0]), seed=0)


def test_texts_without_a_word_are_refused_by_name() -> None:
    rows = text_examples(TASKS["two classes"], alone=True)
    frame = pl.DataFrame({"note": ["\u200b", None] * 200})
    with pytest.raises(InputError, match="hold no words"):
        fitted("words", Examples(frame, rows.target, rows.schema, rows.task))


def test_a_column_without_words_is_passed_over() -> None:
    rows = text_examples(TASKS["two classes"])
    frame = rows.frame.with_columns(pl.Series("blank", [None] * 400, dtype=pl.String))
    schema = Schema(columns=(*rows.schema.columns, Column(name="blank", type="text")), target="y")
    examples = Examples(frame, rows.target, schema, rows.task)
    learned = fitted("words", examples)
    graph = model.Graph(graph_of(learned, schema, rows.task))
    assert [spec.name for spec in graph.inputs][-2:] == ["note", "blank"]
    assert model.check_parity(graph, examples.feeds(), learned.reference(examples)).passed
