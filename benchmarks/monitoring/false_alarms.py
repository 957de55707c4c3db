"""How often whole reviews alarm where nothing is wrong: rows of real tables, drawn again and again.

    python benchmarks/monitoring/false_alarms.py FOLDER [--sets bank,adult] [--sizes 300,1000] [--trials 120] [--show]
    python benchmarks/monitoring/false_alarms.py FOLDER --sets regions:region,adult:sex,bank:marital --sizes 1000,5000

FOLDER holds `tabular/`. Half of each table, drawn at random, trains a champion; the other half is what it is asked
about. A review looks at six windows of so many rows each, drawn with replacement: of the first four most labels have
come, late and at random. A column behind the name of a set makes segments, which differ by nature: each is judged
beside all rows. Whatever a review finds is a false alarm. Exit status 1 if more than 5 % of the reports show
anything, more than 1 % a page, or more than 1 % of the columns are flagged.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
LIMITS = {"reports": 0.05, "pages": 0.01, "columns": 0.01}
SIZES = (300, 1_000, 5_000, 50_000)


def main() -> None:
    from tests.monitor.calm import Tally, calm_review, calm_world

    told = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    told.add_argument("folder", type=Path)
    told.add_argument("--sets", default="bank,adult")
    told.add_argument("--sizes", default=",".join(map(str, SIZES)))
    told.add_argument("--trials", type=int, default=120)
    told.add_argument("--splits", type=int, default=3, help="champions of each table, each of another half")
    told.add_argument("--first", type=int, default=0, help="seed of the first trial")
    told.add_argument("--budget", type=int, default=20, help="seconds that a champion is trained for")
    told.add_argument("--keep", type=Path, help="folder that champions are kept in")
    told.add_argument("--show", action="store_true", help="print each finding")
    asked = told.parse_args()
    print(
        "| set | rows a window | reports | with a finding | with a page | columns flagged | windows by kind | CPU s |"
    )
    print("|---|---|---|---|---|---|---|---|")
    whole = Tally()
    with tempfile.TemporaryDirectory() as scratch:
        for said in asked.sets.split(","):
            name, _, segments = said.partition(":")
            kept = asked.keep or Path(scratch)
            worlds = [
                calm_world(name, asked.folder, kept / f"{name}-{seed}", seed=seed, budget_s=asked.budget)
                for seed in range(asked.splits)
            ]
            for size in map(int, asked.sizes.split(",")):
                tally, began = Tally(), time.process_time()
                for seed in range(asked.first, asked.first + asked.trials):
                    found = calm_review(
                        worlds[seed % asked.splits], size, seed, segments=tuple(filter(None, segments.split("+")))
                    )
                    for part in (tally, whole):
                        part.add(found)
                    if asked.show:
                        for line in shown(found):
                            print(f"  {name} {size} {seed}: {line}", file=sys.stderr, flush=True)
                cpu_s = (time.process_time() - began) / asked.trials
                print(f"| {said} | {size:,} | {row(tally)} | {cpu_s:.1f} |", flush=True)
    print(f"| all | | {row(whole)} | |")
    broken = [name for name, limit in LIMITS.items() if getattr(whole, name) > limit]
    if broken:
        raise SystemExit(f"more than allowed: {', '.join(broken)}")


def row(tally) -> str:
    kinds = ", ".join(f"{kind} {share:.1%}" for kind, share in tally.kinds.items())
    return f"{tally.n_reports:,} | {tally.reports:.1%} | {tally.pages:.1%} | {tally.columns:.2%} | {kinds}"


def shown(found) -> Iterator[str]:
    newest = {one.id for one in found.findings}
    for one in (*found.findings, *found.earlier):
        where = "newest" if one.id in newest else "earlier"
        yield f"{where} {one.severity} {one.kind}: {one.reason} (p {one.p}, {one.n_windows} windows)"


if __name__ == "__main__":
    main()
