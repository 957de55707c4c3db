"""Measure the ledger: first creation, one write with full sync, reopening, verifying; beside the disk's own fsync.

Run: python benchmarks/store/ledger.py [--url postgresql://…] [--lines 500]
Limits (SQLite): first ledger under 50 ms, a write under 3 ms. Exit code 1 if the median is over a limit.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from palio.store import open_store

LIMITS_MS = {"first_ledger_ms": 50.0, "write_ms": 3.0}


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--url", default="", help="an empty PostgreSQL database; SQLite if absent")
    arguments.add_argument("--lines", type=int, default=500)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as place:
        found = measure(Path(place), given.url, given.lines)
    over = [] if given.url else [name for name, limit in LIMITS_MS.items() if found[name] > limit]
    print(json.dumps({**found, "limits": LIMITS_MS, "over": over}, indent=2))
    return 1 if over else 0


def measure(place: Path, url: str, n_lines: int) -> dict[str, float]:
    open_store(place / "warm").close()  # imports and SQLAlchemy's own caches are not the ledger's cost
    creations = [0.0] * (1 if url else 9)
    for number in range(len(creations)):
        creations[number] = timed(lambda n=number: open_store(place / str(n), url=url).close())
    with open_store(place / "0", url=url) as store:
        writes = [timed(lambda: store.ledger.append("a.b", "x", "A line.", payload={"a": 1})) for _ in range(n_lines)]
        verify = timed(store.ledger.verify)
    reopened = [timed(lambda: open_store(place / "0", url=url).close()) for _ in range(9)]
    return {
        "first_ledger_ms": statistics.median(creations),
        "write_ms": statistics.median(writes),
        "write_p99_ms": statistics.quantiles(writes, n=100)[98],
        "fsync_ms": bare_fsync(place),
        "reopen_ms": statistics.median(reopened),
        "verify_ms_per_1000_lines": verify / n_lines * 1000,
    }


def bare_fsync(place: Path) -> float:
    with (place / "bare").open("wb", buffering=0) as file:

        def write() -> None:
            file.write(b"x" * 4096)
            os.fsync(file.fileno())

        return statistics.median(timed(write) for _ in range(100))


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


if __name__ == "__main__":
    sys.exit(main())
