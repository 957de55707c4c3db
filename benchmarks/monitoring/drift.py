"""What it costs to compare what was served with what a model was trained on, beside Evidently's DataDriftPreset.

    python benchmarks/monitoring/drift.py [--rows 1000000] [--peers FOLDER] [--times 20] [--alarms]

30 columns (20 numbers, 10 categories) of which 8 have moved. Palio reads the prediction log, or the Parquet file, in
batches and holds it against a stored reference; Evidently reads both Parquet files, as it must. `--peers` is a folder
that Evidently is installed into, in an environment of its own. `--times` reads the log that often: does memory grow?
`--alarms` counts false alarms and what is found, in windows of different sizes. CPU and memory are those of whole
processes, imports included. Exit status 1 if a limit is broken.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
LIMITS = {"cpu": 50.0, "memory": 8.0}
CHUNK = 32_768
MODEL, BUNDLE = "thirty", "ab" * 32
WINDOWS = (100, 500, 1_000, 5_000)
N_TRIALS = 10
EVIDENTLY = Path(__file__).with_name("evidently_peer.py")


def write(folder: Path, n_rows: int) -> None:
    """Write both tables as Parquet, the second one as a prediction log, too, and the reference."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tests.monitor.populations import reference_of, thirty_columns

    for number, name in enumerate(("reference", "current")):
        table = thirty_columns(np.random.default_rng(number), n_rows, has_drift=name == "current")
        for hidden in ("n3", "n4"):
            table[hidden] = np.where(np.random.default_rng(9).random(n_rows) < 0.02, np.nan, table[hidden])
        pq.write_table(pa.table(table), folder / f"{name}.parquet", row_group_size=CHUNK)
        if name == "reference":
            import msgspec

            (folder / "reference.json").write_bytes(msgspec.json.encode(reference_of(table)))
        else:
            write_log(folder / "log", table, n_rows)


def write_log(folder: Path, table: dict, n_rows: int) -> None:
    """Write a prediction log as the server does, one row a request."""
    import numpy as np

    from palio.store import PredictionLog
    from palio.store.arrow import BatchLayout, Field, same_text, text_of, values_of
    from palio.store.predictions import COMMON_FIELDS, Series

    kinds = {name: "text" if values.dtype == object else "float64" for name, values in table.items()}
    fields = [*COMMON_FIELDS, *(Field(f"input.{name}", kind) for name, kind in kinds.items())]
    series = Series(MODEL, "answers", BUNDLE[:12], BatchLayout(fields))
    same = {"model": MODEL, "version": "1", "bundle": BUNDLE, "role": "champion", "caller": "ann", "route": "infer"}
    with PredictionLog(folder) as log:
        for start in range(0, n_rows, CHUNK):
            n = min(CHUNK, n_rows - start)
            now = np.full(n, time.time_ns() // 1_000, np.int64)
            numbers = {"at": now, "status": np.full(n, 200), "latency_us": np.full(n, 900.0), "n_rows": np.ones(n)}
            columns = []
            for field in COMMON_FIELDS:
                if field.name in numbers:
                    columns.append(values_of(numbers[field.name], field.type))
                elif field.name == "id":
                    columns.append(text_of([f"9f0c1b2a77d4e610-{start + row:x}.0" for row in range(n)]))
                else:
                    columns.append(same_text(same.get(field.name, ""), n))
            for name, kind in kinds.items():
                some = table[name][start : start + n]
                columns.append(text_of(some.tolist()) if kind == "text" else values_of(some, kind))
            log.append(series, n, columns)


def palio(folder: Path, source: str, times: int) -> dict:
    """Count a window and judge it."""
    import datetime as dt

    import msgspec

    from palio.core.monitoring import Reference
    from palio.monitor import WindowBuilder, drift_findings, drift_of, input_findings

    reference = msgspec.json.decode((folder / "reference.json").read_bytes(), type=Reference)
    since = dt.datetime(2026, 5, 4, tzinfo=dt.UTC)
    builder = WindowBuilder(reference, model=MODEL, bundle=BUNDLE, version=1, since=since, until=since)
    for _ in range(times):
        for batch in from_log(folder) if source == "log" else from_parquet(folder):
            builder.add(batch)
    window = builder.finish()
    drifts = drift_of(reference, window, min_rows=200)
    told = drift_findings(window, drifts) + input_findings(reference, window, min_rows=200)
    return {"rows": window.n_rows, "drifted": sorted(d.column for d in drifts if d.drifted), "findings": len(told)}


def from_log(folder: Path):
    from palio.store import scan_log

    return scan_log(folder / "log", MODEL)


def from_parquet(folder: Path):
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(folder / "current.parquet", memory_map=False, pre_buffer=False).iter_batches(
        CHUNK, use_threads=False
    ):
        one = pa.Table.from_batches([batch])
        cells = {f"input.{name}": one[name].to_numpy() for name in one.column_names}
        n = len(one)
        yield {**cells, "bundle": np.full(n, BUNDLE, object), "n_rows": np.ones(n, np.int32)}


def measured(command: list[str], **environment: str) -> dict:
    """Run a command; return the JSON that it prints, with CPU seconds and peak memory of the process."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **environment})
    output, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{command[1]} failed")
    found = json.loads(output.decode().strip().splitlines()[-1])
    return {**found, "wall_s": round(time.perf_counter() - began, 1)}


def own(*arguments: str) -> dict:
    return measured([sys.executable, __file__, *arguments])


def used() -> dict:
    """Return what this process has used so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu_s": round(usage.ru_utime + usage.ru_stime, 2), "peak_mb": round(usage.ru_maxrss / 1024)}


def peer(folder: Path) -> str:
    """Install Evidently once; return its Python."""
    python = folder / "evidently" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder / "evidently")], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "evidently", "pandas<3"], check=True)
    return str(python)


