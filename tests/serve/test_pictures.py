"""Pictures through a real server, in every form in which clients send them."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from palio import serve
from palio.serve import pictures
from tests.serve.conftest import Switch, Wire
from tests.serve.picture_model import BESIDE, SIZE, as_text, picture, picture_bundle

INFER = "/v2/models/bank/infer"
LIGHT, DARK = picture(220), picture(30)


@pytest.fixture(scope="module")
def alone() -> Iterator[Wire]:
    """A model of one picture."""
    with serve.background(serve.create_app(Switch({1: picture_bundle()}))) as url:  # type: ignore[dict-item]
        wire = Wire(url)
        yield wire
        wire.connection.close()


@pytest.fixture(scope="module")
def beside() -> Iterator[Wire]:
    """A model of a picture and a number."""
    with serve.background(serve.create_app(Switch({1: picture_bundle(BESIDE)}))) as url:  # type: ignore[dict-item]
        wire = Wire(url)
        yield wire
        wire.connection.close()


def said(answer: tuple[int, dict[str, str], bytes]) -> list[str]:
    status, _, body = answer
    assert status == 200, body
    return [row["prediction"] for row in json.loads(body)["predictions"]]


def form(*parts: tuple[str, bool, bytes]) -> tuple[bytes, dict[str, str]]:
    body = b""
    for name, is_file, content in parts:
        file = '; filename="../a.jpg"\r\nContent-Type: image/jpeg' if is_file else ""
        body += f'--x-y\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + content + b"\r\n"
    return body + b"--x-y--\r\n", {"content-type": "multipart/form-data; boundary=x-y"}


# ── /predict ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pictures_travel_in_json_as_base64_or_as_a_data_url(alone: Wire) -> None:
    rows = [{"photo": as_text(LIGHT)}, {"photo": f"data:image/jpeg;base64,{as_text(DARK)}"}]
    assert said(alone("POST", "/predict", {"records": rows})) == ["light", "dark"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_a_body_may_be_the_file_itself(alone: Wire, kind: str) -> None:
    body = picture(220, format=kind)
    for content_type in (f"image/{kind.lower()}", "application/octet-stream"):
        assert said(alone("POST", "/predict", body, {"content-type": content_type})) == ["light"]


def test_each_file_of_a_form_is_a_row(alone: Wire) -> None:
    body, headers = form(("photo", True, LIGHT), ("photo", True, DARK), ("photo", True, LIGHT))
    assert said(alone("POST", "/predict", body, headers)) == ["light", "dark", "light"]
    body, headers = form(("file", True, DARK))
    assert said(alone("POST", "/predict", body, headers)) == ["dark"], "whatever the form calls its file"


def test_fields_of_a_form_are_the_other_columns(beside: Wire) -> None:
    body, headers = form(("photo", True, LIGHT), ("weight", False, b"3.5"), ("photo", True, DARK))
    assert said(beside("POST", "/predict", body, headers)) == ["light", "dark"], "given once it goes for all"
    body, headers = form(("photo", True, LIGHT), ("weight", False, b"heavy"))
    status, _, answer = beside("POST", "/predict", body, headers)
    assert (status, json.loads(answer)["fields"]) == (422, ["weight"])
    weights = [("weight", False, b"1"), ("weight", False, b"2"), ("weight", False, b"3")]
    body, headers = form(("photo", True, LIGHT), ("photo", True, DARK), *weights)
    assert beside("POST", "/predict", body, headers)[0] == 400


def test_the_probabilities_are_those_of_the_graph_on_the_same_bytes(alone: Wire) -> None:
    data = picture(140, size=(90, 50), seed=3)
    _, _, body = alone("POST", "/predict", data, {"content-type": "image/jpeg"})
    found = picture_bundle().graph.predict({"photo": np.array([[data]], object)}).probabilities
    assert found is not None
    assert json.loads(body)["predictions"][0]["probabilities"]["light"] == found[0, 1]


# ── the protocol ────────────────────────────────────────────────────────────────────────────────────────────────────


def tensor(data: Any = None, *, shape: list[int], datatype: str = "BYTES", size: int = 0) -> dict[str, Any]:
    about: dict[str, Any] = {"name": "photo", "shape": shape, "datatype": datatype}
    return about | ({"parameters": {"binary_data_size": size}} if data is None else {"data": data})


def inferred(answer: tuple[int, dict[str, str], bytes]) -> list[str]:
    status, _, body = answer
    assert status == 200, body
    outputs = {output["name"]: output["data"] for output in json.loads(body)["outputs"]}
    found: list[str] = outputs["prediction"]
    return found


def binary(wire: Wire, about: dict[str, Any], chunk: bytes) -> tuple[int, dict[str, str], bytes]:
    head = json.dumps({"inputs": [about]}).encode()
    return wire("POST", INFER, head + chunk, {"inference-header-content-length": str(len(head))})


def test_the_metadata_show_one_cell_of_bytes_a_row(alone: Wire) -> None:
    _, told = alone.json("GET", "/v2/models/bank")
    assert told["inputs"] == [{"name": "photo", "datatype": "BYTES", "shape": [-1, 1]}]


def test_the_protocol_takes_base64_files_and_pixels(alone: Wire) -> None:
    cells = [as_text(LIGHT), as_text(DARK)]
    assert inferred(alone("POST", INFER, {"inputs": [tensor(cells, shape=[2, 1])]})) == ["light", "dark"]
    files = b"".join(struct.pack("<I", len(file)) + file for file in (DARK, LIGHT))
    assert inferred(binary(alone, tensor(shape=[2], size=len(files)), files)) == ["dark", "light"]
    texts = b"".join(struct.pack("<I", len(cell)) + cell.encode() for cell in cells)
    assert inferred(binary(alone, tensor(shape=[2, 1], size=len(texts)), texts)) == ["light", "dark"]
    pixels = np.stack([np.full((SIZE, SIZE, 3), value, np.uint8) for value in (3, 250)])
    shape, raw = list(pixels.shape), pixels.tobytes()
    about = tensor(shape=shape, datatype="UINT8", size=len(raw))
    assert inferred(binary(alone, about, raw)) == ["dark", "light"]
    about = tensor(pixels.tolist(), shape=shape, datatype="UINT8")
    assert inferred(alone("POST", INFER, {"inputs": [about]})) == ["dark", "light"]
    whole = alone("POST", INFER, LIGHT, {"inference-header-content-length": "0"})
    assert whole[0] == 200, "a body without JSON is the one picture"


def test_mlflow_clients_send_base64_too(alone: Wire) -> None:
    body = {"dataframe_records": [{"photo": as_text(DARK)}]}
    status, _, answer = alone("POST", "/invocations", body, {"content-type": "application/json"})
    assert (status, json.loads(answer)) == (200, {"predictions": ["dark"]})


@pytest.mark.parametrize(
    "about",
    [
        tensor([1, 2, 3], shape=[1, 1, 1, 3], datatype="UINT8"),
        tensor([1.5], shape=[1, 1], datatype="FP32"),
        tensor([as_text(LIGHT)], shape=[2, 1]),
        tensor([as_text(LIGHT)], shape=[-1, -1]),
        tensor([7], shape=[1, 1]),
    ],
)
def test_other_tensors_are_refused(alone: Wire, about: dict[str, Any]) -> None:
    status, answer = alone.json("POST", INFER, {"inputs": [about]})
    assert (status, answer["fields"]) == (400, ["photo"])


# ── what is no picture ──────────────────────────────────────────────────────────────────────────────────────────────


def _bomb() -> bytes:
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


BAD = {
    "empty": b"",
    "text": b"<svg>secret-secret</svg>",
    "truncated": LIGHT[: len(LIGHT) // 2],
    "bomb": _bomb(),
    "too many pixels": picture(9, size=(2_100, 2_000), format="PNG"),
    "noise": bytes(range(256)) * 40,
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_picture_is_refused_by_row_in_words_without_an_echo(alone: Wire, name: str) -> None:
    bad = BAD[name]
    rows = [{"photo": as_text(LIGHT)}, {"photo": as_text(bad)}]
    status, answer = alone.json("POST", "/predict", {"records": rows})
    assert (status, answer["fields"]) == (422, ["photo"])
    assert answer["error"].startswith("row 1: `photo` ")
    assert answer["hint"]
    assert "secret" not in json.dumps(answer)
    about = tensor([row["photo"] for row in rows], shape=[2, 1])
    status, answer = alone.json("POST", INFER, {"inputs": [about]})
    assert (status, answer["fields"]) == (400, ["photo"])
    status, _, _ = alone("POST", "/predict", bad, {"content-type": "image/png"})
    assert status == 422


@pytest.mark.parametrize("cell", [None, "", 7, True, [1], {"a": 1}, "not base64!", "data:image/png;base64,"])
def test_a_cell_that_holds_no_bytes_is_refused(alone: Wire, cell: Any) -> None:
    status, answer = alone.json("POST", "/predict", {"records": [{"photo": cell}]})
    assert (status, answer["fields"]) == (422, ["photo"])
    assert alone.json("POST", "/predict", {"records": [{}]})[0] == 422


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x-y",
        b"--x-y\r\n\r\n\r\n--x-y--",
        b'--x-y\r\nContent-Disposition: form-data; name="photo"\r\n\r\n..',
    ],
)
def test_a_damaged_form_is_refused(alone: Wire, body: bytes) -> None:
    assert alone("POST", "/predict", body, {"content-type": "multipart/form-data; boundary=x-y"})[0] == 400
    assert alone("POST", "/predict", body, {"content-type": "multipart/form-data"})[0] == 400


def test_too_many_pictures_for_one_request_are_refused_before_one_is_decoded(alone: Wire) -> None:
    most = pictures.MOST_FITTED_BYTES // (3 * SIZE**2)
    assert most > 10_000, "here the limit of rows comes first"
    about = [{"photo": as_text(LIGHT)}] * 10_001
    assert alone.json("POST", "/predict", about)[0] == 413


def test_changed_bytes_never_break_the_server(alone: Wire) -> None:
    random = np.random.default_rng(1)
    for kind in ("JPEG", "PNG", "WEBP", "GIF"):
        good = np.frombuffer(picture(120, format=kind), np.uint8)
        for _ in range(40):
            bad = good.copy()
            bad[random.integers(0, len(bad), 4)] = random.integers(0, 256, 4)
            status, _, body = alone("POST", "/predict", bad.tobytes(), {"content-type": "image/jpeg"})
            assert status in (200, 422), body


def test_a_cmyk_picture_and_one_turned_by_its_camera_are_read(alone: Wire) -> None:
    file = io.BytesIO()
    Image.new("CMYK", (30, 20), (0, 0, 0, 10)).save(file, "JPEG")
    assert said(alone("POST", "/predict", file.getvalue(), {"content-type": "image/jpeg"})) == ["light"]


def test_a_model_of_pictures_says_why_it_cannot_be_explained(alone: Wire) -> None:
    status, answer = alone.json("POST", "/predict?explain=1", {"photo": as_text(LIGHT)})
    assert status == 400
    assert "pictures" in answer["error"]


def test_the_golden_rows_of_pictures_come_back_through_the_server() -> None:
    from palio.serve import replay

    assert replay(picture_bundle()).passed  # type: ignore[arg-type]
