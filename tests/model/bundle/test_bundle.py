"""A bundle is what its identity says, to the last byte, and opens without any training library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from palio import model
from palio.core.errors import InputError, IntegrityError, NotFoundError
from palio.core.ids import canonical_json, digest
from palio.model.bundle.bundle import MEMBERS


@pytest.fixture
def folder(champion: Any, facts: dict[str, Any], store: Any, tmp_path: Path) -> Path:
    return model.export(store, model.pack(store, champion.graph, **facts), tmp_path / "bundle")


def test_a_bundle_opens_as_it_was_packed(champion: Any, facts: dict[str, Any], store: Any) -> None:
    bundle = model.load(store, model.pack(store, champion.graph, **facts))
    assert bundle.manifest.task == champion.task
    assert bundle.manifest.schema == champion.schema
    assert bundle.shapes() == facts["reference"].columns
    assert [spec.name for spec in bundle.manifest.outputs] == ["prediction", "probabilities"]
    assert bundle.card().startswith("# Predicts `answer`")
    golden = bundle.golden()
    np.testing.assert_array_equal(golden.outputs.probabilities, facts["golden"].outputs.probabilities)
    for name, values in facts["golden"].feeds.items():
        np.testing.assert_array_equal(golden.feeds[name], values)


def test_equal_models_are_one_bundle(champion: Any, facts: dict[str, Any], store: Any) -> None:
    first = model.pack(store, champion.graph, **facts)
    assert model.pack(store, champion.graph, **facts) == first
    assert model.pack(store, champion.graph, **{**facts, "seed": 1}) != first


def test_an_exported_bundle_is_the_same_bundle(folder: Path, champion: Any) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(["manifest.json", *MEMBERS])
    opened = model.open_folder(folder)
    assert opened.id == digest((folder / "manifest.json").read_bytes())
    feeds = model.feeds_from_frame(champion.frame, champion.schema)
    np.testing.assert_array_equal(
        opened.graph.predict(feeds).probabilities, model.Graph(champion.graph).predict(feeds).probabilities
    )
    assert all(check.passed for check in model.verify_folder(folder))


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("damage", ["truncate", "edit", "remove", "empty", "directory"])
def test_a_damaged_member_is_refused_by_name(folder: Path, member: str, damage: str) -> None:
    path = folder / member
    data = path.read_bytes()
    path.unlink()
    if damage == "truncate":
        path.write_bytes(data[:-7])
    elif damage == "edit":
        path.write_bytes(data[:20] + bytes([data[20] ^ 1]) + data[21:])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "directory":
        path.mkdir()
    with pytest.raises(IntegrityError, match=member) as caught:
        model.open_folder(folder)
    assert caught.value.hint
    (check,) = model.verify_folder(folder)
    assert not check.passed


def test_a_member_that_never_ends_is_refused_by_name(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    os.mkfifo(folder / "model.onnx")
    with pytest.raises(IntegrityError, match=r"model\.onnx: not a plain file"):
        model.open_folder(folder)


def test_a_manifest_that_is_nested_without_end_is_refused(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes()) | {"params": {"deep": "HERE"}}
    deep = json.dumps(manifest).replace('"HERE"', "[" * 100_000 + "]" * 100_000)
    (folder / "manifest.json").write_text(deep)
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        model.open_folder(folder)


def test_a_rehashed_bundle_is_another_bundle(folder: Path) -> None:
    identity = model.open_folder(folder).id
    card = (folder / "card.md").read_bytes().replace(b"0.75", b"0.99")
    (folder / "card.md").write_bytes(card)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"]["card.md"] = digest(card)
    (folder / "manifest.json").write_bytes(canonical_json(manifest))
    assert model.open_folder(folder).id != identity
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        model.open_folder(folder, expected=identity)


def test_a_rehashed_graph_with_other_inputs_is_refused(folder: Path, train: Any, small_frame: Any) -> None:
    other = train(small_frame.drop("value", "town"), "answer", "linear").graph
    _replace(folder, "model.onnx", other)
    with pytest.raises(IntegrityError, match=r"model\.onnx"):
        model.open_folder(folder)


def test_a_rehashed_graph_that_answers_otherwise_fails_its_golden_rows(folder: Path, champion: Any, train: Any) -> None:
    _replace(folder, "model.onnx", train(champion.frame, "answer", "lightgbm", n_trees=9).graph)
    checks = {check.name: check.passed for check in model.verify_folder(folder)}
    assert checks == {"bytes": True, "signature": True, "golden rows": False, "reference": True}


def _replace(folder: Path, member: str, data: bytes) -> None:
    (folder / member).write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"][member] = digest(data)
    (folder / "manifest.json").write_bytes(canonical_json(manifest))


@pytest.mark.parametrize(
    "change",
    [
        {"files": {}},
        {"files": {"../../etc/passwd": "0" * 64}},
        {"files": dict.fromkeys(MEMBERS, "../x")},
        {"format": 99},
        {"task": 7},
        {"schema": None},
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(folder: Path, change: dict[str, Any]) -> None:
    manifest = {**json.loads((folder / "manifest.json").read_bytes()), **change}
    (folder / "manifest.json").write_bytes(json.dumps(manifest).encode())
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        model.open_folder(folder)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_a_manifest_that_is_no_manifest_is_refused(folder: Path, data: bytes) -> None:
    (folder / "manifest.json").write_bytes(data)
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        model.open_folder(folder)


def test_a_member_damaged_in_the_store_is_refused_by_name(champion: Any, facts: dict[str, Any], store: Any) -> None:
    bundle = model.pack(store, champion.graph, **facts)
    identity = model.load(store, bundle).manifest.files["model.onnx"]
    path = store.blobs.local_path(identity)
    path.chmod(0o644)
    path.write_bytes(b"no model")
    with pytest.raises(IntegrityError, match=r"model\.onnx"):
        model.load(store, bundle)
    path.unlink()
    with pytest.raises(IntegrityError, match=r"model\.onnx"):
        model.load(store, bundle)
    (check,) = model.verify(store, bundle)
    assert "model.onnx" in check.observed


@pytest.mark.parametrize("identity", ["0" * 64, "../../../etc/passwd", ""])
def test_a_bundle_that_is_not_there_is_not_found(store: Any, identity: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        model.load(store, identity)
    assert caught.value.hint


def test_an_export_never_overwrites(champion: Any, facts: dict[str, Any], store: Any, tmp_path: Path) -> None:
    bundle = model.pack(store, champion.graph, **facts)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="not an empty folder"):
        model.export(store, bundle, tmp_path / "mine")
    (tmp_path / "empty").mkdir()
    assert (model.export(store, bundle, tmp_path / "empty") / "model.onnx").is_file()


def test_a_bad_graph_is_not_packed(facts: dict[str, Any], store: Any) -> None:
    with pytest.raises(IntegrityError):
        model.pack(store, b"no model", **facts)


def test_the_manifest_holds_no_time_and_no_path(folder: Path) -> None:
    text = (folder / "manifest.json").read_text()
    assert str(folder.parent) not in text
    assert not {"at", "seconds", "fit_s", "created"} & set(msgspec.json.decode(text))


def test_a_bundle_opens_and_answers_without_any_training_library(folder: Path) -> None:
    script = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"onnx", "polars", "pyarrow", "sklearn", "scipy", "lightgbm", "optuna", "pandas"}:
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, Block())
from pathlib import Path
from palio import model
from palio.model import RecordReader

bundle = model.open_folder(Path(sys.argv[1]))
feeds, flags = RecordReader(bundle.manifest.schema).read([{"amount": 12.5, "colour": "red", "when": "2020-01-01"}, {}])
outputs = bundle.graph.predict(feeds)
assert outputs.probabilities.shape == (2, 2)
assert all(check.passed for check in model.verify_bundle(bundle))
print(outputs.prediction.tolist(), model.versions()["palio"])
"""
    done = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("['")


def test_importing_the_room_is_cheap() -> None:
    script = "import sys, palio.model; print(sorted({'numpy', 'onnx', 'onnxruntime', 'polars'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_exported_bundle_keeps_its_identity_however_its_manifest_was_written(
    champion: Any, facts: dict[str, Any], store: Any, tmp_path: Path
) -> None:
    manifest = json.loads(store.blobs.get(model.pack(store, champion.graph, **facts)))
    written = store.blobs.put(json.dumps(manifest, indent=1).encode())  # as another version of Palio might
    assert model.open_folder(model.export(store, written, tmp_path / "exported")).id == written
