"""What wide tables cost, verb by verb: wall clock, CPU and peak memory of whole processes.

    python benchmarks/wide/cycle.py [--columns 2000 --rows 500] [--budget 10] [--against 2] [--json FILE]

Every twentieth column is a category, the others are numbers; a few tell the answer. `--against 2` does the same with
half of the columns, and ends with exit status 1 if a verb costs more than 1.5 times what is linear in them, or if
`palio evaluate` takes more than its own budget (a fifth of the search's, at least 20 s) of CPU.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

PALIO = str(Path(sys.executable).with_name("palio"))
LIMIT, LEAST_CPU_S = 1.5, 4.0
"""A verb may cost so much more than in proportion; what is below so many seconds is mostly imports."""


def write(path: Path, n_columns: int, n_rows: int) -> None:
    """Write the table as CSV."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(1)
    numbers = rng.normal(size=(n_rows, n_columns)).round(3)
    columns: dict = {f"x{k}": numbers[:, k] for k in range(n_columns)}
    for k in range(0, n_columns, 20):
        columns[f"x{k}"] = rng.choice(list("abcde"), n_rows)
    signal = 3 * numbers[:, 1] + 2 * numbers[:, 2] + rng.normal(size=n_rows)
    pl.DataFrame({**columns, "y": np.where(signal > 0, "yes", "no")}).write_csv(path)


def timed(*arguments: str, allowed: tuple[int, ...] = (0,)) -> dict[str, float]:
    """Run a verb; return its seconds by the clock and of CPU, and its peak memory in MB."""
    probe = (
        "import json,resource,subprocess,sys,time; t=time.perf_counter();"
        "p=subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,stderr=subprocess.PIPE,text=True);"
        "u=resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(json.dumps([p.returncode,p.stderr[-500:],time.perf_counter()-t,u.ru_utime+u.ru_stime,u.ru_maxrss/1024]))"
    )
    command = [sys.executable, "-c", probe, PALIO, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    code, said, wall_s, cpu_s, peak_mb = json.loads(done.stdout)
    if code not in allowed:
        raise SystemExit(f"palio {' '.join(arguments)}: exit code {code}\n{said}")
    return {"wall_s": round(wall_s, 1), "cpu_s": round(cpu_s, 1), "peak_mb": round(peak_mb)}


def cycle(folder: Path, n_columns: int, n_rows: int, budget_s: float) -> dict[str, dict[str, float]]:
    """Take one table through the verbs."""
    table, project = folder / f"wide-{n_columns}.csv", folder / f"project-{n_columns}"
    write(table, n_columns, n_rows)
    where = ("--dir", str(project))
    return {
        "init": timed("init", str(table), "--target", "y", *where),
        "ingest": timed("ingest", *where),
        "split": timed("split", *where),
        "train": timed("train", *where, "--budget", f"{budget_s:g}"),
        "evaluate": timed("evaluate", *where),
        "promote": timed("promote", *where, allowed=(0, 4)),  # 4: the gate said no, which is an answer
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--budget", type=float, default=10.0)
    parser.add_argument("--against", type=float, default=0.0)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = {asked.columns: cycle(Path(scratch), asked.columns, asked.rows, asked.budget)}
        if asked.against:
            n_fewer = round(asked.columns / asked.against)
            found[n_fewer] = cycle(Path(scratch), n_fewer, asked.rows, asked.budget)
    broken = []
    for n_columns, verbs in found.items():
        print(f"{n_columns:,} columns, {asked.rows:,} rows, budget {asked.budget:g} s")
        for verb, cost in verbs.items():
            print(f"  {verb:9s} {cost['wall_s']:7.1f} s  {cost['cpu_s']:7.1f} CPU s  {cost['peak_mb']:6,.0f} MB")
        if verbs["evaluate"]["cpu_s"] > max(20.0, 0.2 * asked.budget):
            broken.append(f"evaluate of {n_columns:,} columns took {verbs['evaluate']['cpu_s']} CPU s")
    if asked.against:
        many, fewer = found.values()
        for verb in many.keys() & fewer.keys() - {"train"}:  # a search takes what it is given
            ratio = many[verb]["cpu_s"] / max(fewer[verb]["cpu_s"], LEAST_CPU_S / asked.against)
            if many[verb]["cpu_s"] > LEAST_CPU_S and ratio > LIMIT * asked.against:
                broken.append(f"{verb} costs {ratio:.1f} times as much for {asked.against:g} times the columns")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2))
    print("\n".join(broken) or "within the limits")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
