"""`palio serve` on both ports."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import numpy as np
import pytest

from tests.serve.small_graphs import write_identity


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        number: int = taken.getsockname()[1]
        return number


def test_an_onnx_file_is_served_over_http_and_grpc_until_told_to_stop(tmp_path: Path) -> None:
    client: Any = pytest.importorskip("tritonclient.grpc")
    path, port = write_identity(tmp_path, "FP32", ["n", 2]), free_port()
    program = str(Path(sys.executable).with_name("palio"))
    command = [program, "serve", "--onnx", str(path), "--port", "0", "--grpc-port", str(port)]
    with Popen(command, stdout=PIPE, stderr=PIPE, text=True, cwd=tmp_path) as server:
        try:
            assert server.stderr is not None
            assert "serving on http://127.0.0.1:" in server.stderr.readline()
            x = client.InferInput("x", [1, 2], "FP32")
            x.set_data_from_numpy(np.array([[1, 2]], np.float32))
            with client.InferenceServerClient(f"127.0.0.1:{port}") as triton:
                assert triton.infer(path.stem, [x]).as_numpy("y").tolist() == [[1, 2]]
        finally:
            server.terminate()
        began = time.monotonic()
        assert server.wait(20) == 0
    assert time.monotonic() - began < 10
