"""Take tables at the edges of size through init, run and predict: what it costs, and whether LightGBM does better.

    python benchmarks/automl/edges.py [--cases classes,rows] [--budgets 10,60] [--kept FOLDER] [--json FILE]

Every table is made with scikit-learn, from a fixed seed. LightGBM learns from all rows that Palio is given, of
which Palio seals a fifth. Memory is that of the whole tree of processes, added up five times a second. Ends with exit
status 1 if a run fails, takes over 5 % (and over 2 s) more than its budget, or ends worse than LightGBM's defaults by
more than a tenth of what they gain over the constant answer.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
PALIO = str(Path(sys.executable).with_name("palio"))
MOST_TEST_ROWS = 20_000
LATE, LATE_S, WORSE = 1.05, 2.0, 0.1


class Table(NamedTuple):
    """Rows and their truth: class numbers, or values."""

    values: Array
    truth: Array
    is_class: bool


def _classes(n_rows: int, n_features: int, n_classes: int, **more: Any) -> Table:
    from sklearn.datasets import make_classification

    known = {"n_informative": min(n_features, 12), "n_redundant": 0, "n_clusters_per_class": 1, "random_state": 7}
    values, truth = make_classification(n_rows, n_features, n_classes=n_classes, **known | more)
    return Table(values, truth, True)


def digits() -> Table:
    """Ten classes that scikit-learn brings along."""
    from sklearn.datasets import load_digits

    told = load_digits()
    return Table(told.data, told.target, True)


def classes() -> Table:
    """200 classes, 8,000 rows."""
    return _classes(8_000, 20, 200, class_sep=2.0)


def rows() -> Table:
    """Two million rows of 20 columns."""
    return _classes(2_000_000, 20, 2, n_clusters_per_class=8, flip_y=0.05)


def values() -> Table:
    """Two million rows of Friedman's function, noise 1."""
    from sklearn.datasets import make_friedman1

    made, truth = make_friedman1(2_000_000, 20, noise=1.0, random_state=7)
    return Table(made, truth, False)


def columns() -> Table:
    """5,000 columns, 1,000 rows, of which a quarter is for the test."""
    return _classes(1_333, 5_000, 2, n_informative=30, flip_y=0.02)


def one() -> Table:
    """One column."""
    rng = np.random.default_rng(7)
    x = rng.uniform(-3, 3, size=(2_000, 1))
    return Table(x, np.sin(3 * x[:, 0]) + rng.normal(size=2_000) * 0.3, False)


def fifty() -> Table:
    """50 rows to learn from, 5,000 to be judged on."""
    return _classes(5_050, 8, 2, flip_y=0.05)


def rare() -> Table:
    """A class of five rows among three, 2,000 rows to learn from."""
    return _classes(4_000, 10, 3, n_informative=6, weights=[0.6, 0.3975])


def few() -> Table:
    """3 % positives."""
    return _classes(20_000, 20, 2, weights=[0.97], flip_y=0.01, n_clusters_per_class=3)


CASES: dict[str, Callable[[], Table]] = {
    one.__name__: one for one in (digits, classes, rows, values, columns, one, fifty, rare, few)
}


