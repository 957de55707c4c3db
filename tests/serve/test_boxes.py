"""What is where in pictures, on every wire: lists of boxes in the picture's own pixels, from the threshold on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palio import pixels, serve, store
from palio.core.cells import boxes_of
from palio.core.config import LogTable
from palio.serve.journal import Journal
from tests.serve.boxes_model import CAT, LAMP, SIZE, boxes_bundle
from tests.serve.conftest import Switch, Wire
from tests.serve.picture_model import as_text, picture

INFER = "/v2/models/bank/infer"
LIGHT, DIM = picture(220), picture(60)


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with serve.background(serve.create_app(Switch({1: boxes_bundle()}))) as url:  # type: ignore[dict-item]
        wire = Wire(url)
        yield wire
        wire.connection.close()


def found(answer: tuple[int, Any]) -> list[list[tuple[str, tuple[float, ...]]]]:
    status, told = answer
    assert status == 200, told
    rows = [row["prediction"] for row in told["predictions"]]
    return [[(box["label"], tuple(box["box"])) for box in row] for row in rows]


def sent(*files: bytes) -> dict[str, Any]:
    return {"records": [{"photo": as_text(file)} for file in files]}


def test_boxes_come_back_in_the_pixels_of_each_picture(wire: Wire) -> None:
    rows = found(wire.json("POST", "/predict", sent(LIGHT, picture(220, size=(400, 300)), DIM)))
    assert [[label for label, _ in row] for row in rows] == [["lamp"], ["lamp"], []], "what is not sure is not said"
    assert rows[0][0][1] == pytest.approx(LAMP, abs=0.01)
    assert rows[1][0][1] == pytest.approx([10 * side for side in LAMP], abs=0.1)


def test_a_client_may_ask_for_more_or_less(wire: Wire) -> None:
    every = found(wire.json("POST", "/predict?threshold=0", sent(LIGHT)))
    assert [label for label, _ in every[0]] == ["lamp", "cat"], "the surest first"
    assert every[0][1][1] == pytest.approx(CAT, abs=0.01)
    assert found(wire.json("POST", "/predict?threshold=0.99", sent(LIGHT))) == [[]]


@pytest.mark.parametrize("threshold", ["", "much", "nan", "-0.1", "1.5", "0.1&threshold=0.2"])
def test_a_threshold_is_a_number_from_0_to_1(wire: Wire, threshold: str) -> None:
    status, told = wire.json("POST", f"/predict?threshold={threshold}", sent(LIGHT))
    assert status == 400
    assert "threshold" in told["error"]


def test_every_wire_tells_the_same(wire: Wire) -> None:
    status, told = wire.json("POST", "/predict", sent(LIGHT))
    expected = told["predictions"][0]["prediction"]
    status, _, body = wire("POST", "/predict", LIGHT, {"content-type": "image/jpeg"})
    assert json.loads(body)["predictions"][0]["prediction"] == expected
    body = json.dumps({"dataframe_records": [{"photo": as_text(LIGHT)}]}).encode()
    status, _, body = wire("POST", "/invocations", body, {"content-type": "application/json"})
    assert (status, json.loads(body)) == (200, {"predictions": [expected]})
    tensor = {"name": "photo", "datatype": "BYTES", "shape": [1, 1], "data": [as_text(LIGHT)]}
    status, told = wire.json("POST", INFER, {"inputs": [tensor]})
    assert status == 200
    assert json.loads(told["outputs"][0]["data"][0]) == expected, "the protocol knows no lists: it is their text"
    status, told = wire.json("POST", INFER, {"inputs": [tensor], "parameters": {"threshold": 0.05}})
    assert len(json.loads(told["outputs"][0]["data"][0])) == 2


def test_boxes_in_pixels_that_were_sent_as_the_graph_takes_them_lie_in_these(wire: Wire) -> None:
    pixels = np.full((1, SIZE, SIZE, 3), 220, np.uint8)
    tensor = {"name": "photo", "datatype": "UINT8", "shape": list(pixels.shape), "data": pixels.ravel().tolist()}
    status, told = wire.json("POST", INFER, {"inputs": [tensor]})
    assert status == 200
    boxes = boxes_of(told["outputs"][0]["data"][0])
    assert boxes[0].box == pytest.approx([0.4 * side for side in LAMP], abs=0.01)


def test_the_document_describes_boxes(wire: Wire) -> None:
    document = wire.json("GET", "/openapi.json")[1]
    answer = document["components"]["schemas"]["Prediction"]["properties"]
    assert "probabilities" not in answer
    assert answer["prediction"]["items"]["properties"]["label"] == {"enum": ["cat", "lamp"]}
    asked = document["paths"]["/predict"]["post"]["parameters"]
    assert [one["name"] for one in asked] == ["threshold"]


def test_the_log_keeps_all_and_truths_are_boxes_too(tmp_path: Path) -> None:
    provider: Any = Switch({1: boxes_bundle()})
    journal, truths = (
        Journal(tmp_path, "bank", LogTable(durability="fsync")),
        store.FeedbackLog(tmp_path, "bank", redaction=store.Redaction()),
    )
    with serve.background(serve.create_app(provider, journal=journal, feedback=truths)) as url:
        wire = Wire(url)
        told = wire.json("POST", "/predict", sent(LIGHT, DIM))[1]["predictions"]
        truth = [{"label": "lamp", "box": [5, 5, 24, 24]}, {"label": "dog", "box": [0, 0, 9, 9]}]
        given = [{"prediction_id": told[0]["id"], "label": truth}, {"prediction_id": told[1]["id"], "label": []}]
        answer = wire.json("POST", "/feedback", {"feedback": given})
        assert answer == (200, {"received": 2, "unknown_labels": {"dog": 1}})
        status, refused = wire.json("POST", "/feedback", {"prediction_id": told[0]["id"], "label": "lamp"})
        assert (status, refused["fields"]) == (422, ["label"])
        shares = [{"label": "lamp", "box": [0.1, 0.1, 0.5, 0.5]}]
        status, refused = wire.json("POST", "/feedback", {"prediction_id": told[0]["id"], "label": shares})
        assert status == 422
        assert "in fractions of the picture" in refused["error"]
        elsewhere = [{"label": "lamp", "box": [5, 5, 24, 24]}, {"label": "lamp", "box": [610, 400, 700, 480]}]
        both = [given[0], {"prediction_id": told[1]["id"], "label": elsewhere}]
        status, refused = wire.json("POST", "/feedback", {"feedback": both})
        assert (status, refused["fields"]) == (422, ["label"])
        shown = pixels.look(LIGHT)
        assert "row 1: `label` has a box (610, 400, 700, 480) most of which lies outside" in refused["error"]
        assert f"{shown.width} × {shown.height} pixels" in refused["error"]
        wire.connection.close()
    logged = store.log_frame(tmp_path, "bank")["prediction"].to_list()
    assert [[box.label for box in boxes_of(cell)] for cell in logged] == [["lamp", "cat"]] * 2
    kept = store.latest_feedback(tmp_path, "bank")["label"].tolist()
    assert [[box.label for box in boxes_of(str(cell))] for cell in kept] == [["lamp", "dog"], []]
