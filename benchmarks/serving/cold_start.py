"""Measure how long a server takes from its start to its first answer, and the memory that it holds.

    python benchmarks/serving/cold_start.py [--runs 7] [--python PYTHON] [--imports] [--json OUT.json] [-- ARGUMENTS]

Without ARGUMENTS (of `palio serve`) a model of LightGBM as one ONNX file is served. With `--python` another environment
is measured, best one with only the `serve` extra. `--imports` shows what the time goes into. The exit code is 1 if the
median is above 1 s or the memory above 120 MB.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from load import memory_mb, start, stop, told_url, tree
from onnx_model import make_model

LIMIT_S, LIMIT_MB = 1.0, 120.0
N_REQUESTS = 500


def measure(python: str, arguments: list[str], path: str, body: Any) -> tuple[float, float, float]:
    """Return seconds until ready, and MB then and after some requests."""
    import httpx

    begin = time.perf_counter()
    process = start([str(Path(python).parent / "palio"), "serve", "--port", "0", "--json", *arguments])
    try:
        url = told_url(process)
        with httpx.Client(base_url=url) as client:
            if client.get("/v2/health/ready").status_code != 200:
                raise SystemExit("the server is not ready")
            ready_s = time.perf_counter() - begin
            fresh_mb = memory_mb(tree(process.pid))
            if body is not None:
                for _ in range(N_REQUESTS):
                    client.post(path, json=body).raise_for_status()
            return ready_s, fresh_mb, memory_mb(tree(process.pid))
    finally:
        stop(process)


def imports(python: str) -> list[tuple[float, str]]:
    """Return the milliseconds of each package that the server imports, the dearest first."""
    code = "import palio.cli.live, palio.flow.serving, palio.serve.app, palio.serve.process"
    code += "; from palio.model.runtime import onnx_runtime; onnx_runtime()"
    told = subprocess.run([python, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True).stderr
    spent: dict[str, float] = {}
    for own, name in re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", told):
        package = ".".join(name.split(".")[: 2 if name.startswith("palio") else 1])
        spent[package] = spent.get(package, 0.0) + int(own) / 1000
    return sorted(((own, package) for package, own in spent.items()), reverse=True)


def main() -> None:
    """Measure, print, compare with the limits."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--imports", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("arguments", nargs="*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        arguments, path, body = options.arguments, "", None
        if not arguments:
            row = make_model(Path(folder) / "m.onnx")
            arguments, path = ["--onnx", str(Path(folder) / "m.onnx")], "/v2/models/m/infer"
            body = {"inputs": [{"name": "x", "shape": [1, len(row)], "datatype": "FP32", "data": row}]}
        seen = [measure(options.python, arguments, path, body) for _ in range(options.runs)]
    ready_s, fresh_mb, used_mb = (statistics.median(values) for values in zip(*seen, strict=True))
    fastest = min(one[0] for one in seen)
    print(f"ready after {ready_s:.2f} s (fastest {fastest:.2f} s, limit {LIMIT_S} s)")
    print(f"memory {fresh_mb:.0f} MB, after {N_REQUESTS} requests {used_mb:.0f} MB (limit {LIMIT_MB:.0f} MB)")
    if options.imports:
        for own, package in imports(options.python)[:25]:
            print(f"{own:8.1f} ms  {package}")
    if options.json:
        told = {"ready_s": ready_s, "fastest_s": fastest, "memory_mb": used_mb}
        options.json.write_text(json.dumps(told, indent=2) + "\n")
    raise SystemExit(int(ready_s > LIMIT_S or used_mb > LIMIT_MB))


if __name__ == "__main__":
    main()
