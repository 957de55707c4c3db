"""MLflow's forms: each gets the status that `mlflow_forms.json` records; refusals have MLflow's form."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper, numpy_helper

from palio.core.records import Column, Deployment
from palio.serve.protocols import invocations
from palio.serve.protocols.foreign import prepare_graph
from palio.serve.protocols.wire import Caps, Reply, Request, WireError
from palio.serve.served import Served, prepare
from tests.serve.small_model import GOOD, SmallBundle, small_bundle

FORMS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("mlflow_forms.json").read_text("utf-8"))
CAPS = Caps(max_body_bytes=200_000, max_rows=100)
COLUMNS = list(GOOD)
Ask = Callable[..., Reply]


def tensor_model() -> bytes:
    """Write 1 where the sum of three numbers is positive, else 0."""
    nodes = [
        helper.make_node("MatMul", ["x", "ones"], ["sum"]),
        helper.make_node("Greater", ["sum", "zero"], ["positive"]),
        helper.make_node("Cast", ["positive"], ["label"], to=TensorProto.INT64),
    ]
    constants = [
        numpy_helper.from_array(np.ones(3, np.float32), "ones"),
        numpy_helper.from_array(np.zeros((), np.float32), "zero"),
    ]
    graph = helper.make_graph(
        nodes,
        "sign",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("label", TensorProto.INT64, ["n"])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="module")
def bundle_() -> SmallBundle:
    return small_bundle()


@pytest.fixture(scope="module")
def models(bundle_: SmallBundle) -> dict[str, Served]:
    bundle: Any = bundle_
    return {
        "columns": prepare(bundle, Deployment(model="bank", version=3, bundle=bundle.id)),
        "tensor": prepare_graph(tensor_model(), Deployment(model="sign", version=1, bundle="")),
    }


@pytest.fixture
def ask(models: dict[str, Served]) -> Ask:
    def ask(body: Any, content_type: str = "application/json", model: str = "columns") -> Reply:
        data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        served = models[model]
        try:
            asked = invocations.read(served, Request(data, None, b"", content_type.encode()), CAPS)
            return asked.write(served.run(asked.feeds), "p-1")
        except WireError as refusal:
            return invocations.refuse(refusal)

    return ask


def parquet(records: list[dict[str, Any]], **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records), sink, **options)
    return sink.getvalue()


@pytest.mark.parametrize("form", FORMS, ids=[f"{form['model']}: {form['name']}" for form in FORMS])
def test_each_form_gets_its_recorded_status(ask: Ask, form: dict[str, Any]) -> None:
    body = parquet(form["records"]) if "records" in form else form["body"]
    reply = ask(body, form["content_type"], form["model"])
    assert reply.status == form["palio"], reply.body
    if reply.status == 200:
        assert set(json.loads(reply.body)) == {"predictions"}
    elif reply.status == 415:
        assert reply.content_type.startswith(b"text/plain")
    else:
        assert set(json.loads(reply.body)) == {"error_code", "message"}


def test_what_mlflow_takes_we_take_but_for_the_listed_reasons() -> None:
    stricter = [form for form in FORMS if form["mlflow"] == 200 and form["palio"] != 200]
    assert all(form["why"] for form in stricter)
    assert len(stricter) == 5


SAME = [
    {"dataframe_split": {"columns": COLUMNS, "data": [list(GOOD.values())]}},
    {"dataframe_split": {"columns": COLUMNS[::-1], "data": [list(GOOD.values())[::-1]]}},
    {"dataframe_records": [GOOD]},
    {"instances": [GOOD]},
    {"instances": {name: [value] for name, value in GOOD.items()}},
    {"inputs": {name: [value] for name, value in GOOD.items()}},
    {"inputs": GOOD},
    {"dataframe_records": [GOOD | {"balance": "120.5", "married": 1}]},
    {"dataframe_records": [GOOD | {"town": "X"}]},
]


def test_every_form_gets_the_answer_of_the_same_record(ask: Ask, bundle_: SmallBundle) -> None:
    row = GOOD | {"married": "true"}
    numbers = ("age", "balance")
    label = bundle_.graph.predict(
        {name: np.array([[value]], np.float64 if name in numbers else object) for name, value in row.items()}
    ).prediction.tolist()
    for form in SAME:
        assert json.loads(ask(form).body) == {"predictions": label}
    csv = "age,balance,job,level,married\n40,120.5,student,high,True\n"
    assert json.loads(ask(csv, "text/csv").body) == {"predictions": label}
    files = [parquet([GOOD]), parquet([GOOD], use_dictionary=False), parquet([GOOD], compression="zstd")]
    for file in files:
        assert json.loads(ask(file, "application/vnd.apache.parquet").body) == {"predictions": label}


def test_rows_are_answered_in_order(ask: Ask) -> None:
    rows = [{"inputs": [[-1, 0, 0], [1, 0, 0], [0, 0, -2]]}, {"instances": [[-1, 0, 0], [1, 0, 0], [0, 0, -2]]}]
    for form in rows:
        assert json.loads(ask(form, model="tensor").body) == {"predictions": [0, 1, 0]}
    assert json.loads(ask("a,b,c\n-1,0,0\n1,0,0\n", "text/csv", "tensor").body) == {"predictions": [0, 1]}
    frame = parquet([{"a": -1.0, "b": 0.0, "c": 0.0, "__index_level_0__": 7}, {"a": 1.0, "b": 0.0, "c": 0.0}])
    assert json.loads(ask(frame, invocations.PARQUET, "tensor").body) == {"predictions": [0, 1]}


def test_the_answer_names_itself_for_feedback(ask: Ask) -> None:
    assert (b"x-palio-prediction-id", b"p-1") in ask({"dataframe_records": [GOOD]}).headers


def test_a_missing_number_is_missing_in_every_form(models: dict[str, Served]) -> None:
    bodies = [
        (b'{"dataframe_records": [{"age": 40, "balance": NaN, "level": "low", "married": true}]}', b"application/json"),
        (
            b'{"dataframe_records": [{"age": 40, "balance": null, "level": "low", "married": true}]}',
            b"application/json",
        ),
        (b"age,balance,job,level,married\n40,NA,,low,true\n", b"text/csv"),
        (b"age,balance,job,level,married\n40,,N/A,low,FALSE\n", b"text/csv"),
    ]
    for body, kind in bodies:
        asked = invocations.read(models["columns"], Request(body, None, b"", kind), CAPS)
        assert np.isnan(asked.feeds["balance"]).all()
        assert asked.feeds["job"].tolist() == [[""]]
        assert not asked.flags


def test_unusual_values_are_flagged(models: dict[str, Served]) -> None:
    body = json.dumps({"inputs": [GOOD | {"job": "astronaut"}]}).encode()
    asked = invocations.read(models["columns"], Request(body, None, b"", b"application/json"), CAPS)
    assert list(asked.flags) == ["job: unknown category"]


def test_the_id_of_a_row_goes_to_the_log_and_not_to_the_model(bundle_: SmallBundle) -> None:
    schema = bundle_.manifest.schema
    numbered = (Column(name="nr", type="text", feature=False), *schema.columns)
    manifest = msgspec.structs.replace(
        bundle_.manifest, schema=msgspec.structs.replace(schema, columns=numbered, id="nr")
    )
    bundle: Any = dataclasses.replace(bundle_, manifest=manifest)
    served = prepare(bundle, Deployment(model="bank", version=3, bundle=bundle.id))
    bodies = [
        (json.dumps({"inputs": [GOOD | {"nr": 17}, GOOD | {"job": "astronaut"}]}).encode(), invocations.JSON),
        (b"nr,age,balance,job,level,married\n17,40,1,student,high,true\n,40,1,astronaut,high,true\n", invocations.CSV),
        (parquet([GOOD | {"nr": "17"}, GOOD | {"nr": None, "job": "astronaut"}]), invocations.PARQUET),
        (parquet([GOOD | {"nr": 17.0}, GOOD | {"nr": None, "job": "astronaut"}]), invocations.PARQUET),
    ]
    for body, kind in bodies:
        asked = invocations.read(served, Request(body, None, b"", kind.encode()), CAPS)
        assert asked.keys == ["17", ""]
        assert asked.row_flags == [[], ["job: unknown category"]]
        assert asked.feeds.keys() == GOOD.keys()


SECRET = "4c1d-secret"
HOSTILE = [
    ("deep", b"[" * 90_000, "application/json", 400),
    ("deep in a cell", b'{"inputs": ' + b"[" * 90_000, "application/json", 400),
    ("deep behind NaN", b'{"a": NaN, "inputs": ' + b"[" * 90_000, "application/json", 400),
    ("half a character behind NaN", b'{"inputs": [{"age": NaN, "job": "\\ud800"}]}', "application/json", 400),
    ("beyond all behind NaN", b'{"inputs": [{"age": NaN, "balance": 1e999}]}', "application/json", 400),
    (
        "endless digits behind NaN",
        b'{"inputs": [{"age": NaN, "x": ' + b"9" * 9000 + b"}]}",
        "application/json",
        400,
    ),
    ("infinity behind NaN", b'{"inputs": [{"age": NaN, "balance": -Infinity}]}', "application/json", 400),
    ("too many rows", {"inputs": [GOOD] * 101}, "application/json", 413),
    ("too many rows by column", {"inputs": {"age": [1] * 101}}, "application/json", 413),
    ("too many lines", "age\n" + "1\n" * 101, "text/csv", 413),
    ("many columns", ",".join(map(str, range(10_001))) + "\n", "text/csv", 400),
    ("a long cell", "age\n" + "1" * 150_000 + "\n", "text/csv", 400),
    ("NUL", "age,job\n1,\0\n", "text/csv", 400),
    ("not UTF-8", b"age\n\xff\n", "text/csv", 400),
    ("a name twice", "age,age\n1,2\n", "text/csv", 400),
    ("infinite in CSV", "age,balance,job,level,married\n40,inf,admin,low,true\n", "text/csv", 400),
    ("an underscore", "age,balance,job,level,married\n4_0,1,admin,low,true\n", "text/csv", 400),
    ("a pickle", b"\x80\x04cos\nsystem\n.", "application/vnd.apache.parquet", 400),
    ("half a file", parquet([GOOD])[:-20], "application/vnd.apache.parquet", 400),
    ("many rows in a small file", parquet([GOOD] * 100_000), "application/vnd.apache.parquet", 413),
    ("many rows of nothing", parquet([{"age": None}] * 3_000_000), "application/vnd.apache.parquet", 413),
    ("a large file", parquet([{"job": "x" * 300_000}], compression="zstd"), "application/vnd.apache.parquet", 413),
    ("one long text, often", parquet([{"job": "x" * 50_000}] * 100), "application/vnd.apache.parquet", 413),
    ("bytes", parquet([GOOD | {"job": b"\xff"}]), "application/vnd.apache.parquet", 400),
    ("a column of objects", parquet([GOOD | {"job": {"a": 1}}]), "application/vnd.apache.parquet", 400),
    ("a list for a text", {"inputs": [GOOD | {"job": [SECRET]}]}, "application/json", 400),
    ("a secret for a level", {"inputs": [GOOD | {"level": SECRET}]}, "application/json", 400),
    ("an object for a form", {"inputs": SECRET}, "application/json", 400),
    ("null", {"inputs": None}, "application/json", 400),
]


@pytest.mark.parametrize(("body", "kind", "status"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_hostile_input_gets_a_clear_refusal_that_quotes_nothing(ask: Ask, body: Any, kind: str, status: int) -> None:
    reply = ask(body, kind)
    assert reply.status == status, reply.body
    answer = json.loads(reply.body)
    assert answer["error_code"]
    assert len(answer["message"]) < 300
    assert SECRET not in answer["message"]


def varint(number: int, length: int) -> bytes:
    """Write a whole number as Thrift does, filled up to a length."""
    number <<= 1
    return bytes((number >> 7 * i & 127) | (128 if i < length - 1 else 0) for i in range(length))


def test_a_file_whose_footer_lies_about_its_size_is_refused_before_it_is_unpacked(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = parquet([{"job": "x" * 4_000_000}], compression="zstd", use_dictionary=False)
    said = pq.ParquetFile(io.BytesIO(honest)).metadata.row_group(0).column(0).total_uncompressed_size
    footer = len(honest) - 8 - int.from_bytes(honest[-8:-4], "little")
    length = (said.bit_length() + 7) // 7
    lie = honest[:footer] + honest[footer:].replace(varint(said, length), varint(1000, length))
    assert pq.ParquetFile(io.BytesIO(lie)).metadata.row_group(0).column(0).total_uncompressed_size == 1000
    assert len(lie) < 10_000
    monkeypatch.delattr(pq.ParquetFile, "iter_batches")
    assert ask(lie, invocations.PARQUET).status == 413


def test_one_long_text_that_stands_in_many_rows_does_not_fill_the_memory(ask: Ask) -> None:
    rows = [{"job": "x" * 100_000 + str(row)} for row in range(100)]
    options: list[dict[str, Any]] = [
        {"use_dictionary": False, "column_encoding": {"job": "DELTA_BYTE_ARRAY"}},
        {"use_dictionary": True},
    ]
    for option, records in zip(options, (rows, [rows[0]] * 100), strict=True):
        file = parquet(records, compression="none", **option)
        assert len(file) < 200_000
        counted = pa.proxy_memory_pool(pa.default_memory_pool())
        pa.set_memory_pool(counted)
        try:
            assert ask(file, invocations.PARQUET).status == 413
        finally:
            pa.set_memory_pool(pa.system_memory_pool())
        assert counted.max_memory() < 2_000_000  # all rows are ten million bytes


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_parquet_file_is_refused_or_read_but_never_breaks(ask: Ask, seed: int) -> None:
    random = np.random.default_rng(seed)
    body = bytearray(parquet([GOOD] * 5, compression=("none", "snappy", "zstd")[seed % 3]))
    for at in random.integers(4, len(body) - 8, 1 + seed % 4):
        body[at] = random.integers(0, 256)
    assert ask(bytes(body), invocations.PARQUET).status in (200, 400, 413)


def test_a_server_without_pyarrow_says_so(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    reply = ask(parquet([GOOD]), "application/vnd.apache.parquet")
    assert reply.status == 415
    assert b"pyarrow is not installed" in reply.body


def test_refusals_of_the_pipeline_take_mlflows_form() -> None:
    for status, code in (
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (413, "REQUEST_LIMIT_EXCEEDED"),
        (429, "REQUEST_LIMIT_EXCEEDED"),
        (500, "INTERNAL_ERROR"),
        (503, "TEMPORARILY_UNAVAILABLE"),
    ):
        reply = invocations.refuse(WireError(status, "no", headers=((b"retry-after", b"1"),)))
        assert json.loads(reply.body) == {"error_code": code, "message": "no"}
        assert reply.headers == ((b"retry-after", b"1"),)