def alarms(folder: Path, python: str | None) -> None:
    """Print what is flagged in windows with and without drift, against 10,000 reference rows."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from palio.monitor import drift_of
    from tests.monitor.populations import DRIFTED, places_in, reference_of, thirty_columns, window_of

    jobs = [(n_rows, trial, moved) for n_rows in WINDOWS for moved in (False, True) for trial in range(N_TRIALS)]
    flagged: dict[str, list[set[str]]] = {"palio": [], "evidently": []}
    table = thirty_columns(np.random.default_rng(1), 10_000)
    pq.write_table(pa.table(table), folder / "reference.parquet")
    reference = reference_of(table, in_time_order=True)
    for number, (n_rows, _, moved) in enumerate(jobs):
        some = thirty_columns(np.random.default_rng(100 + number), n_rows, has_drift=moved)
        pq.write_table(pa.table(some), folder / f"{number:04}.parquet")
        window = window_of(reference, places_in(reference, some))
        flagged["palio"].append({d.column for d in drift_of(reference, window, min_rows=100) if d.drifted})
    if python:
        found = measured([python, str(EVIDENTLY), str(folder), "many"], DO_NOT_TRACK="1")
        flagged["evidently"] = [set(names) for names in found["flagged"]]
    for tool, sets in flagged.items():
        for n_rows in WINDOWS if sets else ():
            of = {moved: [s for s, job in zip(sets, jobs, strict=True) if job[0] == n_rows and job[2] == moved]
                  for moved in (False, True)}  # fmt: skip
            wrong = sum(len(one) for one in of[False]) / N_TRIALS / 30
            reports = sum(bool(one) for one in of[False]) / N_TRIALS
            hit = sum(len(one & DRIFTED) for one in of[True]) / N_TRIALS
            false = sum(len(one - DRIFTED) for one in of[True]) / N_TRIALS
            result = {"tool": tool, "window": n_rows, "false_columns": round(wrong, 4), "false_reports": reports,
                      "found_of_8": hit, "false_of_22": false}  # fmt: skip
            sys.stdout.write(json.dumps(result) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--peers", type=Path, help="where Evidently is, or is installed")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--alarms", action="store_true")
    parser.add_argument("--work", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        return work(*arguments.work)
    with tempfile.TemporaryDirectory() as folder:
        python = peer(arguments.peers) if arguments.peers else None
        if arguments.alarms:
            alarms(Path(folder), python)
            return 0
        return compare(folder, arguments.rows, arguments.times, python)


def compare(folder: str, n_rows: int, times: int, python: str | None) -> int:
    own("--work", "write", folder, str(n_rows))
    ours = {source: own("--work", source, folder, str(times)) for source in ("log", "parquet")}
    for source, result in ours.items():
        sys.stdout.write(json.dumps({"tool": f"palio, {source}", **result}) + "\n")
    if python is None:
        return 0
    theirs = measured([python, str(EVIDENTLY), folder, "one"], DO_NOT_TRACK="1")
    sys.stdout.write(json.dumps({"tool": "evidently", **theirs}) + "\n")
    ratios = {
        source: {
            "cpu": round(theirs["cpu_s"] / one["cpu_s"], 1),
            "memory": round(theirs["peak_mb"] / one["peak_mb"], 1),
        }
        for source, one in ours.items()
    }
    sys.stdout.write(json.dumps({"ratios": ratios, "limits": LIMITS}) + "\n")
    return int(any(one[name] < limit for one in ratios.values() for name, limit in LIMITS.items()))


def work(what: str, folder: str, number: str) -> int:
    """Do one part in a process of its own, so that what it uses can be measured."""
    if what == "write":
        write(Path(folder), int(number))
        result = {}
    else:
        result = palio(Path(folder), what, int(number))
    sys.stdout.write(json.dumps({**result, **used()}) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
