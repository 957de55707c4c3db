"""One cell, one reader: whichever way a cell arrives, it is read, flagged or refused alike."""

from __future__ import annotations

import csv
import datetime as dt
import functools
import io
import json
import math
import struct
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from palio import data
from palio.core.cells import KINDS, CellReader, kind_of
from palio.core.errors import ContractError
from palio.core.records import Column, ColumnType, Schema, TensorSpec
from palio.model import RecordReader
from palio.serve.protocols import invocations, tensors
from palio.serve.protocols.grpc_messages import message
from palio.serve.protocols.grpc_tensors import body_of
from palio.serve.protocols.plans import ColumnPlan
from palio.serve.protocols.quick import quick_record, quick_row
from palio.serve.protocols.wire import Caps, Request, WireError
from palio.testing.cell import cells_of, columns_of
from tests.serve.conftest import Wire
from tests.serve.protocols.test_tensors import INFER
from tests.serve.protocols.test_tensors import tensors as good_tensors
from tests.serve.small_model import GOOD, SCHEMA

TYPES = tuple(kind for kind in KINDS if kind not in ("image", "boxes"))
"""Pictures come by doors of their own (test_pictures.py); boxes are answers and truths, no model reads them."""


class Answer(NamedTuple):
    """What a door made of a cell: value (None: missing) and flags, or the rule for which it is refused."""

    value: float | str | None
    flags: tuple[str, ...] = ()
    rule: str = ""


class NotCarriedError(Exception):
    """By its nature, a door cannot be sent this cell."""


Door = Callable[[Column, Any], Answer]


@functools.lru_cache(maxsize=8)
def served_of(column: Column) -> Any:
    """Make what the doors need to know of a model that reads one column."""
    schema = Schema(columns=(column,))
    plan = ColumnPlan(TensorSpec(name=column.name, datatype="FP64", shape=(-1, 1)), column)
    return SimpleNamespace(
        manifest=SimpleNamespace(schema=schema), reader=RecordReader(schema), plans={plan.name: plan}, expected=None
    )


def answer_of(feeds: Mapping[str, Any], flags: Any) -> Answer:
    (feed,) = feeds.values()
    assert feed.shape == (1, 1)
    value = feed.item()
    missing = value == "" or (isinstance(value, float) and math.isnan(value))
    return Answer(None if missing else value, tuple(flag.removeprefix("x: ") for flag in flags))


def asked(ask: Callable[[], tuple[Mapping[str, Any], Any]], cell: Any) -> Answer:
    """Ask a door; of a refusal, keep the rule, and see that it names the column and repeats nothing."""
    try:
        return answer_of(*ask())
    except ContractError as error:
        (violation,) = error.facts["violations"]
        assert violation == {"column": "x", "rule": violation["rule"], "row": 0}
        assert not (isinstance(cell, str) and len(cell) > 12 and cell in str(error))
        return Answer(None, (), violation["rule"])


def as_json(value: Any) -> bytes:
    """Write JSON; what is not finite cannot be written, and NaN is null, as it is missing in any case."""
    if isinstance(value, float) and math.isinf(value):
        raise NotCarriedError("JSON has no infinity")
    return json.dumps(None if value != value else value).encode()


def datatype_of(cell: Any) -> str:
    if isinstance(cell, str):
        return "BYTES"
    if isinstance(cell, bool):
        return "BOOL"
    if isinstance(cell, int):
        if not -(2**63) <= cell < 2**63:
            raise NotCarriedError("no tensor holds whole numbers beyond 64 bits")
        return "INT64"
    return "FP64"  # a missing cell is null, or NaN


def record(column: Column, cell: Any) -> Answer:
    """`POST /predict`, `/invocations` in Python's words."""

    def ask() -> tuple[Any, Any]:
        feeds, flags = served_of(column).reader.read([{"x": cell}])
        return feeds, flags[0]

    return asked(ask, cell)


def tensor_json(column: Column, cell: Any) -> Answer:
    """`/v2/…/infer`, JSON."""
    text = as_json(cell).decode()
    body = f'{{"inputs":[{{"name":"x","shape":[1,1],"datatype":"{datatype_of(cell)}","data":[{text}]}}]}}'.encode()
    return infer(column, Request(body, None), cell)


def infer(column: Column, request: Request, cell: Any) -> Answer:
    def ask() -> tuple[Any, Any]:
        feeds, flags = tensors.feeds_of(*tensors.parse(request), served_of(column))
        return feeds, [flag for _, flag in flags]

    return asked(ask, cell)


