"""Detectors that others wrote are read as they want to be read: what their outputs are, channels, scale, classes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from palio import model
from palio.core.errors import InputError, UnavailableError
from palio.train.entrants import entrants_of
from palio.train.families.imported import Imported
from palio.train.family import graph_of
from palio.train.foreign.decoding import Decoding, decoded
from tests.train.deep.boxes.small_scenes import SCHEMA, TASK, examples

pytest.importorskip("PIL")
SIZE, STRIDE = 64, 8
N = (SIZE // STRIDE) ** 2
FORMS = ("yolo", "yolo turned", "detr", "detr nothing last", "detr nothing first", "boxes-scores-classes")


def written(form: str, path: Path, *, batch: Any = 1, names: str = "") -> Path:
    """Write a detector by hand: a place of 8 pixels that is blue enough is a thing of class 2, red enough of class 0.

    It wants BGR from 0 to 1. Its boxes are the places themselves, made larger.
    """
    nodes, held = [], []

    def constant(name: str, value: Any) -> str:
        held.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(op: str, *inputs: str, **attributes: Any) -> str:
        name = f"t{len(nodes)}"
        nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    seen = add("AveragePool", "images", kernel_shape=[STRIDE] * 2, strides=[STRIDE] * 2)
    weights = np.zeros((3, 3, 1, 1), np.float32)
    weights[0, :, 0, 0], weights[2, :, 0, 0] = (-9, -9, 18), (18, -9, -9)  # of blue, green, red
    raw = add("Conv", seen, constant("w", weights), constant("b", np.full(3, -6, np.float32)))
    flat = add("Reshape", raw, constant("flat", np.array([1, 3, N], np.int64)))
    raw = add("Transpose", flat, perm=[0, 2, 1])
    scores = add("Sigmoid", raw)
    along = (np.arange(SIZE // STRIDE, dtype=np.float32) + 0.5) * STRIDE
    middle = np.stack(np.meshgrid(along, along), -1).reshape(1, N, 2)
    boxes = np.concatenate([middle, np.full_like(middle, 20)], 2).astype(np.float32)
    if not form.startswith("yolo"):
        boxes = boxes / SIZE
    if form == "boxes-scores-classes":
        boxes = np.concatenate([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], 2)
    zero = add(
        "Mul",
        add("ReduceSum", scores, constant("axis", np.array([2], np.int64)), keepdims=1),
        constant("z", np.float32(0)),
    )
    placed = add("Add", zero, constant("boxes", boxes))
    if form.startswith("yolo"):
        found = add("Concat", placed, scores, axis=2)
        outputs = [add("Transpose", found, perm=[0, 2, 1]) if form == "yolo turned" else found]
    elif form == "detr":
        outputs = [scores, placed]
    elif form.startswith("detr"):
        nothing = add("Reshape", zero, constant("column", np.array([1, N, 1], np.int64)))
        shared = add("Concat", *((nothing, raw) if form.endswith("first") else (raw, nothing)), axis=2)
        outputs = [add("Softmax", shared, axis=2), placed]
    else:
        best = add("ReduceMax", scores, constant("last", np.array([2], np.int64)), keepdims=0)
        outputs = [placed, best, add("ArgMax", scores, axis=2, keepdims=0)]
    kinds = [TensorProto.INT64 if name == outputs[-1] and len(outputs) == 3 else TensorProto.FLOAT for name in outputs]
    graph = helper.make_graph(
        nodes,
        "own",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in zip(outputs, kinds, strict=True)],
        held,
    )
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if names:
        helper.set_model_props(whole, {"names": names})
    onnx.save(whole, path)
    return path


@pytest.mark.parametrize("form", FORMS)
def test_it_is_read_as_it_does_best_and_goes_into_one_graph(form: str, tmp_path: Path) -> None:
    family = Imported(imported=str(written(form, tmp_path / "own.onnx")), knows=("red", "green", "blue"))
    rows = examples(16)
    fitted = family.fit(rows, params=dict(family.defaults(rows.shape, TASK)[0]), seed=0)
    read = fitted.settled["read"]
    assert read["order"] == "bgr"
    assert sorted(read["ids"]) == [0, 2]
    assert any("in place of bgr" in note for note in fitted.notes)
    graph = model.Graph(graph_of(fitted, SCHEMA, TASK))
    for n in (1, 2, 3, 16):
        some = {name: values[:n] for name, values in rows.feeds().items()}
        assert model.check_parity(graph, some, fitted.reference(some)).passed
    again = family.fit(rows, params={"imported": "", **fitted.settled}, seed=0)
    assert graph_of(again, SCHEMA, TASK) == graph_of(fitted, SCHEMA, TASK)


def test_names_in_the_file_say_which_class_is_which(tmp_path: Path) -> None:
    path = written("yolo turned", tmp_path / "own.onnx", names="{0: 'Red', 1: 'green', 2: 'blue'}")
    family, rows = Imported(imported=str(path)), examples(16)
    fitted = family.fit(rows, params=dict(family.defaults(rows.shape, TASK)[0]), seed=0)
    assert fitted.settled["read"]["ids"] == [2, 0]


def test_a_class_that_is_in_none_of_the_pictures_may_be_named(tmp_path: Path) -> None:
    path = written("boxes-scores-classes", tmp_path / "own.onnx", names="['Red', 'green', 'blue', 'never there']")
    family, rows = Imported(imported=str(path)), examples(16)
    fitted = family.fit(rows, params=dict(family.defaults(rows.shape, TASK)[0]), seed=0)
    assert fitted.settled["read"]["ids"] == [2, 0]


def test_what_a_detector_fills_up_with_is_none_of_the_classes_that_it_does_not_know() -> None:
    how = Decoding("boxes-scores-classes", ("boxes", "scores", "classes"), n_classes=2, form="corners")
    said = {"boxes": np.zeros((1, 2, 4)), "scores": np.full((1, 2), 0.9), "classes": np.array([[1, -1]])}
    assert decoded(how, said, (1, -1), SIZE)[1].tolist() == [[[pytest.approx(0.9), 0.0], [0.0, 0.0]]]


def test_a_file_that_is_none_is_refused_in_words(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no graph")
    for where, said in ((broken, "broken.onnx"), (tmp_path / "absent.onnx", "there is no such file")):
        with pytest.raises(InputError, match=said):
            family = Imported(imported=str(where))
            family.defaults(examples(1).shape, TASK)


def test_without_a_file_it_stays_away() -> None:
    if find_spec("torch") is None:  # then nothing is left that learns from pictures
        with pytest.raises(UnavailableError):
            entrants_of((), TASK, SCHEMA)
    else:
        assert "imported" not in [one.name for one in entrants_of((), TASK, SCHEMA)]
    with pytest.raises(InputError, match="no file is named"):
        entrants_of(("imported",), TASK, SCHEMA)
