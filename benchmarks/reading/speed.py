"""CPU seconds to open, survey and ingest a clean CSV, beside those of another checkout in the same run.

    python benchmarks/reading/speed.py [--rows 1000000] [--against PATH_OF_ANOTHER_CHECKOUT] [--rounds 3]

Prints the minimum of the rounds for each, and their ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT = 1.15
HERE = Path(__file__).resolve().parents[2]


def write(path: Path, n_rows: int) -> None:
    import numpy as np
    import polars as pl

    chance = np.random.default_rng(0)
    days = np.sort(chance.integers(0, 900, n_rows)).astype("timedelta64[D]")
    pl.DataFrame(
        {
            "price": chance.normal(size=n_rows).round(4),
            "count": chance.integers(0, 1000, n_rows),
            "colour": chance.choice(["red", "green", "blue"], n_rows),
            "shop": chance.choice([f"k{i}" for i in range(300)], n_rows),
            "area": chance.uniform(0, 1e6, n_rows).round(2),
            "open": chance.integers(0, 2, n_rows).astype(bool),
            "day": np.datetime64("2020-01-01") + days,
            "wait": chance.exponential(size=n_rows),
            "name": [f"u{i * 7919 % 1000003}" for i in range(n_rows)],
            "y": chance.choice(["no", "yes"], n_rows),
        }
    ).write_csv(path)


def measure(path: str) -> None:
    from palio import data, store

    start = time.process_time()
    source = data.open_source(path)
    opened = time.process_time()
    survey = data.survey(source, target="y")
    surveyed = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        cellar = store.open_store(Path(folder))
        snapshot = data.ingest(source, store=cellar, schema=survey.schema)
        cellar.close()
    end = time.process_time()
    steps = {"open": opened - start, "survey": surveyed - opened, "ingest": end - surveyed, "all": end - start}
    print(json.dumps({"snapshot": snapshot.id[:12], **steps}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--against", type=Path, default=None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        measure(given.one)
        return
    checkouts = [HERE, *([given.against.resolve()] if given.against else [])]
    least: dict[Path, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "clean.csv"
        write(table, given.rows)
        for _ in range(given.rounds):
            for checkout in checkouts:  # by turns: what disturbs one disturbs the other
                env = {**os.environ, "PYTHONPATH": str(checkout / "src")}
                told = subprocess.run(
                    [sys.executable, __file__, "--one", str(table)], env=env, capture_output=True, text=True, check=True
                )
                found = json.loads(told.stdout)
                name = found.pop("snapshot")
                before = least.setdefault(checkout, found)
                least[checkout] = {step: min(before[step], s) for step, s in found.items()}
    for checkout, steps in least.items():
        print(f"{'here' if checkout == HERE else 'other'}: " + ", ".join(f"{k} {v:.2f} s" for k, v in steps.items()))
    if given.against:
        here, other = least[checkouts[0]], least[checkouts[1]]
        print("here ÷ other: " + ", ".join(f"{step} {here[step] / other[step]:.2f}" for step in here))
    print(f"snapshot {name}")
    if given.against and here["all"] > LIMIT * other["all"]:
        sys.exit(f"over the limit of {LIMIT} times")


if __name__ == "__main__":
    main()
