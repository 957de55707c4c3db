"""The tables that Palio and its peers are held against each other on, cut into the same rows for all of them.

A set is written once for each seed: `train.csv` with the answers, `test.csv` without them, `answers.json` with those of
the test rows. Real tables are read from a folder (`--data`), tables.py's from another (`--tables`); what is absent is
passed over, with a reason.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ADULT = (
    *("age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation", "relationship"),
    *("race", "sex", "capital_gain", "capital_loss", "hours_per_week", "native_country", "income"),
)
TEST_SHARE = 0.25
METRICS = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}

Rows = list[list[str]]


class AbsentError(Exception):
    """A set cannot be had here; says why."""


@dataclass(frozen=True)
class Parts:
    """A set in two parts; `answer` is the place of the column to predict."""

    names: list[str]
    train: Rows
    test: Rows
    answer: int
    task: str


@dataclass(frozen=True)
class Written:
    """A set on the disk, as every peer gets it."""

    name: str
    seed: int
    folder: Path
    target: str
    task: str
    metric: str
    answers: list[str]
    """Of the test rows: names of classes, or numbers as text."""


def cut(names: Sequence[str], rows: Rows, target: str, task: str, seed: int) -> Parts:
    """Cut rows into train and test at random; parts of classes stay equal."""
    from sklearn.model_selection import train_test_split

    answer = list(names).index(target)
    answers = [row[answer] for row in rows]
    rare = task == "classification" and min(answers.count(one) for one in set(answers)) < 2
    train, test = train_test_split(
        range(len(rows)),
        test_size=TEST_SHARE,
        random_state=seed,
        stratify=answers if task == "classification" and not rare else None,
    )
    return Parts(list(names), [rows[place] for place in train], [rows[place] for place in test], answer, task)


def read_rows(path: Path, *, missing: Sequence[str] = ("", "NA", "?")) -> Rows:
    """Read cells of a CSV file without the blanks around them; marks of missing values become empty."""
    if not path.exists():
        raise AbsentError(f"{path.name} is not in {path.parent}")
    with path.open(newline="", encoding="utf-8") as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    return [["" if cell in missing else cell for cell in row] for row in rows]


def without(names: Sequence[str], rows: Rows, *dropped: str) -> tuple[list[str], Rows]:
    """Leave columns out."""
    keep = [place for place, name in enumerate(names) if name not in dropped]
    return [names[place] for place in keep], [[row[place] for place in keep] for row in rows]


def adult(folder: Path, _: int) -> Parts:
    """Read UCI adult; its test part is given, the seed changes nothing here."""
    train = read_rows(folder / "tabular" / "adult-train.csv")
    test = read_rows(folder / "tabular" / "adult-test.csv")
    test = [[*row[:-1], row[-1].removesuffix(".")] for row in test if len(row) == len(ADULT)]
    return Parts(list(ADULT), train, test, len(ADULT) - 1, "classification")


def bank(folder: Path, seed: int) -> Parts:
    """Read UCI bank marketing without `duration`, which is known only after the call."""
    names, *rows = read_rows(folder / "tabular" / "bank.csv")
    return cut(*without(names, rows, "duration"), "y", "classification", seed)


def telco(folder: Path, seed: int) -> Parts:
    """Read the churn of a telephone company, without the number of the customer."""
    names, *rows = read_rows(folder / "tabular" / "telco-churn.csv")
    return cut(*without(names, rows, "customerID"), "Churn", "classification", seed)


def california(folder: Path, seed: int) -> Parts:
    names, *rows = read_rows(folder / "tabular" / "california-housing.csv")
    return cut(names, rows, "median_house_value", "regression", seed)


def diamonds(folder: Path, seed: int) -> Parts:
    names, *rows = read_rows(folder / "tabular" / "diamonds.csv")
    return cut(names, rows, "price", "regression", seed)


def mammography(folder: Path, seed: int) -> Parts:
    rows = read_rows(folder / "tabular" / "mammography.csv")
    rows = [[*row[:-1], "yes" if row[-1].strip("'") == "1" else "no"] for row in rows]
    return cut([*(f"x{place}" for place in range(1, 7)), "malignant"], rows, "malignant", "classification", seed)


def texts(values: np.ndarray[Any, Any]) -> Rows:
    """Write numbers as the shortest text that reads back; not a number becomes empty."""
    return [["" if cell != cell else repr(cell) for cell in row] for row in values.tolist()]


def gen20k(_: Path, seed: int) -> Parts:
    """Make 20,000 × 30: one row in ten of interest, three columns of categories, 5 % missing in five columns."""
    from sklearn.datasets import make_classification

    values, answers = make_classification(
        n_samples=20_000,
        n_features=30,
        n_informative=12,
        n_redundant=6,
        n_clusters_per_class=4,
        weights=[0.9],
        flip_y=0.01,
        class_sep=0.8,
        random_state=0,
    )
    rng = np.random.default_rng(0)
    values = values.round(4)
    values[:, 3:8][rng.random((len(values), 5)) < 0.05] = np.nan
    rows = texts(values)
    for place, n_kinds in ((0, 4), (1, 8), (2, 20)):
        edges = np.quantile(values[:, place], np.linspace(0, 1, n_kinds + 1)[1:-1])
        kinds = rng.permutation(n_kinds)[np.searchsorted(edges, values[:, place])]
        for row, kind in zip(rows, kinds.tolist(), strict=True):
            row[place] = f"k{kind}"
    rows = [[*row, "yes" if answer else "no"] for row, answer in zip(rows, answers.tolist(), strict=True)]
    return cut([*(f"x{place}" for place in range(30)), "y"], rows, "y", "classification", seed)


def friedman1(_: Path, seed: int) -> Parts:
    """Make Friedman's first function of 10 columns, 10,000 rows, noise of standard deviation 1."""
    from sklearn.datasets import make_friedman1

    values, answers = make_friedman1(n_samples=10_000, n_features=10, noise=1.0, random_state=0)
    rows = texts(np.column_stack([values, answers]))
    return cut([*(f"x{place}" for place in range(10)), "y"], rows, "y", "regression", seed)


