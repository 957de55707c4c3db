"""Real streams in the order of time, and models that are trained on runs of their rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Array = Any


@dataclass(frozen=True)
class Stream:
    """Rows in the order of time; truths of numbers make it regression."""

    name: str
    X: Array
    y: Array
    warm_up: int
    """Rows that the first champion learns from."""
    drifts: tuple[int, ...] = ()
    """Rows from which on the concept is known to be another."""

    @property
    def is_regression(self) -> bool:
        """Whether numbers are asked for."""
        return self.y.dtype.kind == "f"

    def no_change(self) -> Array:
        """Losses of the answer `as the last truth`."""
        last = np.r_[self.y[:1], self.y[:-1]]
        return np.abs(self.y - last) if self.is_regression else (self.y != last).astype(float)


def load(folder: Path, name: str) -> Stream:
    return {
        "elec2": _elec2,
        "elec2_price": _elec2_price,
        "sea": _sea,
        "bank": _bank,
        "beijing": _beijing,
        "car_loan": _car_loan,
    }[name](folder)


def _elec2(folder: Path) -> Stream:
    X = np.loadtxt(folder / "stream/elec2-data.dat")[:, [1, 2, 4, 5, 6, 7]]  # without date and nswprice
    return Stream("elec2", X, np.loadtxt(folder / "stream/elec2-label.dat").astype(int), 5_000)


def _elec2_price(folder: Path) -> Stream:
    """With nswprice, as most published figures have it."""
    X = np.loadtxt(folder / "stream/elec2-data.dat")[:, 1:]
    return Stream("elec2_price", X, np.loadtxt(folder / "stream/elec2-label.dat").astype(int), 5_000)


def _sea(folder: Path) -> Stream:
    X = np.loadtxt(folder / "stream/sea-data.csv", delimiter=",")
    y = np.loadtxt(folder / "stream/sea-class.csv").astype(int)
    return Stream("sea", X, y, 5_000, (12_500, 25_000, 37_500))


def _bank(folder: Path) -> Stream:
    table = pl.read_csv(folder / "tabular/bank.csv").drop("duration")
    return Stream("bank", _numbers(table.drop("y")), (table["y"] == "yes").to_numpy().astype(int), 5_000)


def _beijing(folder: Path) -> Stream:
    table = (
        pl.read_csv(folder / "tabular/beijing-pm25.csv", null_values="NA", infer_schema_length=None)
        .drop_nulls("pm2.5")
        .drop("No", "year")
    )
    return Stream("beijing", _numbers(table.drop("pm2.5")), table["pm2.5"].to_numpy().astype(float), 8_000)


def _car_loan(folder: Path) -> Stream:
    unused = ("id", "timestamp", "y_pred_proba", "y_pred")
    old, new = (
        pl.read_parquet(folder / f"monitoring/car-loan-{part}.parquet").drop(*unused, strict=False)
        for part in ("reference", "monitoring")
    )
    table = pl.concat([old.tail(10_000), new.select(old.columns)], how="vertical_relaxed")
    return Stream("car_loan", _numbers(table.drop("repaid")), table["repaid"].to_numpy().astype(int), 10_000)


def _numbers(table: pl.DataFrame) -> Array:
    texts = [name for name, kind in table.schema.items() if kind == pl.String]
    return table.to_dummies(texts).fill_null(0).to_numpy().astype(float)


@dataclass
class Models:
    """Models of one family by the rows that they learned from; each is fitted once and its losses are kept."""

    stream: Stream
    family: str
    _losses: dict[tuple[int, int], Array] = field(default_factory=dict)

    def old_test(self) -> Array:
        """Every fifth row of the warm-up is learned from by no model."""
        return np.arange(0, self.stream.warm_up, 5)

    def losses(self, start: int, stop: int) -> Array:
        """Losses on all rows of the model that learned from rows start to stop; those before stop mean nothing."""
        key = (max(start, 0), stop)
        if key not in self._losses:
            rows = np.setdiff1d(np.arange(*key), self.old_test())
            self._losses[key] = self._fitted_losses(self.stream.X[rows], self.stream.y[rows])
        return self._losses[key]

    def _fitted_losses(self, X: Array, y: Array) -> Array:
        stream = self.stream
        if stream.is_regression:
            return np.abs(stream.y - self._made(LGBMRegressor, Ridge).fit(X, y).predict(stream.X))
        if len(np.unique(y)) < 2:
            return (stream.y != y[0]).astype(float)
        return (self._made(LGBMClassifier, LogisticRegression).fit(X, y).predict(stream.X) != stream.y).astype(float)

    def _made(self, trees: Any, linear: Any) -> Any:
        if self.family == "trees":
            return trees(n_estimators=60, num_leaves=15, n_jobs=1, verbose=-1, random_state=0)
        return make_pipeline(StandardScaler(), linear())