def tensor_binary(column: Column, cell: Any) -> Answer:
    """`/v2/…/infer`, binary tensor data."""
    datatype = datatype_of(cell)
    if datatype == "BYTES":
        raw = struct.pack("<I", len(cell.encode())) + cell.encode()
    else:
        raw = struct.pack({"BOOL": "<?", "INT64": "<q", "FP64": "<d"}[datatype], math.nan if cell is None else cell)
    tensor = {"name": "x", "shape": [1], "datatype": datatype, "parameters": {"binary_data_size": len(raw)}}
    head = json.dumps({"inputs": [tensor]}).encode()
    return infer(column, Request(head + raw, len(head)), cell)


def grpc(column: Column, cell: Any) -> Answer:
    """gRPC, typed contents."""
    datatype = datatype_of(cell)
    field = {"BYTES": "bytes_contents", "BOOL": "bool_contents", "INT64": "int64_contents", "FP64": "fp64_contents"}
    request = message("ModelInferRequest")(model_name="m")
    tensor = request.inputs.add(name="x", datatype=datatype, shape=[1, 1])
    value = cell.encode() if datatype == "BYTES" else math.nan if cell is None else cell
    getattr(tensor.contents, field[datatype]).append(value)
    body, length = body_of(request)
    return infer(column, Request(body, length), cell)


def invoke(column: Column, body: bytes, kind: str, cell: Any) -> Answer:
    """`POST /invocations`; its refusals are of its own form, so the rule is asked of the reader behind it."""
    served = served_of(column)

    def ask() -> tuple[Any, Any]:
        read = invocations.read(served, Request(body, None, b"", kind.encode()), Caps())
        return read.feeds, read.flags

    try:
        return answer_of(*ask())
    except WireError as refusal:
        assert (refusal.status, refusal.fields) == (400, ("x",))
        rule = next(rule for words, rule in RULES.items() if words in refusal.message)
        return Answer(None, (), rule)


RULES = {"is missing": "missing", "is out of range": "range", "is none of": "category", "is not ": "type"}


def invocations_json(column: Column, cell: Any) -> Answer:
    body = b'{"dataframe_split": {"columns": ["x"], "data": [[' + as_json(cell) + b"]]}}"
    return invoke(column, body, invocations.JSON, cell)


def invocations_csv(column: Column, cell: Any) -> Answer:
    if not isinstance(cell, str | None) or "\0" in (cell or "") or len(cell or "") > 100_000:
        raise NotCarriedError("CSV holds text alone, without NUL")
    sink = io.StringIO(newline="")
    csv.writer(sink, quoting=csv.QUOTE_ALL).writerows([["x"], [cell or ""]])
    return invoke(column, sink.getvalue().encode(), invocations.CSV, cell)


def invocations_parquet(column: Column, cell: Any) -> Answer:
    datatype_of(cell)  # nothing beyond 64 bits
    sink = io.BytesIO()
    pq.write_table(pa.table({"x": pa.array([cell], pa.string() if cell is None else None)}), sink)
    return invoke(column, sink.getvalue(), invocations.PARQUET, cell)


def quick(column: Column, cell: Any) -> Answer:
    """The quick readers, which may leave any cell to the thorough ones, but for those they take answer as they do."""
    plans = list(served_of(column).plans.values())
    found = quick_record(plans)({"x": cell})
    datatype = "FP64" if isinstance(cell, float) else datatype_of(cell)
    call = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": datatype, "data": [json.loads(as_json(cell))]}]}
    row = quick_row(plans)(json.dumps(call).encode())
    if found is None and row is None:
        raise NotCarriedError("left to the thorough reader")
    answers = {answer_of(feeds, ()) for feeds in (found, None if row is None else row[1]) if feeds is not None}
    (answer,) = answers
    return answer


def file(column: Column, cell: Any) -> Answer:
    """`palio predict FILE`: what reads many cells at once; range and categories are held to the contract behind it."""
    if not hasattr(data, "read_cells"):
        raise NotCarriedError("files are read in another way yet")
    datatype_of(cell)
    found = data.read_cells(pl.Series("x", [cell], strict=False), column, for_model=True)
    value = found.values[0]
    value = value.timestamp() if isinstance(value, dt.datetime) else value
    flags = tuple(flag for flag, rows in found.flags.items() if rows[0])
    return Answer(value, flags, "type" if found.unread is not None and found.unread[0] else "")


DOORS: tuple[Door, ...] = (
    record, tensor_json, tensor_binary, grpc, invocations_json, invocations_csv, invocations_parquet, quick,
)  # fmt: skip
BEFORE_THE_CONTRACT: tuple[Door, ...] = (file,)


