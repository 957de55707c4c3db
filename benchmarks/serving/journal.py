"""What the prediction log costs: adding an entry, writing a row, and waiting for the disk under fsync.

CPU is that of the thread that works. `--folder` chooses the disk. The encoder is compared with nanoarrow where that is
installed: same 42 columns, same bytes out.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from palio import store
from palio.core.config import LogTable
from palio.core.records import Deployment, TensorSpec
from palio.serve import Entry, Journal, origin_of

N_ROWS = 20_000
REPEATS = 5
LIMITS = {"add": 2.0, "write": 5.0}
SHAPES = {
    "one tensor of 30 floats": [("x", "FP32", 30)],
    "30 float columns": [(f"f{i}", "FP64", 1) for i in range(30)],
    "20 columns, half of them texts": [(f"f{i}", "BYTES" if i % 2 else "FP64", 1) for i in range(20)],
}


def example(shape: str):
    """Build the origin, feeds and outputs of a single-row request."""
    specs = [TensorSpec(name=name, datatype=kind, shape=(-1, width)) for name, kind, width in SHAPES[shape]]
    types = {"FP32": np.float32, "FP64": np.float64}
    feeds = {
        name: np.array([["management"]], object) if kind == "BYTES" else np.ones((1, width), types[kind])
        for name, kind, width in SHAPES[shape]
    }
    answers = [
        TensorSpec(name="prediction", datatype="BYTES", shape=(-1,)),
        TensorSpec(name="probabilities", datatype="FP64", shape=(-1, 2)),
    ]
    outputs = {"prediction": np.array(["yes"], object), "probabilities": np.array([[0.25, 0.75]])}
    return origin_of(Deployment(model="bank", version=3, bundle="ab" * 32), specs, answers), feeds, outputs


def entry(number: int, origin, feeds, outputs) -> Entry:
    return Entry(f"9f0c1b2a77d4e610-{number:x}", time.time_ns(), origin, "ann", "infer", feeds=feeds, outputs=outputs,
                 latency_s=1e-4, decision="d-1a2b3c", size_bytes=686)  # fmt: skip


def cpu_us(work) -> float:
    begin = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - begin) / 1e3


def per_row(folder: Path, shape: str) -> tuple[float, float, float]:
    """CPU µs to add one row, to write one, and its bytes on disk; the median of some repeats."""
    parts = example(shape)
    adds, writes, size = [], [], 0
    for turn in range(REPEATS):
        journal = Journal(folder / f"{shape}-{turn}", "bank", LogTable())
        adds.append(cpu_us(lambda j=journal: [j.add(entry(i, *parts)) for i in range(N_ROWS)]) / N_ROWS)
        writes.append(cpu_us(journal.flush) / N_ROWS)
        journal.close()
        size = sum(path.stat().st_size for path in store.log_segments(journal.folder, "bank"))
    return statistics.median(adds), statistics.median(writes), size / N_ROWS


async def commits(folder: Path, waiting: int, seconds: float = 2.0):
    """Rows a second, latency p50 and p99 in ms, CPU µs per row, rows per commit, with so many requests at once."""
    journal = Journal(folder, "bank", LogTable(durability="fsync"))
    journal.start(asyncio.get_running_loop())
    parts, times = example("one tensor of 30 floats"), []
    until = time.perf_counter() + seconds

    async def client(number: int) -> None:
        while (begin := time.perf_counter()) < until:
            assert await journal.add(entry(number, *parts))
            times.append(time.perf_counter() - begin)

    cpu = time.process_time()
    await asyncio.gather(*(client(number) for number in range(waiting)))
    cpu = time.process_time() - cpu
    await asyncio.to_thread(journal.close)
    ms = sorted(1e3 * t for t in times)
    n = len(ms)
    return n / seconds, ms[n // 2], ms[n * 99 // 100], cpu / n * 1e6, n / journal.figures().commits


def encoders() -> None:
    """Compare our encoder with nanoarrow: CPU µs for a batch of 30 float and 12 text columns."""
    fields = [store.Field(f"f{i}", "float64") for i in range(30)] + [store.Field(f"t{i}", "text") for i in range(12)]
    layout = store.BatchLayout(fields)
    for n_rows in (1, 32, 512):
        columns = [store.values_of(np.ones(n_rows), "float64")] * 30 + [store.same_text("abc", n_rows)] * 12
        ours = statistics.median(cpu_us(lambda c=columns, n=n_rows: layout.encode(n, c)) for _ in range(500))
        print(f"  batch of {n_rows:3d} rows: {ours:6.0f} µs", end="")
        try:
            import nanoarrow as na
            from nanoarrow.ipc import StreamWriter
        except ImportError:
            print("   (nanoarrow is not installed)")
            continue
        kinds = {field.name: na.float64() if field.type == "float64" else na.string() for field in fields}
        schema, sink = na.c_schema(na.struct(kinds)), io.BytesIO()
        writer = StreamWriter.from_writable(sink)

        def theirs(columns=columns, n_rows=n_rows, kinds=kinds, schema=schema, writer=writer) -> None:
            children = [
                na.c_array_from_buffers(kind, n_rows, [None, *buffers], null_count=0, validation_level="none")
                for kind, buffers in zip(kinds.values(), columns, strict=True)
            ]
            batch = na.c_array_from_buffers(schema, n_rows, [], children=children, validation_level="none")
            writer.write_stream(batch)

        theirs()
        print(f"   nanoarrow {statistics.median(cpu_us(theirs) for _ in range(100)):6.0f} µs")


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--folder", help="where to write (default: the folder for temporary files)")
    broken = False
    with tempfile.TemporaryDirectory(dir=options.parse_args().folder) as folder:
        print(f"CPU µs per row, single-row requests (limits: add {LIMITS['add']}, write {LIMITS['write']})")
        for shape in SHAPES:
            add, write, size = per_row(Path(folder), shape)
            broken |= add > LIMITS["add"] or write > LIMITS["write"]
            print(f"  {shape:32} add {add:.2f}   write {write:.2f}   {size:.0f} bytes on disk")
        print("durability = fsync")
        for waiting in (1, 8, 32, 128):
            rate, p50, p99, cpu, rows = asyncio.run(commits(Path(folder) / str(waiting), waiting))
            print(f"  {waiting:3d} at once: {rate:7.0f} rows/s   p50 {p50:.2f} ms   p99 {p99:.2f} ms   "
                  f"CPU {cpu:.0f} µs/row   {rows:.1f} rows/commit")  # fmt: skip
        print("encoder, 42 columns, CPU")
        encoders()
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
