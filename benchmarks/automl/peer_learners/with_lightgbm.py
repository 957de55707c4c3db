"""LightGBM's defaults: one line of LGBMClassifier() on pandas' categories."""

from __future__ import annotations

from typing import Any

import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor
from order import Answering, Order, keep, kept, obey


def learn(order: Order) -> None:
    features, answers = order.rows()
    kinds = {name: pd.CategoricalDtype(features[name].dropna().unique()) for name in features.select_dtypes(object)}
    make = LGBMClassifier if order.is_classification else LGBMRegressor
    model = make(n_jobs=order.n_threads, random_state=order.seed, verbose=-1)
    names = {name: f"x{place}" for place, name in enumerate(features)}  # LightGBM refuses some signs in names
    model.fit(features.astype(kinds).rename(columns=names), answers)
    keep(order, (model, kinds, names))


def load(order: Order) -> tuple[Answering, list[str], Any]:
    model, kinds, names = kept(order)
    ask = model.predict_proba if order.is_classification else model.predict
    classes = list(model.classes_) if order.is_classification else []
    return lambda rows: ask(rows.astype(kinds).rename(columns=names)), classes, order.model


if __name__ == "__main__":
    obey(learn, load)
