"""Keys, signatures, and a real server that takes only what was signed, from the command line."""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest
from click.testing import CliRunner

from palio import model, store
from palio.cli.app import palio
from palio.serve.registry import RETRY_REFUSED_S
from tests.serve.small_graphs import write_identity
from tests.serve.small_model import GOOD, small_bundle
from tests.serve.test_registry import promote, put


def call(*arguments: str | Path, exit_code: int = 0) -> Any:
    result = CliRunner().invoke(palio, [*map(str, arguments), "--json"])
    assert result.exit_code == exit_code, (result.output, result.exception)
    told = json.loads(result.stdout)
    if exit_code and "error" in told:
        assert told["hint"]
        assert "defect" not in told["error"], told
    return told


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with one champion that nobody signed, and two pairs of keys."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "palio.toml").write_text('[project]\nname = "bank"\n[log]\ndurability = "off"\n')
    with store.open_store(folder) as shelf:
        promote(shelf, put(shelf, small_bundle()), expected=None)
    for name in ("key", "stranger"):
        call("model", "keygen", "--private", tmp_path / f"{name}.pem", "--public", tmp_path / f"{name}.pub")
    return folder


def test_a_pair_of_keys_signs_and_verifies(folder: Path, tmp_path: Path) -> None:
    unsigned = call("model", "verify", "--trust", tmp_path / "key.pub", "--dir", folder, exit_code=4)
    assert [check["name"] for check in unsigned["checks"] if not check["passed"]] == ["signed"]
    (signature,) = call("model", "sign", "champion", "--key", tmp_path / "key.pem", "--dir", folder)["signatures"]
    verified = call("model", "verify", "--trust", tmp_path / "key.pub", "--dir", folder)
    assert f"Key {signature['key'][:12]} signed" in verified["checks"][-1]["reason"]
    call("model", "verify", "1", "--trust", tmp_path / "stranger.pub", "--dir", folder, exit_code=4)
    call("model", "verify", "--dir", folder)
    (line,) = [e for e in call("log", "--dir", folder)["events"] if e["kind"] == "model.sign"]
    assert line["subject"] == signature["bundle"]


def test_the_keys_of_the_server_count_where_none_is_named(folder: Path, tmp_path: Path) -> None:
    with (folder / "palio.toml").open("a") as file:
        file.write('[serve]\ntrust = ["../key.pub"]\n')
    call("model", "verify", "--dir", folder, exit_code=4)
    call("model", "sign", "--key", tmp_path / "key.pem", "--dir", folder)
    call("model", "verify", "--dir", folder)


def test_a_bundle_is_signed_where_the_key_is_and_the_signature_carried_back(folder: Path, tmp_path: Path) -> None:
    exported = tmp_path / "exported"
    call("model", "export", "--output", exported, "--dir", folder)
    call("model", "sign", "--from", exported, "--dir", folder, exit_code=3)
    for name in ("key", "key", "stranger"):
        call("model", "sign", exported, "--key", tmp_path / f"{name}.pem")
    assert len(model.read_signatures(exported)) == 2
    call("model", "verify", exported, "--trust", tmp_path / "key.pub")
    assert len(call("model", "sign", "--from", exported, "--dir", folder)["signatures"]) == 2
    call("model", "verify", "--trust", tmp_path / "key.pub", "--dir", folder)
    call("model", "export", "--output", tmp_path / "again", "--dir", folder)
    assert model.read_signatures(tmp_path / "again") == model.read_signatures(exported)


def test_wrong_words_and_files_are_refused(folder: Path, tmp_path: Path) -> None:
    key, public = tmp_path / "key.pem", tmp_path / "key.pub"
    assert "exists" in call("model", "keygen", "--private", key, "--public", tmp_path / "n", exit_code=2)["error"]
    assert "--key or --from" in call("model", "sign", "--dir", folder, exit_code=2)["error"]
    assert "private ed25519" in call("model", "sign", "--key", _mode(public), "--dir", folder, exit_code=2)["error"]
    assert "public ed25519" in call("model", "verify", "--trust", key, "--dir", folder, exit_code=2)["error"]
    key.chmod(0o644)
    assert "0644" in call("model", "sign", "--key", key, "--dir", folder, exit_code=2)["error"]
    onnx = write_identity(tmp_path, "FP32", ["n", 2])
    told = call("serve", "--onnx", onnx, "--port", "0", "--trust", public, exit_code=2)
    assert "cannot be signed" in told["error"]
    assert "public ed25519" in call("serve", "--dir", folder, "--port", "0", "--trust", "x", exit_code=2)["error"]
    exported = tmp_path / "exported"
    call("model", "export", "--output", exported, "--dir", folder)
    told = call("serve", "--bundle", exported, "--port", "0", "--trust", public, exit_code=4)
    assert "not signed by a trusted key" in told["error"]


def _mode(path: Path) -> Path:
    path.chmod(0o600)
    return path


@contextmanager
def serving(*arguments: str | Path) -> Iterator[str]:
    """Start a real server; give its address."""
    program = str(Path(sys.executable).with_name("palio"))
    command = [program, "serve", *map(str, arguments), "--port", "0", "--json"]
    with Popen(command, stdout=PIPE, stderr=PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as server:
        try:
            assert server.stdout is not None
            text = ""
            while "}" not in text:
                line = server.stdout.readline()
                assert line, server.stderr.read() if server.stderr else ""
                text += line
            yield json.loads(text)["url"]
        finally:
            server.terminate()
        assert server.wait(20) == 0


def ask(url: str, path: str, body: Any = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url + path, data), timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_server_takes_up_a_champion_as_soon_as_it_is_signed(folder: Path, tmp_path: Path) -> None:
    with serving("--dir", folder, "--trust", tmp_path / "key.pub") as url:
        status, told = ask(url, "/v2/health/ready")
        assert status == 503
        assert "not signed by a trusted key" in told["detail"]
        assert ask(url, "/predict", {"records": [GOOD]})[0] == 503
        call("model", "sign", "--key", tmp_path / "stranger.pem", "--dir", folder)
        call("model", "sign", "--key", tmp_path / "key.pem", "--dir", folder)
        end = time.monotonic() + RETRY_REFUSED_S / 2  # what the ledger says is heard long before it tries again
        while ask(url, "/v2/health/ready")[0] != 200:
            assert time.monotonic() < end
            time.sleep(0.05)
    (refused,) = [e for e in call("log", "--dir", folder)["events"] if e["kind"] == "serve.refuse"]
    assert "not signed by a trusted key" in refused["text"]


def test_a_signed_bundle_is_served_from_its_folder(folder: Path, tmp_path: Path) -> None:
    call("model", "sign", "--key", tmp_path / "key.pem", "--dir", folder)
    call("model", "export", "--output", tmp_path / "exported", "--dir", folder)
    public = model.read_trust([str(tmp_path / "key.pub")]).keys[0].text
    with serving("--bundle", tmp_path / "exported", "--trust", public) as url:
        assert ask(url, "/v2/health/ready")[0] == 200
