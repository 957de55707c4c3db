"""Ask a server with `wrk`, and read what it costs from /proc."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

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
_TICKS = os.sysconf("SC_CLK_TCK")


class Slice(NamedTuple):
    """What one slice of load showed."""

    rate: float
    """Requests a second."""
    cpu_us: float
    """CPU time of the whole process tree of the server for each request."""
    p50_ms: float
    p99_ms: float


def write_script(folder: Path, name: str, path: str, body: Any, headers: dict[str, str] | None = None) -> Path:
    """Write what `wrk` sends."""
    script = folder / f"{name}.lua"
    lines = [f'wrk.headers["{key}"] = "{value}"' for key, value in (headers or {}).items()]
    text = json.dumps(body)
    script.write_text("\n".join(['wrk.method = "POST"', f'wrk.path = "{path}"', f"wrk.body = [==[{text}]==]", *lines]))
    return script


def tree(pid: int) -> list[int]:
    """List a process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting += parents.get(found[-1], [])
    return found


def cpu_seconds(pids: list[int]) -> float:
    """Return the CPU time that processes have used, user and system."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def memory_mb(pids: list[int]) -> float:
    """Return the resident memory of processes together."""
    texts = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
    return sum(int(found[1]) for text in texts if (found := re.search(r"VmRSS:\s+(\d+)", text))) / 1024


def slice_of(pid: int, url: str, script: Path | None, *, connections: int, seconds: int = 1) -> Slice:
    """Ask for `seconds`; fails if any answer is not 200."""
    pids = tree(pid)
    begin = cpu_seconds(pids)
    command = ["wrk", "-t1", "--latency", f"-c{connections}", f"-d{seconds}s"]
    command += [*(["-s", str(script)] if script else []), url]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    used = cpu_seconds(pids) - begin
    if "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(f"not all answers were good: {told}")
    n_requests = int(_find(r"(\d+) requests in", told))
    if not n_requests:
        raise RuntimeError(f"no request was answered in {seconds} s")
    return Slice(
        float(_find(r"Requests/sec:\s+([\d.]+)", told)), used / n_requests * 1e6, _ms("50%", told), _ms("99%", told)
    )


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"wrk told something unknown: {text}")
    return found[1]


def _ms(rank: str, text: str) -> float:
    found = re.search(rf"{rank}\s+([\d.]+)(us|ms|s)\b", text)
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]] if found else float("nan")


def start(
    command: list[str], *, env: dict[str, str] | None = None, cwd: Path | None = None, read: bool = True
) -> subprocess.Popen[str]:
    """Start a server in a process group of its own; with `read` the caller reads what it says."""
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE if read else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | (env or {}),
        cwd=cwd,
        start_new_session=True,
    )


def start_hello() -> tuple[subprocess.Popen[str], str]:
    """Start the limit: uvicorn that says `ok`."""
    process = start([sys.executable, "-c", HELLO])
    return process, first_line(process)


def first_line(process: subprocess.Popen[str]) -> str:
    """Return what the server says first."""
    if process.stdout is None:
        raise SystemExit("its output is not read")
    return process.stdout.readline().strip()


def told_url(process: subprocess.Popen[str]) -> str:
    """Return the URL that `palio serve --json` tells when it is ready.

    Raises:
        RuntimeError: it tells something else.
    """
    if process.stdout is None:
        raise RuntimeError("its output is not read")
    text = ""
    for line in process.stdout:
        text += line
        if line.rstrip().endswith("}"):
            break
    try:
        return str(json.loads(text)["url"])
    except (ValueError, KeyError):
        raise RuntimeError(f"palio serve does not start: {text.strip()}") from None


def stop(process: subprocess.Popen[str]) -> None:
    """End a server and all that it started."""
    pids = tree(process.pid)
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in pids:
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            continue
    if process.stdout is not None:
        process.stdout.close()
