"""The Open Inference Protocol V2 over a real socket."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from typing import Any

import numpy as np
import pytest

from tests.serve.conftest import Wire
from tests.serve.small_model import SmallBundle, feeds

INFER = "/v2/models/bank/infer"


def tensors(**changes: Any) -> list[dict[str, Any]]:
    """Make the five inputs of one good row; `name=None` leaves one out, a dict changes its fields."""
    good = {
        "age": ("FP64", [40.0]),
        "balance": ("FP64", [120.5]),
        "job": ("BYTES", ["student"]),
        "level": ("BYTES", ["high"]),
        "married": ("BYTES", ["true"]),
    }
    listed = [
        {"name": name, "shape": [1, 1], "datatype": datatype, "data": data} for name, (datatype, data) in good.items()
    ]
    return [one | (changes.get(one["name"]) or {}) for one in listed if changes.get(one["name"], {}) is not None]


def expected(bundle: SmallBundle, **columns: Any) -> tuple[list[str], Any]:
    rows = {"age": [40.0], "balance": [120.5], "job": ["student"], "level": ["high"], "married": ["true"]} | columns
    made = {
        name: np.array(values, np.float64 if name in ("age", "balance") else object).reshape(-1, 1)
        for name, values in rows.items()
    }
    outputs = bundle.graph.predict(made)
    return outputs.prediction.tolist(), outputs.probabilities


def answer_of(body: bytes) -> dict[str, Any]:
    return {output["name"]: output for output in json.loads(body)["outputs"]}


def test_one_row_gives_exactly_what_the_graph_gives(wire: Wire, bundle: SmallBundle) -> None:
    status, headers, body = wire("POST", INFER, {"id": "a-1", "inputs": tensors()})
    labels, probabilities = expected(bundle)
    assert status == 200
    assert headers["content-type"] == "application/json"
    answer = json.loads(body)
    assert list(answer["parameters"]) == ["prediction_id"]
    assert answer | {"outputs": 0, "parameters": 0} == {
        "model_name": "bank",
        "model_version": "3",
        "id": "a-1",
        "parameters": 0,
        "outputs": 0,
    }
    outputs = answer_of(body)
    assert outputs["prediction"] == {"name": "prediction", "datatype": "BYTES", "shape": [1], "data": labels}
    assert outputs["probabilities"]["shape"] == [1, 2]
    assert outputs["probabilities"]["data"] == probabilities.reshape(-1).tolist()


def test_many_rows_with_missing_values_survive_the_wire_bit_by_bit(wire: Wire, bundle: SmallBundle) -> None:
    rows = feeds(50)
    listed = []
    for name, values in rows.items():
        data = [None if value != value else value for value in values.reshape(-1).tolist()]
        listed.append(
            {
                "name": name,
                "shape": [50],
                "datatype": "FP64" if values.dtype == np.float64 else "BYTES",
                "data": data,
            }
        )
    status, _, body = wire("POST", INFER, {"inputs": listed})
    assert status == 200
    assert answer_of(body)["probabilities"]["data"] == bundle.graph.predict(rows).probabilities.reshape(-1).tolist()


@pytest.mark.parametrize(
    ("changes", "columns"),
    [
        ({"age": {"datatype": "INT64", "data": [40]}}, {}),
        ({"age": {"datatype": "UINT8", "data": [[40]]}}, {}),
        ({"balance": {"datatype": "FP32", "data": [0.5]}}, {"balance": [0.5]}),
        ({"age": {"datatype": "FP16", "data": [40]}}, {}),
        ({"balance": {"data": [None]}}, {"balance": [np.nan]}),
        ({"balance": {"data": [7]}}, {"balance": [7.0]}),
        ({"job": {"data": [""]}}, {"job": [""]}),
        ({"job": {"data": [None]}}, {"job": [""]}),
        ({"married": {"datatype": "BOOL", "data": [False]}}, {"married": ["false"]}),
        ({"age": {"shape": [1]}, "job": {"data": [["student"]]}}, {}),
        ({"balance": {"datatype": "BYTES", "data": ["1,234.50"]}}, {"balance": [1234.5]}),
        ({"balance": {"datatype": "BYTES", "data": [" ? "]}}, {"balance": [np.nan]}),
        ({"balance": {"datatype": "BOOL", "data": [True]}}, {"balance": [1.0]}),
        ({"age": {"data": [40.5]}}, {"age": [40.5]}),
        ({"job": {"data": [" student "]}}, {"job": ["student"]}),
        ({"job": {"datatype": "FP64", "data": [7]}}, {"job": ["7"]}),
        ({"married": {"datatype": "INT8", "data": [0]}}, {"married": ["false"]}),
    ],
)
def test_other_datatypes_and_forms_of_the_same_row_are_understood(
    wire: Wire, bundle: SmallBundle, changes: dict[str, Any], columns: dict[str, Any]
) -> None:
    status, _, body = wire("POST", INFER, {"inputs": tensors(**changes)})
    assert status == 200, body
    assert answer_of(body)["probabilities"]["data"] == expected(bundle, **columns)[1].reshape(-1).tolist()


def test_unusual_values_that_the_policy_lets_pass_are_counted(wire: Wire) -> None:
    changed = tensors(job={"data": ["astronaut"]}, balance={"data": [1e9]})
    _, answer = wire.json("POST", INFER, {"inputs": changed})
    assert answer["parameters"]["flags"] == 2


def test_only_the_outputs_that_are_asked_for_come_back(wire: Wire) -> None:
    _, answer = wire.json("POST", INFER, {"inputs": tensors(), "outputs": [{"name": "probabilities"}]})
    assert [output["name"] for output in answer["outputs"]] == ["probabilities"]


def test_an_output_that_is_asked_for_twice_is_refused(wire: Wire) -> None:
    status, _, body = wire("POST", INFER, {"inputs": tensors(), "outputs": [{"name": "prediction"}] * 2})
    assert status == 400
    assert "twice" in json.loads(body)["error"]


def test_a_version_in_the_path_must_be_the_one_that_is_served(wire: Wire) -> None:
    assert wire("POST", "/v2/models/bank/versions/3/infer", {"inputs": tensors()})[0] == 200
    status, answer = wire.json("POST", "/v2/models/bank/versions/2/infer", {"inputs": tensors()})
    assert (status, answer["error"]) == (404, "Request for unknown model: this version is not served")


def test_the_content_type_does_not_matter(wire: Wire) -> None:
    body = json.dumps({"inputs": tensors()}).encode()
    for content_type in ("text/plain", "application/octet-stream", ""):
        assert wire("POST", INFER, body, {"content-type": content_type})[0] == 200


def _in_members(body: bytes) -> bytes:
    """Pack as who writes a gzip piece by piece: each is a member."""
    return b"".join(gzip.compress(body[at : at + 10]) for at in range(0, len(body), 10))


def _bare(body: bytes) -> bytes:
    """Pack without the frame of zlib, as many clients understand deflate."""
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(body) + stream.flush()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("gzip", _in_members), ("deflate", _bare)],
)
def test_a_compressed_body_is_read(wire: Wire, encoding: str, pack: Any) -> None:
    body = pack(json.dumps({"inputs": tensors()}).encode())
    assert wire("POST", INFER, body, {"content-encoding": encoding})[0] == 200


def binary_request(rows: dict[str, Any], **extra: Any) -> tuple[bytes, dict[str, str]]:
    chunks, listed = [], []
    for name, values in rows.items():
        if values.dtype == object:
            texts = [text.encode() for text in values.reshape(-1)]
            chunks.append(b"".join(struct.pack("<I", len(text)) + text for text in texts))
        else:
            chunks.append(values.astype("<f8").tobytes())
        listed.append(
            {
                "name": name,
                "shape": list(values.shape),
                "datatype": "BYTES" if values.dtype == object else "FP64",
                "parameters": {"binary_data_size": len(chunks[-1])},
            }
        )
    head = json.dumps({"inputs": listed} | extra).encode()
    return head + b"".join(chunks), {"Inference-Header-Content-Length": str(len(head))}


def test_binary_tensors_go_both_ways(wire: Wire, bundle: SmallBundle) -> None:
    rows = feeds(20)
    body, headers = binary_request(rows, parameters={"binary_data_output": True})
    status, answered, answer = wire("POST", INFER, body, headers)
    assert status == 200
    assert answered["content-type"] == "application/octet-stream"
    cut = int(answered["inference-header-content-length"])
    label, share = json.loads(answer[:cut])["outputs"]
    size = label["parameters"]["binary_data_size"]
    wanted = bundle.graph.predict(rows)
    assert np.frombuffer(answer[cut + size :], "<f8").tolist() == wanted.probabilities.reshape(-1).tolist()
    assert share["parameters"]["binary_data_size"] == 20 * 2 * 8
    first = struct.unpack_from("<I", answer, cut)[0]
    assert answer[cut + 4 : cut + 4 + first].decode() == wanted.prediction[0]


def test_an_output_may_choose_json_against_the_request(wire: Wire) -> None:
    wanted = [{"name": "probabilities", "parameters": {"binary_data": False}}]
    body, headers = binary_request(feeds(2), parameters={"binary_data_output": True}, outputs=wanted)
    status, answered, answer = wire("POST", INFER, body, headers)
    assert status == 200
    assert "inference-header-content-length" not in answered
    assert len(answer_of(answer)["probabilities"]["data"]) == 4


SECRET = "4c1d-secret"
BAD: list[tuple[str, Any, dict[str, str], int, str]] = [
    ("no JSON", b"hello", {}, 400, "not JSON"),
    ("an empty body", b"", {}, 400, "not JSON"),
    ("cut off", b'{"inputs": [', {}, 400, "not JSON"),
    ("deep", b"[" * 100_000, {}, 400, "form"),
    ("deep beside the inputs", b'{"inputs": [], "x": ' + b"[" * 90_000, {}, 400, "nested"),
    ("no inputs", {}, {}, 400, "inputs"),
    ("inputs is no list", {"inputs": SECRET}, {}, 400, "$.inputs"),
    ("no input", {"inputs": []}, {}, 400, "age"),
    ("an input is absent", {"inputs": tensors(job=None)}, {}, 400, "job"),
    ("an unknown input", {"inputs": [*tensors(), *tensors(age={"name": SECRET})[:1]]}, {}, 400, "not one of"),
    ("an input twice", {"inputs": [*tensors(), *tensors()[:1]]}, {}, 400, "`age` is given twice"),
    ("no number", {"inputs": tensors(age={"datatype": "BYTES", "data": [SECRET]})}, {}, 400, "`age` is not a whole"),
    ("an unknown datatype", {"inputs": tensors(age={"datatype": SECRET})}, {}, 400, "`age`: datatype"),
    (
        "shared memory",
        {"inputs": tensors(age={"parameters": {"shared_memory_region": SECRET}})},
        {},
        501,
        "shared memory",
    ),
    ("data and bytes", {"inputs": tensors(age={"parameters": {"binary_data_size": 8}})}, {}, 400, "not both"),
    ("a word for a switch", {"inputs": tensors(), "parameters": {"binary_data_output": "x"}}, {}, 400, "true or false"),
    ("text in numbers", {"inputs": tensors(age={"data": [SECRET]})}, {}, 400, "`age`: data"),
    ("true in numbers", {"inputs": tensors(age={"data": [True]})}, {}, 400, "`age`: data"),
    ("a number in texts", {"inputs": tensors(job={"data": [3]})}, {}, 400, "`job`: data"),
    ("data is an object", {"inputs": tensors(age={"data": {SECRET: 1}})}, {}, 400, "`age`: data"),
    ("a fraction as INT64", {"inputs": tensors(age={"datatype": "INT64", "data": [4.5]})}, {}, 400, "`age`: data"),
    ("300 as UINT8", {"inputs": tensors(age={"datatype": "UINT8", "data": [300]})}, {}, 400, "`age`: data"),
    ("too deep data", {"inputs": tensors(age={"data": [[[1]]]})}, {}, 400, "`age`: data"),
    ("shape is too large", {"inputs": tensors(age={"shape": [2, 1]})}, {}, 400, "`age`: shape says 2"),
    ("shape has columns", {"inputs": tensors(age={"shape": [1, 2], "data": [1, 2]})}, {}, 400, "`age`: shape"),
    ("shape is negative", {"inputs": tensors(age={"shape": [-1, 1]})}, {}, 400, "`age`: shape"),
    ("shape is empty", {"inputs": tensors(age={"shape": []})}, {}, 400, "`age`: shape"),
    ("no rows", {"inputs": tensors(age={"shape": [0, 1], "data": []})}, {}, 400, "no row"),
    ("rows differ", {"inputs": tensors(job={"shape": [2], "data": ["", ""]})}, {}, 400, "`job` has 2 rows"),
    ("too many rows", {"inputs": tensors(age={"shape": [101], "data": [20.0] * 101})}, {}, 413, "100"),
    ("missing where it must not", {"inputs": tensors(age={"data": [None]})}, {}, 400, "`age`"),
    ("missing text where it must not", {"inputs": tensors(married={"data": [""]})}, {}, 400, "`married`"),
    ("out of a closed range", {"inputs": tensors(age={"data": [17]})}, {}, 400, "`age` is out of range, it must be"),
    (
        "out of closed categories",
        {"inputs": tensors(level={"data": [SECRET]})},
        {},
        400,
        "`level` is none of the",
    ),
    ("infinite", b'{"inputs":[{"name":"balance","shape":[1],"datatype":"FP64","data":[1e999]}]}', {}, 400, "balance"),
    ("NaN", b'{"inputs":[{"name":"balance","shape":[1],"datatype":"FP64","data":[NaN]}]}', {}, 400, "JSON"),
    ("an unknown output", {"inputs": tensors(), "outputs": [{"name": SECRET}]}, {}, 400, "output"),
    ("a number as id", {"id": 5, "inputs": tensors()}, {}, 400, "$.id"),
    ("an unknown encoding", {"inputs": tensors()}, {"content-encoding": "br"}, 415, "encoding"),
    ("a damaged gzip", b"\x1f\x8b" + b"0" * 50, {"content-encoding": "gzip"}, 400, "damaged"),
    ("half a gzip", gzip.compress(b"{}" * 99)[:-9], {"content-encoding": "gzip"}, 400, "damaged"),
    ("a gzip and more", gzip.compress(b"{}") + b"more", {"content-encoding": "gzip"}, 400, "damaged"),
    ("empty members without end", gzip.compress(b"") * 20_000, {"content-encoding": "gzip"}, 413, "larger"),
    ("a gzip bomb", gzip.compress(b" " * 10**7), {"content-encoding": "gzip"}, 413, "200000"),
    ("too large", b" " * 200_001, {}, 413, "200000"),
    ("a header length of words", {"inputs": []}, {"Inference-Header-Content-Length": "x"}, 400, "Content-Length"),
    ("a header length too large", b"{}", {"Inference-Header-Content-Length": "3"}, 400, "Content-Length"),
    ("bytes after the last tensor", b'{"inputs": []}xyz', {"Inference-Header-Content-Length": "14"}, 400, "more bytes"),
]


@pytest.mark.parametrize(("body", "headers", "status", "part"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_malformed_request_gets_a_clear_answer_that_quotes_nothing(
    wire: Wire, body: Any, headers: dict[str, str], status: int, part: str
) -> None:
    got, answered, answer = wire("POST", INFER, body, headers)
    assert got == status, answer
    assert answered["content-type"] == "application/json"
    assert part in json.loads(answer)["error"]
    assert SECRET not in answer.decode()
    assert "Traceback" not in answer.decode()
    assert wire("POST", INFER, {"inputs": tensors()})[0] == 200  # the connection and the server are well


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("size is no number", {"binary_data_size": "8"}),
        ("size is negative", {"binary_data_size": -8}),
        ("size is beyond the body", {"binary_data_size": 10**9}),
        ("size is odd", {"binary_data_size": 7}),
        ("no size", {}),
    ],
)
def test_wrong_binary_sizes_are_refused(wire: Wire, name: str, change: dict[str, Any]) -> None:
    head = {"inputs": [{"name": "age", "shape": [1], "datatype": "FP64", "parameters": change}]}
    text = json.dumps(head).encode()
    headers = {"Inference-Header-Content-Length": str(len(text))}
    status, _, answer = wire("POST", INFER, text + struct.pack("<d", 40), headers)
    assert status == 400, name
    assert "`age`" in json.loads(answer)["error"]


def test_infinite_numbers_in_binary_tensors_are_refused(wire: Wire) -> None:
    rows = feeds(1)
    rows["balance"][:] = np.inf
    body, headers = binary_request(rows)
    status, _, answer = wire("POST", INFER, body, headers)
    assert (status, json.loads(answer)) == (
        400,
        {"error": "row 0: `balance` is not a finite number", "hint": "send a finite number", "fields": ["balance"]},
    )


def test_a_binary_text_longer_than_its_bytes_is_refused(wire: Wire) -> None:
    text = json.dumps(
        {"inputs": [{"name": "job", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 5}}]}
    ).encode()
    headers = {"Inference-Header-Content-Length": str(len(text))}
    assert wire("POST", INFER, text + struct.pack("<I", 2**31) + b"x", headers)[0] == 400
