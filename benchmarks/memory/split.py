"""Measure time and peak memory of cuts over generated rows × 10 columns: by content, by id, coarse, and in time.

    python benchmarks/memory/split.py --rows 2000000 [--limit-mb 1500]

The table is written and ingested first, by other processes, so that their memory does not count. Exit status 1 above
the limit.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

from ingest import write_table


def ingest(path: str, folder: str) -> None:
    from palio import data
    from palio.store import open_store

    with open_store(Path(folder)) as store:
        source = data.open_source(path)
        data.ingest(source, store=store, schema=data.survey(source, target="y").schema)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--limit-mb", type=float, default=1_500.0)
    parser.add_argument("--folder", type=Path, default=None, help="where to write; a temporary folder if absent")
    arguments = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = str(Path(folder) / "table.parquet")
        for work in (spawn.Process(target=write_table, args=(path, arguments.rows)),
                     spawn.Process(target=ingest, args=(path, folder))):  # fmt: skip
            work.start()
            work.join()
        result = measure(Path(folder))
    peak_mb = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps({"rows": arguments.rows, **result, "peak_mb": peak_mb, "limit_mb": arguments.limit_mb}))
    return int(peak_mb > arguments.limit_mb)


def measure(folder: Path) -> dict[str, object]:
    import msgspec

    from palio import split
    from palio.core.records import Snapshot, Task
    from palio.store import open_store

    task = Task(kind="classification", target="y", classes=("no", "yes"))
    cpu_seconds, counts, peaks = {}, {}, {}  # the peak is the highest so far
    with open_store(folder) as store:
        (snapshot,) = store.records.all(Snapshot)
        coarse = tuple(c for c in snapshot.schema.columns if c.name in ("job", "visits", "y"))
        cases: dict[str, dict[str, object]] = {
            "by all columns": {},
            "by id": {"id": "customer_id"},
            "by few different rows": {"columns": coarse},
            "in time": {"id": "customer_id", "time": ("since",)},
        }
        for name, how in cases.items():
            schema = msgspec.structs.replace(snapshot.schema, **{"id": None, "time": (), **how})
            began = time.process_time()
            parts = split.cut(store, msgspec.structs.replace(snapshot, schema=schema), task=task)
            cpu_seconds[name] = round(time.process_time() - began, 1)
            counts[name] = parts.counts
            peaks[name] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return {"cpu_seconds": cpu_seconds, "counts": counts, "peaks_mb": peaks}


if __name__ == "__main__":
    raise SystemExit(main())
