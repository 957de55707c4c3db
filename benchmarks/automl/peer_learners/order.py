"""What a peer is asked to do, and how it answers: the same few lines for each of them.

Each peer's script calls `obey(learn, load)`, with one argument on its command line: the file of the order. `learn`
reads the train part, fits and saves; `load`, in a process of its own, brings the model back as a function from rows to
probabilities (n_rows, n_classes) and their classes, or to values.
"""

from __future__ import annotations

import json
import pickle
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

WARM_UP, MOST_ROWS, MOST_S = 10, 200, 20.0


@dataclass(frozen=True)
class Order:
    """One set, and how to learn from it."""

    step: str
    train: Path
    test: Path
    target: str
    task: str
    metric: str
    seed: int
    budget_s: float
    n_threads: int
    variant: str
    model: Path
    answers: Path

    @property
    def is_classification(self) -> bool:
        """Say whether the answers are classes."""
        return self.task == "classification"

    def rows(self) -> tuple[pd.DataFrame, pd.Series]:
        """Read the train part: features (texts as `object`, missing as NaN) and answers (classes as text)."""
        table = pd.read_csv(self.train, dtype={self.target: str} if self.is_classification else None)
        features = table.drop(columns=self.target)
        flags = features.select_dtypes(bool).columns
        features[flags] = features[flags].astype(str)
        return features, table[self.target]


Answering = Callable[[pd.DataFrame], Any]


def keep(order: Order, what: Any) -> None:
    """Save a model as one file."""
    order.model.mkdir(parents=True, exist_ok=True)
    (order.model / "model.pkl").write_bytes(pickle.dumps(what))


def kept(order: Order) -> Any:
    """Bring back what `keep` saved."""
    return pickle.loads((order.model / "model.pkl").read_bytes())


def size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def one_row_ms(answer: Answering, rows: pd.DataFrame) -> float:
    """Time answers to single rows, as a table of one row each; the median after a warm-up."""
    singles = [rows.iloc[place : place + 1] for place in range(min(len(rows), MOST_ROWS + WARM_UP))]
    times: list[float] = []
    began = time.perf_counter()
    for single in singles:
        start = time.perf_counter()
        answer(single)
        times.append((time.perf_counter() - start) * 1e3)
        if time.perf_counter() - began > MOST_S and len(times) > 2 * WARM_UP:
            break
    return statistics.median(times[WARM_UP:] or times)


def obey(learn: Callable[[Order], None], load: Callable[[Order], tuple[Answering, list[str], Path]]) -> None:
    """Do one step of an order: learn, or answer.

    `load` gives the function, its classes in the order of the columns, and the folder that a user would ship.
    """
    told = json.loads(Path(sys.argv[1]).read_text())
    order = Order(**told | {key: Path(told[key]) for key in ("train", "test", "model", "answers")})
    if order.step == "learn":
        learn(order)
        return
    answer, classes, folder = load(order)
    features, _ = order.rows()
    rows = pd.read_csv(order.test, dtype={name: str for name in features if features[name].dtype == object})
    found = answer(rows)
    values = [[float(cell) for cell in row] for row in found] if classes else [float(cell) for cell in found]
    report = {"classes": classes, "answers": values, "one_row_ms": one_row_ms(answer, rows), "mb": size_mb(folder)}
    order.answers.write_text(json.dumps(report))
