"""Measure time and peak memory of survey, ingest and description over generated rows × 10 columns.

    python benchmarks/memory/ingest.py --rows 2000000 [--format csv|parquet] [--limit-mb 1500]

The table is written first, by another process, so that its memory does not count. Exit status 1 above the limit.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path

PIECE_ROWS = 200_000


def write_table(path: str, n_rows: int) -> None:
    import numpy as np
    import polars as pl
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    rng = np.random.default_rng(0)
    writer = None
    for start in range(0, n_rows, PIECE_ROWS):
        n = min(PIECE_ROWS, n_rows - start)
        x, z = rng.normal(size=n).round(6), rng.exponential(100.0, n).round(2)
        frame = pl.DataFrame(
            {
                "customer_id": [f"C{i:09d}" for i in range(start, start + n)],
                "age": rng.integers(18, 95, n),
                "balance": z,
                "score": x,
                "rate": rng.random(n).round(8),
                "visits": rng.poisson(3, n),
                "job": rng.choice(["clerk", "nurse", "driver", "teacher", "engineer"], n),
                "city": rng.choice([f"city {i}" for i in range(500)], n),
                "since": (np.datetime64("2015-01-01") + rng.integers(0, 3_000, n)).astype(str),
                "y": np.where(x + rng.normal(size=n) > 1, "yes", "no"),
            }
        ).with_columns(pl.when(pl.int_range(n) % 50 == 7).then(None).otherwise(pl.col("balance")).alias("balance"))
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if writer is None:
            kind = pa.csv.CSVWriter if path.endswith(".csv") else pa.parquet.ParquetWriter
            writer = kind(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def resident_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


class Watch(threading.Thread):
    """Remember the highest resident memory of this process between two questions."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0.0

    def run(self) -> None:
        """Look fifty times a second."""
        while True:
            self.peak = max(self.peak, resident_mb())
            time.sleep(0.02)

    def take(self) -> float:
        """Return the peak in MB since the last question."""
        peak, self.peak = max(self.peak, resident_mb()), 0.0
        return round(peak)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--format", choices=["csv", "parquet"], default="csv")
    parser.add_argument("--limit-mb", type=float, default=1_500.0)
    parser.add_argument("--folder", type=Path, default=None, help="where to write; a temporary folder if absent")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = Path(folder) / f"table.{arguments.format}"
        process = multiprocessing.get_context("spawn").Process(target=write_table, args=(str(path), arguments.rows))
        process.start()
        process.join()
        result = measure(path, Path(folder), arguments.rows)
    peak_mb = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(result | {"peak_mb": peak_mb, "limit_mb": arguments.limit_mb}))
    return int(peak_mb > arguments.limit_mb)


def measure(path: Path, folder: Path, n_rows: int) -> dict[str, object]:
    from palio import data
    from palio.store import open_store

    watch = Watch()
    watch.start()
    seconds, cpu_seconds, peaks = {}, {}, {}

    def note(step: str, began: tuple[float, float]) -> None:
        seconds[step] = round(time.perf_counter() - began[0], 2)
        cpu_seconds[step] = round(time.process_time() - began[1], 2)
        peaks[step] = watch.take()

    def now() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()

    with open_store(folder / "project") as store:
        began = now()
        source = data.open_source(path)
        note("open", began)
        began = now()
        schema = data.survey(source, target="y").schema
        note("survey", began)
        began = now()
        snapshot = data.ingest(source, store=store, schema=schema)
        note("ingest and describe", began)
        assert snapshot.n_rows == n_rows
        size_mb = round(path.stat().st_size / 1e6)
    return {
        "rows": n_rows,
        "file": path.suffix,
        "file_mb": size_mb,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "peaks_mb": peaks,
    }


if __name__ == "__main__":
    sys.exit(main())
