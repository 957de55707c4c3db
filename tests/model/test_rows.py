"""Records are read by name: what can be read is, what cannot is refused by column, and no value is repeated."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest

from palio.core.errors import ContractError
from palio.core.records import Column, Schema
from palio.model import RecordReader, feeds_from_frame

SCHEMA = Schema(
    columns=(
        Column(name="id", type="text", feature=False),
        Column(name="age", type="integer", low=18, high=90),
        Column(name="income", type="number", missing_allowed=False),
        Column(name="job", type="category", categories=("nurse", "7", "1.5"), on_unknown="flag"),
        Column(name="member", type="boolean", categories=("true", "false")),
        Column(name="since", type="datetime", format="%d/%m/%Y"),
        Column(name="grade", type="category", categories=("a", "b"), on_unknown="reject"),
        Column(name="score", type="number", low=0, high=1, on_out_of_range="reject"),
    )
)
GOOD = {"age": 33, "income": 1.5, "job": "nurse", "member": True, "since": "2020-02-29", "grade": "a", "score": 0.5}


def read(**changes: Any) -> tuple[dict[str, Any], list[list[str]]]:
    feeds, flags = RecordReader(SCHEMA).read([{**GOOD, **changes}])
    return {name: value[0, 0] for name, value in feeds.items()}, flags


def test_a_good_record_becomes_one_row_without_flags() -> None:
    cells, flags = read(id="x-1")
    assert cells == {
        "age": 33.0,
        "income": 1.5,
        "job": "nurse",
        "member": "true",
        "since": 1582934400.0,
        "grade": "a",
        "score": 0.5,
    }
    assert flags == [[]]


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("age", "thirty", "type"),
        ("age", [33], "type"),
        ("age", {"a": 1}, "type"),
        ("income", math.inf, "type"),
        ("income", math.nan, "missing"),
        ("income", " ? ", "missing"),
        ("income", 10**400, "type"),
        ("income", None, "missing"),
        ("job", ["nurse"], "type"),
        ("member", "perhaps", "type"),
        ("member", 2, "type"),
        ("since", "29/2/2021", "type"),
        ("since", "soon", "type"),
        ("since", True, "type"),
        ("grade", "z", "category"),
        ("score", 1.01, "range"),
    ],
)
def test_a_cell_that_breaks_the_contract_is_refused_by_name(field: str, value: Any, rule: str) -> None:
    with pytest.raises(ContractError, match=f"`{field}`") as caught:
        read(**{field: value})
    assert caught.value.hint
    assert caught.value.facts["violations"] == [{"column": field, "rule": rule, "row": 0}]


@pytest.mark.parametrize(
    ("field", "value", "read_as", "flag"),
    [
        ("age", "33", 33.0, ""),
        ("age", " 1,033 ", 1033.0, "out of range"),
        ("age", 33.5, 33.5, "not whole"),
        ("age", "33.0", 33.0, ""),
        ("income", True, 1.0, "unusual form"),
        ("income", "1,234.50", 1234.5, ""),
        ("job", " nurse ", "nurse", ""),
        ("job", 8, "8", "unknown category"),
        ("member", "True", "true", ""),
        ("member", 1, "true", "unusual form"),
        ("member", "No", "false", "unusual form"),
        ("since", "2020-2-1", 1580515200.0, ""),
        ("since", "Feb 1, 2020", 1580515200.0, "unusual form"),
    ],
)
def test_a_cell_that_can_be_read_is_and_an_unusual_one_is_flagged(
    field: str, value: Any, read_as: Any, flag: str
) -> None:
    cells, flags = read(**{field: value})
    assert cells[field] == read_as
    assert flags == [[f"{field}: {flag}"] if flag else []]


def test_a_misspelt_field_is_refused_with_the_nearest_name_of_those_that_are_absent() -> None:
    record = {**GOOD, "incme": 3}
    del record["income"], record["age"]
    with pytest.raises(ContractError, match="`incme`") as caught:
        RecordReader(SCHEMA).read([GOOD, record])
    assert caught.value.hint == "did you mean `income`?"
    assert caught.value.facts["violations"] == [{"column": "incme", "rule": "surplus", "row": 1}]


@pytest.mark.parametrize("surplus", [{"incme": 3}, {"town": ["a", {"b": 1}]}, {"id": {"x": 10**400}}])
def test_a_field_that_no_model_reads_refuses_nothing_beside_a_whole_record(surplus: dict[str, Any]) -> None:
    assert read(**surplus) == read()


def test_a_left_out_field_is_a_missing_value_where_that_is_allowed() -> None:
    feeds, _ = RecordReader(SCHEMA).read([{"income": 1}])
    assert feeds["job"][0, 0] == ""
    assert np.isnan(feeds["since"][0, 0])
    with pytest.raises(ContractError, match="`income` is missing"):
        RecordReader(SCHEMA).read([GOOD, {"age": 30}])


def test_unusual_values_are_flagged_row_by_row() -> None:
    _, flags = RecordReader(SCHEMA).read([GOOD, {**GOOD, "age": 17, "job": "pilot"}])
    assert flags == [[], ["age: out of range", "job: unknown category"]]
    assert read(job=False)[1] == [["job: unknown category"]]


@pytest.mark.parametrize(("value", "text"), [(7, "7"), (7.0, "7"), (1.5, "1.5")])
def test_a_number_stands_for_the_category_that_prints_like_it(value: float, text: str) -> None:
    assert read(job=value)[0]["job"] == text


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1970-01-02", 86400.0),
        ("1970-01-01T01:00:00+01:00", 0.0),
        ("1970-01-01T00:00:00.250Z", 0.25),
        ("02/01/1970", 86400.0),
        (-1.5, -1.5),
    ],
)
def test_dates_are_read_in_iso_form_the_columns_own_or_as_seconds(value: Any, seconds: float) -> None:
    assert read(since=value)[0]["since"] == seconds


@pytest.mark.parametrize(("limits", "allowed"), [({"low": 18}, "at least 18"), ({"high": 18}, "at most 18")])
def test_a_range_may_be_open_at_one_end(limits: dict[str, float], allowed: str) -> None:
    schema = Schema(columns=(Column(name="age", type="number", on_out_of_range="reject", **limits),))
    outside = {"age": 17 if "low" in limits else 19}
    with pytest.raises(ContractError, match=f"`age` is out of range, it must be {allowed}"):
        RecordReader(schema).read([outside])


def test_values_are_never_repeated_in_an_error() -> None:
    with pytest.raises(ContractError) as caught:
        read(age="my secret")
    assert "secret" not in str(caught.value.as_json())


def test_records_and_frames_give_the_same_feeds(small_frame: pl.DataFrame) -> None:
    frame = small_frame.head(50).drop("answer", "value")
    types: dict[str, Any] = {
        "amount": "number",
        "count": "integer",
        "when": "datetime",
        "colour": "category",
        "town": "category",
    }
    schema = Schema(columns=tuple(Column(name=name, type=kind) for name, kind in types.items()))
    rows = frame.with_columns(pl.col("when").dt.strftime("%Y-%m-%dT%H:%M:%S%.6f%:z")).to_dicts()
    from_records, _ = RecordReader(schema).read(rows)
    for name, values in feeds_from_frame(frame, schema).items():
        np.testing.assert_array_equal(values, from_records[name], strict=True)


def test_a_missing_value_is_flagged_where_no_row_had_one() -> None:
    columns = (
        Column(name="age", type="integer", on_missing="flag"),
        Column(name="job", type="text", on_missing="flag"),
    )
    _, flags = RecordReader(Schema(columns=columns)).read([{"age": 3, "job": "x"}, {"age": None}, {"job": ""}])
    assert flags == [[], ["age: missing", "job: missing"], ["age: missing", "job: missing"]]
    with pytest.raises(ContractError, match="`age` is missing"):
        RecordReader(Schema(columns=(Column(name="age", type="integer", on_missing="reject"),))).read([{}])
