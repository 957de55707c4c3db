"""`POST /predict?explain=1` over a real socket, of a model that was really trained."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from palio import model, serve
from palio.serve.protocols.rows import MAX_EXPLAINED
from palio.store import open_store
from tests.flow.conftest import BANK
from tests.model.conftest import train_and_export
from tests.serve import foreign_models
from tests.serve.conftest import Wire
from tests.serve.small_model import GOOD


@pytest.fixture(scope="module")
def bank() -> pl.DataFrame:
    with gzip.open(BANK, "rb") as file:
        return pl.read_csv(file.read()).gather_every(15)


@pytest.fixture(scope="module")
def trained(bank: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server of LightGBM on the bank's rows."""
    made = train_and_export(bank, "y", "lightgbm")
    graph = model.Graph(made.graph)
    with open_store(tmp_path_factory.mktemp("store")) as store:
        golden = model.make_golden(graph, bank, made.schema)
        reference = model.make_reference(model.feeds_from_frame(bank, made.schema), made.schema, made.task)
        identity = model.pack(
            store, made.graph, reference=reference, golden=golden,
            task=made.task, schema=made.schema, family="lightgbm", params={}, seed=0, n_parameters=1, snapshot="0" * 64,
            parts="0" * 64, trained_on=("train",), metrics={}, parity=(), versions={},
        )  # fmt: skip
        bundle = model.load(store, identity)
    with serve.background(serve.create_app(serve.fixed(bundle, model="bank"))) as url:
        yield url


def records(bank: pl.DataFrame, n_rows: int) -> list[dict[str, Any]]:
    return bank.drop("y").gather_every(200).head(n_rows).to_dicts()


def test_base_and_contributions_add_up_to_the_answer(
    trained: str, bank: pl.DataFrame, connect: Callable[[str], Wire]
) -> None:
    rows = records(bank, 12)
    wire = connect(trained)
    status, told = wire.json("POST", "/predict?explain=1", {"records": rows})
    plain = wire.json("POST", "/predict", {"records": rows})[1]
    assert status == 200
    for row, without in zip(told["predictions"], plain["predictions"], strict=True):
        why = row.pop("explanation")
        assert why["of"] == row["prediction"]
        answer = row["probabilities"][row["prediction"]]
        assert why["base"] + sum(why["values"].values()) == pytest.approx(answer, abs=1e-9)
        assert set(why["values"]) == set(rows[0])
        assert {**row, "id": ""} == {**without, "id": ""}, "an explanation changes no answer"


def test_the_largest_movement_comes_first_and_rows_keep_their_order(
    trained: str, bank: pl.DataFrame, connect: Callable[[str], Wire]
) -> None:
    rows = records(bank, 5)
    wire = connect(trained)
    together = [row["explanation"] for row in wire.json("POST", "/predict?explain=1", rows)[1]["predictions"]]
    for row, why in zip(rows, together, strict=True):
        sizes = [abs(value) for value in why["values"].values()]
        assert sizes == sorted(sizes, reverse=True)
        alone = wire.json("POST", "/predict?explain=1", row)[1]["predictions"][0]["explanation"]
        assert alone["base"] == pytest.approx(why["base"])
        assert alone["values"] == pytest.approx(why["values"])


def test_what_the_model_leans_on_moves_the_answer(
    trained: str, bank: pl.DataFrame, connect: Callable[[str], Wire]
) -> None:
    row = records(bank, 1)[0] | {"duration": 2500, "poutcome": "success"}
    answer = connect(trained).json("POST", "/predict?explain=1", row)[1]["predictions"][0]
    assert answer["prediction"] == "yes"
    assert answer["explanation"]["values"]["duration"] > 0.2
    assert next(iter(answer["explanation"]["values"])) == "duration"


def test_more_rows_than_may_be_explained_are_refused_and_without_explanation_answered(
    trained: str, bank: pl.DataFrame, connect: Callable[[str], Wire]
) -> None:
    wire = connect(trained)
    rows = records(bank, 1) * (MAX_EXPLAINED + 1)
    status, told = wire.json("POST", "/predict?explain=1", rows)
    assert (status, "explained" in told["error"]) == (413, True)
    assert wire.json("POST", "/predict", rows)[0] == 200
    assert wire.json("POST", "/predict?explain=1", rows[:MAX_EXPLAINED])[0] == 200


def test_a_missing_value_is_explained_too(trained: str, connect: Callable[[str], Wire]) -> None:
    status, told = connect(trained).json("POST", "/predict?explain=1", {"age": 40})
    assert status == 200
    assert len(told["predictions"][0]["explanation"]["values"]) == 16


def test_a_row_that_breaks_the_schema_is_refused_as_ever(wire: Wire) -> None:
    assert wire.json("POST", "/predict?explain=1", GOOD | {"age": 7})[0] == 422
    assert wire("POST", "/predict?explain=1", b"{")[0] == 400


def test_other_words_in_the_query_explain_nothing(wire: Wire) -> None:
    for query in ("?explain=0", "?explain=False", "?explain=no", "?explained=1", "?x=explain=1"):
        assert "explanation" not in wire.json("POST", f"/predict{query}", GOOD)[1]["predictions"][0], query
    assert "explanation" in wire.json("POST", "/predict?x=2&explain=1", GOOD)[1]["predictions"][0]


@pytest.mark.parametrize("word", ["1", "true", "True", "TRUE", "yes", "on", "y", "%74rue"])
def test_every_usual_word_for_yes_explains(wire: Wire, word: str) -> None:
    assert "explanation" in wire.json("POST", f"/predict?explain={word}", GOOD)[1]["predictions"][0]


def test_every_word_that_the_document_names_is_understood(wire: Wire) -> None:
    asked = json.loads(wire("GET", "/openapi.json")[2])["paths"]["/predict"]["post"]["parameters"]
    (words,) = (one["schema"]["enum"] for one in asked if one["name"] == "explain")
    explained = [
        "explanation" in wire.json("POST", f"/predict?explain={word}", GOOD)[1]["predictions"][0] for word in words
    ]
    assert 0 < sum(explained) < len(words)


@pytest.mark.parametrize("query", ["explain", "explain=", "explain=maybe", "explain=2", "explain=1&explain=0"])
def test_a_wish_that_is_neither_yes_nor_no_is_refused(wire: Wire, query: str) -> None:
    status, answer = wire.json("POST", f"/predict?{query}", GOOD)
    assert status == 400
    assert "explain" in answer["error"]


def test_a_form_that_explains_nothing_says_so(wire: Wire) -> None:
    status, answer = wire.json("POST", "/invocations?explain=1", {"dataframe_records": [GOOD]})
    assert (status, answer["message"]) == (400, "only /predict explains its answers")


def test_a_graph_from_elsewhere_cannot_be_explained(tmp_path: Path, connect: Callable[[str], Wire]) -> None:
    path = foreign_models.write(tmp_path, "pets", foreign_models.classifier())
    with serve.background(serve.create_app(serve.any_onnx(path))) as url:
        wire = connect(url)
        status, _, body = wire("POST", "/predict?explain=1", [[1, 2, 3, 4]])
        assert status == 400
        assert "cannot be explained" in json.loads(body)["error"]
        assert wire("POST", "/predict", [[1, 2, 3, 4]])[0] == 200
