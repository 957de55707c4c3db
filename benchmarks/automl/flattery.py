"""Does the search flatter itself? What it says of the chosen candidate, against 20,000 rows that it never saw.

    python benchmarks/automl/flattery.py [--tables 40] [--budget 10] [--first 0] [--json FILE]

Made tables from fixed seeds: two classes, three classes, values; 150 to 2,000 rows, 4 to 30 columns, easy to hopeless.
Each goes through `data.ingest`, `split.cut` and `train.search`. Then the cross-validated score of the chosen candidate
is held against the score of its bundle on fresh rows of the same kind: positive where the search said more than is
true. Units are standard errors: of the score over as many rows as the search could score (that of the fresh rows,
scaled; what the goal is about), and that which the search gave, where it gave one. Exit status 1 if the mean over all
tables is further from 0 than half a standard error.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

LIMIT = 0.5
N_FRESH = 20_000
KINDS = ("two classes", "three classes", "values")
NOISE = {"easy": 0.2, "fair": 1.0, "hard": 3.0, "hopeless": math.inf}
"""Standard deviation of what no column tells, in units of what they do."""


@dataclass(frozen=True)
class Made:
    """One table, and how much more of it can be drawn."""

    kind: str
    noise: str
    n_rows: int
    n_columns: int
    draw: Callable[[int, int], pl.DataFrame]
    """From a number of rows and a seed."""


def make(seed: int) -> Made:
    """Think of a table: a few columns count, straight, in bends and in pairs; the others do not."""
    rng = np.random.default_rng([7, seed])
    kind, noise = KINDS[seed % 3], list(NOISE)[(seed // 3) % 4]
    n_rows = round(math.exp(rng.uniform(math.log(150), math.log(2_000))))
    n_columns = int(rng.integers(4, 31))
    n_outputs = 3 if kind == "three classes" else 1
    counts = rng.random(n_columns) < max(3 / n_columns, 0.4)
    straight = rng.normal(size=(n_columns, n_outputs)) * counts[:, None]
    bends = rng.normal(size=(n_columns, n_outputs)) * (counts & (rng.random(n_columns) < 0.3))[:, None]
    pairs = rng.permutation(n_columns)[: 2 * (n_columns // 4)].reshape(-1, 2)
    crossed = rng.normal(size=(len(pairs), n_outputs))
    rare, n_kinds = rng.uniform(-1.0, 1.0), int(rng.integers(2, 9))

    def signal(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return x @ straight + (np.abs(x) - 0.8) @ bends + (x[:, pairs[:, 0]] * x[:, pairs[:, 1]]) @ crossed

    scale = signal(rng.normal(size=(10_000, n_columns))).std(axis=0)

    def draw(n: int, draw_seed: int) -> pl.DataFrame:
        dice = np.random.default_rng([11, seed, draw_seed])
        x = dice.normal(size=(n, n_columns))
        level = NOISE[noise]
        told = signal(x) / scale
        blur = dice.normal(size=told.shape)
        latent = blur if math.isinf(level) else told + level * blur
        columns: dict[str, Any] = {f"x{place}": x[:, place] for place in range(1, n_columns)}
        edges = np.linspace(-1.5, 1.5, n_kinds - 1)
        columns["kind"] = [f"k{one}" for one in np.searchsorted(edges, x[:, 0])]
        if kind == "values":
            return pl.DataFrame(columns | {"y": latent[:, 0]})
        if kind == "two classes":
            return pl.DataFrame(columns | {"y": np.where(latent[:, 0] > rare, "yes", "no")})
        return pl.DataFrame(columns | {"y": np.array(["red", "green", "blue"])[latent.argmax(axis=1)]})

    return Made(kind, noise, n_rows, n_columns, draw)


@dataclass(frozen=True)
class Told:
    """What the search said of one table, and what was true."""

    seed: int
    kind: str
    noise: str
    n_rows: int
    family: str
    metric: str
    said: float
    error: float | None
    """Standard error that the search gave."""
    true: float
    row_error: float
    """Standard error of a score on the rows of the training part."""
    flattery: float
    """(said - true) / row_error, positive where the search promised too much; 0 where every row tells the same."""
    own_flattery: float | None
    """(said - true) / error; None where the search gave no error, or none above 0."""


def look(seed: int, budget_s: float, **changes: Any) -> Told:
    """Take one table through the verbs."""
    from palio import data, evaluate, measure, model, split, train
    from palio.store import open_store

    made = make(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        made.draw(made.n_rows, 0).write_csv(path)
        with open_store(Path(folder)) as store:
            snapshot = data.ingest(data.open_source(path), store=store, target="y")
            task = data.infer_task(store, snapshot)
            parts = split.cut(store, snapshot, task=task, policy="cv")
            found = train.search(store, snapshot, parts, task=task, budget_s=budget_s, **changes)
            chosen = next(run for run in found.runs if run.id == found.chosen)
            bundle = model.load(store, found.bundle)
            fresh = evaluate.score(bundle, made.draw(N_FRESH, 1), part="test")
    said, error, true = chosen.cv_score, chosen.cv_error, fresh.metrics[found.metric]
    if said is None:
        raise SystemExit(f"table {seed}: the chosen {chosen.family} has no cross-validated score")
    row_error = (true.high - true.low) / (2 * 1.96) * math.sqrt(N_FRESH / parts.counts["train"])
    sign = 1.0 if measure.higher_is_better(found.metric) else -1.0
    more = sign * (said - true.value)
    return Told(
        seed=seed,
        kind=made.kind,
        noise=made.noise,
        n_rows=made.n_rows,
        family=chosen.family,
        metric=found.metric,
        said=said,
        error=error,
        true=true.value,
        row_error=row_error,
        flattery=more / row_error if row_error > 0 else 0.0,
        own_flattery=more / error if error else None,
    )


def table(told: list[Told]) -> str:
    """Write means over all tables, by kind and by noise."""
    lines = [
        "| tables | n | mean, standard errors | of the mean | median | in the search's own errors | without one |",
        "|---|---|---|---|---|---|---|",
    ]
    groups = {"all": told}
    groups |= {kind: [one for one in told if one.kind == kind] for kind in KINDS}
    groups |= {noise: [one for one in told if one.noise == noise] for noise in NOISE}
    groups |= {family: [one for one in told if one.family == family] for family in sorted({one.family for one in told})}
    for name, group in groups.items():
        values = [one.flattery for one in group]
        if not values:
            continue
        spread = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
        mean = statistics.mean(values)
        own = [one.own_flattery for one in group if one.own_flattery is not None]
        own_mean = f"{statistics.mean(own):+.2f}" if own else ""
        lines.append(
            f"| {name} | {len(values)} | {mean:+.2f} | ± {spread:.2f} | {statistics.median(values):+.2f} "
            f"| {own_mean} | {len(values) - len(own)} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Look at all tables, print what the searches promised."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tables", type=int, default=40)
    parser.add_argument("--first", type=int, default=0, help="seed of the first table")
    parser.add_argument("--budget", type=float, default=10.0, help="seconds of each search")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    told = []
    for seed in range(options.first, options.first + options.tables):
        told.append(look(seed, options.budget))
        print(json.dumps(asdict(told[-1])), file=sys.stderr, flush=True)
    print(table(told))
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in told], indent=1) + "\n")
    mean = statistics.mean(one.flattery for one in told)
    if abs(mean) > LIMIT:
        print(f"missed: the search is {mean:+.2f} standard errors from the truth, limit {LIMIT:g}")
    raise SystemExit(1 if abs(mean) > LIMIT else 0)


if __name__ == "__main__":
    main()