def cut(name: str, table: Table) -> tuple[Array, Array]:
    """Return the positions to learn from, and those to be judged on."""
    n_rows = len(table.truth)
    order = np.random.default_rng(1).permutation(n_rows)
    if name == "fifty":
        return order[:50], order[50:]
    if name == "rare":  # five rows of the rare class to learn from
        rarest = np.flatnonzero(table.truth[order] == 2)
        kept = np.ones(n_rows, bool)
        kept[rarest[5 : len(rarest) // 2]] = False
        late = np.zeros(n_rows, bool)
        late[rarest[len(rarest) // 2 :]] = True
        others = np.flatnonzero(kept & ~late)
        return order[others[: len(others) // 2]], order[
            np.concatenate([others[len(others) // 2 :], np.flatnonzero(late)])
        ]
    n_test = min(MOST_TEST_ROWS, n_rows // 4)
    return order[n_test:], order[:n_test]


def write(path: Path, table: Table, rows: Array, *, with_truth: bool) -> None:
    """Write rows as CSV."""
    import polars as pl

    found: dict[str, Any] = {f"x{k}": table.values[rows, k].round(5) for k in range(table.values.shape[1])}
    if with_truth:
        truth = table.truth[rows]
        found["y"] = [f"c{one:03d}" for one in truth] if table.is_class else truth.round(6)
    pl.DataFrame(found).write_csv(path)


class Cost(NamedTuple):
    """What a tree of processes took."""

    code: int
    wall_s: float
    cpu_s: float
    peak_mb: float
    said: str


def measured(command: list[str], *, limit_s: float) -> Cost:
    """Run a command and watch all its processes."""
    before, began = os.times(), time.monotonic()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, _tree_mb(process.pid))
            if time.monotonic() - began > limit_s:
                process.kill()
            time.sleep(0.2)
        after = os.times()
        said.seek(0)
        cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
        return Cost(process.returncode, time.monotonic() - began, cpu_s, peak, said.read())


def _tree_mb(root: int) -> float:
    """Add up the resident memory of a process and all that come from it."""
    parents: dict[int, int] = {}
    sizes: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                sizes[int(folder.name)] = int((folder / "statm").read_text().split()[1])
            except (OSError, IndexError):
                continue
    total = 0
    for pid in parents:
        one = pid
        while one > 1 and one != root:
            one = parents.get(one, 0)
        total += sizes[pid] if one == root else 0
    return total * os.sysconf("SC_PAGE_SIZE") / 1e6


def score(table: Table, rows: Array, answers: Array) -> tuple[str, float, float]:
    """Name the metric, and return it and what the constant answer gets."""
    from sklearn.metrics import log_loss, roc_auc_score

    truth = table.truth[rows]
    if not table.is_class:
        return "rmse", float(np.sqrt(np.mean((truth - answers) ** 2))), float(truth.std())
    if answers.shape[1] == 2:
        return "roc_auc", float(roc_auc_score(truth, answers[:, 1])), 0.5
    labels = np.arange(answers.shape[1])
    shares = np.bincount(truth, minlength=len(labels)) / len(truth)
    answers = np.clip(answers, 1e-15, 1)
    answers /= answers.sum(axis=1, keepdims=True)
    constant = -float((shares[shares > 0] * np.log(shares[shares > 0])).sum())
    return "log_loss", float(log_loss(truth, answers, labels=labels)), constant


def defaults(table: Table, learned: Array, judged: Array) -> tuple[Array, float]:
    """Let LightGBM's defaults learn and answer; return the answers, and seconds of CPU."""
    from lightgbm import LGBMClassifier, LGBMRegressor

    began = time.process_time()
    values = table.values.round(5)
    made = (LGBMClassifier if table.is_class else LGBMRegressor)(verbose=-1, n_jobs=2)
    made.fit(values[learned], table.truth[learned])
    seconds = time.process_time() - began
    if not table.is_class:
        return made.predict(values[judged]), seconds
    answers = np.zeros((len(judged), int(table.truth.max()) + 1))
    answers[:, made.classes_] = made.predict_proba(values[judged])
    return answers, seconds


def read(path: Path, table: Table) -> Array:
    """Read what `palio predict` wrote."""
    with path.open(newline="") as file:
        found = list(csv.DictReader(file))
    if not table.is_class:
        return np.array([float(row["prediction"]) for row in found])
    names = [name for name in found[0] if name.startswith("probability_")]
    answers = np.zeros((len(found), int(table.truth.max()) + 1))
    for name in names:
        answers[:, int(name.removeprefix("probability_c"))] = [float(row[name]) for row in found]
    return answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--budgets", default="10,60")
    parser.add_argument("--kept", type=Path, help="folder that projects and what they said stay in")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--without-defaults", action="store_true")
    asked = parser.parse_args()
    found, broken = [], []
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.kept or Path(scratch)
        for name in asked.cases.split(","):
            table = CASES[name]()
            learned, judged = cut(name, table)
            place = folder / name
            place.mkdir(parents=True, exist_ok=True)
            write(place / "train.csv", table, learned, with_truth=True)
            write(place / "test.csv", table, judged, with_truth=False)
            rival, rival_s = None, 0.0
            if not asked.without_defaults:
                answers, rival_s = defaults(table, learned, judged)
                rival = score(table, judged, answers)[1]
            for budget in asked.budgets.split(","):
                told = case(table, judged, place, float(budget))
                told |= {"case": name, "lightgbm": rival, "lightgbm_cpu_s": round(rival_s, 1)}
                found.append(told)
                print(json.dumps(told), flush=True)
                broken += faults(told)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1))
    print("\n".join(broken) or "within the limits")
    sys.exit(bool(broken))


def case(table: Table, judged: Array, place: Path, budget_s: float) -> dict[str, Any]:
    """Take one table through the verbs."""
    project = place / f"project-{budget_s:g}-{time.time_ns()}"
    where = ["--dir", str(project)]
    task = "classification" if table.is_class else "regression"
    begun = measured([PALIO, "init", str(place / "train.csv"), "--target", "y", "--task", task, *where], limit_s=900)
    run = measured([PALIO, "run", "--budget", f"{budget_s:g}", *where], limit_s=budget_s * 3 + 120)
    (place / f"said-{budget_s:g}.txt").write_text(begun.said + "\n" + run.said)
    told: dict[str, Any] = {
        "budget_s": budget_s,
        "init_s": round(begun.wall_s, 1),
        "code": run.code,
        "wall_s": round(run.wall_s, 1),
        "cpu_s": round(run.cpu_s, 1),
        "peak_mb": round(run.peak_mb),
        "init_mb": round(begun.peak_mb),
    }
    answers = place / "answers.csv"
    answers.unlink(missing_ok=True)
    asked = measured([PALIO, "predict", str(place / "test.csv"), *where, "--output", str(answers)], limit_s=900)
    if asked.code or not answers.exists():
        return told | {"fault": asked.said.strip().splitlines()[-3:]}
    metric, value, constant = score(table, judged, read(answers, table))
    return told | {"metric": metric, "palio": value, "constant": constant}


def faults(told: dict[str, Any]) -> list[str]:
    """Say which limits are broken."""
    name = f"{told['case']} at {told['budget_s']:g} s"
    if "palio" not in told:
        return [f"{name}: no answers ({told['fault']})"]
    found = []
    if told["wall_s"] > max(LATE * told["budget_s"], told["budget_s"] + LATE_S):
        found.append(f"{name}: took {told['wall_s']} s")
    if told["lightgbm"] is not None:
        gain = abs(told["lightgbm"] - told["constant"])
        sign = 1 if told["metric"] == "roc_auc" else -1
        if sign * (told["lightgbm"] - told["palio"]) > WORSE * gain:
            found.append(f"{name}: {told['metric']} {told['palio']:.4f}, LightGBM's defaults {told['lightgbm']:.4f}")
    return found


if __name__ == "__main__":
    main()
