"""A process ends well, whatever its models are doing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.serve import foreign_models

LOADS = """
import sys
from palio.model.graph.runtime import onnx_runtime
from palio.serve.loading import Loading

runtime = onnx_runtime()
Loading(lambda: [runtime.InferenceSession(sys.argv[1]) for _ in range(100)]).wait(0.1)
"""


def test_a_process_that_ends_while_a_model_is_loaded_ends_well(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(foreign_models.classifier())
    done = subprocess.run([sys.executable, "-c", LOADS, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
