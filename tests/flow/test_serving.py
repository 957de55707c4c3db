"""What wires a server says when a part is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.serve.small_graphs import write_identity

IMPORTED = """
import json, sys
import palio.cli.live, palio.flow.serving, palio.serve.app, palio.serve.process
print(json.dumps(sorted({name.split(".")[1] for name in sys.modules if name.startswith("palio.")})))
"""

WITHOUT_GRPC = """
import pathlib, sys
sys.modules["grpc"] = None
from palio import flow
from palio.core.errors import UnavailableError
try:
    flow.serve_onnx(pathlib.Path(sys.argv[1]), {"serve.port": 0, "serve.grpc_port": 1}, print)
except UnavailableError as error:
    print(error)
"""


def test_who_serves_imports_no_room_that_trains() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) <= {"cli", "core", "flow", "measure", "model", "serve", "store"}


def test_a_server_without_grpc_says_which_extra_to_install(tmp_path: Path) -> None:
    path = write_identity(tmp_path, "FP32", ["n", 2])
    # a process of its own: others of this one may have imported grpc, and its threads
    done = subprocess.run([sys.executable, "-c", WITHOUT_GRPC, str(path)], capture_output=True, text=True, check=True)
    assert "`grpc` extra" in done.stdout
    assert 'pip install "palio[grpc]"' in done.stdout