def hold(column: Column, cell: Any) -> int:
    """Send a cell to every door; return how many could carry it."""
    free = replace(column, on_missing="accept", missing_allowed=True, on_out_of_range="accept", on_unknown="accept")
    n_doors = 0
    for doors, contract in ((DOORS, column), (BEFORE_THE_CONTRACT, free)):
        value, flags, problem = CellReader(contract).read(cell)
        wanted = Answer(None, (), problem) if problem else Answer(value, flags)
        for door in doors:
            try:
                got = door(contract, cell)
            except NotCarriedError:
                continue
            n_doors += 1
            if column.type == "datetime" and door is file and None not in (got.value, wanted.value):
                assert got.value == pytest.approx(wanted.value, abs=1e-6)  # a snapshot holds microseconds
                got = wanted._replace(flags=got.flags)
            assert got == wanted, f"{door.__name__}: {got}, the reader: {wanted}"
    return n_doors


def hold_random(kind: ColumnType, data: st.DataObject) -> None:
    column = data.draw(columns_of(kind))
    hold(column, data.draw(cells_of(column)))


@pytest.mark.parametrize("kind", TYPES)
def test_every_door_reads_the_cells_that_are_easily_misread_alike(kind: ColumnType) -> None:
    for column in (
        Column(name="x", type=kind),
        Column(name="x", type=kind, on_missing="reject", on_out_of_range="reject", on_unknown="reject", low=1.0),
        Column(name="x", type=kind, categories=("true", "false"), decimal=",", format="%d/%m/%y"),
    ):
        assert sum(hold(column, cell) for cell in kind_of(column).hard(column)) > 30


@pytest.mark.parametrize("kind", TYPES)
def test_every_door_reads_a_cell_alike(kind: ColumnType) -> None:
    @settings(max_examples=100, deadline=None, suppress_health_check=tuple(HealthCheck))
    @given(st.data())
    def of_any_contract(data: st.DataObject) -> None:
        hold_random(kind, data)

    of_any_contract()


@pytest.mark.slow
@pytest.mark.parametrize("kind", TYPES)
def test_every_door_reads_thousands_of_cells_alike(kind: ColumnType) -> None:
    @settings(max_examples=5000, deadline=None, suppress_health_check=tuple(HealthCheck))
    @given(st.data())
    def of_any_contract(data: st.DataObject) -> None:
        hold_random(kind, data)

    of_any_contract()


def test_many_cells_in_one_tensor_are_read_as_one_by_one() -> None:
    column = Column(name="x", type="integer", low=0, high=50, missing=("-999",), on_missing="flag")
    numbers = [1.0, 40.5, math.nan, -999.0, 77.0, 50.0, -0.0]
    served = served_of(column)
    feed, flags = served.plans["x"].of_bytes("FP64", [7], memoryview(np.array(numbers, "<f8").tobytes()))
    reads = [CellReader(column).read(number) for number in numbers]
    assert flags == [(row, f"x: {flag}") for row, read in enumerate(reads) for flag in read.flags]
    np.testing.assert_array_equal(feed[:, 0], [math.nan if read.value is None else read.value for read in reads])


@pytest.mark.parametrize("name", list(GOOD))
def test_the_server_answers_a_cell_alike_at_every_route(wire: Wire, name: str) -> None:
    column = SCHEMA.column(name)
    for cell in kind_of(column).hard(column):
        try:
            text, datatype = as_json(cell).decode(), datatype_of(cell)
        except NotCarriedError:
            continue
        if text == "null":
            continue
        rows = json.dumps([GOOD | {name: "@"}]).replace('"@"', text)
        listed = json.dumps(good_tensors(**{name: {"datatype": datatype, "data": ["@"]}})).replace('"@"', text)
        status, _, predicted = wire("POST", "/predict", rows.encode())
        at_tensors, _, inferred = wire("POST", INFER, f'{{"inputs": {listed}}}'.encode())
        at_mlflow, _, invoked = wire(
            "POST", "/invocations", f'{{"inputs": {rows}}}'.encode(), {"content-type": "application/json"}
        )
        if status == 422:
            assert (at_tensors, at_mlflow) == (400, 400), cell
            assert json.loads(inferred) == json.loads(predicted)
            assert json.loads(invoked)["message"] == json.loads(predicted)["error"]
            continue
        assert (status, at_tensors, at_mlflow) == (200, 200, 200), cell
        (answer,) = json.loads(predicted)["predictions"]
        outputs = {output["name"]: output["data"] for output in json.loads(inferred)["outputs"]}
        assert list(answer["probabilities"].values()) == outputs["probabilities"], cell
        assert [answer["prediction"]] == outputs["prediction"] == json.loads(invoked)["predictions"]
        assert json.loads(inferred)["parameters"].get("flags", 0) == len(answer["flags"]), cell