def bundled(loader: str, task: str) -> Callable[[Path, int], Parts]:
    """Read a table that scikit-learn bundles."""

    def read(_: Path, seed: int) -> Parts:
        import sklearn.datasets

        told = getattr(sklearn.datasets, f"load_{loader}")()
        names = [str(name).replace(" ", "_") for name in told.feature_names]
        rows = texts(told.data)
        for row, answer in zip(rows, told.target.tolist(), strict=True):
            row.append(str(told.target_names[answer]) if task == "classification" else repr(answer))
        return cut([*names, "y"], rows, "y", task, seed)

    return read


def table(name: str, folder: Path, seed: int) -> Parts:
    """Read a table that tables.py wrote; only those that judge."""
    from table_list import TABLES

    found = [one for one in TABLES if one.name == name]
    if not found:
        raise SystemExit(
            f"no set {name}; there are {', '.join([*SETS, *JUDGES])} and those that judge in table_list.py"
        )
    if found[0].half != "judge":
        raise AbsentError("defaults are chosen on it")
    names, *rows = read_rows(folder / f"{name}.csv")
    return cut(names, rows, found[0].target, found[0].task, seed)


SETS: dict[str, Callable[[Path, int], Parts]] = {
    "adult": adult,
    "bank": bank,
    "telco": telco,
    "california": california,
    "diamonds": diamonds,
    "mammography": mammography,
    "gen20k": gen20k,
    "digits": bundled("digits", "classification"),
    "friedman1": friedman1,
    "breast-cancer": bundled("breast_cancer", "classification"),
    "diabetes": bundled("diabetes", "regression"),
}
JUDGES = ("letter", "satimage", "phoneme", "churn", "splice", "elevators", "insurance", "loans")
"""Of tables.py, measured where `--tables` is given."""


def write_set(name: str, seed: int, *, data: Path | None, tables: Path | None, work: Path) -> Written:
    """Write a set for one seed, once.

    Raises:
        AbsentError: its source is not here.
    """
    folder = work / "sets" / f"{name}-{seed}"
    facts = folder / "answers.json"
    if not facts.exists():
        parts = make(name, seed, data, tables)
        folder.mkdir(parents=True, exist_ok=True)
        kind = "regression"
        if parts.task == "classification":
            kind = "binary" if len({row[parts.answer] for row in parts.train}) == 2 else "multiclass"
        target = parts.names[parts.answer]
        for part, rows in (("train", parts.train), ("test", parts.test)):
            names = parts.names
            if part == "test":
                names, rows = without(names, rows, target)
            with (folder / f"{part}.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([names, *rows])
        answers = [row[parts.answer] for row in parts.test]
        told = {"target": target, "task": parts.task, "metric": METRICS[kind], "answers": answers}
        facts.write_text(json.dumps(told))
    return Written(name=name, seed=seed, folder=folder, **json.loads(facts.read_text()))


def make(name: str, seed: int, data: Path | None, tables: Path | None) -> Parts:
    """Read or make a set, and cut it."""
    if name not in SETS:
        if tables is None:
            raise AbsentError("no --tables FOLDER, see tables.py")
        return table(name, tables, seed)
    made = {"gen20k", "digits", "friedman1", "breast-cancer", "diabetes"}
    if data is None and name not in made:
        raise AbsentError("no --data FOLDER (or BENCHMARK_DATA)")
    return SETS[name](data or Path(), seed)
