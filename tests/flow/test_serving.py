"""What wires a server says when a part is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from palio import flow
from palio.core.errors import UnavailableError
from tests.serve.small_graphs import write_identity

IMPORTED = """
import json, sys
import palio.cli.live, palio.flow.serving, palio.serve.app, palio.serve.process
print(json.dumps(sorted({name.split(".")[1] for name in sys.modules if name.startswith("palio.")})))
"""


def test_who_serves_imports_no_room_that_trains() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) <= {"cli", "core", "flow", "measure", "model", "serve", "store"}


def test_a_server_without_grpc_says_which_extra_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("palio.serve.protocols.grpc_")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "grpc", None)
    path = write_identity(tmp_path, "FP32", ["n", 2])
    with pytest.raises(UnavailableError, match="`grpc` extra") as missing:
        flow.serve_onnx(path, {"serve.port": 0, "serve.grpc_port": 1}, print)
    assert 'pip install "palio[grpc]"' in missing.value.hint
