"""Any ONNX file: its signature is law, and records reach it, too."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palio import serve
from palio.core.errors import ContractError, IntegrityError, NotFoundError
from palio.core.records import Deployment, TensorSpec
from palio.serve.protocols import tensors
from palio.serve.protocols.foreign import GraphReader, prepare_graph
from palio.serve.protocols.wire import Caps, Request, WireError
from palio.serve.served import prepare
from tests.serve import foreign_models as models
from tests.serve.conftest import Wire
from tests.serve.small_model import small_bundle

CAPS = Caps()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture(scope="module")
def zoo(folder: Path) -> Iterator[Wire]:
    path = models.write(folder, "zoo", models.classifier())
    with serve.background(serve.create_app(serve.any_onnx(path))) as url:
        wire = Wire(url)
        yield wire
        wire.connection.close()


def test_the_file_names_the_model_and_its_bytes_are_its_identity(folder: Path) -> None:
    path = models.write(folder, "some name", models.simple())
    champion = serve.any_onnx(path).current().champion
    assert champion is not None
    assert (champion.model, champion.version) == ("some name", 1)
    assert champion.bundle == sha256(path.read_bytes()).hexdigest()


def test_what_is_no_plain_graph_is_refused_at_once(folder: Path) -> None:
    with pytest.raises(NotFoundError):
        serve.any_onnx(folder / "absent.onnx")
    for name, data in {
        "pickle": b"\x80\x04\x95\x1f\x00\x00\x00cposix\nsystem\n",
        "empty": b"",
        "text": b"import os",
        "cut": models.simple()[:-20],
        "domain": models.simple().replace(b"Add", b"Bad"),
    }.items():
        with pytest.raises(IntegrityError):
            serve.any_onnx(models.write(folder, name, data))


def test_a_record_a_list_and_records_get_the_same_answer(zoo: Wire) -> None:
    row = [1, 2, 3, 4]
    forms: list[Any] = [row, [row], {"x": row}, {"record": row}, {"records": [row]}, {"records": [{"x": row}]}]
    answers = []
    for form in forms:
        status, answer = zoo.json("POST", "/predict", form)
        assert status == 200, answer
        (one,) = answer["predictions"]
        assert one.pop("id").endswith(".0")
        answers.append(one)
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["prediction"] == "eel"
    assert list(answers[0]["probabilities"]) == ["cat", "dog", "eel"]
    assert sum(answers[0]["probabilities"].values()) == pytest.approx(1)


def test_rows_are_answered_in_order_each_with_its_own_name(zoo: Wire) -> None:
    _, answer = zoo.json("POST", "/predict", {"records": [[1, 2, 3, 4], [-1, -2, -3, -4]]})
    first, second = answer["predictions"]
    assert (first["prediction"], second["prediction"]) == ("eel", "cat")
    assert [one["id"].rpartition(".")[2] for one in (first, second)] == ["0", "1"]
    assert first["id"].rpartition(".")[0] == second["id"].rpartition(".")[0]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([1, 2, 3], 422),
        ([1, 2, 3, "4"], 422),
        ([1, 2, 3, None], 422),
        ([1, 2, 3, True], 422),
        ([[1, 2, 3, 4], [1, 2]], 422),
        ({"y": [1, 2, 3, 4]}, 422),
        ({"x": [1, 2, 3, 4], "y": 1}, 422),
        ({"x": [1, 2, 3, 1e39]}, 400),
        ({"records": "x"}, 400),
        ({"records": []}, 400),
        ("x", 400),
        ([], 400),
    ],
)
def test_records_that_do_not_fit_are_refused(zoo: Wire, body: Any, status: int) -> None:
    got, answer = zoo.json("POST", "/predict", body)
    assert got == status, answer
    assert set(answer) <= {"error", "hint", "fields"}


def test_the_interface_is_described_from_the_graph(zoo: Wire) -> None:
    status, document = zoo.json("GET", "/openapi.json")
    assert status == 200
    assert "/v2/models/zoo/infer" in document["paths"]
    record = document["components"]["schemas"]["Record"]
    assert "FP32" in record["anyOf"][0]["properties"]["x"]["description"]
    assert (record["anyOf"][2]["minItems"], record["anyOf"][2]["maxItems"]) == (4, 4)


def test_a_graph_of_several_inputs_takes_records_by_name() -> None:
    specs = (
        TensorSpec(name="a", datatype="INT32", shape=(-1, 2)),
        TensorSpec(name="b", datatype="BYTES", shape=(-1,)),
        TensorSpec(name="c", datatype="BOOL", shape=(-1, 1)),
    )
    reader = GraphReader(specs)
    feeds, flags = reader.read([{"a": [1, 2], "b": "x", "c": True}, {"a": [3, 4], "b": "", "c": [False]}])
    assert feeds["a"].tolist() == [[1, 2], [3, 4]]
    assert feeds["a"].dtype == np.int32
    assert feeds["b"].tolist() == ["x", ""]
    assert feeds["c"].tolist() == [[True], [False]]
    assert flags == [[], []]
    for bad in ([1, 2], {"a": [1, 2], "b": "x"}, {"a": [1, 2.5], "b": "x", "c": True}, {"a": 1, "b": "x", "c": True}):
        with pytest.raises(ContractError):
            reader.read([bad])


def test_images_may_be_nested_or_flat() -> None:
    reader = GraphReader((TensorSpec(name="x", datatype="UINT8", shape=(-1, 1, 2, 3)),))
    nested = [[[1, 2, 3], [4, 5, 6]]]
    for form in (nested, [1, 2, 3, 4, 5, 6]):
        assert reader.read([{"x": form}])[0]["x"].tolist() == [nested]


def test_a_server_may_insist_on_finite_numbers() -> None:
    body = b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","parameters":{"binary_data_size":16}}]}'
    raw = Request(body + np.array([1, np.nan, 3, 4], np.float32).tobytes(), len(body))
    champion = prepared("classifier").deployment
    assert tensors.read(prepared("classifier"), raw, CAPS).n_rows == 1
    strict = prepare_graph(models.classifier(), champion, finite=True)
    with pytest.raises(WireError, match="finite"):
        tensors.read(strict, raw, CAPS)


def prepared(name: str) -> Any:
    return prepare_graph(getattr(models, name)(), Deployment(model=name, version=1, bundle=""))


VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**70), 2**70),
    st.booleans(),
    st.none(),
    st.text(max_size=3),
)
SERVED = {"graph": prepared("classifier"), "bundle": None}


def outcome(served: Any, body: bytes) -> Any:
    try:
        asked = tensors.read(served, Request(body, None), CAPS)
    except WireError as error:
        return error.status, error.message
    return asked.n_rows, sorted(asked.flags), {name: feed.tolist() for name, feed in sorted(asked.feeds.items())}


def same_without_the_quick_reader(served: Any, body: bytes) -> None:
    thorough = dataclasses.replace(served, quick=None)
    assert repr(outcome(served, body)) == repr(outcome(thorough, body))


@settings(max_examples=300, deadline=None)
@given(
    data=st.one_of(
        st.lists(st.floats(-1e30, 1e30), min_size=4, max_size=4),
        st.lists(VALUES, max_size=9),
        st.lists(st.lists(VALUES, min_size=4, max_size=4), max_size=2),
    ),
    shape=st.sampled_from([[1, 4], [2, 4], [4], [1, 5], [-1, 4], [0, 4]]),
    datatype=st.sampled_from(["FP32", "FP32", "FP64", "INT32", "x"]),
    name=st.sampled_from(["x", "x", "x", "y"]),
)
def test_the_quick_reader_of_a_graph_reads_as_the_thorough_one(data: Any, shape: Any, datatype: str, name: str) -> None:
    body = msgspec.json.encode({"inputs": [{"name": name, "shape": shape, "datatype": datatype, "data": data}]})
    same_without_the_quick_reader(SERVED["graph"], body)


CELLS = {
    "age": st.one_of(st.sampled_from([18.0, 40, 90.0, 40.5, 17.0, None]), VALUES),
    "balance": st.one_of(st.sampled_from([120.5, -1001.0, 1e9, None, 7]), VALUES),
    "job": st.one_of(st.sampled_from(["admin", "student", "astronaut", "", None]), VALUES),
    "level": st.one_of(st.sampled_from(["low", "high", "middle", ""]), VALUES),
    "married": st.one_of(st.sampled_from(["true", "false", True, "yes", ""]), VALUES),
}


@settings(max_examples=300, deadline=None)
@given(row=st.fixed_dictionaries(CELLS), change=st.integers(0, 12))
def test_the_quick_reader_of_a_bundle_reads_as_the_thorough_one(row: dict[str, Any], change: int) -> None:
    served_bundle()
    listed = [
        {"name": k, "shape": [1, 1], "datatype": "FP64" if k in ("age", "balance") else "BYTES", "data": [v]}
        for k, v in row.items()
    ]
    if change < 3:
        listed[change]["datatype"] = ("INT64", "FP32", "BOOL")[change]
    elif change < 6:
        listed[change - 3]["shape"] = ([1], [2, 1], [1, 2])[change - 3]
    elif change == 6:
        listed.pop()
    elif change == 7:
        listed.append(listed[0])
    same_without_the_quick_reader(SERVED["bundle"], msgspec.json.encode({"inputs": listed}))


@settings(max_examples=300, deadline=None)
@given(row=st.fixed_dictionaries(CELLS), change=st.integers(0, 8))
def test_the_quick_reader_of_a_record_reads_as_the_thorough_one(row: dict[str, Any], change: int) -> None:
    served = served_bundle()
    if change == 0:
        del row["job"]
    elif change == 1:
        row["surplus"] = 1
    elif change == 2:
        row = dict(reversed(row.items()))
    found = served.quick_record(row)
    if found is None:
        return
    feeds, flags = served.reader.read([row])
    assert flags == [[]]
    assert repr({k: v.tolist() for k, v in feeds.items()}) == repr({k: v.tolist() for k, v in found.items()})
    assert [v.dtype for v in feeds.values()] == [v.dtype for v in found.values()]


def test_the_common_record_takes_the_quick_way() -> None:
    served = served_bundle()
    assert served.quick_record({"age": 40, "balance": 1.5, "job": "student", "level": "high", "married": True})
    assert (
        served.quick_record({"age": 40, "balance": 1.5, "job": "astronaut", "level": "high", "married": True}) is None
    )


def served_bundle() -> Any:
    if SERVED["bundle"] is None:
        bundle = small_bundle()
        SERVED["bundle"] = prepare(bundle, Deployment(model="bank", version=1, bundle=bundle.id))
    return SERVED["bundle"]


FILES = Path(__file__).parents[1] / "files"
EXPORTED = msgspec.json.decode((FILES / "exported.json").read_bytes())


@pytest.mark.parametrize("library", ["sklearn", "lightgbm"])
def test_what_skl2onnx_and_onnxmltools_export_answers_as_the_library_did(library: str) -> None:
    wanted, rows = EXPORTED[library], EXPORTED["rows"]
    with serve.background(serve.create_app(serve.any_onnx(FILES / f"{library}.onnx"))) as url:
        wire = Wire(url)
        status, answer = wire.json("POST", "/predict", {"records": rows})
        wire.connection.close()
    assert status == 200
    assert [one["prediction"] for one in answer["predictions"]] == wanted["prediction"]
    for one, shares in zip(answer["predictions"], wanted["probabilities"], strict=True):
        assert list(one["probabilities"]) == wanted["classes"]
        assert list(one["probabilities"].values()) == pytest.approx(shares, abs=1e-5)


def test_a_whole_number_may_be_written_with_a_point() -> None:
    spec = TensorSpec(name="a", datatype="INT32", shape=(-1, 2))
    reader = GraphReader((spec,))
    assert reader.read([[3.0, -4]])[0]["a"].tolist() == [[3, -4]]
    for bad in ([3.5, 1], [1e300, 1], [True, 1], ["3", 1], [3e9, 1]):
        with pytest.raises(ContractError):
            reader.read([bad])
