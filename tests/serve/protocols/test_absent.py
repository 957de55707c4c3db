"""Rows without a column that training always had: refused at every door by default, or answered and told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from palio import serve
from tests.serve.conftest import Wire
from tests.serve.small_model import GOOD, SCHEMA, SmallBundle, small_bundle

WITHOUT = {name: value for name, value in GOOD.items() if name != "job"}
KINDS = {"age": "FP64", "balance": "FP64", "job": "BYTES", "level": "BYTES", "married": "BOOL"}
INFER = "/v2/models/bank/infer"


def always(*names: str) -> SmallBundle:
    """A bundle whose training data had these columns in every row."""
    bundle = small_bundle()
    columns = [msgspec.structs.replace(c, on_missing="flag") if c.name in names else c for c in SCHEMA.columns]
    schema = msgspec.structs.replace(SCHEMA, columns=tuple(columns))
    return SmallBundle(bundle.id, msgspec.structs.replace(bundle.manifest, schema=schema), bundle.model)


@pytest.fixture(scope="module")
def strict() -> Iterator[str]:
    with serve.background(serve.create_app(serve.fixed(always("job", "balance"), model="bank"))) as url:
        yield url


@pytest.fixture(scope="module")
def open_handed() -> Iterator[str]:
    app = serve.create_app(serve.fixed(always("job"), model="bank"), caps=serve.Caps(absent_columns="answer"))
    with serve.background(app) as url:
        yield url


def tensors(row: dict[str, Any]) -> dict[str, Any]:
    found = [{"name": n, "datatype": KINDS[n], "shape": [1, 1], "data": [value]} for n, value in row.items()]
    return {"inputs": found}


def ask(wire: Wire, path: str, body: Any) -> tuple[int, dict[str, str], Any]:
    status, headers, answer = wire("POST", path, body, {"content-type": "application/json"})
    return status, headers, json.loads(answer)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/predict", WITHOUT, 422),
        ("/predict", {"records": [GOOD, WITHOUT]}, 422),
        ("/predict?explain=1", WITHOUT, 422),
        ("/invocations", {"dataframe_records": [WITHOUT]}, 400),
        ("/invocations", {"dataframe_split": {"columns": list(WITHOUT), "data": [list(WITHOUT.values())]}}, 400),
        ("/invocations", {"inputs": {name: [value] for name, value in WITHOUT.items()}}, 400),
        (INFER, tensors(WITHOUT), 400),
    ],
)
def test_by_default_a_row_without_a_column_that_training_always_had_is_refused(
    strict: str, connect: Callable[[str], Wire], path: str, body: Any, status: int
) -> None:
    found, _, answer = ask(connect(strict), path, body)
    assert found == status
    assert "`job` is absent" in answer.get("error", answer.get("message"))
    assert answer.get("fields", ["job"]) == ["job"]


def test_a_file_without_such_a_column_is_refused(strict: str, connect: Callable[[str], Wire]) -> None:
    text = f"{','.join(WITHOUT)}\n{','.join(str(value) for value in WITHOUT.values())}\n"
    status, _, body = connect(strict)("POST", "/invocations", text.encode(), {"content-type": "text/csv"})
    assert (status, json.loads(body)["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_a_column_that_is_null_is_given(strict: str, connect: Callable[[str], Wire]) -> None:
    wire = connect(strict)
    status, headers, answer = ask(wire, "/predict", GOOD | {"job": None})
    assert (status, answer["predictions"][0]["flags"]) == (200, ["job: missing"])
    assert "x-palio-absent" not in headers
    status, headers, _ = ask(wire, "/invocations", {"instances": [GOOD | {"job": None}]})
    assert (status, headers["x-palio-flags"]) == (200, "1")


def test_what_is_answered_in_spite_of_it_is_told(open_handed: str, connect: Callable[[str], Wire]) -> None:
    wire = connect(open_handed)
    body = {"records": [GOOD, WITHOUT]}
    status, headers, answer = ask(wire, "/predict", body)
    assert (status, headers["x-palio-absent"]) == (200, "job")
    assert [row["flags"] for row in answer["predictions"]] == [[], ["job: missing"]]
    status, headers, _ = ask(wire, "/invocations", {"instances": [WITHOUT]})
    assert (status, headers["x-palio-absent"], headers["x-palio-flags"]) == (200, "job", "1")
    status, _, answer = ask(wire, INFER, tensors(WITHOUT))
    assert (status, answer["parameters"]["absent"], answer["parameters"]["flags"]) == (200, "job", 1)
    given = ask(wire, INFER, tensors(GOOD | {"job": ""}))[2]
    assert answer["outputs"] == given["outputs"]  # absent is missing, at every door


def test_a_column_that_was_missing_now_and_then_may_be_left_out_and_is_told(
    open_handed: str, wire: Wire, connect: Callable[[str], Wire]
) -> None:
    for one in (wire, connect(open_handed)):
        row = {name: value for name, value in GOOD.items() if name != "balance"}
        status, headers, answer = ask(one, "/predict", row)
        assert (status, headers["x-palio-absent"]) == (200, "balance")
        assert answer["predictions"][0]["flags"] == []


def test_a_row_of_nothing_is_refused_even_where_much_is_answered(
    open_handed: str, connect: Callable[[str], Wire]
) -> None:
    wire = connect(open_handed)
    assert ask(wire, "/predict", {})[0] == 422
    assert ask(wire, INFER, {"inputs": []})[0] == 400


def test_the_document_asks_for_what_is_required(strict: str, open_handed: str, connect: Callable[[str], Wire]) -> None:
    def required(url: str) -> set[str]:
        document = connect(url).json("GET", "/openapi.json")[1]
        return set(document["components"]["schemas"]["Record"]["required"])

    assert required(strict) >= {"job", "balance"}
    assert not required(open_handed) & {"job", "balance"}
