"""Compare servers on one model: requests per second and CPU time per request, against a bare uvicorn hello world.

    python benchmarks/serving/compare.py --peers FOLDER [--slices 10] [--only palio,mlserver] [--json OUT.json]

The model is LightGBM (100 trees) on 30 features as one ONNX file; each request is one row as JSON; one worker. Palio
knows its callers by key, counts a quota, holds requests to the signature and logs answers; the others do none of it.
For each server slices of 1 s alternate with slices of the limit; the ratio is the median of the ratios of neighbours,
so that a disturbance of the machine hits both. CPU time is that of the whole process tree, from /proc: the column to
trust. Palio's exit code is 1 if its goals are missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from guarded import KEY
from load import Slice, memory_mb, slice_of, start, start_hello, stop, told_url, tree, write_script
from onnx_model import make_model
from peers import PEERS, Running, install, oip, start_peer, wait_for_answer

GOALS = {
    "ratio at 32 connections": 0.5,
    "CPU µs": 70.0,
    "mlserver": 8.0,
    "bentoml": 15.0,
    "litserve": 15.0,
    "mlflow": 15.0,
}


def start_palio(python: str, scratch: Path, row: list[float], arguments: list[str] | None) -> Running:
    """Start Palio with all on that a production server does: a key, rules with a quota, the log.

    With `arguments` it is `palio serve --onnx` with these instead.
    """
    headers = {}
    if arguments is None:
        process = start(
            [python, str(Path(__file__).with_name("guarded.py")), str(scratch / "m.onnx"), str(scratch / "log")]
        )
        headers["x-api-key"] = KEY
    else:
        command = [str(Path(python).parent / "palio"), "serve", "--onnx", str(scratch / "m.onnx")]
        process = start([*command, "--port", "0", "--json", *arguments])
    path = "/v2/models/m/infer"
    try:
        url = told_url(process)
        wait_for_answer(url + path, oip(row), process, headers=headers)
    except RuntimeError:
        stop(process)
        raise
    return Running(process, url, write_script(scratch, "palio", path, oip(row), headers))


@contextmanager
def running(name: str, options: Any, scratch: Path, row: list[float]) -> Iterator[tuple[Running, float]]:
    """Start one server; gives it and the seconds until its first answer."""
    begin = time.perf_counter()
    if name == "palio":
        arguments = None if options.palio is None else options.palio.split()
        server = start_palio(options.python, scratch, row, arguments)
    else:
        server = start_peer(name, options.peers, scratch, row)
    try:
        yield server, time.perf_counter() - begin
    finally:
        stop(server.process)


def measure(server: Running, limit: tuple[int, str], n_slices: int) -> dict[str, Any]:
    """Let slices of the server and of the limit alternate."""
    seen: dict[str, Any] = {}
    pid = server.process.pid
    patient_slice(pid, server, 8)  # warm
    for connections in (8, 32):
        pairs = [
            (
                slice_of(limit[0], limit[1], None, connections=connections),
                patient_slice(pid, server, connections),
            )
            for _ in range(n_slices)
        ]
        calm = sorted((there for _, there in pairs), key=lambda one: -one.rate)[:3]
        seen[f"c{connections}"] = {
            "ratio": round(statistics.median(there.rate / here.rate for here, there in pairs), 3),
            "rate": round(statistics.median(there.rate for _, there in pairs)),
            "best_rate": round(max(there.rate for _, there in pairs)),
            "cpu_us": round(statistics.median(there.cpu_us for _, there in pairs), 1),
            "limit_rate": round(statistics.median(here.rate for here, _ in pairs)),
            "limit_cpu_us": round(statistics.median(here.cpu_us for here, _ in pairs), 1),
            "p50_ms": round(statistics.median(one.p50_ms for one in calm), 2),
            "p99_ms": round(statistics.median(one.p99_ms for one in calm), 2),
        }
    pids = tree(pid)
    return seen | {"memory_mb": round(memory_mb(pids)), "n_processes": len(pids)}


def patient_slice(pid: int, server: Running, connections: int) -> Slice:
    """Ask a server that may pause for a whole second now and then."""
    for seconds in (1, 2, 4):
        try:
            return slice_of(pid, server.url, server.script, connections=connections, seconds=seconds)
        except RuntimeError as error:
            last = error
    raise last


def table(results: dict[str, Any]) -> str:
    """Write the figures as Markdown."""
    lines = [
        "| server | ratio c8 / c32 | requests/s c8 / c32 | CPU µs c8 / c32 | p99 ms c8 / c32 | start s | MB (n) |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, told in results.items():
        if "trouble" in told:
            lines.append(f"| {name} | {told['trouble']} | | | | | |")
            continue
        a, b = told["c8"], told["c32"]
        lines.append(
            f"| {name} | {a['ratio']:.2f} / {b['ratio']:.2f} | {a['rate']:,} / {b['rate']:,} "
            f"| {a['cpu_us']:.0f} / {b['cpu_us']:.0f} | {a['p99_ms']:.1f} / {b['p99_ms']:.1f} "
            f"| {told['start_s']:.1f} | {told['memory_mb']} ({told['n_processes']}) |"
        )
    measured = [told for told in results.values() if "c8" in told]
    if measured:
        rates, costs = (
            [round(statistics.median(one[c][key] for one in measured)) for c in ("c8", "c32")]
            for key in ("limit_rate", "limit_cpu_us")
        )
        lines.append(
            f"| uvicorn hello (the limit) | 1 / 1 | {rates[0]:,} / {rates[1]:,} | {costs[0]} / {costs[1]} | | | |"
        )
    return "\n".join(lines)


def missed(results: dict[str, Any]) -> list[str]:
    """Name the goals that Palio misses."""
    palio = results.get("palio", {})
    if "c32" not in palio:
        return []
    found = []
    if palio["c32"]["ratio"] < GOALS["ratio at 32 connections"]:
        found.append(f"ratio at 32 connections: {palio['c32']['ratio']} < {GOALS['ratio at 32 connections']}")
    for c in ("c8", "c32"):
        if palio[c]["cpu_us"] > GOALS["CPU µs"]:
            found.append(f"CPU per request, {c}: {palio[c]['cpu_us']} µs > {GOALS['CPU µs']} µs")
        for name in PEERS:
            if c in results.get(name, {}):
                times = results[name][c]["cpu_us"] / palio[c]["cpu_us"]
                if times < GOALS[name]:
                    found.append(f"{name}, {c}: {times:.1f} times the CPU, goal {GOALS[name]:.0f}")
    return found


def main() -> None:
    """Measure all, print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", type=Path, required=True, help="folder of the peers' environments")
    parser.add_argument("--slices", type=int, default=10)
    parser.add_argument("--only", default=",".join(["palio", *PEERS]))
    parser.add_argument("--palio", help="measure palio serve --onnx with these arguments, without key, rules and log")
    parser.add_argument("--python", default=sys.executable, help="of the environment whose palio is measured")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    options.peers = options.peers.resolve()
    names = options.only.split(",")
    trouble = install(options.peers) if set(names) & set(PEERS) else {}
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        row = make_model(scratch / "m.onnx")
        hello, url = start_hello()
        try:
            for name in names:
                try:
                    if name in trouble:
                        raise RuntimeError(trouble[name])
                    with running(name, options, scratch, row) as (server, start_s):
                        results[name] = measure(server, (hello.pid, url), options.slices)
                        results[name]["start_s"] = round(start_s, 2)
                except RuntimeError as error:
                    results[name] = {"trouble": str(error)}
                print(f"{name}: {results[name]}", file=sys.stderr, flush=True)
        finally:
            stop(hello)
    print(table(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    for line in missed(results):
        print(f"missed: {line}")
    raise SystemExit(1 if missed(results) else 0)


if __name__ == "__main__":
    main()
