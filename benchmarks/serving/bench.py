"""Measure CPU time per request of the server against a bare uvicorn hello world, with `wrk`.

    python benchmarks/serving/bench.py [--seconds 2] [--slices 4]

The model is LightGBM (100 trees of 31 leaves) over 20 columns, 12 numbers and 8 categories; each request is one row;
one worker. Slices of the contestants alternate; the median of slices is shown. CPU time is that of the server process
from /proc, which a busy machine disturbs less than requests per second.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

N_NUMBERS, N_CATEGORIES = 12, 8
HELLO = """
import socket, uvicorn
async def app(scope, receive, send):
    if scope["type"] != "http": return
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen(2048)
print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
config = uvicorn.Config(app, http="httptools", loop="uvloop", lifespan="off", access_log=False, log_config=None)
uvicorn.Server(config).run([listener])
"""
PALIO = """
import sys
from pathlib import Path
from palio import model, serve
app = serve.create_app(serve.fixed(model.open_folder(Path(sys.argv[1])), model="bench"))
serve.run(app, port=0, ready=lambda url: print(url, flush=True))
"""


def make_bundle(folder: Path) -> dict[str, Any]:
    """Train, export to `folder/bundle`, and return one record."""
    import lightgbm
    import numpy as np
    import polars as pl

    from palio import model, store
    from palio.core.records import Column, ColumnProfile, Profile, Schema, Task

    random = np.random.default_rng(0)
    n_rows = 4000
    numbers = {f"number_{i}": random.normal(size=n_rows) for i in range(N_NUMBERS)}
    levels = [f"level_{i}" for i in range(8)]
    codes = random.integers(0, 8, (n_rows, N_CATEGORIES))
    categories = {f"category_{i}": [levels[c] for c in codes[:, i]] for i in range(N_CATEGORIES)}
    frame = pl.DataFrame(numbers | categories)
    weight = sum(numbers.values()) + codes @ random.normal(size=N_CATEGORIES) + random.normal(size=n_rows)
    truth = (weight > np.median(weight)).astype(int)
    schema = Schema(
        columns=(
            *(Column(name=name, type="number", low=-6.0, high=6.0) for name in numbers),
            *(Column(name=name, type="category", categories=tuple(levels)) for name in categories),
        )
    )
    task = Task(kind="classification", target="y", classes=("no", "yes"))
    preprocessing = model.fit_preprocessing(frame, schema, task=task, target=truth, style="tree")
    data = lightgbm.Dataset(preprocessing.transform(frame), truth, categorical_feature=list(preprocessing.categorical))
    booster = lightgbm.train({"objective": "binary", "num_leaves": 31, "verbose": -1, "num_threads": 1}, data, 100)
    builder = model.GraphBuilder(schema)
    model.emit_lightgbm(builder, preprocessing.emit(builder), booster, task)
    graph = builder.build()
    columns = tuple(ColumnProfile(name=c.name, type=c.type, n_rows=n_rows, n_missing=0) for c in schema.columns)
    with store.open_store(folder / "project") as opened:
        bundle = model.pack(
            opened,
            graph,
            profile=Profile(n_rows=n_rows, columns=columns),
            golden=model.make_golden(model.Graph(graph), frame, schema),
            task=task,
            schema=schema,
            family="lightgbm",
            params={},
            seed=0,
            n_parameters=0,
            snapshot="0" * 64,
            parts="0" * 64,
            trained_on=(),
            metrics={},
            parity=(),
            versions={},
        )
        model.export(opened, bundle, folder / "bundle")
    return frame.row(0, named=True)


def write_script(folder: Path, name: str, path: str, body: Any) -> Path:
    """Write what `wrk` sends."""
    script = folder / f"{name}.lua"
    text = json.dumps(body)
    script.write_text(f'wrk.method = "POST"\nwrk.path = "{path}"\nwrk.body = [==[{text}]==]\n')
    return script


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def slice_of(pid: int, url: str, script: Path | None, *, connections: int, seconds: int) -> tuple[float, float]:
    """Return requests per second and CPU µs per request of one slice; fails if any answer is not 200."""
    begin = cpu_seconds(pid)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *(["-s", str(script)] if script else []), url]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    used = cpu_seconds(pid) - begin
    if "Non-2xx" in told or "Socket errors" in told:
        raise SystemExit(told)
    n_requests = int(re.search(r"(\d+) requests in", told)[1])  # type: ignore[index]
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1])  # type: ignore[index]
    return rate, used / n_requests * 1e6


def main() -> None:
    """Run all contestants and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--slices", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        record = make_bundle(folder)
        tensors = [
            {"name": key, "shape": [1, 1], "datatype": "BYTES" if isinstance(value, str) else "FP64", "data": [value]}
            for key, value in record.items()
        ]
        scripts = {
            "hello": None,
            "predict": write_script(folder, "predict", "/predict", {"records": [record]}),
            "infer": write_script(folder, "infer", "/v2/models/bench/infer", {"inputs": tensors}),
        }
        servers = {
            "hello": [sys.executable, "-c", HELLO],
            "palio": [sys.executable, "-c", PALIO, str(folder / "bundle")],
        }
        begin = time.perf_counter()
        running = {
            key: subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for key, command in servers.items()
        }
        urls = {key: process.stdout.readline().strip() for key, process in running.items()}  # type: ignore[union-attr]
        print(f"both servers ready after {time.perf_counter() - begin:.2f} s")
        try:
            for connections in (8, 32):
                seen: dict[str, list[tuple[float, float]]] = {key: [] for key in scripts}
                for _ in range(options.slices):
                    for key, script in scripts.items():
                        who = "hello" if key == "hello" else "palio"
                        seen[key].append(
                            slice_of(
                                running[who].pid, urls[who], script, connections=connections, seconds=options.seconds
                            )
                        )
                limit = statistics.median(rate for rate, _ in seen["hello"])
                for key, slices in seen.items():
                    rate = statistics.median(rate for rate, _ in slices)
                    cost = statistics.median(cost for _, cost in slices)
                    print(f"c{connections:<3} {key:8} {rate:9,.0f} requests/s  {rate / limit:5.2f}  {cost:7.1f} CPU µs")
            memory = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{running['palio'].pid}/status").read_text())
            print(f"resident memory of the server: {int(memory[1]) / 1024:.0f} MB")  # type: ignore[index]
        finally:
            for process in running.values():
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main()
