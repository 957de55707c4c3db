"""`POST /predict` over a real socket."""

from __future__ import annotations

import gzip
import json
from typing import Any

import numpy as np
import pytest

from tests.serve.conftest import Wire
from tests.serve.small_model import GOOD, SmallBundle


def wanted(bundle: SmallBundle, **changes: Any) -> tuple[str, dict[str, float]]:
    row = {"age": 40.0, "balance": 120.5, "job": "student", "level": "high", "married": "true"} | changes
    feeds = {
        name: np.array([[value]], np.float64 if name in ("age", "balance") else object) for name, value in row.items()
    }
    outputs = bundle.graph.predict(feeds)
    return outputs.prediction[0], dict(zip(("no", "yes"), outputs.probabilities[0].tolist(), strict=True))


def test_a_record_gets_prediction_probabilities_version_flags_and_a_name(wire: Wire, bundle: SmallBundle) -> None:
    status, answer = wire.json("POST", "/predict", {"records": [GOOD]})
    label, probabilities = wanted(bundle)
    assert status == 200
    assert (answer["model"], answer["version"]) == ("bank", 3)
    (row,) = answer["predictions"]
    identity = row.pop("id")
    assert row == {"prediction": label, "probabilities": probabilities, "version": 3, "flags": []}
    assert len(identity) > 16


@pytest.mark.parametrize(
    "body", [GOOD, [GOOD], {"records": [GOOD]}], ids=["one record", "a list", "a list called records"]
)
def test_all_forms_of_a_request_get_the_same_answer(wire: Wire, bundle: SmallBundle, body: Any) -> None:
    _, answer = wire.json("POST", "/predict", body)
    assert answer["predictions"][0]["probabilities"] == wanted(bundle)[1]


def test_answers_come_in_the_order_of_the_records_each_with_its_own_name(wire: Wire, bundle: SmallBundle) -> None:
    ages = list(range(18, 91))
    _, answer = wire.json("POST", "/predict", [GOOD | {"age": age} for age in ages])
    got = [row["probabilities"]["yes"] for row in answer["predictions"]]
    assert got == pytest.approx([wanted(bundle, age=float(age))[1]["yes"] for age in ages], abs=1e-14)
    assert len({row["id"] for row in answer["predictions"]}) == len(ages)


def test_missing_and_unusual_values_are_flagged_where_the_policy_says_so(wire: Wire, bundle: SmallBundle) -> None:
    record = GOOD | {"balance": None, "job": "astronaut"}
    del record["level"]
    _, answer = wire.json("POST", "/predict", [record, GOOD | {"balance": 9e9}])
    first, second = answer["predictions"]
    assert first["flags"] == ["job: unknown category"]
    assert first["probabilities"] == wanted(bundle, balance=np.nan, job="astronaut", level="")[1]
    assert second["flags"] == ["balance: out of range"]


@pytest.mark.parametrize(
    ("changes", "read_as", "flags"),
    [
        ({"age": 40.5}, {"age": 40.5}, ["age: not whole"]),
        ({"age": " 41 "}, {"age": 41.0}, []),
        ({"balance": "1,234.50"}, {"balance": 1234.5}, []),
        ({"balance": True}, {"balance": 1.0}, ["balance: unusual form"]),
        ({"balance": "?"}, {"balance": np.nan}, []),
        ({"married": "yes"}, {"married": "true"}, ["married: unusual form"]),
        ({"job": " student\u00a0"}, {"job": "student"}, []),
        ({"town": {"x": [1]}}, {}, []),
    ],
)
def test_a_cell_that_can_be_read_is_answered_and_told_where_it_is_unusual(
    wire: Wire, bundle: SmallBundle, changes: dict[str, Any], read_as: dict[str, Any], flags: list[str]
) -> None:
    status, answer = wire.json("POST", "/predict", GOOD | changes)
    assert status == 200, answer
    (row,) = answer["predictions"]
    assert row["probabilities"] == wanted(bundle, **read_as)[1]
    assert row["flags"] == flags


def test_a_compressed_body_is_read(wire: Wire) -> None:
    body = gzip.compress(json.dumps([GOOD] * 50).encode())
    assert wire("POST", "/predict", body, {"content-encoding": "gzip"})[0] == 200


SECRET = "4c1d-secret"
BAD: list[tuple[str, Any, int, str]] = [
    ("no JSON", b"age=40", 400, "not JSON"),
    ("empty", b"", 400, "not JSON"),
    ("half a text", b'{"age": "4', 400, "not JSON"),
    ("not UTF-8", b'{"job": "\xff\xfe"}', 400, "not JSON"),
    ("half a character", b'{"age": 40, "job": "\\ud800"}', 400, "not JSON"),
    ("deep", b"[" * 90_000, 400, "nested"),
    ("deep in a field", b'{"age": ' + b'{"a":' * 30_000, 400, "nested"),
    ("NaN", b'{"age": NaN}', 400, "not JSON"),
    ("a number beyond all", b'{"balance": 1e999}', 400, "not JSON"),
    ("a text", json.dumps(SECRET).encode(), 400, "object"),
    ("null", b"null", 400, "object"),
    ("a list of texts", [SECRET], 400, "object"),
    ("a list of lists", [[1, 2]], 400, "object"),
    ("records and more", {"records": [GOOD], SECRET: 1}, 400, "beside"),
    ("no records", {"records": []}, 400, "no record"),
    ("an empty list", [], 400, "no record"),
    ("too many", [GOOD] * 101, 413, "100"),
    ("too large", b" " * 200_001, 413, "200000"),
    ("an empty record", {}, 422, "`age`"),
    ("a misspelt field", {("agee" if name == "age" else name): GOOD[name] for name in GOOD}, 422, "`agee`"),
    ("missing where it must not", GOOD | {"age": None}, 422, "`age`"),
    ("text for a number", GOOD | {"age": SECRET}, 422, "`age`"),
    ("a list for a number", GOOD | {"balance": [SECRET]}, 422, "`balance`"),
    ("an object for a category", GOOD | {"job": {SECRET: SECRET}}, 422, "`job`"),
    ("a unit that is not the column's", GOOD | {"balance": "12 kg"}, 422, "`balance`"),
    ("out of a closed range", GOOD | {"age": 17}, 422, "`age`"),
    ("out of closed categories", GOOD | {"level": SECRET}, 422, "`level`"),
    ("a word for a boolean", GOOD | {"married": SECRET}, 422, "`married`"),
    ("a huge whole number", b'{"age": ' + b"9" * 400 + b"}", 422, "`age`"),
    ("the second of two is bad", [GOOD, GOOD | {"age": 1}], 422, "`age`"),
    ("records is no list", {"records": SECRET}, 400, "`records` must be a list"),
    ("records is null", {"records": None}, 400, "`records` must be a list"),
]


@pytest.mark.parametrize(("body", "status", "part"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_malformed_request_gets_a_clear_answer_that_quotes_nothing(
    wire: Wire, body: Any, status: int, part: str
) -> None:
    got, headers, answer = wire("POST", "/predict", body)
    assert got == status, answer
    assert headers["content-type"] == "application/json"
    assert part in json.loads(answer)["error"]
    assert SECRET not in answer.decode()
    if status == 422:
        assert json.loads(answer)["fields"] == [part.strip("`")]
    assert wire("POST", "/predict", GOOD)[0] == 200  # the connection and the server are well
