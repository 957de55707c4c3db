"""Install the servers that Palio is compared with, each into an environment of its own, and start them.

python benchmarks/serving/peers.py --into FOLDER        # four environments, 2.5 GB, some minutes
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from load import start, stop, write_script

SERVERS = Path(__file__).parent / "peer_servers"
RUNTIME = "onnxruntime==1.31.1"


class Running(NamedTuple):
    """A peer that answers."""

    process: subprocess.Popen[str]
    url: str
    script: Path


class Peer(NamedTuple):
    """One server of others: what to install, how to start it, what to ask."""

    packages: tuple[str, ...]
    command: Callable[[Path, Path, int], tuple[list[str], Path | None]]
    """From the folder of the environment, a scratch folder and a port to a command and its working folder."""
    path: str
    body: Callable[[list[float]], Any]
    env: dict[str, str] = {}  # noqa: RUF012 - never changed


def oip(row: list[float]) -> dict[str, Any]:
    """Write one row as a request of the Open Inference Protocol."""
    return {"inputs": [{"name": "x", "shape": [1, len(row)], "datatype": "FP32", "data": row}]}


def _mlserver(env: Path, scratch: Path, port: int) -> tuple[list[str], Path | None]:
    settings = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": free_port(),
        "metrics_endpoint": None,
        "parallel_workers": 0,
        "debug": False,
    }
    folder = scratch / "mlserver"
    folder.mkdir(exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(settings))
    model = {"name": "bench", "implementation": "mlserver_model.OnnxModel"}
    (folder / "model-settings.json").write_text(json.dumps(model))
    return [str(env / "bin" / "mlserver"), "start", str(folder)], None


def _litserve(env: Path, _: Path, port: int) -> tuple[list[str], Path | None]:
    return [str(env / "bin" / "python"), str(SERVERS / "litserve_server.py"), str(port)], None


def _bentoml(env: Path, _: Path, port: int) -> tuple[list[str], Path | None]:
    bind = ["--host", "127.0.0.1", "--port", str(port)]
    return [str(env / "bin" / "bentoml"), "serve", "bentoml_service:Bench", *bind], SERVERS


def _mlflow(env: Path, scratch: Path, port: int) -> tuple[list[str], Path | None]:
    folder = scratch / "mlflow"
    if not folder.exists():
        save = [str(env / "bin" / "python"), str(SERVERS / "mlflow_model.py"), str(folder)]
        subprocess.run(save, check=True, capture_output=True, env=os.environ | {"BENCH_MODEL": str(scratch / "m.onnx")})
    bind = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    serve = [str(env / "bin" / "mlflow"), "models", "serve", "-m", str(folder), "--env-manager", "local", *bind]
    return serve, scratch


PEERS = {
    "mlserver": Peer(("mlserver==1.7.1", RUNTIME), _mlserver, "/v2/models/bench/infer", oip),
    "bentoml": Peer(("bentoml==1.4.39", RUNTIME), _bentoml, "/infer", oip, {"BENTOML_DO_NOT_TRACK": "true"}),
    "litserve": Peer(("litserve==0.2.19", RUNTIME), _litserve, "/predict", oip),
    "mlflow": Peer(
        ("mlflow==3.17.2", "onnx==1.23.2", RUNTIME), _mlflow, "/invocations", lambda row: {"inputs": {"x": [row]}}
    ),
}


def install(folder: Path) -> dict[str, str]:
    """Install every peer below `folder`; what is there already stays. Returns why one could not be."""
    trouble = {}
    for name, peer in PEERS.items():
        env = folder / name
        if (env / "installed").exists():
            continue
        try:
            subprocess.run([sys.executable, "-m", "venv", str(env)], check=True, capture_output=True, text=True)
            pip = [str(env / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            subprocess.run([*pip, *peer.packages], check=True, capture_output=True, text=True)
            (env / "installed").touch()
        except subprocess.CalledProcessError as error:
            lines = error.stderr.strip().splitlines() or ["no reason given"]
            trouble[name] = f"cannot be installed: {lines[-1]}"
    return trouble


def start_peer(name: str, environments: Path, scratch: Path, row: list[float]) -> Running:
    """Start a peer and wait for its first right answer (at most a minute).

    Raises:
        RuntimeError: it does not answer.
    """
    peer = PEERS[name]
    port = free_port()
    env = {"BENCH_MODEL": str(scratch / "m.onnx"), "PYTHONPATH": str(SERVERS), **peer.env}
    env["PATH"] = f"{environments / name / 'bin'}:{os.environ['PATH']}"
    env["OMP_NUM_THREADS"] = "1"
    command, cwd = peer.command(environments / name, scratch, port)
    process = start(command, env=env, cwd=cwd, read=False)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for_answer(url + peer.path, peer.body(row), process)
    except RuntimeError:
        stop(process)
        raise
    script = write_script(scratch, name, peer.path, peer.body(row), {"content-type": "application/json"})
    return Running(process, url, script)


def wait_for_answer(
    url: str,
    body: Any,
    process: subprocess.Popen[str],
    *,
    seconds: float = 60,
    headers: dict[str, str] | None = None,
) -> None:
    """Ask until 200.

    Raises:
        RuntimeError: it ended, or has not answered in time.
    """
    import httpx

    end, last = time.monotonic() + seconds, "nothing"
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"it ended with exit code {process.returncode}")
        try:
            answer = httpx.post(url, json=body, headers=headers, timeout=10)
            if answer.status_code == 200:
                return
            last = f"{answer.status_code} {answer.text[:200]}"
        except httpx.HTTPError as error:
            last = repr(error)
        time.sleep(0.1)
    raise RuntimeError(f"no answer in {seconds:.0f} s; last: {last}")


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--into", type=Path, required=True)
    told = install(parser.parse_args().into)
    print(json.dumps(told, indent=2) if told else "all peers are installed")
