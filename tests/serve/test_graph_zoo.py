"""A zoo of graphs as they are made elsewhere: each is served, on every route, or refused in words that help."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import onnx
import pytest

from palio import serve
from palio.core.config import LogTable
from palio.core.errors import IntegrityError
from palio.core.records import TensorSpec
from palio.serve import Journal
from palio.serve.protocols.datatypes import DTYPES, bytes_of
from tests.serve.graph_zoo import external, zoo
from tests.serve.in_process import ask

ZOO = dict(zoo())
REFUSED = {
    "rows of bfloat16": "bfloat16",
    "rows of float8": "float8",
    "rows of int4": "int4",
    "rows of uint4": "uint4",
    "rows of complex64": "complex64",
    "bfloat16 as answer": "output `y` is of the type tensor(bfloat16)",
    "no shape at all": "input `x` declares no shape",
    "nine dimensions": "more than 8 dimensions",
    "a sequence in": "input `x` is of the type seq",
    "a sequence out": "output `y` is of the type seq",
    "an optional in": "input `x` is of the type optional",
    "an optional in beside rows": "input `x` is of the type optional",
    "an optional out": "output `y` is of the type optional",
    "a map in": "input `x` is of the type map",
    "an input called ''": "",
    "no input": "it takes no input",
    "no answer": "it gives no output",
    "an operator of a vendor": "operator domain `com.microsoft`",
    "an operator that does not exist": "Banana",
    "a newer operator set": "Opset 99",
    "a newer format": "IR version: 99",
    "types that do not fit": "different types",
    "a function of its own": "operator domain `local`",
    "words about itself": "readings",
}
"""Name → a part of the reason."""
AS_THE_MACHINE = {"texts made small": "locale"}
"""What a machine without some package refuses."""


def write(folder: Path, name: str) -> Path:
    path = folder / "graph.onnx"
    path.write_bytes(ZOO[name].SerializeToString())
    return path


def sizes(spec: TensorSpec) -> list[int]:
    return [2 if size < 0 else size for size in spec.shape]


def value_of(spec: TensorSpec) -> np.ndarray[Any, Any]:
    ones = np.ones(sizes(spec))
    return np.asarray(ones.astype(str) if spec.datatype == "BYTES" else ones).astype(DTYPES[spec.datatype])


def record_of(inputs: tuple[TensorSpec, ...]) -> dict[str, Any]:
    """One record: each input without its dimension of rows."""
    made: dict[str, Any] = {}
    for spec in inputs:
        values = value_of(spec).tolist()
        made[spec.name] = values[0] if spec.shape and values else values
    return made


def test_the_zoo_is_large() -> None:
    assert len(ZOO) >= 60
    assert REFUSED.keys() | AS_THE_MACHINE.keys() <= ZOO.keys()


@pytest.mark.parametrize("name", [name for name in ZOO if name in REFUSED])
def test_what_cannot_be_served_is_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(IntegrityError) as refused:
        serve.any_onnx(write(tmp_path, name))
    assert REFUSED[name] in refused.value.message
    assert refused.value.hint
    assert "train" not in refused.value.hint
    assert "onnxruntime_src" not in refused.value.message


@pytest.mark.parametrize("name", [name for name in ZOO if name not in REFUSED])
def test_what_can_be_served_answers_on_every_route(tmp_path: Path, name: str) -> None:
    try:
        provider = serve.any_onnx(write(tmp_path, name))
    except IntegrityError as refused:
        assert AS_THE_MACHINE.get(name, "no such word") in refused.message
        return
    journal = Journal(tmp_path / "log", "graph", LogTable())
    app = serve.create_app(provider, journal=journal)
    app.refresh()
    served = provider.served
    described = [(spec, value_of(spec)) for spec in served.inputs]

    form = [
        {"name": s.name, "datatype": s.datatype, "shape": list(v.shape), "data": v.ravel().tolist()}
        for s, v in described
    ]
    answer = ask(app, "POST", "/v2/models/graph/infer", {"inputs": form})
    assert answer.status == 200, answer.body
    outputs = answer.json["outputs"]
    assert [one["name"] for one in outputs] == list(served.outputs)

    chunks = [bytes_of(v) for _, v in described]
    bare = [
        {"name": s.name, "datatype": s.datatype, "shape": list(v.shape), "parameters": {"binary_data_size": len(c)}}
        for (s, v), c in zip(described, chunks, strict=True)
    ]
    head = json_of({"inputs": bare})
    length = {"inference-header-content-length": str(len(head))}
    again = ask(app, "POST", "/v2/models/graph/infer", head + b"".join(chunks), length)
    if name != "chance":
        assert (again.status, again.json["outputs"]) == (200, outputs)

    fixed = {spec.shape[0] for spec in served.inputs if spec.shape and spec.shape[0] >= 0}
    if all(size == 1 for size in fixed) and len(fixed) < 2:
        record = record_of(served.inputs)
        for path, body in (("/predict", {"records": [record]}), ("/invocations", {"dataframe_records": [record]})):
            told = ask(app, "POST", path, body)
            if told.status != 200:  # sizes that must fit each other, which a record cannot know
                assert told.status in (400, 422), told.body
                assert set(told.json) & {"error", "message"}
    for path in ("/openapi.json", "/playground.json", "/v2/models/graph", "/v2/models/graph/config", "/metrics", "/"):
        assert ask(app, "GET", quote(path)).status == 200, path
    journal.flush()
    assert (journal.figures().lost, journal.trouble) == (0, "")
    journal.close()


def json_of(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_weights_in_a_file_beside_the_graph_are_part_of_it(tmp_path: Path) -> None:
    app = serve.create_app(serve.any_onnx(external(tmp_path, "weights.bin")))
    app.refresh()
    answer = ask(app, "POST", "/predict", {"x": [1, 10]})
    assert answer.json["predictions"][0]["prediction"] == [2, 30]


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/passwd", "gone.bin", ".", "sub/weights.bin", "link.bin"])
def test_weights_anywhere_else_are_refused(tmp_path: Path, location: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "weights.bin").write_bytes(bytes(64))
    (inside / "link.bin").symlink_to(tmp_path / "weights.bin")
    with pytest.raises(IntegrityError, match="in another file") as refused:
        serve.any_onnx(external(inside, location))
    assert "onnx.save" in refused.value.hint


def test_weights_that_are_cut_off_are_refused(tmp_path: Path) -> None:
    path = external(tmp_path, "weights.bin")
    (tmp_path / "weights.bin").write_bytes(b"123")
    with pytest.raises(IntegrityError, match="does not hold what the graph says"):
        serve.any_onnx(path)


def test_an_output_without_a_shape_has_as_many_sizes_as_it_gives(tmp_path: Path) -> None:
    made = onnx.ModelProto.FromString(ZOO["rows and a single number"].SerializeToString())
    made.graph.output[0].type.tensor_type.ClearField("shape")
    path = tmp_path / "graph.onnx"
    path.write_bytes(made.SerializeToString())
    (output,) = serve.any_onnx(path).served.outputs.values()
    assert len(output.shape) == 2
