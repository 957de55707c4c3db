"""CatBoost's defaults, with texts as its categorical features."""

from __future__ import annotations

from typing import Any

from catboost import CatBoostClassifier, CatBoostRegressor
from order import Answering, Order, keep, kept, obey


def learn(order: Order) -> None:
    features, answers = order.rows()
    texts = list(features.select_dtypes(object))
    make = CatBoostClassifier if order.is_classification else CatBoostRegressor
    model = make(
        cat_features=texts, thread_count=order.n_threads, random_seed=order.seed, verbose=0, allow_writing_files=False
    )
    model.fit(features.fillna(dict.fromkeys(texts, "NA")), answers)
    keep(order, (model, texts))


def load(order: Order) -> tuple[Answering, list[str], Any]:
    model, texts = kept(order)
    ask = model.predict_proba if order.is_classification else model.predict
    classes = [str(one) for one in model.classes_] if order.is_classification else []
    return lambda rows: ask(rows.fillna(dict.fromkeys(texts, "NA"))), classes, order.model


if __name__ == "__main__":
    obey(learn, load)
