"""Measure what a person waits for before anything happens; exits 1 if a limit is broken.

    python benchmarks/cli/bench.py [--install]

`--install` also installs the core (no extras) into a fresh environment and adds up its size.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REPEATS = 15


def seconds(*command: str) -> float:
    """Return the median wall time of a command over the repeats."""
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def ledger_seconds() -> tuple[float, float]:
    """Return the time to create a first ledger, and the median time of a write with full sync."""
    from palio.store import open_store

    with tempfile.TemporaryDirectory() as warm, open_store(Path(warm)):
        pass  # imports are counted elsewhere
    first, writes = [], []
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            store = open_store(Path(folder))
            first.append(time.perf_counter() - start)
            with store:
                for number in range(20):
                    start = time.perf_counter()
                    store.ledger.append("benchmark.line", str(number), "a line")
                    writes.append(time.perf_counter() - start)
    return statistics.median(first), statistics.median(writes)


def core_install_mb() -> float:
    """Install the core into a fresh environment and return what that added, in MB."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        before = _size(Path(folder))
        pip = str(Path(folder) / "bin" / "pip")
        subprocess.run([pip, "install", "-q", "-c", str(ROOT / "constraints.txt"), str(ROOT)], check=True)
        return (_size(Path(folder)) - before) / 1e6


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--install", action="store_true")
    install = parser.parse_args().install
    palio = str(Path(sys.executable).with_name("palio"))
    bare = seconds(sys.executable, "-c", "pass")
    first, write = ledger_seconds()
    rows = [
        ("python -c pass (the limit)", bare, 1.0, "s"),
        ("palio --version", seconds(palio, "--version"), 0.15, "s"),
        ("palio --help", seconds(palio, "--help"), 0.25, "s"),
        ("first ledger", first, 0.050, "s"),
        ("a ledger write, full sync", write, 0.003, "s"),
    ]
    if install:
        rows.append(("core install", core_install_mb(), 60.0, "MB"))
    for name, value, limit, unit in rows:
        print(f"{name:28} {value:9.4f} {unit}   limit {limit:g} {unit}   {'ok' if value < limit else 'TOO MUCH'}")
    return int(any(value >= limit for _, value, limit, _ in rows))


if __name__ == "__main__":
    sys.exit(main())
