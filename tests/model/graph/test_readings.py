"""A graph that takes ids and counts is fed texts, by what its own file says, and answers alike alone and in a batch."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import onnx
import pytest

from palio import model
from palio.core.errors import InputError, IntegrityError
from palio.core.records import Column, Schema, Task, TensorSpec, WordReading
from palio.model import Graph, GraphBuilder
from palio.model.reading.readers import METADATA, encode_readings

TEXTS = [
    "Win a FREE prize now!!", "see you at 5", "", "free free free", "straße und gasse", "東京都に住む", "😀 free 😀",
    "\x00 nul \x00", "مرحبا free", "http://free.io/win?now=1", "x" * 3_000, "win now " * 900, "\ud800 half",
]  # fmt: skip


def schema_of(*names: str, kind: str = "text") -> Schema:
    return Schema(columns=tuple(Column(name=name, type=kind) for name in names))  # type: ignore[arg-type]


def sums_of(columns: tuple[str, ...], schema: Schema, *, n_sums: int = 3) -> bytes:
    builder = GraphBuilder(schema)
    found = []
    for place, column in enumerate(columns):
        reading, counts = model.learn_reading(model.input_name(column), TEXTS[:-1] * 2)
        sums = np.random.default_rng(place).normal(size=(reading.n_entries, n_sums)).astype(np.float32)
        found.append(model.fit_weighing(reading, counts).emit(builder, sums))
    builder.output("sums", builder.concat(found), "double", (None, n_sums * len(columns)))
    return builder.build()


def feeds_of(texts: list[str], *names: str) -> dict[str, Any]:
    return {name: np.array(texts, object).reshape(-1, 1) for name in names}


def test_everybody_sees_one_column_of_texts() -> None:
    graph = Graph(sums_of(("note",), schema_of("note")))
    assert graph.inputs == (TensorSpec(name="note", datatype="BYTES", shape=(-1, 1)),)


def test_columns_keep_their_order() -> None:
    schema = Schema(
        columns=(
            Column(name="age", type="number"),
            Column(name="note", type="text"),
            Column(name="job", type="category"),
        )
    )
    builder = GraphBuilder(schema)
    reading, counts = model.learn_reading("note", TEXTS)
    sums = np.ones((reading.n_entries, 1), np.float32)
    found = builder.node("Add", builder.input("age"), model.fit_weighing(reading, counts).emit(builder, sums))
    builder.output("sum", found, "double", (None, 1))
    assert [spec.name for spec in Graph(builder.build()).inputs] == ["age", "note", "job"]


@pytest.mark.parametrize("n_sums", [1, 3, 25])
def test_a_row_gets_the_same_answer_to_the_last_bit_whatever_stands_beside_it(n_sums: int) -> None:
    graph = Graph(sums_of(("note",), schema_of("note"), n_sums=n_sums))
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(TEXTS[:10], rng.integers(1, 9))) for _ in range(200)] + TEXTS
    together = graph.run(feeds_of(texts, "note"))["sums"]
    alone = np.concatenate([graph.run(feeds_of([text], "note"))["sums"] for text in texts])
    order = rng.permutation(len(texts))
    mixed = graph.run(feeds_of([texts[row] for row in order], "note"))["sums"]
    assert np.array_equal(together, alone)
    assert np.array_equal(together[order], mixed)


def test_the_graph_adds_up_what_sparse_matrices_do() -> None:
    reading, counts = model.learn_reading("note", TEXTS[:-1] * 2)
    sums = np.random.default_rng(0).normal(size=(reading.n_entries, 3)).astype(np.float32)
    weighed = model.fit_weighing(reading, counts).weigh(model.count_entries(reading, TEXTS))
    found = Graph(sums_of(("note",), schema_of("note"))).run(feeds_of(TEXTS, "note"))["sums"]
    np.testing.assert_allclose(found, weighed @ sums.astype(np.float64), atol=1e-12)


def test_a_text_without_known_words_adds_nothing() -> None:
    found = Graph(sums_of(("note",), schema_of("note"))).run(feeds_of(["", "ξενος"], "note"))["sums"]
    assert (found == 0).all()


@pytest.mark.parametrize("names", [("#0", "#1.ids", "#1"), ("prediction", "input:x", "#0.counts")])
def test_columns_may_be_called_like_tensors_inside(names: tuple[str, ...]) -> None:
    graph = Graph(sums_of(names, schema_of(*names)))
    feeds = feeds_of(TEXTS, *map(model.input_name, names))
    assert [spec.name for spec in graph.inputs] == list(feeds)
    assert np.isfinite(graph.run(feeds)["sums"]).all()


def test_two_columns_are_read_apart() -> None:
    graph = Graph(sums_of(("a", "b"), schema_of("a", "b")))
    feeds = feeds_of(TEXTS, "a", "b")
    before = graph.run(feeds)["sums"]
    after = graph.run({**feeds, "b": feeds["b"][::-1]})["sums"]
    assert np.array_equal(before[:, :3], after[:, :3])
    assert np.array_equal(before[::-1, 3:], after[:, 3:])


def test_the_same_reading_enters_once() -> None:
    builder = GraphBuilder(schema_of("note"))
    reading, _ = model.learn_reading("note", TEXTS)
    assert builder.reading(reading) == builder.reading(reading)
    other = msgspec.structs.replace(reading, most_characters=10)
    assert builder.reading(other).tensor != builder.reading(reading).tensor


def test_a_text_may_be_read_and_looked_at_as_it_is() -> None:
    builder = GraphBuilder(schema_of("note"))
    reading, counts = model.learn_reading("note", TEXTS)
    sums = model.fit_weighing(reading, counts).emit(builder, np.ones((reading.n_entries, 1), np.float32))
    known = builder.labels(builder.input("note"), ["see you at 5"], [100.0], 0.0)
    builder.output("sum", builder.node("Add", sums, known), "double", (None, 1))
    graph = Graph(builder.build())
    assert [spec.name for spec in graph.inputs] == ["note"]
    found = graph.run(feeds_of(["see you at 5", "see you at 6"], "note"))["sum"]
    assert found[0, 0] > 90 > found[1, 0]


def test_a_reading_of_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="`other`"):
        GraphBuilder(schema_of("note")).reading(WordReading(input="other"))


def test_an_empty_batch_is_answered_by_nothing() -> None:
    graph = Graph(sums_of(("note",), schema_of("note")))
    assert graph.run({"note": np.empty((0, 1), object)})["sums"].shape == (0, 3)


def test_two_million_characters_are_read_as_far_as_the_rule_says() -> None:
    graph = Graph(sums_of(("note",), schema_of("note")))
    long = "win now " * 250_000
    cap = graph.readings[0].most_characters
    found = graph.run(feeds_of([long, long[:cap]], "note"))["sums"]
    assert np.array_equal(found[0], found[1])


def with_readings(graph: bytes, readings: list[WordReading]) -> bytes:
    whole = onnx.load_model_from_string(graph)
    onnx.helper.set_model_props(whole, {METADATA: encode_readings(readings)})
    return whole.SerializeToString()


@pytest.mark.parametrize("changes", [{"tensor": "#99"}, {"input": "age"}, {"facts": True}])
def test_readings_that_do_not_fit_the_graph_are_refused(changes: dict[str, Any]) -> None:
    builder = GraphBuilder(Schema(columns=(Column(name="note", type="text"), Column(name="age", type="number"))))
    reading, counts = model.learn_reading("note", TEXTS)
    sums = model.fit_weighing(reading, counts).emit(builder, np.ones((reading.n_entries, 1), np.float32))
    builder.output("sum", sums, "double", (None, 1))
    graph = builder.build()
    (named,) = Graph(graph).readings
    with pytest.raises(IntegrityError, match="readings do not fit"):
        Graph(with_readings(graph, [msgspec.structs.replace(named, **changes)]))


def test_ids_beyond_the_table_are_refused_without_a_crash() -> None:
    graph = sums_of(("note",), schema_of("note"))
    (named,) = Graph(graph).readings
    more = tuple(f"word{number}" for number in range(5_000))
    longer = msgspec.structs.replace(named, word_entries=more, n_entries=len(more) + len(named.piece_entries))
    with pytest.raises(InputError, match="the graph cannot take them"):
        Graph(with_readings(graph, [longer])).run(feeds_of(["word4999"], "note"))


def test_joined_graphs_read_each_text_as_each_of_them_did() -> None:
    task = Task(kind="regression", target="y")
    schema = schema_of("note", "other")
    members = []
    for size in (10, 400):
        builder = GraphBuilder(schema)
        reading, counts = model.learn_reading("note", TEXTS[:-1] * 2, most_words=size, most_pieces=size)
        sums = np.random.default_rng(size).normal(size=(reading.n_entries, 1)).astype(np.float32)
        model.emit_answers(builder, model.fit_weighing(reading, counts).emit(builder, sums), task)
        members.append(builder.build())
    builder = GraphBuilder(schema)
    model.emit_answers(builder, model.emit_constant(builder, 7.0, task), task)
    members.append(builder.build())
    joined = Graph(model.join([*members, members[0]], [0.2, 0.3, 0.1, 0.4], schema=schema, task=task))
    feeds = feeds_of(TEXTS[:-1], "note", "other")
    expected = sum(
        weight * Graph(one).predict(feeds).prediction
        for one, weight in zip([*members, members[0]], [0.2, 0.3, 0.1, 0.4], strict=True)
    )
    assert len(joined.readings) == 3  # two, and one of no words for the constant
    assert [spec.name for spec in joined.inputs] == ["note", "other"]
    np.testing.assert_allclose(joined.predict(feeds).prediction, expected, rtol=1e-12)
